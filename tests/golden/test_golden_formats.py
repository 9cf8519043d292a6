"""The result files of the golden evaluation set, in the forms that the official programs read, are read whole."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from golden_data import golden_path

from evaluation.formats.result_folders import sequence_of, set_of
from lockon.data.testsets.base import TestSet
from lockon.evaluation.formats import read_results
from lockon.evaluation.tracks import MaskTrack, RegionTrack, Track


def one_pass_set(folder: Path) -> TestSet:
    return set_of(
        "one_pass", *(sequence_of(path.stem, line_count(path)) for path in sorted((folder / "gt").iterdir()))
    )


def line_count(path: Path) -> int:
    return len(path.read_text().strip().splitlines())


@pytest.mark.parametrize("folder", ["otb100_real", "lasot_real/subset", "uav_realgt_synthpred"])
def test_boxes_of_every_tracker(folder: str) -> None:
    root = golden_path("evaluation", *folder.split("/"))
    test_set = one_pass_set(root)
    read = read_results(root / "results", test_set)
    assert read.form == "text"
    assert not read.exclusions
    assert not read.unused
    for tracker, runs in read.results.items():
        for name, track in runs[0].items():
            assert isinstance(track, Track)
            text = (root / "results" / tracker / f"{name}.txt").read_text().replace(",", " ")
            np.testing.assert_array_equal(track.boxes.ravel(), [float(word) for word in text.split()])
    for doubt in read.doubts:  # Tiger1 without its first frames, and files of the set that are long or short
        assert "lines" in doubt


def test_got10k_repetitions() -> None:
    root = golden_path("evaluation", "got10k_synthetic", "results", "GOT-10k")
    names = sorted({path.name for tracker in root.iterdir() for path in tracker.iterdir() if path.is_dir()})
    lengths = {name: line_count(next(root.glob(f"*/{name}/{name}_001.txt"))) for name in names}
    read = read_results(root, set_of("got10k", *(sequence_of(name, lengths[name]) for name in names)))
    assert read.form == "got10k"
    assert not read.exclusions
    assert not read.doubts
    for tracker, runs in read.results.items():
        assert len(runs) == len(list((root / tracker / names[0]).glob(f"{names[0]}_0*.txt")))
        assert all(isinstance(said, Track) and said.seconds is not None for run in runs for said in run.values())


@pytest.mark.parametrize("kind", ["vot2019_real", "vot_supervised_synthetic", "vot_longterm_synthetic"])
def test_vot_repetitions(kind: str) -> None:
    root = golden_path("evaluation", kind)
    protocol = "vot_longterm" if "longterm" in kind else "vot_supervised"
    read = read_results(root / "results", vot_set(root / "results", protocol))
    assert (read.form, read.exclusions, read.unused, read.doubts) == ("vot", (), (), ())
    for runs in read.results.values():
        for said in runs[0].values():
            assert isinstance(said, RegionTrack)
            if protocol == "vot_longterm":
                assert said.scores is not None
                assert np.isnan(said.scores[0])
                assert not np.isnan(said.scores[1:]).all()


def vot_set(results: Path, protocol: str) -> TestSet:
    folders = {path.name: path for path in sorted(results.glob("*/*/*"))}
    return set_of(protocol, *(sequence_of(name, length_of(path)) for name, path in folders.items()))


def length_of(folder: Path) -> int:
    return max(line_count(path) for path in folder.glob("*.txt"))


def test_vot_runs_by_anchor() -> None:
    results = golden_path("evaluation", "vot_multistart_synthetic", "results")
    read = read_results(results, vot_set(results, "vot_multistart"))
    assert (read.form, read.exclusions, read.unused) == ("vot", (), ())
    for tracker, (run,) in read.results.items():
        for name, by_anchor in run.items():
            assert isinstance(by_anchor, Mapping)
            files = (results / tracker / "baseline" / name).glob("*.txt")
            assert sorted(by_anchor) == sorted(int(path.stem[-8:]) for path in files)


def test_oxuva_predictions() -> None:
    root = golden_path("evaluation", "oxuva_realgt_synthpred")
    sequences = []
    for line in (root / "tasks_dev_subset.csv").read_text().splitlines():
        video, target, first, last, *_ = line.split(",")
        sequences.append(sequence_of(f"{video}_{target}", int(last) - int(first) + 1, first_number=int(first)))
    read = read_results(root / "predictions", set_of("oxuva", *sequences))
    assert (read.form, read.exclusions, read.unused) == ("oxuva", (), ())
    for tracker, (run,) in read.results.items():
        for name, track in run.items():
            assert isinstance(track, Track)
            assert track.present is not None
            rows = [line.split(",") for line in (root / "predictions" / tracker / f"{name}.csv").read_text().split()]
            assert int((~np.isnan(track.boxes[:, 0])).sum()) == len(rows)
            assert int(track.present.sum()) == sum(row[3] == "true" for row in rows)


def test_label_images_of_davis() -> None:
    root = golden_path("evaluation", "davis_synthetic")
    folders = sorted({path.name: path for path in (root / "results").glob("*/*")}.values())
    sequences = []
    for folder in folders:
        frames = tuple(sorted(next((root / "Annotations").glob(f"*/{folder.name}")).glob("*.png")))
        sequences.append(sequence_of(folder.name, len(frames), frame_paths=frames))
    read = read_results(root / "results", set_of("davis", *sequences))
    assert (read.form, read.exclusions, read.unused) == ("masks", (), ())
    for (run,) in read.results.values():
        for said in run.values():
            assert isinstance(said, MaskTrack)
            assert any(said.labels)
