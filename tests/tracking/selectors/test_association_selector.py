"""In which frames candidates are matched, and what is made of those that cannot be (KeepTrack, reference)."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

from lockon.networks.association import AssociationNet
from lockon.tracking.localisers import ScoreGrid
from lockon.tracking.search import SearchRegions
from lockon.tracking.selectors import (
    AssociationConfig,
    AssociationSelector,
    IdentityConfig,
    MotionConfig,
    PeakSelector,
    Scene,
)
from lockon.types import Status

CELLS = 18
CONFIG = AssociationConfig()


class StubNet(AssociationNet):
    """Describes a candidate by the feature at its cell, and matches equal ones with a set probability."""

    def __init__(self, probability=0.9):
        super().__init__(1, 1, (1,), gnn_layers=0)
        self.probability = probability
        self.asked = []

    def descriptors(self, layer3, cells):
        target = torch.arange(len(cells))[:, None]
        return layer3[target, :, cells[..., 0].clamp(max=CELLS - 1), cells[..., 1].clamp(max=CELLS - 1)]

    def score_matrix(self, previous, current):
        self.asked.append((previous, current))
        return (previous.descriptors[:, :, None, 0] - current.descriptors[:, None, :, 0]).abs()

    def transport(self, scores, previous_valid, current_valid):
        same = (scores < 0.5) & previous_valid[:, :, None] & current_valid[:, None, :]
        log = torch.where(same, np.log(self.probability), -20.0)
        return torch.nn.functional.pad(log, (0, 1, 0, 1), value=-20.0)


def scene(frame, *of_targets, position=(100.0, 120.0), size=(8.0, 8.0)):
    """Score maps and features with some (row, col, score, appearance) each."""
    targets = len(of_targets)
    maps = np.full((targets, 1, CELLS + 1, CELLS + 1), 0.01, np.float32)
    layer3 = torch.zeros(targets, 1, CELLS, CELLS)
    for target, things in enumerate(of_targets):
        for row, col, score, look in things:
            maps[target, 0, row, col] = score
            layer3[target, 0, min(row, CELLS - 1), min(col, CELLS - 1)] = look
    return Scene(
        frame=frame,
        maps=maps,
        grid=ScoreGrid((CELLS / 2, CELLS / 2), 16.0),
        regions=SearchRegions(
            torch.tensor([[[100.0, 120.0]]]).repeat(targets, 1, 1), torch.ones(targets, 1), 16 * CELLS
        ),
        layer3=layer3,
        position=torch.tensor([position]).repeat(targets, 1),
        size=torch.tensor([size]).repeat(targets, 1),
        image_hw=torch.tensor([[240, 320]]).repeat(targets, 1),
    )


def selector(net=None, config=CONFIG, timer=None):
    return AssociationSelector(config, net or StubNet(), PeakSelector(config.peaks), timer)


TARGET, TWIN, THIRD = (9, 9, 0.9, 1.0), (4, 14, 0.6, 2.0), (14, 3, 0.3, 3.0)


def at(thing, score):
    return (*thing[:2], score, thing[3])


def follow(*frames, first=1, net=None, config=CONFIG):
    """Selections and tables of some frames; a frame without anything is one below the threshold."""
    chooser = selector(net, config)
    objects, history = chooser.start(1), []
    for number, things in enumerate(frames, start=first):
        (selection,), objects = chooser.select(scene(number, things), objects)
        history.append((selection, objects))
    return history


def ids(objects):
    return objects.ids[0][objects.valid[0]].tolist()


def test_the_first_frame_is_decided_by_peaks_and_numbers_its_candidates():
    net = StubNet()
    ((selection, objects),) = follow([TARGET, at(TWIN, 0.5)], net=net)
    assert selection.status is Status.HARD_NEGATIVE
    assert selection.displacement.tolist() == [0, 0]
    assert (ids(objects), selection.initial, net.asked) == ([0, 1], True, [])
    assert objects.seen.tolist() == [1]


def test_the_target_is_followed_below_its_twin():
    """By peaks the twin at 0.85 would win; and there are no hard negatives among objects."""
    history = follow([TARGET, TWIN], [at(TARGET, 0.5), at(TWIN, 0.85)])
    selection, objects = history[1]
    assert selection.status is Status.FOUND
    assert selection.displacement.tolist() == [0, 0]
    assert selection.peak == pytest.approx(0.85)
    assert (ids(objects), int(objects.selected), selection.initial) == ([1, 0], 1, True)
    assert (int(objects.associations), int(objects.skipped)) == (1, 0)


def test_a_target_that_nothing_matches_is_lost_and_found_again():
    history = follow(
        [TARGET, THIRD],
        [at(THIRD, 0.24)],
        [at(THIRD, 0.24)],
        [at(THIRD, 0.26)],
    )
    assert [selection.status for selection, _ in history[1:]] == [Status.LOST, Status.LOST, Status.FOUND]
    assert [selection.initial for selection, _ in history] == [True, True, True, False]
    assert history[-1][0].displacement.tolist() == [5, -6]


@pytest.mark.parametrize(
    ("before", "now", "skipped"),
    [
        ([TARGET], [TARGET], True),
        ([at(TARGET, 0.5)], [TARGET], False),
        ([TARGET], [at(TARGET, 0.5)], False),
        ([TARGET, THIRD], [TARGET], False),
        ([TARGET], [TARGET, THIRD], False),
    ],
)
def test_one_sure_candidate_alone_needs_no_network(before, now, skipped):
    net = StubNet()
    _, objects = follow(before, now, net=net)[-1]
    assert (len(net.asked), int(objects.associations), int(objects.skipped)) == (not skipped, not skipped, skipped)
    assert ids(objects)[0] == 0


def test_a_skipped_match_is_certain():
    """What looks quite different is taken for the same."""
    _, objects = follow([TARGET], [(3, 3, 0.8, 7.0)])[-1]
    assert (ids(objects), objects.partners.tolist(), objects.probabilities.tolist()) == ([0], [[0]], [[1]])


def test_a_frame_without_candidates_changes_nothing_and_breaks_the_chain():
    history = follow([TARGET, TWIN], [], [TARGET, TWIN])
    selection, objects = history[1]
    assert selection.status is Status.LOST
    assert objects is history[0][1] or objects.seen.tolist() == [1]
    assert ids(objects) == [0, 1]
    selection, objects = history[2]
    assert int(objects.associations) == 0
    assert (ids(objects), objects.lengths.tolist()) == ([0, 1], [[1, 1]])


@pytest.mark.parametrize(("frame", "initial"), [(8, True), (9, False)])
def test_objects_first_seen_late_are_not_the_initial_target(frame, initial):
    """The reference counts from 1: its frame 10 is frame 9 here."""
    ((selection, objects),) = follow([TARGET, TWIN], first=frame)
    assert ids(objects) == ([0, 1] if initial else [1, 2])
    assert selection.initial == initial


def test_the_reference_threshold_is_not_a_candidate():
    """A peak of exactly τ: no candidate, so as if it were lower."""
    ((selection, objects),) = follow([at(TARGET, 0.05)])
    assert selection.status is Status.LOST
    assert objects.seen.tolist() == [-1]
    assert ids(objects) == []


def test_a_doubtful_match_of_the_target_ends_its_being_the_initial_one():
    selection, objects = follow([TARGET, TWIN], [TARGET, TWIN], net=StubNet(0.5))[-1]
    assert ids(objects) == [2, 1]
    assert (selection.status, selection.initial) == (Status.FOUND, False)


def test_targets_together_equal_targets_apart():
    """One associates, one is skipped, one sees nothing, one has just lost the chain, one has forty candidates."""
    forty = [(3 * (i // 7), 3 * (i % 7), 0.9 - i / 100, 5.0 + i) for i in range(40)]
    videos = [
        ([TARGET, TWIN], [TWIN, TARGET], [at(TARGET, 0.5), TWIN, THIRD]),
        ([TARGET], [TARGET], [at(TARGET, 0.8)]),
        ([TARGET, TWIN], [TARGET], []),
        ([TARGET, TWIN], [], [TWIN]),
        (forty, forty[::-1], forty[3:]),
    ]
    chooser, objects = selector(), None
    objects, together = chooser.start(len(videos)), []
    for number, things in enumerate(zip(*videos, strict=True), start=1):
        selections, objects = chooser.select(scene(number, *things), objects)
        together.append(selections)
    for target, video in enumerate(videos):
        history = follow(*video)
        for selections, (selection, _) in zip(together, history, strict=True):
            assert selections[target].displacement.tolist() == selection.displacement.tolist()
            assert selections[target][2:] == selection[2:]
        apart = history[-1][1]
        assert objects.ids[target][objects.valid[target]].tolist() == ids(apart)
        for name in ("selected", "selected_id", "next_id", "seen", "associations", "skipped"):
            assert getattr(objects, name)[target] == getattr(apart, name)[0], name
    assert int(objects.valid[4].sum()) == 37


@pytest.mark.parametrize("swapped", [True, False])
def test_the_network_is_given_places_around_the_centre(swapped):
    """An image of 240 x 320: 0.7 · 320 = 224. The centre cell lies on (100, 120), the centre of the region."""
    net = StubNet()
    follow([TARGET, TWIN], [TARGET, TWIN], net=net, config=replace(CONFIG, swapped_centre=swapped))
    ((before, now),) = net.asked
    row, col = (160, 120) if swapped else (120, 160)
    assert now.places[0, 0].tolist() == pytest.approx([(100 - row) / 224, (120 - col) / 224], abs=1e-6)
    assert torch.equal(before.places, now.places)
    assert now.scores[0].tolist() == pytest.approx([0.9, 0.6])


def test_the_stages_are_timed():
    class Names:
        def __init__(self):
            self.seen = set()

        def stage(self, name):
            self.seen.add(name)
            return nullcontext()

    names = Names()
    chooser = selector(timer=names)
    objects = chooser.start(1)
    for frame in (1, 2):
        _, objects = chooser.select(scene(frame, [TARGET, TWIN]), objects)
    assert names.seen == {"candidates", "embed", "associate", "sinkhorn"}


class BlindNet(StubNet):
    """Sees no differences: all candidates resemble each other as much as they do nothing."""

    def score_matrix(self, previous, current):
        return torch.zeros(*previous.valid.shape, current.valid.shape[1])

    transport = AssociationNet.transport


MOVING = AssociationConfig(
    motion=MotionConfig(patience=20),
    identity=IdentityConfig(keep=0.0, keep_low=0.0, redetect=0.25, switch="never"),
)
BIG = (36.0, 64.0)
"""The root of its area is three cells: as near as two peaks can be."""


def watch(*frames, config=MOVING):
    """Selections and tables where looks tell nothing; each frame is a list of (col, score) on the middle row."""
    chooser = selector(BlindNet(), config)
    objects, history = chooser.start(1), []
    for number, things in enumerate(frames, start=1):
        seen = [(9, col, score, 1.0) for col, score in things]
        (selection,), objects = chooser.select(scene(number, seen, size=BIG), objects)
        objects.check(number)
        history.append((selection, objects))
    return history


def crossing(frames=41, speed=0.35):
    """The target goes right and a twin left. Where they are nearer than three cells there is one peak."""
    for frame in range(frames):
        target, twin = round(2 + speed * frame), round(16 - speed * frame)
        yield [(target, 0.8), (twin, 0.9)] if abs(target - twin) >= 3 else [((target + twin) // 2, 0.9)]


def test_motion_tells_who_is_who_after_a_crossing():
    history = watch([(2, 0.9), (16, 0.5)], *list(crossing())[1:])
    assert sum(int(objects.seen_now.sum()) == 1 for _, objects in history) > 5
    # Where there are two, nobody but the target is ever followed.
    assert all(selection.displacement[1] <= -2 for selection, _ in history[1:16])
    assert all(selection.displacement[1] >= 0 for selection, _ in history[16:])
    selection, objects = history[-1]
    assert (selection.status, selection.displacement.tolist()) == (Status.FOUND, [0, 7])
    assert selection.initial
    assert objects.lengths[objects.is_target] >= 30


def test_without_motion_nobody_knows_who_came_out_of_the_crossing():
    """What is not seen is forgotten: one of the two must be new."""
    _, objects = watch([(2, 0.9), (16, 0.5)], *list(crossing())[1:], config=replace(MOVING, motion=None))[-1]
    assert max(ids(objects)) > 1


def test_a_target_that_vanishes_is_not_its_twin_for_a_while():
    both, alone = [(4, 0.9), (14, 0.6)], [(14, 0.9)]
    history = watch(*[both] * 6, *[alone] * 25)
    status = [selection.status for selection, _ in history]
    assert status[1:] == [Status.FOUND] * 5 + [Status.LOST] * 20 + [Status.FOUND] * 5
    assert history[-1][0].displacement.tolist() == [0, 5]
    assert not history[-1][0].initial
    # The height is that of the target: what its twin has says nothing of it.
    assert [selection.peak for selection, _ in history[1:]] == pytest.approx([0.9] * 5 + [0] * 20 + [0.9] * 5)
    assert watch(*[both] * 3, *[[(4, 0.6), (14, 0.9)]] * 3)[-1][0].peak == pytest.approx(0.6)


def test_a_target_that_reappears_where_it_should_be_is_the_same():
    together, alone = [(4, 0.9), (14, 0.6)], [(14, 0.9)]
    history = watch(*[together] * 6, *[alone] * 4, *[together] * 2)
    selection, objects = history[-1]
    assert (selection.status, selection.initial, ids(objects)) == (Status.FOUND, True, [0, 1])
    assert selection.displacement.tolist() == [0, -5]
    assert history[8][1].missed[0].tolist() == [0, 3]
    assert history[10][1].partners.tolist() == [[-1, 0]]
    assert history[8][1].places[0, 1].tolist() == pytest.approx(history[5][1].places[0, 0].tolist(), abs=3)


@pytest.mark.parametrize(("score", "found"), [(0.3, True), (0.2, False)])
def test_a_newcomer_may_be_the_lost_target_if_it_is_high_enough(score, found):
    together = [(2, 0.9), (8, 0.6)]
    history = watch(*[together] * 6, *[[(8, 0.6), (16, score)]] * 2)
    selection, _ = history[-1]
    assert selection.status is (Status.FOUND if found else Status.LOST)
    if found:
        assert selection.displacement.tolist() == [0, 7]


def test_a_lost_target_is_followed_with_who_may_hide_it_but_not_learned():
    """One peak where there were two, and it is the twin's: the target is behind that, until it is too far away."""
    wide = replace(MOVING, motion=MotionConfig(overlap=1.1))
    history = watch(*[[(8, 0.6), (11, 0.9)]] * 8, *[[(8, 0.9)]] * 3, config=wide)
    assert [selection.status for selection, _ in history[7:]] == [Status.FOUND] + [Status.UNCERTAIN] * 3
    assert history[-1][0].displacement.tolist() == [0, -1]
    assert history[-1][1].missed[history[-1][1].is_target].tolist() == [3]
    history = watch(*[[(7, 0.6), (11, 0.9)]] * 8, [(7, 0.9)], config=wide)
    assert history[-1][0].status is Status.LOST


