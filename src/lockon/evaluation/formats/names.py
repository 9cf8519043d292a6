"""Which sequence a result file belongs to: archives spell the names of sequences in several ways."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_PREFIXES = ("nfs-", "uav-", "otb-")
"""Some toolkits put the benchmark before the name."""
_SPAN = re.compile(r"-frames\[.*\]$")
"""pytracking adds the span of frames to tasks of OxUvA."""
_OTHER_NAMES = {"human4": "human4-2"}
"""OTB has two annotations for some videos; this one is the only one of them that is evaluated."""


def _folded(name: str) -> str:
    return name.lower().replace(".", "-").replace("_", "-")


def _bare(name: str) -> str:
    folded = _SPAN.sub("", _folded(name))
    for prefix in _PREFIXES:
        folded = folded.removeprefix(prefix)
    return _OTHER_NAMES.get(folded, folded)


_SPELLINGS: tuple[Callable[[str], str], ...] = (str, _folded, _bare)
"""From exact to loose; a looser one counts only where it leaves one sequence."""


class SequenceNames:
    """The sequences of a test set, to be found by any of their spellings."""

    def __init__(self, names: Iterable[str]) -> None:
        names = tuple(names)
        self._by_spelling: list[tuple[Callable[[str], str], dict[str, list[str]]]] = []
        for spelling in _SPELLINGS:
            found: dict[str, list[str]] = {}
            for name in names:
                found.setdefault(spelling(name), []).append(name)
            self._by_spelling.append((spelling, found))

    def match(self, name: str) -> str | None:
        """The sequence that a file of this name is for; None where there is none, or several that it could mean."""
        for spelling, found in self._by_spelling:
            fits = found.get(spelling(name), ())
            if len(fits) == 1:
                return fits[0]
        return None
