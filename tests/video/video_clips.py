"""Clips for the tests: frames that carry their number in their pixels, so that a frame out of place shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

BITS = 12
_CELL = 12


def numbered_image(number: int, width: int = 192, height: int = 96) -> np.ndarray:
    """A moving texture with the number in white and black cells along the top."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([x + 3 * number, 2 * y + number, x + y], axis=-1).astype(np.uint8) // 2 + 60
    for bit in range(BITS):
        image[2 : 2 + _CELL, 4 + bit * _CELL : 4 + (bit + 1) * _CELL] = 255 * (number >> bit & 1)
    return image


def number_in(image: np.ndarray) -> int:
    """The number in an image made by `numbered_image`."""
    cells = image[5 : _CELL - 1, 4 : 4 + BITS * _CELL].reshape(-1, BITS, _CELL, 3)[:, :, 3:-3].mean(axis=(0, 2, 3))
    return int(sum(1 << bit for bit in range(BITS) if cells[bit] > 128))


def write_clip(
    path: Path,
    frames: int | Iterable[np.ndarray] = 30,
    *,
    codec: str = "libx264",
    rate: Fraction | int = 25,
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    format: str | None = None,
    keyframes: int = 10,
    times: Sequence[int] | None = None,
    tick: Fraction | None = None,
    sound: str | None = None,
) -> Path:
    """Encode numbered images, or the given ones; `times` in ticks; `sound` is the codec of a 440 Hz track."""
    images = (numbered_image(index) for index in range(frames)) if isinstance(frames, int) else iter(frames)
    with av.open(str(path), "w", format=format) as container:
        steady = {"sc_threshold": "0"} if codec == "libx264" else {}  # keyframes where they are asked for
        stream: Any = container.add_stream(codec, rate=rate, options=steady | (options or {}))
        stream.pix_fmt = pix_fmt
        stream.codec_context.gop_size = keyframes
        if tick is not None:
            stream.codec_context.time_base = tick
        track: Any = container.add_stream(sound, rate=44_100, layout="stereo") if sound else None
        written = 0
        for index, image in enumerate(images):
            if index == 0:
                stream.height, stream.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[index], tick
            container.mux(stream.encode(frame))
            written = index + 1
        if track is not None:
            _add_tone(container, track, written / Fraction(rate) + 1)
            container.mux(track.encode(None))
        container.mux(stream.encode(None))
    return path


def _add_tone(container: Any, track: Any, seconds: Fraction) -> None:
    for start in range(0, int(seconds * 44_100), 1024):
        wave = (8000 * np.sin((start + np.arange(1024)) * 2 * np.pi * 440 / 44_100)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], format="s16", layout="stereo")
        frame.sample_rate, frame.pts = 44_100, start
        container.mux(track.encode(frame))


def packets(path: Path) -> list[tuple[int, int, int]]:
    """Position in the file, size and number (in order of presentation) of each packet, in decoding order."""
    with av.open(str(path)) as container:
        found = [(packet.pos, packet.size, packet.pts) for packet in container.demux(video=0) if packet.size]
    order = sorted(pts for _, _, pts in found)
    return [(pos, size, order.index(pts)) for pos, size, pts in found]


def damage(path: Path, numbers: Iterable[int], *, seed: int = 0) -> None:
    """Overwrite the packets of the frames with these numbers with noise."""
    data, random = bytearray(path.read_bytes()), np.random.default_rng(seed)
    wanted = set(numbers)
    for pos, size, number in packets(path):
        if number in wanted:
            data[pos : pos + size] = random.integers(0, 256, size, np.uint8).tobytes()
    path.write_bytes(data)


def truncate(path: Path, keep: float) -> None:
    """Cut a file off after this share of its pictures' data."""
    first = packets(path)[0][0]
    data = path.read_bytes()
    path.write_bytes(data[: first + int((len(data) - first) * keep)])


def move_index_to_front(path: Path) -> None:
    """Rewrite an MP4 as a file that can be played while it loads, and read when its end is missing."""
    front = path.with_suffix(".front.mp4")
    with av.open(str(path)) as source, av.open(str(front), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0], opaque=True)
        stream.time_base = source.streams.video[0].time_base
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    front.replace(path)


def set_edit_list(path: Path, start_ticks: int, milliseconds: int) -> None:
    """Make an MP4 that has an edit list start later and end earlier (ISO 14496-12, 8.6.6)."""
    data = bytearray(path.read_bytes())
    at = data.find(b"elst") + 12
    media_time = int.from_bytes(data[at + 4 : at + 8], "big") + start_ticks
    data[at : at + 8] = milliseconds.to_bytes(4, "big") + media_time.to_bytes(4, "big")
    path.write_bytes(data)


def set_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Write a display matrix into the track header of an MP4 (ISO 14496-12, 8.3.2)."""
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd") + 4 + 40
    for offset, value in ((0, a), (4, b), (12, c), (16, d)):
        data[at + offset : at + offset + 4] = (value << 16).to_bytes(4, "big", signed=True)
    path.write_bytes(data)