def test_a_lost_target_is_behind_the_nearest_that_may_hide_it():
    wide = replace(MOVING, motion=MotionConfig(overlap=1.5))
    selection, objects = watch(*[[(7, 0.8), (11, 0.9), (14, 0.6)]] * 8, [(7, 0.8), (14, 0.6)], config=wide)[-1]
    assert (ids(objects), selection.status) == ([1, 2, 0], Status.UNCERTAIN)
    assert selection.displacement.tolist() == [0, 5]
    assert selection.peak == pytest.approx(0.6)


@pytest.mark.parametrize(("overlap", "found"), [(0.9, True), (1.1, False)])
def test_who_comes_out_from_behind_another_is_not_the_lost_target(overlap, found):
    config = replace(MOVING, motion=MotionConfig(overlap=overlap))
    selection, _ = watch(*[[(2, 0.9), (8, 0.6)]] * 6, [(8, 0.6), (11, 0.5)], config=config)[-1]
    assert selection.status is (Status.FOUND if found else Status.LOST)


def test_a_frame_without_candidates_hides_everything_that_was_seen_often_enough():
    history = watch(*[[(4, 0.9), (14, 0.6)]] * 3, [(4, 0.9), (14, 0.6), (9, 0.3)], [])
    selection, objects = history[-1]
    assert selection.status is Status.LOST
    assert (ids(objects), objects.missed.tolist(), objects.seen.tolist()) == ([0, 1, 2], [[1, 1, 1]], [4])
    history = watch(*[[(4, 0.9), (14, 0.6)]] * 3, [(4, 0.9), (14, 0.6), (9, 0.3)], [], [])
    assert ids(history[-1][1]) == [0, 1]


