import json

import pytest
import torch

from lockon.errors import CheckpointError, OutputError
from lockon.training.checkpoints import Checkpoints, decode


def content(step: int, size: int = 3) -> dict:
    return {"step": step, "weights": torch.full((size,), float(step)), "names": ["a", None, 1.5]}


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def checkpoints(tmp_path, told) -> Checkpoints:
    return Checkpoints(tmp_path / "run" / "checkpoints", keep_last=2, tell=told.append)


def newest_step(checkpoints: Checkpoints) -> int:
    return decode(checkpoints.newest() or b"")["step"]


def steps(checkpoints: Checkpoints) -> list[int]:
    return [label.step for label in checkpoints.labels()]


def test_what_is_saved_comes_back(checkpoints):
    assert checkpoints.newest() is None
    checkpoints.save(content(3), step=3, epoch=1, merit=0.25)
    back = decode(checkpoints.newest() or b"")
    assert back["weights"].tolist() == [3.0, 3.0, 3.0]
    assert (back["step"], back["names"]) == (3, ["a", None, 1.5])
    label = next(checkpoints.labels())
    assert (label.step, label.epoch, label.merit) == (3, 1, 0.25)


def test_the_last_ones_and_the_best_one_are_kept(checkpoints, tmp_path):
    for step, merit in ((1, 0.3), (2, 0.9), (3, None), (4, 0.1), (5, None)):
        checkpoints.save(content(step), step=step, epoch=0, merit=merit)
    assert steps(checkpoints) == [5, 4, 2]
    files = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert files == [f"step-0000000{step}.{kind}" for step in (2, 4, 5) for kind in ("json", "pt")]


def test_a_merit_of_zero_or_less_counts(checkpoints):
    for step, merit in ((1, -0.5), (2, -0.1), (3, -0.9), (4, None), (5, None)):
        checkpoints.save(content(step), step=step, epoch=0, merit=merit)
    assert steps(checkpoints) == [5, 4, 2]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 something else"])
def test_of_damaged_checkpoints_the_one_before_is_given(checkpoints, told, tmp_path, damage):
    for step in (1, 2):
        checkpoints.save(content(step), step=step, epoch=0)
    path = tmp_path / "run" / "checkpoints" / "step-00000002.pt"
    path.write_bytes(damage)
    assert newest_step(checkpoints) == 1
    assert "step-00000002.pt is damaged" in told[0]
    checkpoints.save(content(2), step=2, epoch=0)
    checkpoints.save(content(3), step=3, epoch=0)
    assert newest_step(checkpoints) == 3
    assert steps(checkpoints) == [3, 2]


def test_a_single_changed_bit_is_found(checkpoints, tmp_path):
    for step in (1, 2):
        checkpoints.save(content(step), step=step, epoch=0)
    path = tmp_path / "run" / "checkpoints" / "step-00000002.pt"
    data = bytearray(path.read_bytes())
    data[-1] ^= 128
    path.write_bytes(data)
    assert newest_step(checkpoints) == 1


def test_a_checkpoint_without_its_label_does_not_count(checkpoints, tmp_path):
    """As a process leaves it that is killed between the two files."""
    for step in (1, 2):
        checkpoints.save(content(step), step=step, epoch=0)
    folder = tmp_path / "run" / "checkpoints"
    (folder / "step-00000002.json").unlink()
    (folder / "step-00000003.pt.part").write_bytes(b"half")
    assert newest_step(checkpoints) == 1
    checkpoints.save(content(4), step=4, epoch=0)
    assert steps(checkpoints) == [4, 1]
    assert not (folder / "step-00000002.pt").exists()
    assert not list(folder.glob("*.part"))


def test_a_damaged_label_is_told(checkpoints, told, tmp_path):
    for step in (1, 2):
        checkpoints.save(content(step), step=step, epoch=0)
    (tmp_path / "run" / "checkpoints" / "step-00000002.json").write_text("{")
    assert newest_step(checkpoints) == 1
    assert "cannot be verified" in told[0]


def test_nothing_left_is_an_error(checkpoints, tmp_path):
    checkpoints.save(content(1), step=1, epoch=0)
    (tmp_path / "run" / "checkpoints" / "step-00000001.pt").unlink()
    with pytest.raises(CheckpointError, match="all checkpoints"):
        checkpoints.newest()


@pytest.mark.parametrize("step", [1, 2])
def test_a_full_disk_leaves_the_previous_checkpoint(checkpoints, full_disk, tmp_path, step):
    """Even one of the same step."""
    checkpoints.save(content(1), step=1, epoch=0, merit=0.5)
    full_disk()
    with pytest.raises(OutputError, match="free space"):
        checkpoints.save(content(step, size=10_000), step=step, epoch=0)
    assert newest_step(checkpoints) == 1
    assert next(checkpoints.labels()).merit == 0.5
    assert not list((tmp_path / "run" / "checkpoints").glob("*.part"))


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        Checkpoints(tmp_path / "file" / "checkpoints", keep_last=1).save(content(1), step=1, epoch=0)


def test_a_checkpoint_that_would_execute_something_is_refused(tmp_path):
    import os
    import pickle
    import zipfile

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    data = tmp_path / "evil.pt"
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"model": Evil()}, protocol=2))
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
    with pytest.raises(pickle.UnpicklingError):
        decode(data.read_bytes())
    assert not (tmp_path / "executed").exists()


def test_labels_are_plain_json(checkpoints, tmp_path):
    path = checkpoints.save(content(7), step=7, epoch=2)
    label = json.loads(path.with_suffix(".json").read_text())
    assert label["size"] == path.stat().st_size
    assert len(label["sha256"]) == 64
