"""What a frame gives to remember and to learn, and how sure it is (KeepTrack, Sec. 3.8 and reference)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lockon.tracking.learners import ConfidenceConfig, Memory, MemoryConfig, aged_weights_, confidence, plan_learning
from lockon.tracking.selectors import Selection
from lockon.types import Status

FOUND, HARD, UNCERTAIN, LOST = Status.FOUND, Status.HARD_NEGATIVE, Status.UNCERTAIN, Status.LOST
CONFIDENT = MemoryConfig(confidence=ConfidenceConfig())


def selected(status, peak=0.8, initial=False):
    return Selection(0, np.zeros(2, np.float32), status, peak, initial)


def plan(*selections, frame=1, config=CONFIDENT):
    return plan_learning(selections, frame, config)


@pytest.mark.parametrize(
    ("peak", "initial", "certain", "expected"),
    [
        (0.49, True, 1.0, 0.7),
        (0.49, False, 1.0, 0.49),
        (1.44, True, 1.0, 1.44),  # the root of a number above 1 is smaller
        (1.44, False, 1.0, 1.44),
        (0.05, True, 0.2, 0.5),
        (0.05, False, 0.2, 0.25),
        (-0.1, True, 1.0, 0.0),
    ],
)
def test_the_initial_target_is_trusted_more(peak, initial, certain, expected):
    assert confidence(np.array([peak]), np.array([initial]), certain)[0] == pytest.approx(expected)


def test_only_targets_that_are_surely_seen_are_remembered():
    planned = plan(selected(FOUND), selected(LOST), selected(HARD), selected(UNCERTAIN))
    assert planned.chosen.tolist() == [0, 2]
    assert planned.rates.tolist() == pytest.approx([0.01, 0.02])
    assert planned.confidences.tolist() == pytest.approx([0.8, 0.8])


def test_a_confidence_below_the_threshold_counts_as_zero():
    planned = plan(
        selected(FOUND, 0.49), selected(FOUND, 0.5), selected(FOUND, 0.26, True), selected(FOUND, 0.24, True)
    )
    assert planned.confidences.tolist() == pytest.approx([0, 0.5, 0.26**0.5, 0])


def test_without_a_policy_there_are_no_confidences():
    assert plan(selected(FOUND, 0.1), config=MemoryConfig()).confidences is None


@pytest.mark.parametrize(
    ("selection", "frame", "pending"),
    [
        (selected(FOUND), 20, 2),
        (selected(FOUND), 19, 0),
        (selected(HARD), 19, 1),
        (selected(HARD), 20, 1),
        (selected(HARD, 0.49, True), 19, 0),  # the peak itself counts, not its root
        (selected(HARD, 0.49), 20, 0),
        (selected(LOST), 20, 0),
        (selected(UNCERTAIN), 20, 0),
    ],
)
def test_how_much_is_learned(selection, frame, pending):
    assert plan(selection, frame=frame).pending.tolist() == [pending]


def test_a_low_peak_is_learned_from_at_once_without_confidences():
    assert plan(selected(HARD, 0.1), config=MemoryConfig()).pending.tolist() == [1]


def test_peaks_are_relative_to_that_of_a_certain_target():
    config = MemoryConfig(confidence=ConfidenceConfig(certain=0.2))
    planned = plan(selected(HARD, 0.11), selected(HARD, 0.09), config=config)
    assert planned.confidences.tolist() == pytest.approx([0.55, 0])
    assert planned.pending.tolist() == [1, 0]


def memory():
    """Two first-frame samples in four slots."""
    return Memory.of_first_frame(torch.zeros(1, 2, 1, 1, 1), torch.zeros(1, 2, 4), 4, confident=True)


def add(kept, sureness, rate=0.5):
    sample, box = torch.full((1, 1, 1, 1), sureness), torch.zeros(1, 4)
    chosen, confidences = torch.tensor([0]), torch.tensor([sureness])
    return kept.add(chosen, sample, box, torch.tensor([rate]), 0.25, confidences=confidences)


def test_first_samples_are_certain():
    assert memory().confidences.tolist() == [[1, 1, 0, 0]]
    assert Memory.of_first_frame(torch.zeros(1, 2, 1, 1, 1), torch.zeros(1, 2, 4), 4).confidences is None


def test_a_memory_is_filled_before_anything_is_replaced():
    kept = add(add(memory(), 0.0), 0.9)
    assert kept.latest.tolist() == [3]
    assert kept.confidences[0].tolist() == pytest.approx([1, 1, 0, 0.9])


@pytest.mark.parametrize(
    ("sureness", "slot"),
    [
        ((0.9, 0.9), 2),  # equally sure: the older
        ((0.9, 0.2), 3),  # 0.9 · 1 > 0.2 · 2
        ((0.9, 0.5), 2),  # 0.9 · 1 < 0.5 · 2
        ((0.0, 0.0), 2),  # the first of equals
    ],
)
def test_the_sample_of_the_least_weight_and_confidence_goes(sureness, slot):
    """At a rate of 1/2 the later sample weighs twice as much."""
    kept = add(add(memory(), sureness[0]), sureness[1])
    assert add(kept, 0.7).latest.tolist() == [slot]


def test_first_samples_never_go():
    kept = memory()
    for _ in range(30):
        kept = add(kept, 0.99)
    assert not kept.samples[0, :2].any()
    assert float(kept.weights[0, :2].sum()) == pytest.approx(0.25)


def test_a_sample_in_the_place_of_the_latest_takes_over_its_weight():
    weights, confidences = torch.tensor([0.25, 0.25, 0.25, 0.25]), torch.tensor([1.0, 1.0, 0.9, 0.0])
    assert aged_weights_(weights, 0.5, 3, 2, 0.25, confidences) == 3
    assert weights.tolist() == pytest.approx([0.25] * 4)
    assert aged_weights_(weights, 0.5, 2, 2, 0.25, confidences) == 3  # another: twice the latest
    assert weights.tolist() == pytest.approx([0.2, 0.2, 0.2, 0.4])


def test_samples_weigh_by_confidence_where_asked():
    kept = add(memory(), 0.5)
    plain, weighted = (kept.view(torch.tensor([0]), weighting=weighting)[2][0] for weighting in (False, True))
    assert torch.equal(weighted, plain * torch.tensor([1, 1, 0.5]))


def test_an_old_memory_keeps_its_confidences():
    kept = memory()
    add(kept, 0.5)
    assert kept.confidences.tolist() == [[1, 1, 0, 0]]
