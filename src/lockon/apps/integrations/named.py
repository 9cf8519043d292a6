"""Trackers as they are named on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lockon.apps.integrations.lockon_tracker import lockon_tracker
from lockon.apps.integrations.opencv import OPENCV_TRACKERS, opencv_tracker
from lockon.apps.integrations.own_tracker import own_tracker
from lockon.evaluation.trackers import TrackerSpec
from lockon.files import user_path
from lockon.tracking.precision import Precision


def named_tracker(
    text: str,
    *,
    device: str = "cpu",
    precision: Precision = "fp32",
    settings: Sequence[str] = (),
    nanotrack: Path | None = None,
) -> TrackerSpec:
    """The tracker that a word means.

    Args:
        text: name or path of a Lockon tracker, one of `OPENCV_TRACKERS`, or FILE.py:FUNCTION; NAME=… gives it
            another name.
        device, precision, settings: of a Lockon tracker.
        nanotrack: folder with NanoTrack's files.

    Raises:
        LockonError: there is no such tracker, or something that it needs is missing.
    """
    name, source = _name_and_source(text)
    if source in OPENCV_TRACKERS:
        spec = opencv_tracker(source, nanotrack)
        return replace(spec, name=name or spec.name)
    if _is_function(source):
        return own_tracker(source, name)
    return lockon_tracker(source, device=device, precision=precision, settings=settings, name=name)


def has_settings(text: str) -> bool:
    """Whether a word means a Lockon tracker, whose preset can be changed."""
    _, source = _name_and_source(text)
    return source not in OPENCV_TRACKERS and not _is_function(source)


def _name_and_source(text: str) -> tuple[str | None, str]:
    name, equals, source = text.partition("=")
    return (name, source) if equals and not user_path(text).exists() else (None, text)


def _is_function(source: str) -> bool:
    return ":" in source and not user_path(source).exists()
