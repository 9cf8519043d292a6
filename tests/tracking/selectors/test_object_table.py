"""Who is who, by hand (KeepTrack, Sec. 3.7, Algorithm 1, and the rules of the reference)."""

from __future__ import annotations

import pytest
import torch

from lockon.networks.association import Matches
from lockon.tracking.selectors import IdentityConfig, MotionConfig, ObjectTable
from lockon.tracking.selectors.motion import ConstantVelocity
from lockon.tracking.selectors.object_table import HISTORY, Sighting
from lockon.types import Status

REFERENCE = IdentityConfig()
PAPER = IdentityConfig(keep=0.75, keep_low=0.75, target_only=False, switch="current")


def sighting(*of_targets, dim=3):
    """Candidates with the given scores, each described by its score."""
    count = max(len(scores) for scores in of_targets)
    padded = torch.tensor([[*scores, *[0.0] * (count - len(scores))] for scores in of_targets])
    valid = torch.arange(count) < torch.tensor([[len(scores)] for scores in of_targets])
    padded = padded.view(len(of_targets), count)
    return Sighting(padded[..., None].repeat(1, 1, 2), padded, padded[..., None].repeat(1, 1, dim), valid)


def matches(*of_targets):
    """Partner of each candidate, alone (sure) or with its probability."""
    count = max(len(pairs) for pairs in of_targets)
    full = [[pair if isinstance(pair, tuple) else (pair, float(pair >= 0)) for pair in pairs] for pairs in of_targets]
    full = [pairs + [(-1, 0.0)] * (count - len(pairs)) for pairs in full]
    partners = torch.tensor([[pair[0] for pair in pairs] for pairs in full], dtype=torch.long).view(len(full), count)
    return Matches(partners, torch.tensor([[pair[1] for pair in pairs] for pairs in full]).view(len(full), count))


def begin(scores, first_id=0):
    table = ObjectTable.empty(1, 3).forgetting(torch.tensor([True]), first_id)
    return table.follow(sighting(scores), matches([-1] * len(scores)), 1, REFERENCE)


def track(scores, *frames, config=REFERENCE):
    """The table after some frames, each a list of (score, partner) or (score, partner, probability)."""
    table = begin(scores)
    for number, frame in enumerate(frames, start=2):
        pairs = [one[1] if len(one) == 2 else one[1:] for one in frame]
        table = table.follow(sighting([one[0] for one in frame]), matches(pairs), number, config)
    return table


def summary(table, target=0):
    count = int(table.valid[target].sum())
    return table.ids[target, :count].tolist(), int(table.selected[target]), int(table.selected_id[target])


@pytest.mark.parametrize("first_id", [0, 1])
def test_the_first_candidates_are_new_objects_and_the_highest_is_the_target(first_id):
    table = begin([0.9, 0.5, 0.3], first_id)
    assert summary(table) == ([first_id, first_id + 1, first_id + 2], 0, first_id)
    assert int(table.next_id) == first_id + 3
    assert table.best[0].tolist() == pytest.approx([0.9, 0.5, 0.3])
    assert table.lengths.tolist() == [[1, 1, 1]]
    assert table.initial.tolist() == [first_id == 0]


def test_matched_candidates_stay_the_objects_they_were():
    table = track([0.9, 0.5], [(0.8, 0), (0.6, 1)])
    assert summary(table) == ([0, 1], 0, 0)
    assert table.best[0].tolist() == pytest.approx([0.9, 0.6])
    assert table.lengths.tolist() == [[2, 2]]
    assert table.recent[0, :, -3:].tolist() == [pytest.approx([0, 0.9, 0.8]), pytest.approx([0, 0.5, 0.6])]


def test_unmatched_candidates_are_new_and_unmatched_objects_are_forgotten():
    table = track([0.9, 0.5], [(0.95, 0), (0.4, -1), (0.3, -1)], [(0.9, 0), (0.4, 2)])
    assert summary(table) == ([0, 3], 0, 0)
    assert int(table.next_id) == 4
    assert table.partners.tolist() == [[0, 2]]


@pytest.mark.parametrize(
    ("score", "probability", "kept"),
    [
        (0.5, 0.61, True),
        (0.5, 0.59, False),
        (0.21, 0.61, True),
        (0.19, 0.84, False),
        (0.19, 0.86, True),
    ],
)
def test_a_doubtful_match_of_the_target_makes_a_new_object(score, probability, kept):
    table = track([0.9], [(score, 0, probability)])
    assert table.ids.tolist() == [[0 if kept else 1]]
    assert table.partners.tolist() == [[0 if kept else -1]]
    assert table.probabilities[0].tolist() == pytest.approx([probability])


@pytest.mark.parametrize(("config", "kept"), [(REFERENCE, True), (PAPER, False)])
def test_a_distractor_stays_by_any_match_but_not_in_the_paper(config, kept):
    table = track([0.9, 0.5], [(0.9, 0), (0.5, 1, 0.3)], config=config)
    assert table.ids.tolist() == [[0, 1 if kept else 2]]