def test_a_high_score_makes_the_target_of_a_newcomer_but_not_of_who_was_beside_it():
    by_score = replace(MOVING, identity=replace(MOVING.identity, switch="best"), motion=MotionConfig(overlap=1.1))
    _, objects = watch(*[[(4, 0.6)]] * 6, [(4, 0.5), (14, 0.9)], config=by_score)[-1]
    assert (ids(objects), int(objects.selected)) == ([1, 0], 0)
    _, objects = watch(*[[(8, 0.5), (11, 0.6)]] * 6, [(8, 0.9), (11, 0.5)], config=by_score)[-1]
    assert (ids(objects), int(objects.selected)) == ([1, 0], 1)


@pytest.mark.parametrize(("config", "shift"), [(CONFIG, 0), (MOVING, -0.417)])
def test_places_are_between_the_cells_where_motion_is_followed(config, shift):
    """A cell is 287 / 18 pixels; the parabola is that of log 0.6, log 0.9 and log 0.01. Looks are the cell's."""
    _, objects = follow([(9, 9, 0.9, 1.0), (9, 8, 0.6, 7.0)], config=config)[-1]
    assert objects.places[0].tolist() == [pytest.approx([100, 120 + shift * 287 / 18], abs=0.01)]
    assert objects.descriptors.tolist() == [[[1.0]]]


