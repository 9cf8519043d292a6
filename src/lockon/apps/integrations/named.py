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
    before, equals, after = text.partition("=")
    name, source = (before, after) if equals and not user_path(text).exists() else (None, text)
    if source in OPENCV_TRACKERS:
        spec = opencv_tracker(source, nanotrack)
        return replace(spec, name=name or spec.name)
    if ":" in source and not user_path(source).exists():
        return own_tracker(source, name)
    return lockon_tracker(source, device=device, precision=precision, settings=settings, name=name)
