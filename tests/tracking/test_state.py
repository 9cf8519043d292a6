"""A saved state: how the file is written, and what of a damaged one is told."""

import os
from pathlib import Path

import pytest
import torch

from lockon.errors import OutputError
from lockon.tracking import State
from lockon.tracking.learners import Memory
from lockon.tracking.localisers.base import TargetModel

TARGETS, SLOTS, CHANNELS = 3, 5, 4


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make_state(targets=TARGETS) -> State:
    draw = torch.Generator().manual_seed(0)

    def positive(*shape):
        return torch.rand(shape, generator=draw) + 1

    memory = Memory.of_first_frame(positive(targets, 2, CHANNELS, 9, 9), positive(targets, 2, 4), SLOTS)
    return State(
        tracker="lockon_s",
        frame=7,
        single=targets == 1,
        lockstep=False,
        seeds=tuple(range(targets)),
        position=positive(targets, 2),
        size=positive(targets, 2),
        scale=positive(targets),
        base_size=positive(targets, 2),
        scale_limits=positive(targets, 2),
        refined_position=torch.full((targets, 2), torch.nan),
        model=TargetModel(positive(targets, CHANNELS, 3, 3), positive(targets, CHANNELS, 6)),
        modulation=(positive(targets, 6), positive(targets, 6)),
        memory=memory,
        pending=torch.zeros(targets, dtype=torch.long),
    )


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_file_has_the_mode_of_other_files(mask, mode):
    before = os.umask(mask)
    try:
        path = make_state().save("a.state.safetensors")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == mode
    assert os.listdir() == ["a.state.safetensors"]


@pytest.mark.parametrize("place", ["missing/a", "folder", "."])
def test_what_cannot_be_written_is_told_by_the_name_the_user_gave(place):
    Path("folder").mkdir()
    with pytest.raises(OutputError, match=rf"^cannot write {place}: [^.]*\. Check"):
        make_state().save(place)
    assert os.listdir() == ["folder"]


def test_a_full_disk_is_told_and_keeps_the_state_before(full_disk):
    before = make_state(1).save("a").read_bytes()
    full_disk()
    with pytest.raises(OutputError, match=r"^cannot write a: the disk is full or failing\. Check"):
        make_state().save("a")
    assert Path("a").read_bytes() == before
    assert os.listdir() == ["a"]
