import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_data import ToyDataset, toy_sequence

from lockon.errors import DataError
from lockon.training.sampling import FrameConfig, Source, draw_dataset, draw_frames, draw_sequence

DIMP = FrameConfig(mode="causal", train_frames=3, test_frames=3, max_gap=30)
ATOM = FrameConfig(mode="interval", train_frames=1, test_frames=1, max_gap=50)


def draw_many(visible, config, count=2000, seed=0):
    rng = np.random.default_rng(seed)
    return np.array([draw_frames(visible, config, rng) for _ in range(count)])


def assert_uniform(counts):
    """Within five standard deviations of what equal probabilities give."""
    expected = sum(counts) / len(counts)
    assert expected > 50
    assert np.abs(np.asarray(counts) - expected).max() < 5 * np.sqrt(expected)


@st.composite
def clips(draw):
    """Which frames of a clip are visible, and how to draw from them."""
    config = FrameConfig(
        mode=draw(st.sampled_from(["causal", "interval", "order", "pair"])),
        train_frames=draw(st.integers(1, 3)),
        test_frames=draw(st.integers(1, 3)),
        max_gap=draw(st.sampled_from([1, 2, 7, 30, 200])),
    )
    length = draw(st.integers(max(20, 2 * config.total + 1), 120))
    chosen = draw(st.sets(st.integers(0, length - 1), min_size=2 * config.total + 1, max_size=length))
    visible = np.zeros(length, bool)
    visible[list(chosen)] = True
    return visible, config


@given(clips(), st.integers(0, 2**32 - 1))
def test_frames_are_visible_and_in_the_order_the_mode_promises(clip, seed):
    visible, config = clip
    frames = draw_frames(visible, config, np.random.default_rng(seed))
    assert frames.shape == (config.total,)
    assert visible[frames].all()
    train, test = np.split(frames, [config.train_frames])
    if config.mode in ("causal", "order"):
        base = train.max()
        assert (test > base).all()
        assert base >= config.train_frames - 1
        assert base < len(visible) - config.test_frames
        assert (train < base).sum() == config.train_frames - 1
    if config.mode == "causal":
        assert train[0] == base
    if config.mode == "order":
        assert (np.diff(train) >= 0).all()
        assert (np.diff(test) >= 0).all()
    if config.mode == "interval":
        assert (frames >= frames[0] - config.max_gap).all()
        assert (frames < frames[0] + config.max_gap).all()
    if config.mode == "pair":
        places = np.searchsorted(np.flatnonzero(visible), frames)
        assert (np.abs(places - places[0]) <= config.max_gap).all()


def test_causal_frames_reach_as_far_as_the_gap_and_no_farther():
    draws = draw_many(np.ones(200, bool), DIMP)
    base = draws[:, :1]
    before, after = base - draws[:, 1:3], draws[:, 3:] - base
    assert (before.min(), before.max()) == (1, 30)  # [base - gap, base)
    assert (after.min(), after.max()) == (1, 29)  # [base + 1, base + gap)
    assert (base.min(), base.max()) == (2, 196)  # [n_train - 1, length - n_test)


def test_interval_frames_lie_on_both_sides_and_may_be_the_base_frame():
    draws = draw_many(np.ones(200, bool), ATOM, count=5000)
    distance = draws[:, 1] - draws[:, 0]
    assert (distance.min(), distance.max()) == (-50, 49)
    assert (distance == 0).any()


def test_draws_are_uniform_among_visible_frames_and_with_replacement():
    visible = np.zeros(60, bool)
    visible[::3] = True
    draws = draw_many(visible, FrameConfig(mode="interval", train_frames=1, test_frames=3, max_gap=100), count=3000)
    seen = np.flatnonzero(visible)
    for column in draws.T:
        assert_uniform([np.count_nonzero(column == frame) for frame in seen])
    twice = np.mean(draws[:, 1] == draws[:, 2])
    assert twice == pytest.approx(1 / len(seen), abs=0.02)


def test_causal_base_frames_are_uniform():
    base = draw_many(np.ones(40, bool), DIMP, count=7000)[:, 0]
    assert_uniform([np.count_nonzero(base == frame) for frame in range(2, 37)])


def test_the_gap_grows_in_steps_of_five_until_there_are_frames():
    visible = np.zeros(300, bool)
    visible[::20] = True
    config = FrameConfig(mode="causal", train_frames=2, test_frames=2, max_gap=11)
    draws = draw_many(visible, config, count=300)
    # The gap becomes 21: the neighbours are 20 frames away, and 40 is never reached.
    assert set(np.abs(draws[:, 1:] - draws[:, :1]).ravel().tolist()) == {20}


def test_pairs_count_visible_frames():
    visible = np.zeros(300, bool)
    visible[::20] = True
    draws = draw_many(visible, FrameConfig(mode="pair", train_frames=1, test_frames=1, max_gap=2))
    assert set((draws[:, 1] - draws[:, 0]).tolist()) == {-40, -20, 0, 20, 40}


@pytest.mark.parametrize("mode", ["causal", "interval", "order", "pair"])
def test_images_are_repeated(mode):
    frames = draw_frames(np.array([True]), FrameConfig(mode=mode), np.random.default_rng(0))
    assert frames.tolist() == [0] * 6


def test_data_sets_are_drawn_by_weight():
    rng = np.random.default_rng(0)
    sources = [Source(ToyDataset([], name=str(i)), weight) for i, weight in enumerate((0.25, 1.0, 0.75))]
    names = [draw_dataset(sources, rng).name for _ in range(4000)]
    assert [names.count(str(i)) / 4000 for i in range(3)] == pytest.approx([0.125, 0.5, 0.375], abs=0.03)


def sequence_with(seen, length):
    return toy_sequence(length, np.arange(length) < seen)


def test_sequences_that_show_too_little_are_passed_over():
    poor = [sequence_with(12, 40), sequence_with(19, 19), sequence_with(0, 100)]
    good = [sequence_with(13, 40), sequence_with(20, 20)]
    rng = np.random.default_rng(0)
    drawn = [draw_sequence(ToyDataset([*poor, *good]), DIMP, rng) for _ in range(600)]
    assert_uniform([sum(sequence is one for sequence in drawn) for one in good])
    assert all(any(sequence is one for one in good) for sequence in drawn)


def test_one_good_sequence_among_many_is_found():
    good = sequence_with(40, 40)
    dataset = ToyDataset([*[sequence_with(5, 40)] * 3000, good])
    assert draw_sequence(dataset, DIMP, np.random.default_rng(0)) is good


def test_images_only_need_to_show_the_target():
    images = ToyDataset([sequence_with(0, 1), sequence_with(1, 1)], is_video=False)
    drawn = [draw_sequence(images, DIMP, np.random.default_rng(seed)) for seed in range(20)]
    assert all(sequence is images[1] for sequence in drawn)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (ToyDataset([sequence_with(12, 40)], name="lasot/train"), "lasot/train.*more than 12 of them.*looked at 1"),
        (ToyDataset([], name="empty"), "empty"),
        (ToyDataset([sequence_with(0, 1)], name="coco", is_video=False), "coco.*visible target"),
    ],
)
def test_a_data_set_without_any_good_sequence_is_named(dataset, message):
    with pytest.raises(DataError, match=message):
        draw_sequence(dataset, DIMP, np.random.default_rng(0))
