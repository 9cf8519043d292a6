"""How many frames videos have: counted once, and remembered for as long as a file does not change."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from lockon.errors import OutputError
from lockon.files import lockon_home, replacing
from lockon.video import open_source


class VideoLengths:
    """Numbers of frames by path, kept in `lockon.files.lockon_home()`.

    Args:
        rebuild: count again what is known.
    """

    def __init__(self, rebuild: bool = False) -> None:
        self._file = lockon_home() / "indices" / "video_lengths.json"
        self._new: dict[str, list[int]] = {}
        self._known = {} if rebuild else self._load()

    def of(self, path: Path) -> int:
        """Exact number of frames of a video file.

        Raises:
            VideoError: it cannot be read.
        """
        place, status = str(path.resolve()), path.stat()
        stamp = [status.st_size, status.st_mtime_ns]
        known = self._known.get(place)
        if known and known[:2] == stamp:
            return known[2]
        with open_source(path) as source:
            length = source.count_frames()
        self._new[place] = [*stamp, length]
        return length

    def save(self) -> None:
        """Remember what was counted; where that cannot be written, it is counted again the next time."""
        if not self._new:
            return
        with suppress(OSError, OutputError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self._file) as part:
                part.write_text(json.dumps(self._load() | self._new))

    def _load(self) -> dict[str, list[int]]:
        try:
            content = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}
