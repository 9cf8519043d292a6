"""Small test sets and results for the tests of protocols."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lockon.data.testsets import base
from lockon.evaluation.tracks import Track

BOX = (10.0, 10.0, 20.0, 10.0)
HALF = (10.0, 10.0, 40.0, 10.0)
"""Overlaps `BOX` by exactly a half; its centre is 10 pixels, or half a width, off."""
LOST = (500.0, 500.0, 20.0, 10.0)
ABSENT = (np.nan,) * 4


def boxes(*rows):
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def still(count, box=BOX):
    return np.tile(boxes(box), (count, 1))


def sequence(name, truth, **fields):
    truth = truth if isinstance(truth, base.BoxTruth) else base.BoxTruth(boxes=truth)
    defaults = {"frame_paths": (), "start": None, "length": len(truth.boxes)}
    return base.TestSequence(name=name, truth=truth, **(defaults | fields))


def make_set(*sequences, name="folder", protocol="one_pass", **fields):
    return base.TestSet(name=name, title="the set", sequences=sequences, protocol=protocol, **fields)


def run(tracks: Mapping[str, np.ndarray | Track]):
    return {
        name: each if isinstance(each, Track) else Track(boxes=np.asarray(each, dtype=np.float64))
        for name, each in tracks.items()
    }
