"""Lockon's trackers as evaluation measures them: one video, or several in lock-step."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch

from lockon.boxes import Box
from lockon.evaluation.trackers import Observation, TrackerSpec, start_box
from lockon.images import Image
from lockon.regions import Region
from lockon.tracking import State, Tracker
from lockon.tracking.config import TrackerConfig
from lockon.tracking.precision import Precision, usable_device
from lockon.tracking.presets import PRESETS
from lockon.training.overrides import override
from lockon.training.plain import to_plain
from lockon.types import Result
from lockon.zoo.models import load_network, weights_sha256


def lockon_tracker(
    source: str | Path,
    *,
    device: str = "cpu",
    precision: Precision = "fp32",
    settings: Sequence[str] = (),
    name: str | None = None,
) -> TrackerSpec:
    """A Lockon tracker to be measured.

    Args:
        source: name in the catalogue, or path of a model; see `lockon.load`.
        device: where it runs.
        precision: numeric type of its networks.
        settings: changes of its preset, such as `selector.lost=0.1`.
        name: in reports; by default made of all that is above.

    Raises:
        UnknownNameError: there is no such tracker, or no such field of its preset.
        CheckpointError: its weights are not on this machine, or unfit.
        RecipeError: a value does not fit its field.
        DeviceError: the device cannot be used.
    """
    usable = usable_device(device)
    _, entry = load_network(source)
    config = override(PRESETS[entry.name], settings)
    return TrackerSpec(
        name=name or _label(str(source), device, precision, settings),
        create=partial(_create, str(source), device, precision, config),
        create_lockstep=partial(_create_lockstep, str(source), device, precision, config),
        provenance={
            "tracker": entry.name,
            "weights_sha256": weights_sha256(source),
            "device": usable.type,
            "precision": precision,
            "config": to_plain(config),
        },
    )


def _label(source: str, device: str, precision: str, settings: Sequence[str]) -> str:
    stem = Path(source).stem if os.sep in source else source
    where = [] if (device, precision) == ("cpu", "fp32") else [f"{device.replace(':', '')}-{precision}"]
    return "~".join([stem, *where, *settings])


@lru_cache(maxsize=4)
def _tracker(source: str, device: str, precision: Precision, config: TrackerConfig) -> Tracker:
    """Once in a process: a tracker never changes, and loading it takes longer than a short sequence."""
    network, entry = load_network(source)
    return Tracker(network, config, name=entry.name, device=device, precision=precision)


def _create(source: str, device: str, precision: Precision, config: TrackerConfig, seed: int) -> MeasuredLockon:
    return MeasuredLockon(_tracker(source, device, precision, config), seed)


def _create_lockstep(
    source: str, device: str, precision: Precision, config: TrackerConfig, seeds: Sequence[int]
) -> LockonInStep:
    return LockonInStep(_tracker(source, device, precision, config), seeds)


class MeasuredLockon:
    """A Lockon tracker on one target, model updates included.

    Args:
        tracker: does the work.
        seed: of its random numbers.
    """

    def __init__(self, tracker: Tracker, seed: int) -> None:
        self._tracker = tracker
        self._seed = seed
        self._state: State | None = None

    def start(self, image: Image, region: Region) -> Observation:
        """Learn the target from the box around it.

        Raises:
            BoxError: the box is off the image, or larger.
        """
        self._state = self._tracker.start(image, start_box(region), seed=self._seed)
        _wait(self._tracker)
        return Observation(region, score=1.0, present=True)

    def step(self, image: Image) -> Observation:
        """Track into the next frame, and update the target model."""
        assert self._state is not None, "start comes before step"
        state, result = self._tracker.step(self._state, image, inplace=True)
        self._state = self._tracker.learn(state)
        _wait(self._tracker)
        return _observation(result[0])


class LockonInStep:
    """A Lockon tracker on several videos at once.

    Args:
        tracker: does the work.
        seeds: of the random numbers of each video.
    """

    def __init__(self, tracker: Tracker, seeds: Sequence[int]) -> None:
        self._tracker = tracker
        self._seeds = tuple(seeds)
        self._state: State | None = None

    def start(self, images: Sequence[Image], regions: Sequence[Region]) -> None:
        """Learn a target in every video; raises as `MeasuredLockon.start`."""
        boxes = np.array([start_box(region) for region in regions])
        self._state = self._tracker.start(list(images), boxes, seed=self._seeds)
        _wait(self._tracker)

    def step(self, images: Sequence[Image]) -> list[Observation]:
        """Track into the next frame of every video."""
        assert self._state is not None, "start comes before step"
        state, result = self._tracker.step(self._state, list(images), inplace=True)
        self._state = self._tracker.learn(state)
        _wait(self._tracker)
        return [_observation(one) for one in result]

    def keep(self, videos: Sequence[int]) -> None:
        """Go on with some of the videos."""
        assert self._state is not None, "start comes before keep"
        self._state = self._state.keep(videos)


def _observation(result: Result) -> Observation:
    return Observation(Box(*result.box), float(result.score), bool(result.present), result.mask)


def _wait(tracker: Tracker) -> None:
    # Without it the clock would stop while the GPU still computes.
    if tracker.device.type == "cuda":
        torch.cuda.synchronize(tracker.device)