@pytest.mark.parametrize(("probability", "kept"), [(0.74, False), (0.76, True)])
def test_the_paper_asks_the_same_probability_of_low_scores(probability, kept):
    assert track([0.9], [(0.1, 0, probability)], config=PAPER).ids.tolist() == [[0 if kept else 1]]


def test_the_target_stays_the_target_when_a_distractor_is_higher():
    """0.8 does not exceed the 0.9 that the target once had."""
    table = track([0.9, 0.5], [(0.8, 1), (0.4, 0)])
    assert summary(table) == ([1, 0], 1, 0)


def test_an_object_that_equals_the_best_of_the_target_is_not_the_target():
    assert summary(track([0.6, 0.5], [(0.6, 1), (0.4, 0)])) == ([1, 0], 1, 0)


def test_an_object_that_beats_the_best_of_the_target_is_the_target():
    table = track([0.6, 0.5], [(0.7, 1), (0.4, 0)])
    assert summary(table) == ([1, 0], 0, 1)
    assert table.initial.tolist() == [False]


@pytest.mark.parametrize(("config", "selected"), [(REFERENCE, (0, 1)), (PAPER, (1, 0))])
def test_the_reference_compares_histories_the_paper_the_current_score(config, selected):
    """The target was new at 0.6 when the distractor had had 0.7, and now both are lower; the distractor is on top."""
    table = begin([0.6, 0.5])
    table.best[0, 1] = 0.7
    table = table.follow(sighting([0.55, 0.4]), matches([1, 0]), 2, config)
    assert summary(table)[1:] == selected


def test_only_the_highest_candidate_challenges_the_target():
    table = begin([0.6, 0.5, 0.4])
    table.best[0, 1:] = torch.tensor([0.5, 0.9])
    table = table.follow(sighting([0.58, 0.5, 0.4]), matches([1, 0, 2]), 2, REFERENCE)
    assert summary(table) == ([1, 0, 2], 1, 0)


def test_a_lost_target_keeps_its_id_until_another_object_is_taken():
    table = track([0.9], [(0.24, -1), (0.2, -1)])
    assert summary(table) == ([1, 2], -1, 0)
    assert table.initial.tolist() == [True]
    table = table.follow(sighting([0.26, 0.2]), matches([1, 0]), 3, REFERENCE)
    assert summary(table) == ([2, 1], 0, 2)
    assert table.initial.tolist() == [False]


@pytest.mark.parametrize(("score", "found"), [(0.25, False), (0.2501, True)])
def test_a_target_is_found_again_above_the_threshold(score, found):
    assert int(track([0.9], [(score, -1)]).selected) == (0 if found else -1)


def test_the_initial_object_never_comes_back():
    """Lost for one frame at a low score: the next match makes it object 1 for good."""
    table = track([0.9], [(0.1, 0, 0.7)], [(0.9, 0)], [(0.95, 0)])
    assert summary(table) == ([1], 0, 1)


def test_without_candidates_all_objects_are_gone():
    table = track([0.9, 0.5], [])
    assert summary(table) == ([], -1, 0)
    table = table.follow(sighting([0.5]), matches([-1]), 3, REFERENCE)
    assert summary(table) == ([2], 0, 2)


def test_a_history_is_bounded_but_its_best_score_is_not_forgotten():
    frames = [[(0.5, 0)]] * (2 * HISTORY)
    table = track([0.9], *frames)
    assert table.recent.shape == (1, 1, HISTORY)
    assert table.recent.unique().tolist() == pytest.approx([0.5])
    assert (float(table.best), int(table.lengths)) == (pytest.approx(0.9), 2 * HISTORY + 1)


def test_each_target_has_its_own_objects():
    """Three, one and two candidates together as apart."""
    starts, nexts = ([0.9, 0.5, 0.3], [0.6], [0.7, 0.4]), ([0.8, 0.5], [0.5, 0.3, 0.2], [0.75, 0.4])
    pairs = ([0, 2], [-1, (0, 0.5), -1], [1, 0])
    empty = ObjectTable.empty(3, 3).forgetting(torch.tensor([True] * 3), 0)
    together = empty.follow(sighting(*starts), matches([-1] * 3, [-1], [-1] * 2), 1, REFERENCE)
    together = together.follow(sighting(*nexts), matches(*pairs), 2, REFERENCE)
    for target in range(3):
        apart = begin(starts[target]).follow(sighting(nexts[target]), matches(pairs[target]), 2, REFERENCE)
        assert summary(together, target) == summary(apart)
        assert int(together.next_id[target]) == int(apart.next_id)
        count = apart.ids.shape[1]
        assert torch.equal(together.best[target, :count], apart.best[0])
        assert torch.equal(together.recent[target, :count], apart.recent[0])


def test_some_targets_may_keep_their_table():
    table = ObjectTable.empty(2, 3).follow(sighting([0.9, 0.5], [0.4]), matches([-1, -1], [-1]), 1, REFERENCE)
    later = table.follow(sighting([0.9, 0.5, 0.3], []), matches([0, 1, -1], []), 2, REFERENCE)
    merged = later.where(torch.tensor([True, False]), table)
    assert merged.ids.tolist() == [[0, 1, 2], [0, -1, -1]]
    assert merged.seen.tolist() == [2, 1]
    assert merged.descriptors[1, 0].tolist() == pytest.approx([0.4] * 3)


