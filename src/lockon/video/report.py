"""What could not be read: the record a source keeps instead of failing on the first bad frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

_LINES_PRINTED = 20


@dataclass(frozen=True, slots=True)
class BadFrame:
    """A frame that could not be read."""

    index: int
    reason: str


class ReadReport:
    """Bad frames and remarks of one source, by frame number.

    `len(report)` is the number of bad frames, iteration gives them in order, `notes` are remarks on frames that were
    delivered, `bool(report)` says whether there is anything to tell and `str(report)` tells it. Reading a frame a
    second time does not count it twice.
    """

    def __init__(self) -> None:
        self._bad: dict[int, str] = {}
        self._notes: dict[int, str] = {}

    def add(self, bad: BadFrame) -> None:
        """Record a frame that could not be read."""
        self._bad[bad.index] = bad.reason

    def note(self, index: int, remark: str) -> None:
        """Record a remark on a frame that was delivered."""
        self._notes[index] = remark

    @property
    def notes(self) -> Mapping[int, str]:
        """Remarks on delivered frames, by frame number."""
        return dict(sorted(self._notes.items()))

    def __len__(self) -> int:
        return len(self._bad)

    def __bool__(self) -> bool:
        return bool(self._bad or self._notes)

    def __iter__(self) -> Iterator[BadFrame]:
        return (BadFrame(index, reason) for index, reason in sorted(self._bad.items()))

    def __str__(self) -> str:
        if not self:
            return "every frame was read"
        lines = [*_runs(self), *(f"frame {index}: {remark}" for index, remark in self.notes.items())]
        if len(lines) > _LINES_PRINTED:
            lines[_LINES_PRINTED:] = [f"... and {len(lines) - _LINES_PRINTED} more lines"]
        if self._bad:
            lines.insert(0, f"{len(self)} frame{'s' * (len(self) > 1)} could not be read")
        return "\n".join(lines)


def _runs(frames: Iterator[BadFrame] | ReadReport) -> Iterator[str]:
    """One line per run of consecutive bad frames with the same reason."""
    numbered = enumerate(frames)
    for (_, reason), group in groupby(numbered, key=lambda item: (item[1].index - item[0], item[1].reason)):
        run = [bad.index for _, bad in group]
        yield f"frame {run[0]}: {reason}" if len(run) == 1 else f"frames {run[0]}-{run[-1]} ({len(run)}): {reason}"
