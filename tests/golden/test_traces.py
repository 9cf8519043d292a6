"""Whole trackers against recorded runs of the official ones, with every random number replayed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from golden_data import formula_weights, golden_path, recipe, trace
from PIL import Image

from lockon.networks import tracker_net
from lockon.networks.association import AssociationNet
from lockon.tracking import PRESETS, Tracker, TrackerConfig
from lockon.tracking.selectors import AssociationConfig

NETWORKS = {"atom": "atom_resnet18", "keep_track": "super_dimp_simple"}
FLAGS = {None: "found", "normal": "found", "not_found": "lost"}
BOX_TOLERANCE = 0.05


class Replay:
    """Plays back recorded draws, each kind in its order."""

    def __init__(self, draws) -> None:
        arrays = [(name, torch.from_numpy(draws[name])) for name in sorted(draws.files)]
        self._uniform = iter(values for name, values in arrays if name.endswith("_rand"))
        self._normal: Iterator[torch.Tensor] = iter(values for name, values in arrays if name.endswith("_normal"))
        self._keep = iter(values for name, values in arrays if "_dropout_keep" in name)
        self._shifted = any("_dropout_keep" in name for name, _ in arrays)

    def uniform(self, seed, frame, purpose, shape):
        if frame == 0:
            # Without random shifts the reference draws nothing.
            return (
                torch.stack([next(self._uniform) for _ in range(shape[0])]) if self._shifted else torch.zeros(shape)
            )
        return next(self._uniform).reshape(shape)

    def normal(self, seed, frame, purpose, shape):
        # The recorded values are final: scaled by the deviation that the tracker is about to apply.
        deviation = 1 / np.prod(shape) if purpose.name == "FILTER" else shape[1] ** -0.5
        return next(self._normal) / float(deviation)

    def keep(self, seed, frame, shape, drop):
        return next(self._keep).reshape(shape) > 0


def changed(config: TrackerConfig, changes: dict, *, legacy: bool) -> TrackerConfig:
    """Apply a trace's `changed_parameters`."""
    augmentation, estimator, memory = config.augmentation, config.estimator, config.memory
    if "random_shift_factor" in changes:
        augmentation = replace(augmentation, random_shift=changes["random_shift_factor"])
    if "augmentation" in changes:
        assert changes["augmentation"] == "default without the dropout entry"
        augmentation = replace(augmentation, dropout_copies=0)
    if "box_jitter_pos" in changes:
        jitter = {"position_jitter": changes["box_jitter_pos"], "size_jitter": changes["box_jitter_sz"]}
        estimator = replace(estimator, **jitter)
    selector, search = config.selector, config.search
    if "target_not_found_threshold" in changes:
        lost = changes["target_not_found_threshold"]
        if isinstance(selector, AssociationConfig):
            selector = replace(selector, peaks=replace(selector.peaks, lost=lost))
        else:
            selector = replace(selector, lost=lost)
    search = replace(
        search,
        sample_size=changes.get("image_sample_size", search.sample_size),
        area_factor=changes.get("search_area_scale", search.area_factor),
        rounding="legacy" if legacy else "current",
    )
    memory = replace(
        memory,
        interval=changes.get("train_skipping", memory.interval),
        initial_iterations=changes.get("init_CG_iter", memory.initial_iterations),
    )
    return replace(
        config,
        search=search,
        augmentation=augmentation,
        selector=selector,
        estimator=estimator,
        memory=memory,
    )


def association_network() -> AssociationNet:
    """KeepTrack's, with weights by the rules; its copy of the backbone is not used."""
    weights = formula_weights("keep_track_matching")
    network = AssociationNet()
    network.load_state_dict({key: weights[key] for key in network.state_dict()})
    return network


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["norand", "norand_floor", "draws"])
@pytest.mark.parametrize("name", ["atom", "dimp18", "prdimp18", "super_dimp", "super_dimp_simple", "keep_track"])
def test_trace(name, variant):
    recorded, draws = trace(name, variant)
    net_name = NETWORKS.get(name, name)
    entry = recipe()["networks"][net_name]
    network = getattr(tracker_net, PRESETS[name].network)(**entry["constructor_args"])
    network.load_state_dict(formula_weights(net_name, recorded["weight_rules"]))
    if name == "keep_track":
        network.association = association_network()
    config = changed(PRESETS[name], recorded["changed_parameters"], legacy="floor" in variant)
    tracker = Tracker(network.eval(), config, name=name, randomness=Replay(draws))

    frames = [np.asarray(Image.open(path)) for path in sorted(golden_path("networks", "video").glob("frame_*.png"))]
    state = tracker.start(frames[0], recorded["init_box_xywh"])
    init = recorded["init"]
    assert state.scale.tolist() == pytest.approx([init["target_scale"]], rel=1e-6)
    if "init_boxes_xywh" in init:
        boxes = state.memory.boxes[0, : init["num_init_samples"]]
        assert boxes.numpy() == pytest.approx(np.array(init["init_boxes_xywh"]), abs=1e-2)
    assert float(state.model.filters.norm()) == pytest.approx(init["filter_norm"], rel=2e-3)
    norms = [float(gains.norm()) for gains in state.modulation]
    assert norms == pytest.approx(init["modulation_norms"], rel=1e-4)

    for image, expected in zip(frames[1:], recorded["frames"], strict=False):
        state, result = tracker.step(state, image, score_map=True)
        where = f"{name} {variant} frame {expected['frame']}"
        assert result.status == FLAGS.get(expected["flag"], expected["flag"]), where
        assert tuple(result.box) == pytest.approx(expected["box_xywh"], abs=BOX_TOLERANCE), where
        # The recorded change under noise of 1e-6 of the range says how far rounding alone moves a score.
        noise = 2 * expected["perturbed_score_change"]
        assert result.peak == pytest.approx(expected["max_score"], abs=max(1e-3, noise)), where
        stored = expected["num_stored_samples"]
        assert int(state.memory.stored) == stored, where
        assert state.memory.weights[0, :stored].tolist() == pytest.approx(expected["sample_weights"], abs=1e-5), where
        state = tracker.learn(state)
        assert float(state.model.filters.norm()) == pytest.approx(expected["filter_norm"], rel=2e-3), where
