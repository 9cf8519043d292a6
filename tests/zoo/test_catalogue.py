"""Every tracker of the catalogue has a preset, a network of that preset, and a description."""

import pytest
import torch

from lockon.errors import UnknownNameError
from lockon.networks.association import CONSTRUCTORS as ASSOCIATIONS
from lockon.networks.association import build_association
from lockon.networks.tracker_net import CONSTRUCTORS
from lockon.tracking import PRESETS
from lockon.tracking.selectors import AssociationConfig
from lockon.zoo import Entry, describe, entries, find_entry
from lockon.zoo.checkpoints import manifest, shapes_of
from lockon.zoo.matching import TRUNK

EVERY_ENTRY = pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)


def test_catalogue_and_presets_name_the_same_trackers() -> None:
    assert {entry.name for entry in entries()} == set(PRESETS)
    assert len(entries()) == len(PRESETS)


@EVERY_ENTRY
def test_weights_are_those_of_the_network_the_preset_asks_for(entry: Entry) -> None:
    assert entry.weights.constructor == PRESETS[entry.name].network
    assert entry.weights.trunk_only <= (PRESETS[entry.name].estimator is None)


def test_networks_of_association_are_those_that_can_be_built() -> None:
    associations = [entry.association for entry in entries() if entry.association is not None]
    assert associations
    assert {part.constructor for part in associations} <= set(ASSOCIATIONS)
    # The two networks of a tracker lie in one folder.
    names = {part.name: part for entry in entries() for part in entry.parts}
    assert all(names[part.name] is part for entry in entries() for part in entry.parts)


@EVERY_ENTRY
def test_trackers_that_associate_have_a_network_for_it(entry: Entry) -> None:
    assert (entry.association is not None) == isinstance(PRESETS[entry.name].selector, AssociationConfig)


@EVERY_ENTRY
def test_an_entry_is_found_and_described(entry: Entry) -> None:
    assert find_entry(entry.name) is entry
    text = describe(entry)
    for words in (entry.name, entry.paper, *(part.licence for part in entry.parts)):
        assert words in text
    assert all(file.name in text for part in entry.parts for file in part.files)
    assert all(measure in text for measure in entry.reported)


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'dimp50'"):
        find_entry("dimp_50")


@pytest.mark.parametrize("constructor", sorted(set(CONSTRUCTORS) - {"lockon_s"}))
def test_networks_have_exactly_the_entries_of_the_official_checkpoints(constructor: str) -> None:
    with torch.device("meta"):
        network = CONSTRUCTORS[constructor]()
    assert shapes_of(network.state_dict()) == manifest(constructor)


def test_the_association_network_has_the_official_entries_but_the_backbone() -> None:
    constructor = "target_candidate_matching_net_resnet50"
    expected = [(key, shape) for key, shape in manifest(constructor).items() if not key.startswith(TRUNK)]
    with torch.device("meta"):
        network = build_association(constructor)
    assert list(shapes_of(network.state_dict()).items()) == expected