def test_a_frame_without_candidates_does_not_end_the_association():
    both = [(4, 0.9), (14, 0.6)]
    selection, objects = watch(*[both] * 5, [], both)[-1]
    assert (selection.status, selection.initial, ids(objects)) == (Status.FOUND, True, [0, 1])
    assert objects.lengths.tolist() == [[6, 6]]


def test_who_is_alone_where_the_hidden_target_is_not_is_another():
    _, objects = watch(*[[(4, 0.9)]] * 5, [], [(14, 0.9)])[-1]
    assert (ids(objects), int(objects.skipped)) == ([1, 0], 4)


def test_nothing_is_selected_while_there_are_no_candidates():
    """Nor matched: those of the last frame are not who they were, once some are forgotten."""
    seen, *unseen = watch(*[[(4, 0.9)]] * 5, [(4, 0.5), (14, 0.8)], [], [])[-3:]
    assert (ids(seen[1]), seen[1].selected.tolist()) == ([1, 0], [1])
    for _, objects in unseen:
        assert (objects.selected.tolist(), objects.selected_id.tolist()) == ([-1], [0])
        assert set(objects.partners[0].tolist()) == {-1}
        assert not objects.probabilities.any()
    assert ids(unseen[-1][1]) == [0]


def test_targets_that_move_together_equal_targets_apart():
    pairs = list(crossing())
    # The first are not matched by the network in every frame, or never.
    videos = [[[]] * 41, [[(4, 0.9)]] * 10 + [[]] * 5 + [[(5, 0.9), (14, 0.4)]] * 30, pairs, pairs[5:]]
    frames = [[[(9, col, score, 1.0) for col, score in things] for things in video[:36]] for video in videos]
    chooser = selector(BlindNet(), MOVING)
    objects, together = chooser.start(len(videos)), []
    for number, things in enumerate(zip(*frames, strict=True), start=1):
        selections, objects = chooser.select(scene(number, *things, size=BIG), objects)
        together.append(selections)
    for target, video in enumerate(videos):
        history = watch(*video[:36])
        for selections, (selection, _) in zip(together, history, strict=True):
            assert selections[target].status is selection.status
            if selection.status is not Status.LOST:
                assert selections[target].displacement.tolist() == selection.displacement.tolist()
        apart = history[-1][1]
        assert objects.ids[target][objects.valid[target]].tolist() == ids(apart)
        count = int(apart.valid.sum())
        assert not objects.scores[target, count:].any()
        assert not objects.missed[target, count:].any()
        assert objects.motion[target, :count].numpy() == pytest.approx(apart.motion[0, :count].numpy(), abs=1e-2)


