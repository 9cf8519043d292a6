"""Precision and recall of matches, by hand."""

import math

import pytest
import torch
from mined_data import squares, whole

from lockon.training.association.accuracy import MatchCounts, count_matches
from lockon.training.association.drawing import MinedSource
from lockon.training.association.samples import collate, real_sample
from lockon.training.association.supervision import ALONE, UNKNOWN
from lockon.training.association.validation import compare, instructive_pairs


def test_matches_are_counted_by_hand():
    true = torch.tensor([2, 0, ALONE, UNKNOWN, 1, ALONE])
    said = torch.tensor([2, 1, 3, 4, ALONE, ALONE])
    counts = count_matches(said, true, torch.ones(6, dtype=torch.bool))
    assert counts == MatchCounts(correct=1, said=3, true=3)
    assert (counts.precision, counts.recall, counts.f1) == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    some = count_matches(said, true, torch.tensor([True, False, True, True, True, True]))
    assert some == MatchCounts(correct=1, said=2, true=2)
    assert counts + some == MatchCounts(2, 5, 5)


def test_without_matches_there_is_no_share():
    empty = MatchCounts()
    assert all(math.isnan(value) for value in (empty.precision, empty.recall, empty.f1))
    assert MatchCounts(0, 2, 0).precision == 0
    assert math.isnan(MatchCounts(0, 2, 0).recall)


def test_the_target_counts_by_itself():
    dump = squares(1, frames=3)
    batch = collate([real_sample((dump[0], dump[1]), 64), real_sample((dump[1], dump[2]), 64)])
    right = compare(batch.partners[:, 1], batch)
    assert right.everything == MatchCounts(8, 8, 8)
    assert right.target == MatchCounts(2, 2, 2)
    wrong = batch.partners[:, 1].clone()
    target = int(batch.targets[0, 1])
    wrong[0, target], wrong[1] = ALONE, (wrong[1] + 1) % 4
    counts = compare(wrong, batch)
    assert counts.everything == MatchCounts(3, 7, 8)
    assert counts.target == MatchCounts(0, 1, 2)
    assert counts.figures()["recall"] == pytest.approx(3 / 8)


def test_pairs_with_a_choice_are_judged():
    from mined_data import FakeDump, mined

    one, two, none = ([[2, 2]], [0.9]), ([[2, 2], [9, 9]], [0.9, 0.5]), ([], [])
    frames = [one, one, two, none, two, two, one]
    dump = FakeDump([mined(*each, target=None, number=n) for n, each in enumerate(frames)])
    assert instructive_pairs(whole(dump)).tolist() == [1, 4, 5]
    assert instructive_pairs(whole(dump), 2).tolist() == [0, 2, 4]
    assert instructive_pairs(whole(dump), 6).tolist() == []
    kept = dump.candidate_counts > 1
    assert instructive_pairs(MinedSource(dump, kept)).tolist() == [4, 5]
