import math

import numpy as np
import pytest

from evaluation.made_up import BOX, boxes, make_set, run, sequence, still
from lockon.data.testsets.base import BoxTruth
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation import identity
from lockon.evaluation.identity import (
    NOBODY,
    UNDECIDED,
    Recovery,
    follow,
    identities,
    median_recovery,
    never_share,
    recoveries,
    switches,
)
from lockon.evaluation.tracks import Track

NAMES = {"t": 0, "1": 1, "2": 2, "-": NOBODY, "?": UNDECIDED}


def told(text):
    """t: target, 1 and 2: look-alikes, -: nobody, ?: undecided."""
    return np.array([NAMES[letter] for letter in text])


def flags(text):
    return np.array([letter == "1" for letter in text])


def test_a_box_is_on_what_it_overlaps_by_a_half():
    target = boxes((0, 0, 10, 10), (0, 0, 10, 10), (0, 0, 10, 10), (0, 0, 10, 10), (np.nan,) * 4)
    first = boxes((50, 0, 10, 10), (50, 0, 10, 10), (2, 0, 10, 10), (50, 0, 10, 10), (50, 0, 10, 10))
    second = boxes(*[(80, 0, 10, 10)] * 3, (100, 0, 10, 10), (80, 0, 10, 10))
    predicted = boxes((0, 0, 10, 5), (0, 0, 10, 4.9), (1, 0, 10, 10), (101, 0, 10, 10), (50, 0, 10, 10))
    # 0.5 counts, 0.49 does not; between two at 9/11 each; on the second; on the first where no target is known.
    assert identities(target, [first, second], predicted).tolist() == told("t-?21").tolist()
    assert identities(target, [], boxes(*[(np.nan,) * 4] * 5)).tolist() == told("-----").tolist()


@pytest.mark.parametrize(
    ("followed", "count"),
    [
        ("tttt", 0),
        ("tt11", 1),
        ("tt--11", 1),
        ("tt??11", 1),
        ("tt??tt", 0),
        ("tt11tt", 1),
        ("tt11tt11", 2),
        ("tt1122", 2),
        ("tt1--1", 1),
        ("1111", 1),  # whoever is not on the target from the start has left it
        ("tt??", 0),
        ("----", 0),
    ],
)
def test_switches_by_hand(followed, count):
    assert switches(told(followed)) == count


@pytest.mark.parametrize(
    ("followed", "visible", "losses"),
    [
        ("tttttt", "111111", []),
        ("t---tt", "111111", [(3, True)]),
        ("t1-?tt", "111111", [(3, True)]),  # undecided frames do not end a loss
        ("t??ttt", "111111", []),  # nor do they begin one
        ("tt----", "111111", [(4, False)]),
        ("t-t--t", "111111", [(1, True), (2, True)]),
        ("t----t", "110001", [(0, True)]),  # lost in frame 1, away, held as soon as it is back
        ("t-----t", "1100111", [(2, True)]),  # the clock starts anew with the reappearance
        ("t--tt", "10011", [(0, True)]),  # lost only while it was away
        ("t----", "10000", []),  # it never shows again: that is no loss of the tracker's
        ("t-tt", "1001", []),  # lost and found while it was away
        ("t----", "11000", [(1, False)]),
        ("tttt--", "100111", [(2, False)]),  # held while hidden, lost later
    ],
)
def test_losses_by_hand(followed, visible, losses):
    assert recoveries(told(followed), flags(visible)) == tuple(Recovery(*loss) for loss in losses)


def test_the_median_takes_losses_that_never_end_for_longer_than_seen():
    over, not_over = (lambda n: Recovery(n, True)), (lambda n: Recovery(n, False))
    assert median_recovery([over(1), over(3), over(9)]) == 3
    assert median_recovery([over(0), over(4)]) == 0
    # Survival after 2: 4/5; censored at 3: three are left; after 5: 4/5 · 2/3 = 0.53; after 7: 0.27.
    assert median_recovery([over(2), not_over(3), over(5), over(7), not_over(20)]) == 7
    assert median_recovery([over(2), not_over(3), not_over(5)]) == math.inf
    assert math.isnan(median_recovery([]))
    assert never_share([over(2), not_over(3), not_over(5), over(0)]) == 50
    assert math.isnan(never_share([]))


FAR = (100, 100, 20, 20)


def among(target, other, visible):
    return BoxTruth(boxes=target, visible=flags(visible), look_alikes=other[None])


def test_a_track_by_hand():
    truth = among(still(5), boxes(*[FAR] * 5), "11011")
    track = Track(boxes=boxes(BOX, FAR, FAR, FAR, BOX), present=flags("11110"))
    judged = follow(truth, track)
    assert judged.followed.tolist() == told("t111t").tolist()
    assert (judged.switches, judged.on_look_alike, judged.losses) == (1, 60, (Recovery(1, True),))
    assert judged.auc == pytest.approx(50, abs=3)  # two of the four frames that show it; 20 of 21 thresholds
    assert judged.false_presence == 100
    undecided = follow(truth, Track(boxes=track.boxes))
    assert math.isnan(undecided.false_presence)


def test_a_set_without_look_alikes_is_refused():
    with pytest.raises(DataError, match="need boxes of the look-alikes"):
        follow(BoxTruth(boxes=still(2)), Track(boxes=still(2)))


def test_assessment_means_over_sequences_and_pools_losses():
    other = boxes(*[FAR] * 4)
    test_set = make_set(
        sequence("a", among(still(4), other, "1111")),
        sequence("b", among(still(4), other, "1111")),
        protocol="identity",
    )
    good = run({"a": Track(boxes=still(4)), "b": Track(boxes=still(4))})
    bad = run({"a": Track(boxes=boxes(BOX, FAR, FAR, BOX)), "b": Track(boxes=boxes(BOX, BOX, FAR, FAR))})
    assessed = identity.assess(test_set, {"bad": [bad], "good": [good]})
    by_name = {tracker.tracker: tracker for tracker in assessed.trackers}
    assert by_name["bad"].values["Switches"] == 1
    assert by_name["bad"].by_sequence["On look-alike"] == {"a": 50, "b": 50}
    assert by_name["bad"].values["Recovery"] == 2
    assert by_name["bad"].values["Never"] == 50
    assert by_name["good"].values["Switches"] == 0
    assert "Recovery" not in by_name["good"].values
    assert "False presence" not in by_name["good"].values
    (comparison,) = assessed.comparisons
    assert (comparison.tracker, comparison.difference, comparison.probability) == ("good", -1, 1)


def test_incomplete_tracks_and_other_rules_are_refused():
    test_set = make_set(sequence("a", among(still(4), boxes(*[FAR] * 4), "1111")), protocol="identity")
    with pytest.raises(DataError, match="3 boxes for 4 frames"):
        identity.assess(test_set, {"short": [run({"a": Track(boxes=still(3))})]})
    with pytest.raises(UnknownNameError, match="identity"):
        identity.assess(test_set, {}, rules="otb")