def test_who_was_never_seen_beside_the_target_may_be_it():
    """It was there before the target was lost, but only as the target came to be lost: a part of it, perhaps."""
    briefly = watch(*[[(4, 0.9)]] * 6, *[[(4, 0.9), (14, 0.6)]] * 3, *[[(14, 0.9)]] * 2)
    assert briefly[-1][0].status is Status.FOUND
    assert briefly[-1][1].together[0, 0] == 0
    long = watch(*[[(4, 0.9)]] * 6, *[[(4, 0.9), (14, 0.6)]] * 4, *[[(14, 0.9)]] * 2)
    assert long[-1][0].status is Status.LOST
    assert long[-1][1].together[0].tolist() == [4, 0]


def test_a_target_that_is_hardly_seen_gives_way_to_a_newcomer():
    """What is followed may have been the background for long."""
    fading = [*[[(4, 0.9)]] * 6, *[[(4, 0.1)]] * 3]
    taken = watch(*fading, [(4, 0.1), (14, 0.9)])[-1][0]
    assert (taken.status, taken.displacement.tolist(), taken.initial) == (Status.FOUND, [0, 5], False)
    clear = watch(*fading, [(4, 0.3), (14, 0.9)])[-1][0]
    assert (clear.displacement.tolist(), clear.initial) == ([0, -5], True)
    rival = watch(*[[(4, 0.9), (14, 0.3)]] * 6, *[[(4, 0.1), (14, 0.9)]] * 3)[-1][0]
    assert (rival.displacement.tolist(), rival.peak) == ([0, -5], pytest.approx(0.1))


