"""H.264 into fragmented MP4: a file that is complete up to its last fragment whatever interrupts the writing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, suppress
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from PIL import Image as PilImage

from lockon.errors import OutputError
from lockon.images import Image

H264_ENCODERS = ("libx264", "libopenh264")
"""By preference: x264 has constant quality; OpenH264 is what builds without GPL parts have."""

_SMALLEST_SIDE = 16
"""Pixels: OpenH264 encodes no less."""

_KEYFRAME_SECONDS = 2
"""Between keyframes: a browser seeks to these."""

_FRAGMENT_MICROSECONDS = 1_000_000
"""What is lost at most when the disk is full or the process is killed."""

_BT709, _SMPTE170M = 1, 6
"""Codes of ITU-T H.273 for what the stream declares: sRGB-like colours, in the BT.601 matrix. Readers that ignore the
declaration assume this matrix, so that all see the same colours."""


def find_encoder() -> str:
    """Name of the best H.264 encoder there is.

    Raises:
        OutputError: there is none.
    """
    for name in H264_ENCODERS:
        if name in av.codecs_available:
            return name
    raise OutputError(
        "this build of PyAV has no H.264 encoder. Install the one from PyPI (pip install --force-reinstall av), or "
        "write images: give a folder instead of a video file."
    )


class Encoder:
    """Encodes frames of one size, which is that of the first, made even.

    Args:
        path: file to write.
        tick: unit of the timestamps in seconds.
        rate: nominal frames per second.
        size: width and height of the first frame.
        crf: quality of x264, 0 (lossless) to 51.
    """

    def __init__(self, path: Path, *, tick: Fraction, rate: Fraction, size: tuple[int, int], crf: int) -> None:
        self._tick = tick
        self._size = size
        self._padded = tuple(max(side + side % 2, _SMALLEST_SIDE) for side in size)
        self._reformatter = VideoReformatter()
        self._container = av.open(
            str(path),
            "w",
            format="mp4",
            options={
                "movflags": "frag_keyframe+empty_moov+default_base_moof",
                "frag_duration": str(_FRAGMENT_MICROSECONDS),
                "flush_packets": "1",
            },
        )
        self._stream = self._add_stream(rate, crf)

    def _add_stream(self, rate: Fraction, crf: int) -> av.VideoStream:
        width, height = self._padded
        name = find_encoder()
        options = {"crf": str(crf), "preset": "veryfast"} if name == "libx264" else {}
        stream = self._container.add_stream(name, rate=rate, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base = self._tick
        context.gop_size = max(1, round(_KEYFRAME_SECONDS * rate))
        context.max_b_frames = 0  # with them the first frame would not be shown at 0, but for edit lists
        context.color_primaries = context.color_trc = _BT709
        context.colorspace, context.color_range = _SMPTE170M, ColorRange.MPEG
        if name != "libx264":
            context.bit_rate = max(200_000, round(width * height * rate / 10))  # a tenth of a bit a pixel
        return stream

    def write(self, image: Image, timestamp: int) -> None:
        """Encode `(H, W, 3)` uint8 RGB; another size than the first is fitted into it, with black borders."""
        fitted = self._pad(_fit(image, self._size))
        frame = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(fitted), format="rgb24")
        frame = self._reformatter.reformat(
            frame, format="yuv420p", dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.MPEG
        )
        frame.pts, frame.time_base = timestamp, self._tick
        self._container.mux(self._stream.encode(frame))

    def _pad(self, image: Image) -> Image:
        height, width = image.shape[:2]
        if (width, height) == self._padded:
            return image
        return np.pad(image, ((0, self._padded[1] - height), (0, self._padded[0] - width), (0, 0)), mode="edge")

    def finish(self) -> None:
        """Write what is still on its way, and close."""
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()

    def abandon(self) -> None:
        """Close; what is on its way is lost."""
        with suppress(av.FFmpegError):  # the disk is still full
            self._container.close()


def _fit(image: Image, size: tuple[int, int]) -> Image:
    width, height = size
    if image.shape[1::-1] == size:
        return image
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    canvas = np.zeros((height, width, 3), np.uint8)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    canvas[top : top + inner[1], left : left + inner[0]] = np.asarray(PilImage.fromarray(image).resize(inner))
    return canvas


def keep_complete_fragments(path: Path) -> int:
    """Cut a fragmented MP4 after its last complete fragment; returns the number of frames that leaves."""
    size = path.stat().st_size
    with path.open("rb") as file:
        end = max((end for kind, end in _boxes(file) if kind == b"mdat" and end <= size), default=0)
    os.truncate(path, end)
    if not end:
        return 0
    with closing(av.open(str(path), "r")) as container:
        return sum(1 for packet in container.demux(video=0) if packet.size)


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and end of the top-level boxes of an MP4 (ISO 14496-12, 4.2)."""
    at = 0
    while len(header := file.read(16)) >= 8:
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8:
            return
        at += length
        yield header[4:8], at
        file.seek(at)
