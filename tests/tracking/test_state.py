"""A saved state: how the file is written, and what of a damaged one is told."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lockon.errors import OutputError, StateError
from lockon.networks.association import Matches
from lockon.tracking import State
from lockon.tracking.learners import Memory
from lockon.tracking.localisers.base import TargetModel
from lockon.tracking.search_area import SearchHistory
from lockon.tracking.selectors import IdentityConfig, ObjectTable
from lockon.tracking.selectors.object_table import Sighting

TARGETS, SLOTS, CHANNELS = 3, 5, 4


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make_state(targets=TARGETS, *, following=False) -> State:
    """A state; of a tracker that follows candidates it has objects, search scales and confidences, too."""
    draw = torch.Generator().manual_seed(0)

    def positive(*shape):
        return torch.rand(shape, generator=draw) + 1

    memory = Memory.of_first_frame(
        positive(targets, 2, CHANNELS, 9, 9), positive(targets, 2, 4), SLOTS, confident=following
    )
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
        objects=make_objects(targets) if following else None,
        searches=SearchHistory(positive(targets, 4), torch.arange(targets)) if following else None,
    )


def make_objects(targets) -> ObjectTable:
    """Two objects of each target, of which the second is selected."""
    scores = torch.tensor([0.9, 0.5]).repeat(targets, 1)
    sighting = Sighting(torch.rand(targets, 2, 2), scores, torch.rand(targets, 2, 6), scores > 0)
    unmatched = Matches(torch.full((targets, 2), -1), torch.zeros(targets, 2))
    table = ObjectTable.empty(targets, 6).follow(sighting, unmatched, 5, IdentityConfig())
    matched = Matches(torch.tensor([[1, 0]]).repeat(targets, 1), torch.full((targets, 2), 0.9))
    return table.follow(sighting._replace(scores=scores * 0.9), matched, 6, IdentityConfig())


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


def write(tensors, meta):
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, "a", {"lockon": json.dumps(meta)})


@pytest.mark.parametrize("following", [False, True])
@pytest.mark.parametrize("targets", [1, TARGETS])
def test_what_was_saved_is_what_is_loaded(targets, following):
    state = make_state(targets, following=following)
    (tensors, meta), (saved, saved_meta) = state._flatten(), State.load(state.save("a"))._flatten()
    assert saved_meta == meta
    assert saved.keys() == tensors.keys()
    assert all(torch.equal(saved[name].nan_to_num(), tensors[name].nan_to_num()) for name in tensors)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_samples_may_be_of_any_type_the_networks_compute_in(dtype):
    tensors, meta = make_state()._flatten()
    write(tensors | {"memory.samples": tensors["memory.samples"].to(dtype)}, json.loads(meta))
    assert State.load("a").memory.samples.dtype == dtype


def test_only_states_that_have_optional_parts_name_them():
    metas = [json.loads(make_state(following=following)._flatten()[1]) for following in (False, True)]
    assert "parts" not in metas[0]
    assert metas[1]["parts"] == ["memory.confidences", "objects.", "searches."]


TENSORS = list(make_state(following=True)._flatten()[0])


def refused(*words):
    """The state file is refused in one line that holds these words."""
    with pytest.raises(StateError, match=r"^a is damaged or not a saved track") as caught:
        State.load("a")
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("name", TENSORS)
@pytest.mark.parametrize(
    "damage",
    [
        lambda tensor: tensor[:-1],
        lambda tensor: torch.cat([tensor, tensor]),
        lambda tensor: tensor[..., None],
        lambda tensor: tensor[0],
        lambda tensor: tensor.int(),
        lambda tensor: tensor.to(torch.float8_e5m2),
        lambda tensor: tensor.bool(),
    ],
    ids=["fewer targets", "more targets", "another axis", "an axis less", "int32", "float8", "bool"],
)
def test_a_tensor_of_another_shape_or_type_is_told_when_the_state_is_loaded(name, damage):
    tensors, meta = make_state(following=True)._flatten()
    write(tensors | {name: damage(tensors[name])}, json.loads(meta))
    refused(f"tensor '{name}' is ", "expected ")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("position", (TARGETS, 3)),
        ("memory.weights", (TARGETS, SLOTS + 1)),
        ("model.filters", (TARGETS, CHANNELS + 1, 3, 3)),
        ("model.projections", (TARGETS, CHANNELS - 1, 6)),
    ],
)
def test_tensors_fit_each_other(name, shape):
    tensors, meta = make_state()._flatten()
    write(tensors | {name: torch.ones(shape)}, json.loads(meta))
    refused(f"tensor '{name}' is float32 {shape}", "expected float32")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("position", "size", "scale", "base_size") for value in (torch.nan, torch.inf)),
        *((name, 0) for name in ("size", "scale", "base_size", "memory.stored")),
        ("pending", -1),
        ("memory.stored", SLOTS + 1),
        ("memory.latest", SLOTS),
        ("memory.latest", -2),
        ("memory.weights", torch.nan),
        ("memory.boxes", torch.inf),
        ("memory.confidences", -0.1),
        ("searches.scales", torch.nan),
        ("searches.lost", -1),
        ("objects.places", torch.inf),
        ("objects.best", torch.nan),
        ("objects.ids", -2),
        ("objects.partners", -2),
        ("objects.selected", -2),
        ("objects.selected_id", -1),
        ("objects.next_id", -1),
        ("objects.skipped", -1),
    ],
)
def test_values_that_no_track_has_are_told_when_the_state_is_loaded(name, value):
    tensors, meta = make_state(following=True)._flatten()
    damaged = tensors[name].clone()
    damaged[-1] = value
    write(tensors | {name: damaged}, json.loads(meta))
    refused(f"tensor '{name}' has values")


@pytest.mark.parametrize("name", sorted(set(TENSORS) - {"model.projections", "modulation.1"}))
def test_a_missing_tensor_is_told(name):
    tensors, meta = make_state(following=True)._flatten()
    del tensors[name]
    write(tensors, json.loads(meta))
    refused(name)


def test_a_tensor_too_many_is_told():
    tensors, meta = make_state()._flatten()
    write(tensors | {"colour": torch.zeros(TARGETS)}, json.loads(meta))
    refused("'colour'")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"format": 2}, "format 1"),
        ({"frame": "7"}, "frame"),
        ({"frame": -1}, "frame -1"),
        ({"tracker": None}, "tracker"),
        ({"single": True}, "3 targets"),
        ({"seeds": []}, "0 targets"),
        ({"seeds": [1, 2, -3]}, "seeds"),
        ({"seeds": [1, 2, 3.5]}, "seeds"),
        ({"initial": 0}, "first-frame samples"),
        ({"initial": SLOTS + 1}, "first-frame samples"),
        ({"colour": 1}, "colour"),
        ({"parts": ["colour"]}, "colour"),
        ({"parts": [[]]}, "parts"),
        ({"parts": "objects."}, "parts"),
        ({"parts": ["objects."]}, "'objects.associations'"),
    ],
)
def test_a_wrong_header_is_told(change, word):
    tensors, meta = make_state()._flatten()
    write(tensors, json.loads(meta) | change)
    refused(word)


@pytest.mark.parametrize("meta", [None, [], "state", {}])
def test_other_files_are_no_states(meta):
    write(make_state()._flatten()[0], meta)
    refused("format 1")
    save_file({"a": torch.zeros(3)}, "a")
    refused("format 1")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda objects: {"selected": objects.selected - 1}, "the object selected"),
        (lambda objects: {"selected": objects.selected + 1}, "the object selected"),
        (lambda objects: {"selected_id": objects.selected_id + 1}, "the object selected"),
        (lambda objects: {"next_id": objects.next_id - 1}, "numbered"),
        (lambda objects: {"ids": torch.tensor([[-1, 0]]).repeat(TARGETS, 1)}, "numbered"),
        (lambda objects: {"seen": objects.seen + 2}, "frame after 7"),
        (lambda objects: {"covariance": objects.covariance - 1}, "variance is negative"),
    ],
)
def test_objects_that_no_track_has_are_told(change, said):
    state = make_state(following=True)
    replace(state, objects=replace(state.objects, **change(state.objects))).save("a")
    refused(said)


def test_objects_without_their_part_of_the_header_are_told():
    tensors, meta = make_state(following=True)._flatten()
    fields = {name: value for name, value in json.loads(meta).items() if name != "parts"}
    write(tensors, fields)
    refused("is no part of a state")