def test_forty_candidates():
    table = begin([1 - i / 50 for i in range(40)])
    table = table.follow(sighting([1 - i / 50 for i in range(40)]), matches(list(range(40))), 2, REFERENCE)
    assert summary(table) == (list(range(40)), 0, 0)


def test_what_is_told_of_a_frame():
    """Row 4, column 4 of the image is the pixel around (4.5, 4.5)."""
    table = ObjectTable.empty(2, 3).follow(sighting([4.0, 0.5], []), matches([-1, -1], []), 7, REFERENCE)
    first, second = table.candidates(7, [Status.FOUND, Status.LOST])
    assert first.points_xy[0].tolist() == [4.5, 4.5]
    assert (first.ids.tolist(), first.selected, first.partners.tolist()) == ([0, 1], 0, [-1, -1])
    assert (len(second), second.selected) == (0, -1)
    assert len(table.candidates(8, [Status.LOST, Status.LOST])[0]) == 0
    assert table.candidates(7, [Status.LOST, Status.LOST])[0].selected == -1


MOTION = ConstantVelocity(MotionConfig(overlap=0.9), torch.tensor([10.0]))
MOVING = IdentityConfig(keep=0.0, keep_low=0.0, redetect=1.0, switch="never")


def move(*frames):
    """The table expected in the last of some frames, and what becomes of it; each is a list of (col, partner)."""
    table = ObjectTable.empty(1, 3)
    for number, frame in enumerate(frames, start=1):
        cols, partners = zip(*frame, strict=True)
        places = torch.tensor([[[7.0, col] for col in cols]])
        expected = table.expected(MOTION)
        seen = sighting([0.9 - index / 10 for index in range(len(cols))])._replace(places=places)
        table = expected.follow(seen, matches(partners), number, MOVING, MOTION)
    return expected, table


def assert_updated(table, expected, partners, cols, blurred):
    """The first objects of the table are what the filter makes of some that were expected."""
    places = torch.tensor([[[7.0, col] for col in cols]])
    motion, covariance = MOTION.update(
        expected.motion[:, partners], expected.covariance[:, partners], places, torch.tensor([blurred])
    )
    assert torch.equal(table.motion[:, : len(cols)], motion)
    assert torch.equal(table.covariance[:, : len(cols)], covariance)


def test_the_peak_of_an_object_may_be_that_of_a_hidden_one_that_it_overlaps():
    """The second of three vanishes beside the first, far from the third."""
    expected, table = move([(20, -1), (25, -1), (90, -1)], *[[(20, 0), (25, 1), (90, 2)]] * 4, [(21, 0), (91, 2)])
    assert summary(table) == ([0, 2, 1], 0, 0)
    assert table.partners.tolist() == [[0, 2, -1]]
    assert_updated(table, expected, [0, 2], [21, 91], [True, False])
    assert table.candidates(6, [Status.FOUND])[0].ids.tolist() == [0, 2]
    assert torch.equal(table.motion[:, 2], expected.motion[:, 1])
    assert torch.equal(table.places, torch.tensor([[[7.0, 21], [7, 91], expected.places[0, 1].tolist()]]))


@pytest.mark.parametrize(("frames", "blurred"), [(1, True), (30, False)])
def test_a_lost_target_is_nowhere_once_it_may_be_anywhere(frames, blurred):
    both = [[(20, -1), (25, -1)], *[[(20, 0), (25, 1)]] * 5]
    expected, table = move(*both, [(25, 1)], *[[(25, 0)]] * (frames - 1))
    assert (table.ids.tolist(), table.missed.tolist()) == ([[1, 0]], [[0, frames]])
    assert_updated(table, expected, [0] if frames > 1 else [1], [25], [blurred])


def test_a_new_object_is_at_rest_and_was_beside_nobody():
    _, table = move([(20, -1), (60, -1)], [(60, 1), (20, 0)], *[[(60, 0), (20, 1)]] * 4, [(60, 0), (20, 1), (95, -1)])
    assert summary(table) == ([1, 0, 2], 1, 0)
    motion, covariance = MOTION.begin(torch.tensor([[[7.0, 95.0]]]))
    assert torch.equal(table.motion[:, 2:], motion)
    assert torch.equal(table.covariance[:, 2:], covariance)
    assert table.together.tolist() == [[7, 0, 1]]


def test_what_is_hidden_is_forgotten_once_it_may_be_anywhere():
    """But for the target."""
    _, table = move([(20, -1), (90, -1)], *[[(20, 0), (90, 1)]] * 5, *[[(20, 0)]] * 8)
    assert (table.ids.tolist(), table.missed.tolist()) == ([[0, 1]], [[0, 8]])
    assert table.together.tolist() == [[0, 6]]
    _, table = move([(20, -1), (90, -1)], *[[(20, 0), (90, 1)]] * 5, *[[(20, 0)]] * 30)
    assert table.ids.tolist() == [[0]]
