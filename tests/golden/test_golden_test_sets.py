"""Test sets opened on real and generated annotation, and the tables against it; names are taken from the files."""

import json
import shutil
import tarfile

import numpy as np
import pytest

from golden.golden_data import golden_path
from lockon.data.testsets.registry import TEST_SETS, open_test_set
from lockon.data.testsets.tables import table


def frames(test_set):
    return sum(map(len, test_set.sequences))


def test_otb_annotation_has_the_lengths_of_the_table(tmp_path):
    source = golden_path("evaluation", "otb100_real", "gt")
    for entry in table("otb100").entries:
        if (source / f"{entry.name}.txt").is_file():
            path = tmp_path / (entry.folder or entry.name) / (entry.annotation or "groundtruth_rect.txt")
            path.parent.mkdir(exist_ok=True)
            shutil.copy(source / f"{entry.name}.txt", path)
    given = {path.stem for path in source.glob("*.txt")}
    otb = open_test_set("otb100", tmp_path)
    assert {sequence.name for sequence in otb.sequences} == given
    if len(given) == 100:
        assert frames(otb) == 59_035
        assert frames(open_test_set("otb100", tmp_path, pytracking=False)) == 59_040


def test_uav_annotation_has_the_lengths_and_absent_frames_of_the_table(tmp_path):
    source = golden_path("evaluation", "uav_realgt_synthpred", "gt")
    shutil.copytree(source, tmp_path / "anno" / "UAV123")
    uav = open_test_set("uav123", tmp_path)
    assert {sequence.name for sequence in uav.sequences} == {path.stem for path in source.glob("*.txt")}
    absent = {entry.name: entry.absent for entry in table("uav123").entries}
    for sequence in uav.sequences:
        assert int(np.isnan(sequence.truth.boxes).any(axis=1).sum()) == absent[sequence.name]


@pytest.mark.slow
def test_lasot_annotation_has_the_lengths_flags_and_attributes_of_the_table(tmp_path):
    with tarfile.open(golden_path("evaluation", "lasot_real", "lasot_test_gt.tar.xz")) as archive:
        archive.extractall(tmp_path / "raw", filter="data")
    raw, root = tmp_path / "raw", tmp_path / "LaSOT"
    for path in sorted((raw / "gt").glob("*.txt")):
        folder = root / path.stem.rpartition("-")[0] / path.stem
        folder.mkdir(parents=True)
        shutil.copy(path, folder / "groundtruth.txt")
        flags = (raw / "absent" / path.name).read_text().split()
        (folder / "full_occlusion.txt").write_text(",".join(flags))
        (folder / "out_of_view.txt").write_text(",".join("0" * len(flags)))
    lasot = open_test_set("lasot", root)
    assert (len(lasot), frames(lasot), lasot.excluded) == (280, 685_360, ())
    assert sum(int((~sequence.truth.visible).sum()) for sequence in lasot.sequences) == 18_346
    assert sum(int((sequence.truth.boxes[:, 2:] <= 0).any(axis=1).sum()) for sequence in lasot.sequences) == 10_289
    for sequence in lasot.sequences:
        row = (raw / "att" / f"{sequence.name}.txt").read_text().replace(",", " ").split()
        flagged = {name for name, flag in zip(lasot.attributes, row, strict=True) if float(flag)}
        assert sequence.attributes == flagged, sequence.name


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("vot2019", ("vot2019_real", "sequences")),
        ("vot2019", ("vot_supervised_synthetic", "sequences")),
        ("vot2022", ("vot_multistart_synthetic", "sequences")),
        ("vot2018_lt", ("vot_longterm_synthetic", "sequences")),
    ],
)
def test_vot_sequences_have_the_lengths_that_are_stated(name, parts):
    root = golden_path("evaluation", *parts)
    about = json.loads((root.parent / "meta.json").read_text()) if (root.parent / "meta.json").is_file() else {}
    vot = open_test_set(name, root)
    assert {sequence.name for sequence in vot.sequences} == {path.name for path in root.iterdir() if path.is_dir()}
    for sequence in vot.sequences:
        stated = about.get(sequence.name, {})
        assert len(sequence) == stated.get("length", len(sequence))
        if "absent" in stated:
            assert int(np.isnan(sequence.truth.boxes).any(axis=1).sum()) == stated["absent"]
    if parts[0] == "vot2019_real":
        assert (frames(vot), vot.excluded) == (TEST_SETS[name].frames, ())


def test_got10k_and_davis_are_opened_as_they_are():
    val = open_test_set("got10k_val", golden_path("evaluation", "got10k_synthetic"))
    listed = (golden_path("evaluation", "got10k_synthetic", "val", "list.txt")).read_text().split()
    assert [sequence.name for sequence in val.sequences] == listed
    assert all(sequence.image_size and len(sequence.truth.cover) == len(sequence) for sequence in val.sequences)
    for folder in ("davis_synthetic", "davis_real"):
        davis = open_test_set("davis2017", golden_path("evaluation", folder))
        expected = {path.name for path in golden_path("evaluation", folder, "Annotations", "480p").iterdir()}
        assert {sequence.name for sequence in davis.sequences} == expected


def test_oxuva_tasks_and_annotation(tmp_path):
    source = golden_path("evaluation", "oxuva_realgt_synthpred")
    for part in ("tasks", "annotations"):
        (tmp_path / part).mkdir()
        (path,) = source.glob(f"{part}_dev*.csv")
        shutil.copy(path, tmp_path / part / "dev.csv")
    dev = open_test_set("oxuva_dev", tmp_path)
    tasks = [line.split(",") for line in (tmp_path / "tasks" / "dev.csv").read_text().split()]
    assert [sequence.name for sequence in dev.sequences] == [f"{video}_{target}" for video, target, *_ in tasks]
    for sequence, (_, _, first, last, *_) in zip(dev.sequences, tasks, strict=True):
        assert (sequence.first_number, len(sequence)) == (int(first), int(last) - int(first) + 1)
        assert sequence.truth.present[0]
        assert (np.diff(sequence.truth.numbers) > 0).all()
