"""Which mined frames are drawn."""

from collections import Counter

import numpy as np
import pytest
from mined_data import FakeDump, mined, squares, whole

from lockon.errors import DataError
from lockon.training.association.drawing import FrameDraws, MinedSource, split

TWO, ONE = [[2, 2], [14, 14]], [[2, 2]]


def frame(number, category, sequence="a"):
    cells = ONE if category == "D" else TWO
    scores = {"D": [0.9], "H": [0.9, 0.5], "G": [0.2, 0.1], "K": [0.9, 0.5], "other": [0.2, 0.1]}[category]
    target = {"K": 1, "other": None}.get(category, 0)
    return mined(cells, scores, target=target, number=number, sequence=sequence)


def dump(categories, sequence="a"):
    return FakeDump([frame(number, category, sequence) for number, category in enumerate(categories)])


def draws(dump, *, mining=True, frames=None, pairs=None, sources=None):
    frames, pairs = frames or {"H": 2.0, "K": 1.0}, pairs or {"HH": 10.0, "HK": 1.0}
    return FrameDraws(sources or [whole(dump)], frames, pairs, mining=mining)


def drawn(draws, kind, count=300):
    rng = np.random.default_rng(0)
    if kind == "single":
        return Counter(draws.single(rng)[0].frame for _ in range(count))
    return Counter(tuple(one.frame for one in draws.pair(rng)[0]) for _ in range(count))


def test_categories_are_drawn_by_their_shares_however_many_frames_they_have():
    urn = draws(dump(["H"] * 6 + ["D", "K", "other"]))
    found = drawn(urn, "single")
    assert found.keys() == {*range(6), 7}
    assert found[7] / 300 == pytest.approx(1 / 3, abs=0.08)
    assert found[0] / 300 == pytest.approx(2 / 18, abs=0.05)


def test_pairs_are_consecutive_frames_by_their_shares():
    found = drawn(draws(dump(["H", "H", "K", "H", "D", "H", "H"]), pairs={"HH": 1.0, "HK": 1.0}), "pair")
    assert found.keys() == {(0, 1), (1, 2), (5, 6)}
    assert found[1, 2] / 300 == pytest.approx(1 / 2, abs=0.09)


def test_categories_that_are_empty_leave_their_share_to_the_others():
    assert drawn(draws(dump("HHD")), "single").keys() == {0, 1}
    assert drawn(draws(dump("HHD")), "pair").keys() == {(0, 1)}


def test_without_mining_all_frames_count_alike():
    frames = dump(["H", "D", "other", "K"])
    frames.frames.append(mined([], [], target=None, number=4))
    urn = draws(frames, mining=False)
    found = drawn(urn, "single")
    assert found.keys() == {0, 1, 2, 3}
    assert min(found.values()) > 50
    assert drawn(urn, "pair").keys() == {(0, 1), (1, 2), (2, 3), (3, 4)}


def test_frames_of_different_sequences_are_no_pair():
    frames = FakeDump([frame(0, "H", "a"), frame(1, "H", "b"), frame(3, "H", "b"), frame(4, "H", "b")])
    assert drawn(draws(frames), "pair").keys() == {(3, 4)}


def test_frames_apart_need_all_frames_between_them():
    frames = FakeDump(
        [frame(number, "H", name) for name, number in (("a", 0), *zip("bbbbb", (1, 2, 3, 5, 6), strict=True))]
    )
    source = whole(frames)
    assert [source.followed(gap).tolist() for gap in (1, 2, 3)] == [[1, 2, 4], [1], []]
    assert [one.frame for one in source.two(1, 2)] == [1, 3]


def test_several_dumps_are_one():
    first, second = dump("HH"), dump("HHH")
    second.sample_size = 96
    rng = np.random.default_rng(0)
    urn = draws(None, sources=[whole(first), whole(second)])
    assert Counter(urn.single(rng)[1] for _ in range(200))[96] / 200 == pytest.approx(3 / 5, abs=0.1)


def test_nothing_to_draw_is_found_out_before_training():
    urn = draws(dump("DD"))
    with pytest.raises(DataError, match=r"no frame of the categories H, K\. Mine more sequences"):
        urn.check(single=True, pairs=False)
    with pytest.raises(DataError, match="no two consecutive frames of the categories HH, HK"):
        urn.check(single=False, pairs=True)
    urn.check(single=False, pairs=False)


def test_sequences_are_trained_on_or_held_out_as_a_whole():
    frames = squares(10, frames=3)
    training, held_out = (split(frames, part, 0.3) for part in ("train", "held_out"))
    assert (training.kept ^ held_out.kept).all()
    assert held_out.kept.reshape(10, 3).all(axis=1).sum() == 3
    assert held_out.among(np.arange(30)).tolist() == np.flatnonzero(held_out.kept).tolist()
    assert split(frames, "all", 0.3).kept.all()
    assert len({split(frames, part, 0.3).fingerprint for part in ("train", "held_out", "all")}) == 3
    assert drawn(draws(None, sources=[held_out]), "pair").total() == 300


def test_one_sequence_cannot_be_split():
    with pytest.raises(DataError, match="1 sequence, which cannot be split"):
        split(squares(1), "train", 0.1)


def test_what_is_held_out_is_never_drawn():
    frames = dump("HHHH")
    source = MinedSource(frames, np.array([True, False, True, True]))
    assert drawn(draws(None, sources=[source]), "single").keys() == {0, 2, 3}
