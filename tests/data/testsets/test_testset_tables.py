"""The tables against what the spec and the papers say of each benchmark as a whole."""

import pytest

from lockon.data.testsets.registry import TEST_SETS
from lockon.data.testsets.tables import table


@pytest.mark.parametrize(
    ("name", "sequences", "frames"),
    [
        ("otb100", 100, 59_040),
        ("nfs30", 100, 47_953),
        ("uav123", 123, 112_578),
        ("lasot", 280, 685_360),
        ("lasot_ext", 150, None),
        ("vot2018", 60, None),
        ("vot2019", 60, 19_935),
    ],
)
def test_sizes(name, sequences, frames):
    assert len(table(name).entries) == sequences
    assert len({entry.name for entry in table(name).entries}) == sequences
    assert table(name).frames == frames


def test_a_total_needs_the_length_of_every_sequence():
    assert table("vot2018").frames is None
    assert TEST_SETS["vot2018"].frames == 21_356  # known as a whole only


def test_hidden_targets():
    uav, lasot = table("uav123").entries, table("lasot").entries
    assert sum(entry.absent for entry in uav) == 2_683
    assert sum(entry.absent for entry in lasot) == 18_346
    assert sum(entry.flat for entry in lasot) == 10_289


@pytest.mark.parametrize(
    ("name", "attributes", "frequent"),
    [
        ("otb100", 11, ("SV", 65)),
        ("uav123", 12, ("SV", 109)),
        ("lasot", 14, ("SV", 273)),
    ],
)
def test_attributes(name, attributes, frequent):
    known = table(name)
    assert len(known.attributes) == attributes
    assert all(entry.attributes <= set(known.attributes) for entry in known.entries)
    attribute, count = frequent
    assert sum(attribute in entry.attributes for entry in known.entries) == count


def test_folders_of_uav123_are_shared():
    folders = {entry.folder or entry.name for entry in table("uav123").entries}
    assert len(folders) == 91  # videos
