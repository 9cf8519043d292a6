"""The one family of exceptions Lockon raises for problems a user can act on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LockonError(Exception):
    """Base of every error Lockon raises on purpose: the message names the problem and the remedy."""


class BoxError(LockonError, ValueError):
    """A target box is malformed or does not lie on the image."""


class ImageError(LockonError, ValueError):
    """An image has a shape, type or content that cannot be tracked in."""


class VideoError(LockonError, OSError):
    """A video source cannot be opened, read or sought."""


class OutputError(LockonError, OSError):
    """A result cannot be written."""


class CheckpointError(LockonError, ValueError):
    """A weight file is unreadable, unsafe, or does not fit the network it is meant for."""


class DataError(LockonError, ValueError):
    """Annotations, results or a dataset folder are missing, malformed, or do not fit each other."""


class TrackerError(LockonError, RuntimeError):
    """A tracker that is measured cannot be started, is silent, or says what nobody understands."""


class TrainingError(LockonError, RuntimeError):
    """A training run cannot begin, go on, or be trusted any further."""


class StateError(LockonError, ValueError):
    """A saved track is unreadable or belongs to another tracker."""


class DeviceError(LockonError, RuntimeError):
    """A device that networks should run on does not exist here."""


class RecipeError(LockonError, ValueError):
    """A training recipe has a value that cannot be trained with, or lacks one."""


class UnknownNameError(LockonError, KeyError):
    """A name is not in its catalogue; the message suggests the nearest one."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        super().__init__(f"unknown {kind} '{name}'.{hint} Known: {', '.join(names)}.")

    def __str__(self) -> str:
        return str(self.args[0])


class MissingExtraError(LockonError, ImportError):
    """A feature needs an optional dependency; the message is the one line to type."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional dependency. Install it with: pip install 'lockon[{extra}]'")