def test_who_is_seen_beside_a_target_that_is_hardly_seen_is_no_rival():
    beside = [[(4, 0.1), (14, 0.2)]] * 8
    _, objects = watch(*[[(4, 0.9)]] * 6, *beside)[-1]
    assert not objects.together.any()


def test_a_hidden_target_is_not_found_again_in_what_is_hardly_seen():
    before = [*[[(4, 0.9), (14, 0.6)]] * 6, [(14, 0.6)], [(14, 0.6)]]
    selection, objects = watch(*before, [(4, 0.1), (14, 0.6)])[-1]
    assert selection.status is not Status.FOUND
    assert ids(objects) == [1, 2, 0]
    selection, objects = watch(*before, [(4, 0.3), (14, 0.6)])[-1]
    assert (selection.status, ids(objects)) == (Status.FOUND, [1, 0])


def test_nobody_is_behind_another_for_ever():
    """After some time nobody knows where the target is."""
    patient = replace(MOVING, motion=MotionConfig(overlap=1.1, patience=99))
    history = watch(*[[(8, 0.6), (11, 0.9)]] * 8, *[[(8, 0.9)]] * 40, config=patient)
    status = [selection.status for selection, _ in history[8:]]
    since = status.index(Status.LOST)
    assert 5 < since < 35
    assert status == [Status.UNCERTAIN] * since + [Status.LOST] * (40 - since)
