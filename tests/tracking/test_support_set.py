"""What a tracker puts into its support set, and in which frames it learns from it (ATOM, Sec. 3.3 and reference)."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from lockon.networks.tracker_net import lockon_s
from lockon.tracking import PRESETS, Tracker
from lockon.tracking.augmentation import AugmentationConfig
from lockon.tracking.learners import MemoryConfig
from lockon.tracking.randomness import CounterRandomness
from lockon.tracking.selectors import PeakConfig
from lockon.types import Status

MEMORY = MemoryConfig(capacity=20, interval=3, initial_iterations=1, iterations=2, hard_negative_iterations=1)
AUGMENTATION = AugmentationConfig(shifts=((0.5, -0.25),), flip=False, blurs=(), rotations=(), dropout_copies=2)
NEVER, ALWAYS = 1e9, -1e9
# Thresholds that decide the status whatever the (positive) scores are.
SELECTORS = {
    Status.FOUND: PeakConfig(lost=ALWAYS, distractor=NEVER, hard_negative=NEVER),
    Status.HARD_NEGATIVE: PeakConfig(lost=ALWAYS, distractor=NEVER, hard_negative=ALWAYS),
    Status.UNCERTAIN: PeakConfig(lost=ALWAYS, distractor=ALWAYS, displacement=NEVER),
    Status.LOST: PeakConfig(lost=NEVER),
}
BOX = (30, 20, 16, 12)
FOUND, HARD, UNCERTAIN, LOST = Status.FOUND, Status.HARD_NEGATIVE, Status.UNCERTAIN, Status.LOST


def make(status=FOUND, *, memory=MEMORY, augmentation=AUGMENTATION):
    """A tracker without box estimator whose every frame has the same status."""
    config = replace(
        PRESETS["lockon_s"],
        search=replace(PRESETS["lockon_s"].search, sample_size=64),
        augmentation=augmentation,
        selector=SELECTORS[status],
        estimator=None,
        memory=memory,
    )
    return Tracker(lockon_s(torch.Generator().manual_seed(0)).eval(), config, name="any")


def image(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (60, 80, 3), np.uint8)


def states(statuses, **memory):
    """The state after the start and after each frame; trackers of one name may continue each other's tracks."""
    trackers = {status: make(status, memory=replace(MEMORY, **memory)) for status in set(statuses)}
    state = next(iter(trackers.values())).start(image(), BOX)
    track = [state]
    for frame, status in enumerate(statuses, start=1):
        state, result = trackers[status].step(state, image(frame))
        assert (result.frame, result.status) == (frame, status)
        track.append(state)
    return track


@pytest.mark.parametrize(
    ("memory", "statuses", "pending"),
    [
        # Every third frame two iterations, after a distractor one at once.
        ({}, [FOUND] * 6, [0, 0, 2, 0, 0, 2]),
        ({}, [HARD, FOUND, HARD, HARD], [1, 0, 1, 1]),
        # Lost or uncertain, DiMP leaves an update out (it does not come later) and ATOM does not.
        ({}, [FOUND, FOUND, LOST, FOUND, FOUND, UNCERTAIN], [0] * 6),
        ({"update_when_lost": True}, [LOST, UNCERTAIN, LOST, FOUND, LOST, UNCERTAIN], [0, 0, 2, 0, 0, 2]),
        ({"update_when_lost": True}, [FOUND, FOUND, FOUND, HARD, FOUND, HARD], [0, 0, 2, 1, 0, 1]),
        ({"interval": 1}, [FOUND, HARD, LOST], [2, 1, 0]),
        ({"learn_hard_negatives": False}, [HARD] * 3, [0, 0, 2]),
    ],
)
def test_when_the_model_learns(memory, statuses, pending):
    assert [state.pending.tolist() for state in states(statuses, **memory)] == [[0], *([due] for due in pending)]


def test_what_is_due_is_learned_before_the_next_frame_and_only_then():
    track = states([FOUND, HARD, LOST, LOST])

    changed = [not torch.equal(one.model.filters, other.model.filters) for one, other in pairwise(track)]

    assert changed == [False, False, True, False]


def test_samples_are_stored_where_the_target_is_surely_seen():
    track = states([FOUND, LOST, HARD, UNCERTAIN, FOUND])

    assert [state.memory.stored.item() for state in track] == [4, 5, 5, 6, 6, 7]


@pytest.mark.parametrize(("learn_hard_negatives", "ratio"), [(True, 1 / 0.75), (False, 1 / 0.5)])
def test_a_distractor_has_its_own_learning_rate(learn_hard_negatives, ratio):
    rates = {"learning_rate": 0.5, "hard_negative_learning_rate": 0.25, "learn_hard_negatives": learn_hard_negatives}

    weights = states([FOUND, HARD, FOUND], initial_share=0.0, **rates)[-1].memory.weights[0]

    assert float(weights[5] / weights[4]) == pytest.approx(ratio)
    assert float(weights[6] / weights[5]) == pytest.approx(2)


def test_the_first_frame_keeps_its_share():
    kept, faded = (states([FOUND] * 3, learning_rate=0.5, initial_share=share)[-1].memory for share in (0.5, 0.0))

    assert float(kept.weights[0, :4].sum()) == pytest.approx(0.5)
    assert float(faded.weights[0, :4].sum()) < 0.4


def test_the_target_of_each_first_sample_is_shifted_with_it():
    """64 crop pixels for 5 · √(16 · 12) image pixels; a shift of (0.5, -0.25) times half of them is (16, -8)."""
    memory = make().start(image(), BOX).memory

    # Position (25.5, 37.5) is rounded to (26, 38), which is pixel 31.5 of the crop.
    scale = 5 * (16 * 12) ** 0.5 / 64
    width, height, centre = 16 / scale, 12 / scale, 31.5 - 0.5 / scale
    plain = torch.tensor([centre - (width - 1) / 2, centre - (height - 1) / 2, width, height])
    shifted = plain + torch.tensor([-8.0, 16.0, 0, 0])
    torch.testing.assert_close(memory.boxes[0, :4], torch.stack([plain, shifted, plain, plain]))


def test_copies_of_the_first_sample_lose_channels():
    """What is left of a channel is scaled to the same mean: 1 / (1 - 0.25)."""
    augmentation = replace(AUGMENTATION, dropout_copies=3, dropout=0.25)
    samples = make(augmentation=augmentation).start(image(), BOX, seed=5).memory.samples[0]

    first, copies = samples[0], samples[2:5]
    kept = copies.flatten(2).any(dim=2)

    torch.testing.assert_close(copies, kept[:, :, None, None] * first / 0.75)
    assert torch.equal(kept, CounterRandomness().keep(5, 0, (3, len(first)), 0.25))
    assert not torch.equal(kept[0], kept[1])


def test_channels_are_dropped_with_the_given_probability():
    source = CounterRandomness()

    assert source.keep(1, 0, (100, 100), 0.25).float().mean().item() == pytest.approx(0.75, abs=0.02)
    assert source.keep(1, 0, (100, 100), 0.0).all()


def test_without_dropout_there_are_no_copies():
    memory = make(augmentation=replace(AUGMENTATION, dropout_copies=0)).start(image(), BOX).memory

    assert (memory.initial, memory.weights[0, :3].tolist()) == (2, [0.5, 0.5, 0])
