"""Every tracker of the catalogue has a preset, a network of that preset, and a description."""

import pytest
import torch

from lockon.errors import UnknownNameError
from lockon.networks.tracker_net import CONSTRUCTORS
from lockon.tracking import PRESETS
from lockon.zoo import Entry, describe, entries, find_entry
from lockon.zoo.checkpoints import manifest, shapes_of

EVERY_ENTRY = pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)


def test_catalogue_and_presets_name_the_same_trackers() -> None:
    assert {entry.name for entry in entries()} == set(PRESETS)
    assert len(entries()) == len(PRESETS)


@EVERY_ENTRY
def test_weights_are_those_of_the_network_the_preset_asks_for(entry: Entry) -> None:
    assert entry.weights.constructor == PRESETS[entry.name].network
    assert entry.weights.trunk_only <= (PRESETS[entry.name].estimator is None)


@EVERY_ENTRY
def test_an_entry_is_found_and_described(entry: Entry) -> None:
    assert find_entry(entry.name) is entry
    text = describe(entry)
    for part in (entry.name, entry.paper, entry.weights.licence, *(file.name for file in entry.weights.files)):
        assert part in text
    assert all(measure in text for measure in entry.reported)


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'dimp50'"):
        find_entry("dimp_50")


@pytest.mark.parametrize("constructor", sorted(set(CONSTRUCTORS) - {"lockon_s"}))
def test_networks_have_exactly_the_entries_of_the_official_checkpoints(constructor: str) -> None:
    with torch.device("meta"):
        network = CONSTRUCTORS[constructor]()
    assert shapes_of(network.state_dict()) == manifest(constructor)
