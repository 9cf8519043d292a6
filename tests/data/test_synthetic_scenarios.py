import functools
from dataclasses import replace

import numpy as np
import pytest

from lockon.data.synthetic import SCENARIOS, ImageBank, SyntheticConfig, SyntheticWorld
from lockon.data.synthetic.bank import Photo
from lockon.evaluation.geometry import overlap

WORLD = SyntheticConfig(
    frame_size=(320, 240), target_size=(30.0, 40.0), distractors=3, clutter=0, photo_share=1.0, length=120
)
FRAMES = range(0, 120, 4)
_PIXELS = np.random.default_rng(0).integers(0, 255, (60, 60, 3), dtype=np.uint8)
BANK = ImageBank([Photo(_PIXELS, (np.pad(np.ones((40, 40), dtype=bool), 10),))])  # cheaper than the procedural


@functools.cache
def sequence(scenario, seed):
    return SyntheticWorld(replace(WORLD, scenarios=(scenario,)), BANK).sequence(seed)


def overlaps(made):
    """Of the target with every look-alike, frame by frame."""
    target = np.array([made.box(index) for index in FRAMES])
    others = np.array([made.distractors(index) for index in FRAMES])
    return np.array([overlap(target, others[:, which]) for which in range(others.shape[1])])


def visibility(made):
    return np.array([made.visibility(index) for index in FRAMES])


def test_sequences_take_turns_in_the_scenarios():
    world = SyntheticWorld(replace(WORLD, scenarios=("absence", "crossing")), BANK)
    assert world.sequence(6).box(60) == sequence("absence", 6).box(60)
    assert world.sequence(7).box(60) == sequence("crossing", 7).box(60)
    assert world.sequence(7).box(60) != sequence("absence", 7).box(60)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("seed", range(4))
def test_the_target_starts_alone_beside_look_alikes_that_are_the_same_sprite(scenario, seed):
    made = sequence(scenario, seed)
    target = made.layers[made.target]
    assert 1 <= len(made.look_alikes) <= 3
    assert overlaps(made)[:, 0].max() < 0.2
    assert visibility(made)[0] > 0.9
    for number in made.look_alikes:
        assert made.layers[number].sprite is target.sprite
        light = made.layers[number].gain.offset / target.gain.offset
        assert (abs(light - 1) <= 0.07 + 1e-9).all()
        assert (light != 1).any()


@pytest.mark.parametrize("seed", range(4))
def test_crossing_look_alikes_meet_the_target_and_part_from_it_more_than_once(seed):
    met = overlaps(sequence("crossing", seed)).max(axis=0)
    meetings = np.flatnonzero(np.diff((met > 0.25).astype(int)) == 1)
    assert len(meetings) >= 2
    assert (met < 0.05).sum() >= 3


def test_some_look_alikes_cross_in_front_and_some_behind():
    in_front = {
        number > made.target
        for seed in range(8)
        for made in [sequence("crossing", seed)]
        for number in made.look_alikes
    }
    assert in_front == {True, False}


def test_occlusion_hides_the_target_twice_behind_a_look_alike_or_beside_one():
    by_look_alike = set()
    for seed in range(8):
        made = sequence("occlusion", seed)
        covering = overlaps(made).max(axis=0) > 0.5
        by_look_alike.add(bool(covering.any()))
        if covering.any():
            seen = visibility(made)
            assert len(np.flatnonzero(np.diff((seen < 0.5).astype(int)) == 1)) == 2
            assert seen[-3:].min() > 0.5
    assert by_look_alike == {True, False}


def is_out_of_view(box):
    return box.x + box.w <= 0 or box.y + box.h <= 0 or box.x >= 320 or box.y >= 240


def test_absence_takes_the_target_away_while_a_look_alike_can_be_seen_and_brings_it_back():
    left = set()
    for seed in range(6):
        made = sequence("absence", seed)
        left.add(is_out_of_view(made.box(54)))
        assert made.visibility(54) < 0.5
        assert visibility(made)[-5:].mean() > 0.5
        for index in (0, 45, 60, 119):
            assert max(made.distractor_visibility(index)) > 0.3
    assert left == {True, False}  # the others are hidden


def test_visibility_of_look_alikes_is_in_their_order_and_counts_what_is_in_front():
    made = sequence("crossing", 3)
    for index in (0, 20, 40):
        for number, seen in zip(made.look_alikes, made.distractor_visibility(index), strict=True):
            as_target = replace(made, target=number)
            assert seen == as_target.visibility(index)
