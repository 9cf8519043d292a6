"""Trackers that follow candidates: the contract of all trackers, with objects in the state. Weights are random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_tracker import BOX, BOXES, assert_same_state, boxes_of, clip, random_network, run

from lockon.errors import LockonError
from lockon.networks.association import AssociationNet
from lockon.tracking import PRESETS, State, Tracker
from lockon.tracking.learners import ConfidenceConfig
from lockon.tracking.search_area import RescalingConfig
from lockon.tracking.selectors import IdentityConfig, MotionConfig, PeakConfig

SMALL = PRESETS["keep_track_s"]
# With the parts of KeepTrack that the small tracker does without.
PRESET = replace(
    SMALL,
    memory=replace(SMALL.memory, confidence=ConfidenceConfig(certain=0.2)),
    rescaling=RescalingConfig(),
)
# On densities of random weights: many candidates, doubtful matches believed, lost only when nothing matches.
CURIOUS = replace(
    PRESET.selector,
    candidate=0.004,
    match=0.01,
    identity=IdentityConfig(keep=0.1, keep_low=0.1, redetect=0.02),
    motion=None,
    peaks=PeakConfig(lost=0.001, distractor=1.1, hard_negative=0.9),
)
MOVING = replace(CURIOUS, motion=MotionConfig(ripe=2), identity=replace(PRESET.selector.identity, redetect=0.02))


def make(selector=CURIOUS, network=None, **options):
    network = network or random_network()
    network.association = AssociationNet(128, 16, (8, 16), generator=torch.Generator().manual_seed(1)).eval()
    memory = replace(PRESET.memory, interval=2, capacity=20)
    return Tracker(network, replace(PRESET, selector=selector, memory=memory), name="keep_track_s", **options)


both = pytest.mark.parametrize("selector", [CURIOUS, MOVING], ids=["looks", "motion"])


def followed(tracker, frames, boxes, **options):
    return run(tracker, frames, boxes, candidates=True, **options)


def assert_same_candidates(one, other):
    assert one.ids.tolist() == other.ids.tolist()
    assert one.partners.tolist() == other.partners.tolist()
    assert one.selected == other.selected
    assert one.points_xy == pytest.approx(other.points_xy, abs=1e-2)
    assert one.scores == pytest.approx(other.scores, abs=1e-4)
    assert one.probabilities == pytest.approx(other.probabilities, abs=1e-3)


@both
def test_candidates_are_told_with_their_objects(selector):
    state, results = followed(make(selector), clip(8), BOX)
    assert int(state.objects.associations) > 0
    assert max(len(result.candidates) for result in results) > 1
    assert any((result.candidates.partners >= 0).any() for result in results[1:])
    for result in results:
        assert len(set(result.candidates.ids.tolist())) == len(result.candidates)
        assert result.candidates.scores[0] == pytest.approx(result.peak)
        x, y, w, h = result.search_region
        assert (result.candidates.points_xy - (x, y)) / (w, h) == pytest.approx(0.5, abs=0.5 + 1e-6)


@both
def test_three_targets_together_equal_three_apart(selector):
    tracker = make(selector)
    _, together = followed(tracker, clip(), BOXES)
    for target, box in enumerate(BOXES):
        _, apart = followed(tracker, clip(), box)
        assert boxes_of(together)[:, target] == pytest.approx(boxes_of(apart), abs=1e-2)
        for result, alone in zip(together, apart, strict=True):
            assert result.status[target] == alone.status
            assert_same_candidates(result[target].candidates, alone.candidates)


@both
def test_videos_in_lockstep_equal_videos_apart(selector):
    """Of different sizes, too: places are relative to the image."""
    tracker = make(selector)
    videos = [clip(seed=1), [np.ascontiguousarray(image[:100, :140]) for image in clip(seed=2)]]
    state = tracker.start([video[0] for video in videos], BOXES[:2], seed=[5, 6])
    together = []
    for frames in zip(*(video[1:] for video in videos), strict=True):
        state, result = tracker.step(state, list(frames), candidates=True)
        together.append(result)
    for target, video in enumerate(videos):
        _, apart = followed(tracker, video, BOXES[target], seed=5 + target)
        for result, alone in zip(together, apart, strict=True):
            assert_same_candidates(result[target].candidates, alone.candidates)


@both
def test_a_saved_track_resumes_bit_exactly(tmp_path, selector):
    tracker, frames = make(selector), clip(8)
    whole, results = run(tracker, frames, BOXES)
    state, first = run(tracker, frames[:4], BOXES)
    assert state.objects.ids.numel()
    state = State.load(state.save(tmp_path / "half"))
    second = []
    for frame in frames[4:]:
        state, result = tracker.step(state, frame)
        second.append(result)
    assert np.array_equal(boxes_of(results), boxes_of(first + second))
    assert_same_state(whole, state)


def test_a_track_is_saved_before_it_has_seen_candidates(tmp_path):
    tracker = make()
    state = tracker.start(clip(1)[0], BOX)
    loaded = State.load(state.save(tmp_path / "start"))
    assert_same_state(state, loaded)
    tracker.step(loaded, clip(2)[1])


@both
def test_some_of_the_targets_are_followed_on(selector):
    tracker, frames = make(selector), clip(5)
    state, _ = run(tracker, frames[:4], BOXES)
    _, all_three = tracker.step(state, frames[4], candidates=True)
    _, two = tracker.step(state.keep([2, 0]), frames[4], candidates=True)
    for one, other in zip(two, (all_three[2], all_three[0]), strict=True):
        assert_same_candidates(one.candidates, other.candidates)


@both
def test_a_step_leaves_its_state_alone(selector):
    tracker, frames = make(selector), clip(4)
    state, _ = run(tracker, frames[:3], BOXES)
    before = state.clone()
    tracker.step(state, frames[3])
    assert_same_state(before, state)


def test_targets_may_share_a_backbone_pass():
    _, results = followed(make(share_backbone=True), clip(), np.repeat(BOXES[:1], 4, axis=0) + np.arange(4)[:, None])
    assert np.isfinite(boxes_of(results)).all()
    assert all(len(one.candidates) for one in results[-1])


def test_the_search_widens_while_the_target_is_lost():
    """After two frames at scales 1 and 2 times as large, a lost target is searched at their mean."""
    lost = replace(CURIOUS, candidate=10.0, peaks=PeakConfig(lost=10.0))
    frames = clip(3)
    state = make(lost).start(frames[0], BOX)
    assert float(make(lost).step(state, frames[1])[0].scale) == float(state.scale)
    scales = torch.zeros_like(state.searches.scales)
    scales[:, -2:] = torch.tensor([2.0, 1.0]) * state.scale
    state = replace(state, searches=replace(state.searches, scales=scales))
    widened, result = make(lost).step(state, frames[1])
    assert result.status == "lost"
    assert float(widened.scale) == pytest.approx(1.5 * float(state.scale))
    assert torch.equal(widened.size, state.size)
    assert widened.searches.lost.tolist() == [1]
    _, result = make(lost).step(widened, frames[2])
    assert result.search_region.w == pytest.approx(5 * 1.5 * (BOX[2] * BOX[3]) ** 0.5, rel=0.05)


def test_samples_are_stored_with_their_confidence():
    state, results = run(make(), clip(3), BOX)
    initial, certain = state.memory.initial, PRESET.memory.confidence.certain
    sigma = np.array([result.peak for result in results]) / certain
    expected = np.where(np.sqrt(sigma) < 0.5, 0, np.maximum(sigma, np.sqrt(sigma)))
    stored = state.memory.confidences[0, initial : int(state.memory.stored)]
    assert state.objects.selected_id.tolist() == [0]
    assert stored.tolist() == pytest.approx(expected[: len(stored)].tolist(), rel=1e-5)
    assert len(stored)


def test_trackers_without_objects_tell_no_candidates():
    tracker = Tracker(random_network(), PRESETS["lockon_s"], name="lockon_s")
    state = tracker.start(clip(1)[0], BOX)
    assert state.objects is None
    with pytest.raises(LockonError, match="follows no candidates"):
        tracker.step(state, clip(2)[1], candidates=True)


def test_what_cannot_be_associated_is_refused():
    with pytest.raises(LockonError, match="network of its own"):
        Tracker(random_network(), PRESET, name="keep_track_s")
    network = random_network()
    network.association = AssociationNet(128, 16, (8,))
    for change in ({"localiser": None}, {"search": replace(PRESET.search, scale_factors=(0.9, 1.1))}):
        with pytest.raises(LockonError, match="one scale"):
            Tracker(network, replace(PRESET, **change), name="keep_track_s")


@pytest.mark.parametrize(("peak", "initial", "score"), [(0.36, True, 0.6), (0.36, False, 0.36), (1.2, False, 1.0)])
def test_the_confidence_may_be_the_score(peak, initial, score):
    presence = PRESETS["keep_track"].presence
    assert presence.scores(np.array([peak]), np.array([initial]))[0] == pytest.approx(score)
    assert presence.decision == 0.55


def test_presets_are_the_rows_of_the_ablations():
    """KeepTrack, Tables 1, 3 and 10: one part after another."""
    rows = ["super_dimp_simple", "keep_track_replacement", "keep_track_weighting", "keep_track_confidence"]
    policies = [PRESETS[name].memory.confidence for name in rows]
    assert policies[0] is None
    assert [(policy.weighting, policy.threshold) for policy in policies[1:]] == [(False, 0), (True, 0), (True, 0.5)]
    for name in ("keep_track_area", "keep_track_search", "keep_track"):
        assert (PRESETS[name].search.sample_size, PRESETS[name].search.area_factor) == (480, 8)
    widened = [name for name, preset in PRESETS.items() if preset.rescaling]
    assert set(widened) >= {"keep_track_rescaling", "keep_track_search", "keep_track"}
    assert "keep_track_area" not in widened
    assert PRESETS["keep_track_fast"].estimator.iterations == 3
    assert PRESETS["keep_track_fast"].search == PRESETS["super_dimp_simple"].search
