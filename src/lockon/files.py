"""Files as users name them, written whole or not at all."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from lockon.errors import OutputError

if sys.platform != "win32":
    import fcntl


def user_path(name: str | Path) -> Path:
    """The file that a user means: `~` is the home folder, and `file://` may come before the path."""
    return Path(os.path.expanduser(str(name).removeprefix("file://")))  # Path.expanduser fails on a file "~a"


def lockon_home() -> Path:
    """Where Lockon keeps what it need not make twice: `$LOCKON_HOME`, or `~/.cache/lockon`."""
    home = os.environ.get("LOCKON_HOME")
    return Path(home) if home else Path.home() / ".cache" / "lockon"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; what is there takes the place of `path` once all is written.

    A failure or a kill on the way leaves `path` as it was.

    Raises:
        OutputError: the file cannot be written.
    """
    part = path.parent / (path.name + ".part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink()


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Hold a lock file; other processes that want to hold it wait here.

    Nobody waits where there are no such locks: on Windows, and on some network file systems.

    Raises:
        OutputError: the file cannot be made.
    """
    with _lock_file(path) as file:
        if sys.platform != "win32":
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def claimed(path: Path, who: str) -> Iterator[None]:
    """Hold a lock file that says who holds it, and remove it afterwards; a holder that dies lets go.

    Nobody is refused where there are no such locks: on Windows, and on some network file systems.

    Args:
        path: the file.
        who: what others are told who want it meanwhile.

    Raises:
        OutputError: another one holds it, or the file cannot be made.
    """
    with _claim(path) as file:
        file.truncate(0)
        file.write(who)
        file.flush()
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()


def this_process(does: str) -> str:
    """Who holds a lock, for `claimed`: this process, what it does there, and since when."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return f"process {os.getpid()} on {platform.node()}, which {does} there since {now}"


def _claim(path: Path) -> TextIO:
    while True:
        file = _lock_file(path)
        try:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with file:
                file.seek(0)
                raise OutputError(
                    f"'{path.parent}' is in use by {file.read() or 'another process'}. "
                    "Wait for it, end it, or choose another folder."
                ) from None
        except OSError:
            return file
        if _is_at(file, path):
            return file
        file.close()  # its holder has removed it since we opened it


def _is_at(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _lock_file(path: Path) -> TextIO:
    try:
        return path.open("a+", encoding="utf-8")
    except OSError as error:
        raise cannot_write(path, error) from error


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where they do not exist.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The error to raise where the system does not let us write `path`."""
    reason = error.strerror or error
    return OutputError(
        f"cannot write {path}: {reason}. Check that the folder exists, is writable and has free space."
    )


def check_writable(path: Path) -> None:
    """Check that a file can be written, without touching one that exists.

    Raises:
        OutputError: the folder is missing or not writable, or `path` is a folder.
    """
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder. Give a file name.")
    if not path.parent.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {path.parent}. Create it first.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise OutputError(f"cannot write {path}: permission denied. Choose another folder.")
