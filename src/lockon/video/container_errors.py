"""What went wrong when a video could not be opened, in words a user can act on."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

import av

from lockon.errors import VideoError

_SNIFFED_BYTES = 4096

_PLAYLISTS = (b"#EXTM3U", b"v=0", b"ffconcat", b"<?xml", b"<MPD")
"""Text that names a video: HLS, SDP, FFmpeg's own, DASH."""


def check_file(path: Path) -> None:
    """Raise a `VideoError` for a file that no decoder needs to look at."""
    try:
        with path.open("rb") as file:
            head = file.read(_SNIFFED_BYTES)
    except PermissionError as error:
        raise VideoError(f"no permission to read '{path}'. Change its permissions (chmod u+r) or copy it.") from error
    except OSError as error:
        raise VideoError(
            f"'{path}' cannot be read: {error.strerror}. Check the disk or copy the file again."
        ) from error
    if not head:
        raise VideoError(f"'{path}' is empty (0 bytes). Copy or record it again.")
    if _is_text(head) and not head.startswith(_PLAYLISTS):  # FFmpeg would hear MP3 in it, or draw it as a picture
        raise VideoError(f"'{path}' is not a video: it contains text. Check that it is the file you mean.")


def explain_file(path: Path, error: Exception) -> VideoError:
    """The error for a file that was readable but is no video."""
    with path.open("rb") as file:
        head = file.read(_SNIFFED_BYTES)
    if head[4:8] == b"ftyp":
        return VideoError(
            f"'{path}' is an MP4 file without its index (moov): the recording or the copy was cut off before it was "
            "finished. Copy it again, or repair it with a tool such as untrunc."
        )
    return VideoError(
        f"'{path}' is not a video in a format that can be read ({reason(error)}). Check that it plays elsewhere; "
        "if so, convert it to MP4, e.g. with 'ffmpeg -i INPUT OUTPUT.mp4'."
    )


def explain_address(name: str, timeout: float, error: Exception) -> VideoError:
    """The error for a URL that did not open."""
    if isinstance(error, av.error.ExitError | av.error.TimeoutError):
        return VideoError(
            f"no answer from {name} within {timeout:g} s. Check the address and the network, or allow more time "
            "with timeout=."
        )
    if isinstance(error, av.error.InvalidDataError):
        return VideoError(f"{name} gives no video. Check the address in a media player, and the network.")
    if isinstance(error, av.error.ProtocolNotFoundError):
        return VideoError(
            f"{name} uses a protocol that is not supported. Use rtsp, rtmp, http, https, udp, tcp or srt."
        )
    return VideoError(f"cannot connect to {name} ({reason(error)}). Check the address and the network.")


def explain_camera(name: str, error: Exception) -> VideoError:
    """The error for a camera that did not open."""
    return VideoError(
        f"cannot open {name} ({reason(error)}). Check that it is plugged in, that no other program uses it and that "
        "you may access it; other cameras are camera:0, camera:1, ..."
    )


def without_password(url: str) -> str:
    """A URL fit for messages and logs."""
    return re.sub(r"(?<=://)[^/@]*@", "", url)


def reason(error: BaseException) -> str:
    """The cause that an exception names, fit for the middle of a sentence."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text)[:1].lower() + str(text)[1:]


def _is_text(head: bytes) -> bool:
    """Whether a file starts like text: UTF-8 without control characters; the last character may be cut."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not re.search(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]", text)
