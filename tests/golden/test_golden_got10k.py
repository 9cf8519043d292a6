"""The protocol of GOT-10k against its toolkit's report."""

import json
from configparser import ConfigParser

import numpy as np
import pytest
from golden_data import golden_path
from golden_results import OPE_TOLERANCE, boxes, numbers

from lockon.data.testsets.base import BoxTruth, TestSequence, TestSet
from lockon.evaluation import got10k
from lockon.evaluation.tracks import Track


def read_sequence(folder):
    info = ConfigParser()
    info.read(folder / "meta_info.ini")
    truth = BoxTruth(
        boxes=boxes((folder / "groundtruth.txt").read_text()),
        cover=numbers((folder / "cover.label").read_text()).astype(int),
    )
    return TestSequence(
        name=folder.name,
        frame_paths=(),
        truth=truth,
        start=None,
        length=len(truth.boxes),
        category=info["METAINFO"]["object_class"],
        image_size=tuple(numbers(info["METAINFO"]["resolution"].strip("()")).astype(int).tolist()),
    )


def read_runs(folder, names):
    count = len(list((folder / names[0]).glob("*_[0-9][0-9][0-9].txt")))
    runs = [{} for _ in range(count)]
    for name in names:
        times = numbers((folder / name / f"{name}_time.txt").read_text()).reshape(-1, count)
        for number, run in enumerate(runs):
            predicted = boxes((folder / name / f"{name}_{number + 1:03d}.txt").read_text())
            run[name] = Track(boxes=predicted, seconds=times[:, number])
    return runs


def test_val_split_equals_the_toolkit():
    root = golden_path("evaluation", "got10k_synthetic")
    expected = json.loads((root / "expected.json").read_text())
    sequences = tuple(read_sequence(folder) for folder in sorted((root / "val").iterdir()) if folder.is_dir())
    names = [sequence.name for sequence in sequences]
    test_set = TestSet(name="got10k_val", title="GOT-10k val", sequences=sequences, protocol="got10k")
    results = {tracker: read_runs(root / "results" / "GOT-10k" / tracker, names) for tracker in expected}
    for ours in got10k.assess(test_set, results).trackers:
        overall = expected[ours.tracker]["overall"]
        for name, key in {"AO": "ao", "SR50": "sr50_from_curve", "SR75": "sr75_from_curve"}.items():
            assert ours.values[name] == pytest.approx(100 * overall[key], abs=OPE_TOLERANCE), name
        curve = ours.curves["success_plot"]
        np.testing.assert_allclose(curve.y, 100 * np.array(overall["succ_curve"]), atol=1e-4)
        assert ours.frames_per_second == pytest.approx(overall["speed_fps"], rel=1e-5)
        for name, wanted in expected[ours.tracker]["seq_wise"].items():
            assert ours.by_sequence["AO"][name] == pytest.approx(100 * wanted["ao"], abs=OPE_TOLERANCE)
            assert ours.by_sequence["SR50"][name] == pytest.approx(100 * wanted["sr"], abs=OPE_TOLERANCE)
