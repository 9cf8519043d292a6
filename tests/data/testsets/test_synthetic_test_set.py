import json
from dataclasses import replace

import numpy as np
import pytest

from lockon.boxes import Box
from lockon.data.synthetic import SyntheticSequence
from lockon.data.testsets.registry import open_test_set
from lockon.data.testsets.synthetic import (
    ATTRIBUTES,
    SyntheticTestSet,
    challenges,
    measured_attributes,
    write_synthetic,
)
from lockon.errors import DataError, OutputError

SMALL = SyntheticTestSet(count=2, length=2, seed=0, frame_size=(64, 48))


def contents(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made") / "new"
    write_synthetic(root, SMALL)
    return root


def test_it_is_opened_like_any_other(made):
    synthetic = open_test_set("synthetic", made)
    assert [sequence.name for sequence in synthetic.sequences] == ["synthetic_000", "synthetic_001"]
    assert (synthetic.protocol, synthetic.excluded) == ("one_pass", ())
    first = synthetic.sequences[0]
    assert (len(first), first.frame(1).shape, first.image_size) == (2, (48, 64, 3), (64, 48))
    assert set(synthetic.attributes) == set(ATTRIBUTES)


def test_one_that_was_stopped_is_completed_to_the_same_files(made, tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_synthetic(tmp_path, SMALL, stop)
    assert [name for name, _ in open_test_set("synthetic", tmp_path).excluded] == ["synthetic_001"]
    kept = (tmp_path / "synthetic_000" / "groundtruth.txt").stat().st_mtime_ns
    write_synthetic(tmp_path, SMALL)
    assert contents(tmp_path) == contents(made)
    assert (tmp_path / "synthetic_000" / "groundtruth.txt").stat().st_mtime_ns == kept


def test_another_recipe_is_not_mixed_in(made, tmp_path):
    with pytest.raises(OutputError, match="made otherwise"):
        write_synthetic(made, replace(SMALL, seed=50))
    (tmp_path / "recipe.json").write_text(json.dumps({"count": 2}))
    with pytest.raises(DataError, match=r"recipe\.json' is no recipe"):
        open_test_set("synthetic", tmp_path)


@pytest.mark.slow
def test_absent_frames_are_nan(tmp_path):
    write_synthetic(tmp_path, SyntheticTestSet(count=6, length=30, frame_size=(64, 48)))
    leaving = open_test_set("synthetic", tmp_path)["synthetic_005"]
    assert {"ABS", "OV"} <= leaving.attributes
    assert np.isnan(leaving.truth.boxes).all(axis=1).any()
    assert not np.isnan(leaving.truth.boxes[0]).any()


class Told(SyntheticSequence):
    """A sequence whose truth is told: boxes, shares that are visible, and boxes of one look-alike."""

    def __init__(self, boxes, visible=None, other=None):
        object.__setattr__(self, "frame_size", (100, 100))
        object.__setattr__(self, "length", len(boxes))
        Told.truth = boxes, visible or [1.0] * len(boxes), other

    def box(self, index):
        return Box(*map(float, Told.truth[0][index]))

    def visibility(self, index):
        return Told.truth[1][index]

    def distractors(self, index):
        return [Box(*map(float, Told.truth[2][index]))] if Told.truth[2] else []


STILL = [(40, 40, 30, 30)] * 3


@pytest.mark.parametrize(
    ("sequence", "attributes"),
    [
        (Told, set()),
        (lambda boxes: Told([(40, 40, 30, 30), (48, 40, 30, 30), (48, 40, 30, 30)]), {"FM"}),
        (lambda boxes: Told([(40, 40, 30, 30), (47, 40, 30, 30), (40, 40, 30, 30)]), set()),
        (lambda boxes: Told([(40, 40, 30, 30), (37, 37, 36, 36), (32, 32, 46, 46)]), {"SV"}),
        (lambda boxes: Told([(40, 40, 30, 30), (36, 42, 38, 25), (36, 42, 38, 25)]), {"ARC"}),
        (lambda boxes: Told(boxes, [1.0, 0.7, 1.0]), {"POC"}),
        (lambda boxes: Told(boxes, [1.0, 0.2, 1.0]), {"ABS"}),
        (lambda boxes: Told([(80, 40, 20, 30), (84, 40, 20, 30), (84, 40, 20, 30)], [1.0, 0.8, 0.8]), {"OV"}),
        (lambda boxes: Told(boxes, other=[(0, 0, 1, 1), (0, 0, 1, 1), (75, 40, 30, 30)]), {"SOB"}),
        (lambda boxes: Told(boxes, [1.0, 1.0, 0.1], [(0, 0, 1, 1), (0, 0, 1, 1), (75, 40, 30, 30)]), {"ABS"}),
        (lambda boxes: Told([(40, 40, 23, 23)] * 3), {"LR"}),
    ],
)
def test_attributes_are_measured(sequence, attributes):
    assert measured_attributes(sequence(STILL)) == attributes


def test_worlds_differ_and_keep_to_the_recipe():
    worlds = challenges(SMALL)
    assert len(set(worlds)) == len(worlds) == 8
    assert {world.length for world in worlds} == {2}
