import torch

from association import Line, by_place, by_rank, describe, sum_of
from lockon.training.association.accuracy import MatchCounts
from lockon.training.association.samples import AssociationSample
from lockon.training.association.validation import PairCounts


def batch(previous, current):
    """One pair of frames with candidates at places; None is padding."""
    places = torch.tensor([[[place or (0.0, 0.0) for place in side] for side in (previous, current)]])
    valid = torch.tensor([[[place is not None for place in side] for side in (previous, current)]])
    empty = torch.zeros(0)
    return AssociationSample(empty, torch.zeros(places.shape).long(), places, empty, valid, empty, empty)


def test_without_association_the_ranks_stay():
    assert by_rank(batch([(0, 0), (1, 1), None], [(1, 1), (0, 0), (2, 2)])).tolist() == [[0, 1, -1]]


def test_the_nearest_place_is_that_of_both():
    assert by_place(batch([(0.0, 0.0), (1.0, 1.0)], [(1.1, 1.0), (0.1, 0.0)])).tolist() == [[1, 0]]
    # The second current candidate is nearest to the first previous one, which has a nearer one.
    assert by_place(batch([(0.0, 0.0), None], [(0.1, 0.0), (0.3, 0.0)])).tolist() == [[0, -1]]
    assert by_place(batch([None, None], [(0.0, 0.0), None])).tolist() == [[-1, -1]]


def test_the_tables_say_what_was_counted():
    kinds = {
        "HH": PairCounts(MatchCounts(3, 4, 5), MatchCounts(1, 1, 2)),
        "HK": PairCounts(MatchCounts(1, 1, 1), MatchCounts(1, 1, 1)),
    }
    overall, by_kind = describe([Line("nothing", sum_of(kinds), kinds)], 1)
    assert overall.lines == (("nothing", "80.0", "66.7", "72.7", "6", "100.0", "66.7", "3"),)
    assert by_kind.columns == ("associated by", "HH", "HK")
    assert by_kind.lines == (("nothing", "50.0 of 2", "100.0 of 1"),)
