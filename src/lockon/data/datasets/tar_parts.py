"""Single files within tar files: put there, and read without the rest."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from lockon.errors import DataError


def add_part(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    """Put a file at the end of an archive, with nothing in its header that another run would write otherwise."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def read_part(path: Path, start: int, size: int) -> bytes:
    """Up to `size` bytes of a file from `start` on; fewer where it ends before.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(size)
    except OSError as error:
        raise DataError(f"cannot read '{path}': {error.strerror or error}.") from error
