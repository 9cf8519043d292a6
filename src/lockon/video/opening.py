"""One door to every kind of video source."""

from __future__ import annotations

import glob
import re
import sys
from functools import partial
from pathlib import Path

from lockon.errors import VideoError
from lockon.files import user_path
from lockon.video.container import Target, is_live, read_first
from lockon.video.container_errors import check_file, explain_address, explain_camera, explain_file, without_password
from lockon.video.image_files import ImageFolder, images_in, images_matching, is_image_name
from lockon.video.live import LiveVideo
from lockon.video.source import BadFramePolicy, VideoSource
from lockon.video.video_files import VideoFile

DEFAULT_TIMEOUT = 10.0
"""Seconds to wait for a camera or a network stream."""

_CAMERA_FORMATS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}


def open_source(
    spec: str | Path | int,
    *,
    on_bad_frame: BadFramePolicy = "skip",
    prefetch: int = 0,
    timeout: float = DEFAULT_TIMEOUT,
) -> VideoSource:
    """Open a video, whatever it is, and check that it can be read.

    Args:
        spec: a video file; an image file, a folder of images or a glob pattern (`"frames/*.png"`); a camera
            (`"camera:0"`, `0`, or by name where the system has names); or a URL (`rtsp://`, `https://` ...).
        on_bad_frame: what to do at a frame that cannot be read.
        prefetch: number of frames that a thread decodes ahead; 0 decodes in the caller's thread.
        timeout: seconds to wait for a camera or network stream to open, and for each of its frames.

    Raises:
        VideoError: it is not there, cannot be read or holds no pictures; the message says what to do.
    """
    text = str(spec)
    if not text:
        raise VideoError("no video is given. Give a file, a folder, a glob pattern, camera:0 or a URL.")
    path = user_path(text)
    if text.startswith("camera:") or (text.isdecimal() and not path.exists()):
        return _open_target(_camera(text.removeprefix("camera:"), timeout), on_bad_frame, prefetch)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text) and not text.startswith("file://"):
        return _open_target(_address(text, timeout), on_bad_frame, prefetch)
    if _exists(path):
        if path.is_dir():
            return ImageFolder(images_in(path), text, on_bad_frame=on_bad_frame, prefetch=prefetch)
        check_file(path)
        if is_image_name(path):
            return ImageFolder([path], text, on_bad_frame=on_bad_frame, prefetch=prefetch)
        file = Target("file", text, f"file:{path}", partial(explain_file, path))
        return _open_target(file, on_bad_frame, prefetch)
    if glob.has_magic(text):
        return ImageFolder(images_matching(str(path)), text, on_bad_frame=on_bad_frame, prefetch=prefetch)
    raise VideoError(f"'{path}' does not exist. Check the path; relative paths start at '{Path.cwd()}'.")


def _open_target(target: Target, on_bad_frame: BadFramePolicy, prefetch: int) -> VideoSource:
    # Frame threads are the fastest, but show a live picture only some frames later.
    opening = read_first(target, "AUTO" if target.kind == "file" else "SLICE")
    if is_live(target, opening.container):
        return LiveVideo(opening, on_bad_frame=on_bad_frame, prefetch=prefetch)
    return VideoFile(target, opening, on_bad_frame=on_bad_frame, prefetch=prefetch)


def _address(url: str, timeout: float) -> Target:
    name = without_password(url)
    # Over UDP, the default, RTSP loses packets, and with them pictures.
    options = {"rtsp_transport": "tcp"} if url.lower().startswith("rtsp") else {}
    return Target("stream", name, url, partial(explain_address, name, timeout), options=options, timeout=timeout)


def _camera(which: str, timeout: float) -> Target:
    name = f"camera {which}"
    if sys.platform not in _CAMERA_FORMATS:
        raise VideoError(f"cameras are not supported on {sys.platform}. Give a file or a network stream.")
    if sys.platform == "win32" and which.isdecimal():
        raise VideoError(f"on Windows cameras have names, not numbers such as {which}. Give camera:NAME.")
    address = which
    if sys.platform == "linux" and which.isdecimal():
        address = f"/dev/video{which}"
    elif sys.platform == "win32":
        address = f"video={which}"
    explain = partial(explain_camera, name)
    return Target("camera", name, address, explain, format=_CAMERA_FORMATS[sys.platform], timeout=timeout)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError) as error:  # a folder above it may not be read; a name that cannot be one
        reason = getattr(error, "strerror", None) or error
        raise VideoError(f"'{path}' cannot be reached ({reason}). Check the path and the permissions.") from error
