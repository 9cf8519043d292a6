"""The frame loop: one story with five slots, for T targets at once.

    frame → search region → features → LOCALISER → score map → SELECTOR → position → ESTIMATOR → box → LEARNER

A tracker is a network and a configuration, and never changes; all that changes is in the `State` it is given and
gives back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lockon.errors import LockonError
from lockon.images import Image
from lockon.networks.resnet import BackboneFeatures
from lockon.networks.tracker_net import TrackerNet
from lockon.nn.folding import fold_batch_norms
from lockon.nn.packed import pack_convolutions
from lockon.tracking.config import TrackerConfig
from lockon.tracking.density import predicted_density
from lockon.tracking.estimators import refine
from lockon.tracking.first_frame import FirstFrame
from lockon.tracking.inputs import Boxes, Frames, check_on_image, parse_boxes, parse_images, parse_seeds
from lockon.tracking.learners import Memory, plan_learning
from lockon.tracking.localisers import Draws, TargetModelConfig
from lockon.tracking.precision import Precision, cast_layers, network_dtype, usable_device
from lockon.tracking.profiling import NoTimer, Timer
from lockon.tracking.randomness import CounterRandomness, Purpose, Randomness
from lockon.tracking.search import SearchRegions, cut_search_regions, features_of
from lockon.tracking.search_area import SearchHistory
from lockon.tracking.search_region import CropFrame, box_to_centre, centre_to_box
from lockon.tracking.selectors import AssociationConfig, Scene, Selection
from lockon.tracking.shared_search import cut_shared
from lockon.tracking.slots import make_localiser, make_selector
from lockon.tracking.state import State
from lockon.types import BoxDensity, Result, Status

REACH = 0.4
"""How far beyond the start box proposals are expected to move, relative to the longest side of the boxes."""


class Tracker:
    """A tracker: a network and what sits in the slots of the frame loop.

    Args:
        network: backbone, classifier and box regressor, with their weights.
        config: the parts and their parameters.
        name: kept in saved states, which only a tracker of the same name continues.
        device: where the networks and solvers run.
        precision: type of the networks' convolutions; `fp32` is the reference.
        share_backbone: encode targets of similar size in one image together (`lockon.tracking.shared_search`): for
            many targets faster, with tracks that differ slightly from those of each target alone.
        randomness: source of random numbers.
        timer: told how long each stage of a frame takes.

    Raises:
        DeviceError: the device cannot be used.
        LockonError: the backbone cannot be shared by a tracker that searches several scales.
    """

    def __init__(
        self,
        network: TrackerNet,
        config: TrackerConfig,
        *,
        name: str,
        device: torch.device | str = "cpu",
        precision: Precision = "fp32",
        share_backbone: bool = False,
        randomness: Randomness | None = None,
        timer: Timer | None = None,
    ) -> None:
        if share_backbone and len(config.search.scale_factors) > 1:
            raise LockonError(f"'{name}' searches several scales, which cannot share a backbone pass.")
        self.name = name
        self.config = config
        self._share_backbone = share_backbone
        self.device = usable_device(device)
        self.timer: Timer = timer or NoTimer()
        self._randomness: Randomness = randomness or CounterRandomness()
        self._dtype = network_dtype(precision, self.device)
        self._net = fold_batch_norms(network).to(self.device)
        # What learns and what computes boxes stays in float32.
        cast_layers(self._net.feature_extractor, self._dtype)
        pack_convolutions(self._net.feature_extractor)
        if self._net.classifier is not None:
            cast_layers(self._net.classifier.feature_extractor, self._dtype)
            pack_convolutions(self._net.classifier.feature_extractor)
        if self._net.bb_regressor is not None:
            cast_layers(self._net.bb_regressor, self._dtype)
            self._net.bb_regressor.pack()
        self._localiser = make_localiser(config, self._net)
        self._selector = make_selector(config, self._net, self._localiser, self.timer)
        estimator = None if config.estimator is None else self._net.bb_regressor
        assert config.estimator is None or estimator is not None, f"the network of '{name}' has no box regressor"
        self._first_frame = FirstFrame(
            config.search, config.augmentation, self._backbone, self._localiser, estimator, self.timer
        )

    # ------------------------------------------------------------------------------------------------ start

    @torch.inference_mode()
    def start(self, frames: Frames, boxes: Boxes, *, seed: int | np.integer | Sequence[int] = 0) -> State:
        """Mark the targets in the first frame.

        Args:
            frames: `(H, W)` or `(H, W, C)` image with 1, 3 (RGB) or 4 channels, uint8 or uint16; or a sequence of T
                images, one per target, to follow T videos in lock-step.
            boxes: `(x, y, w, h)` in pixels of one target, or `(T, 4)`.
            seed: of the random numbers, for all targets or for each; whole numbers from 0.

        Raises:
            BoxError: a box is malformed, larger than its image, or off it.
            ImageError: an image cannot be read as RGB.
            LockonError: a seed is negative or too large, or there are not as many as targets.
        """
        parsed, single = parse_boxes(boxes)
        lockstep = isinstance(frames, list | tuple)
        images = parse_images(frames, len(parsed), lockstep)
        for box, image in zip(parsed, images, strict=True):
            check_on_image(box, image)
        position, size = box_to_centre(torch.tensor(parsed, dtype=torch.float32))
        search = self.config.search
        scale = (size * search.area_factor).prod(dim=1).sqrt() / search.sample_size
        base_size = size / scale[:, None]
        extent = torch.tensor([image.shape[:2] for image in images], dtype=torch.float32)
        limits = torch.stack([(10 / base_size).amax(dim=1), (extent / base_size).amin(dim=1)], dim=1)
        seeds = parse_seeds(seed, len(parsed))

        draws = Draws(self._randomness, list(seeds), 0)
        first = self._first_frame.samples(images, position, size, scale, draws)
        memory, rescaling = self.config.memory, self.config.rescaling
        with self.timer.stage("learn"):
            model, remembered = self._localiser.start(first.features, first.boxes, memory.initial_iterations, draws)
        return State(
            tracker=self.name,
            frame=0,
            single=single,
            lockstep=lockstep,
            seeds=seeds,
            position=position,
            size=size,
            scale=scale,
            base_size=base_size,
            scale_limits=limits,
            refined_position=torch.full_like(position, torch.nan),
            model=model,
            modulation=first.modulation,
            memory=Memory.of_first_frame(
                remembered, first.boxes, memory.capacity, confident=memory.confidence is not None
            ),
            pending=torch.zeros(len(parsed), dtype=torch.long),
            objects=self._selector.start(len(parsed)),
            searches=None if rescaling is None else SearchHistory.empty(len(parsed), rescaling),
        )

    def _backbone(self, patches: Tensor) -> BackboneFeatures:
        return self._net.backbone_features(patches.to(self.device), self._dtype)

    # ------------------------------------------------------------------------------------------------- step

    @torch.inference_mode()
    def step(
        self,
        state: State,
        frames: Frames,
        *,
        inplace: bool = False,
        score_map: bool = False,
        density: bool = False,
        candidates: bool = False,
    ) -> tuple[State, Result]:
        """Follow the targets into the next frame.

        A model update that falls due is left to `learn`; if that is not called, the next step does it first.

        Args:
            state: as returned by `start`, `step` or `learn`; unchanged unless `inplace`.
            frames: as in `start`. The size of a video's frames may change.
            inplace: reuse the buffers of `state`, which must not be used afterwards.
            score_map: add the score maps to the result.
            density: add the predicted densities to the result (probabilistic trackers).
            candidates: add all candidates, with the objects they are, to the result (trackers with association).

        Raises:
            StateError: the state belongs to another tracker.
            ImageError: an image cannot be read as RGB, or there are not as many as videos.
            LockonError: densities or candidates are asked of a tracker that has none.
        """
        if density:
            self.require_density()
        if candidates:
            self.require_candidates()
        state.require_tracker(self.name)
        state = replace(self.learn(state), frame=state.frame + 1)
        images = parse_images(frames, state.targets, state.lockstep)
        features, samples, regions = self._search(state, images)
        with self.timer.stage("localise"):
            samples = self._localiser.normalise(samples).unflatten(0, (state.targets, -1))
            samples = self._localiser.samples(state.model, samples)
            maps = self._localiser.scores(state.model, samples)
        extent = torch.tensor([image.shape[:2] for image in images])
        scene = Scene(
            state.frame, maps, self._localiser.grid, regions, features.layer3, state.position, state.size, extent
        )
        selections, objects = self._selector.select(scene, state.objects)
        state = replace(state, objects=objects)
        scale_index = torch.tensor([selection.scale_index for selection in selections])
        crop = regions.at(scale_index)
        found = torch.tensor([selection.status != Status.LOST for selection in selections]).nonzero()[:, 0]
        state = self._rescale(state, found)
        state = self._move(state, extent, crop, selections, found)
        with self.timer.stage("estimate"):
            state, unrefined = self._estimate(state, features, crop, found)
        chosen = samples[torch.arange(state.targets), scale_index]
        state = self._remember(state, crop, chosen, selections, inplace)
        # A refinement that drops every proposal also discards the displacement (reference behaviour); the sample
        # above was still stored at the displaced position.
        state = replace(state, position=torch.where(unrefined[:, None], state.refined_position, state.position))
        result = self._result(state, selections, crop)
        if score_map:
            result = replace(result, score_map=maps[np.arange(state.targets), scale_index.numpy()])
        if density:
            result = replace(result, density=self._density(state, features, crop, maps[:, 0]))
        if candidates and objects is not None:
            statuses = [selection.status for selection in selections]
            result = replace(result, candidates=objects.candidates(state.frame, statuses))
        return state, result[0] if state.single else result

    def _search(self, state: State, images: list[Image]) -> tuple[BackboneFeatures, Tensor, SearchRegions]:
        """Cut and encode the search regions: backbone features, and classification features without their norm."""
        if self._share_backbone and not state.lockstep:
            with self.timer.stage("crop"):
                shared = cut_shared(images[0], state.position, state.scale, self.config.search)
            with self.timer.stage("backbone"):
                encoded = [self._backbone(level.patches) for level in shared.levels]
            with self.timer.stage("localise"):
                maps = [self._localiser.convolve(features.layer3) for features in encoded]
            layer2, layer3 = (shared.of_targets(of_levels) for of_levels in zip(*encoded, strict=True))
            return BackboneFeatures(layer2, layer3), shared.of_targets(maps), shared.regions
        with self.timer.stage("crop"):
            patches, regions = cut_search_regions(images, state.position, state.scale, self.config.search)
        with self.timer.stage("backbone"):
            backbone = self._backbone(patches)
        with self.timer.stage("localise"):
            return backbone, self._localiser.convolve(backbone.layer3), regions

    def _move(
        self, state: State, extent: Tensor, crop: CropFrame, selections: list[Selection], found: Tensor
    ) -> State:
        """Take over the selected positions (and scales, where several are searched) of the targets found."""
        factors = torch.tensor([self.config.search.scale_factors[selection.scale_index] for selection in selections])
        cell = self._localiser.grid.cell * crop.scale / factors
        displacement = torch.from_numpy(np.stack([selection.displacement for selection in selections]))
        position = crop.position + displacement * cell[:, None]
        scale, size = state.scale, state.size
        if self.config.estimator is None:
            chosen = torch.minimum(torch.maximum(crop.scale, state.scale_limits[:, 0]), state.scale_limits[:, 1])
            scale = scale.index_copy(0, found, chosen[found])
            size = state.base_size * scale[:, None]
        # At least a fifth of the target stays inside the image.
        position = torch.maximum(torch.minimum(position, extent + 0.3 * size), -0.3 * size)
        position = state.position.index_copy(0, found, position[found])
        return replace(state, position=position, scale=scale, size=size)

    def _rescale(self, state: State, found: Tensor) -> State:
        """Widen the search for targets that are lost."""
        if self.config.rescaling is None or state.searches is None:
            return state
        seen = torch.zeros(state.targets, dtype=torch.bool).index_fill(0, found, value=True)
        searches, scale = state.searches.after(state.scale, seen, self.config.rescaling)
        return replace(state, searches=searches, scale=scale)

    def _estimate(
        self, state: State, features: BackboneFeatures, crop: CropFrame, found: Tensor
    ) -> tuple[State, Tensor]:
        """Refine the boxes of the targets found; also says for which of them nothing plausible was found."""
        config, net = self.config.estimator, self._net.bb_regressor
        unrefined = torch.zeros(state.targets, dtype=torch.bool)
        if config is None or net is None or len(found) == 0:
            return state, unrefined
        crop = CropFrame(crop.position[found], crop.scale[found], crop.sample_size)
        boxes = crop.to_crop(state.position[found], state.size[found]).to(self.device)
        layer2, layer3 = features_of(features, found, state.targets)
        margin = REACH * float(boxes[:, 2:].max())
        shape = (config.proposals, 4)
        uniform = [
            self._randomness.uniform(state.seeds[target], state.frame, Purpose.BOX_JITTER, shape)
            for target in found.tolist()
        ]
        modulation = tuple(gains[found] for gains in state.modulation)
        jitter = torch.stack(uniform).to(boxes)
        window = net.test_features_window(layer2, layer3, boxes, margin)
        refined = refine(net, modulation, window, boxes, jitter, config)
        if bool((refined.overreach > margin).any()):
            # A proposal left the window, beyond which its features are not known: once more on the whole maps.
            refined = refine(net, modulation, net.test_features(layer2, layer3), boxes, jitter, config)
        valid = refined.valid.cpu()
        position, size = crop.to_image(refined.boxes.cpu())
        kept = found[valid]
        unrefined[found[~valid]] = True
        unrefined &= ~state.refined_position.isnan().any(dim=1)
        scale = (size.prod(dim=1) / state.base_size[found].prod(dim=1)).sqrt()
        state = replace(
            state,
            position=state.position.index_copy(0, kept, position[valid]),
            refined_position=state.refined_position.index_copy(0, kept, position[valid]),
            size=state.size.index_copy(0, kept, size[valid]),
            scale=state.scale.index_copy(0, kept, scale[valid]),
        )
        return state, unrefined

    # ------------------------------------------------------------------------------------------------ learn

    def _remember(
        self, state: State, crop: CropFrame, samples: Tensor, selections: list[Selection], inplace: bool
    ) -> State:
        """Store this frame's samples, and note which target models have to learn before the next."""
        config = self.config.memory
        plan = plan_learning(selections, state.frame, config)
        memory = state.memory.add(
            plan.chosen,
            samples[plan.chosen],
            crop.to_crop(state.position, state.size)[plan.chosen],
            plan.rates,
            config.initial_share,
            confidences=plan.confidences,
            inplace=inplace,
        )
        return replace(state, memory=memory, pending=plan.pending)

    @torch.inference_mode()
    def learn(self, state: State) -> State:
        """Do the model updates that are due; apart from `step`, so that a live loop can show the box first."""
        if not state.pending.any():
            return state
        with self.timer.stage("learn"):
            model, confidence = state.model, self.config.memory.confidence
            weighting = confidence is not None and confidence.weighting
            for iterations in state.pending[state.pending > 0].unique().tolist():
                chosen = (state.pending == iterations).nonzero()[:, 0]
                samples, boxes, weights = state.memory.view(chosen, weighting=weighting)
                improved = self._localiser.learn(
                    model.of(chosen),
                    samples,
                    boxes.to(self.device),
                    weights.to(self.device),
                    iterations,
                )
                model = model.updated(chosen, improved)
        return replace(state, model=model, pending=torch.zeros_like(state.pending))

    # ----------------------------------------------------------------------------------------------- result

    def _result(self, state: State, selections: list[Selection], crop: CropFrame) -> Result:
        peaks = np.array([selection.peak for selection in selections])
        scores = self.config.presence.scores(peaks, np.array([selection.initial for selection in selections]))
        statuses = tuple(selection.status for selection in selections)
        found = np.array([status is not Status.LOST for status in statuses])
        regions = centre_to_box(crop.position, (crop.scale * crop.sample_size)[:, None].expand(-1, 2))
        return Result(
            frame=state.frame,
            box=centre_to_box(state.position, state.size).numpy().astype(np.float64),
            score=scores,
            peak=peaks,
            present=(scores >= self.config.presence.decision) & found,
            status=statuses,
            search_region=regions.numpy().astype(np.float64),
        )

    def require_candidates(self) -> None:
        """Make sure that the tracker follows candidates, before any work is done.

        Raises:
            LockonError: it does not.
        """
        if not isinstance(self.config.selector, AssociationConfig):
            raise LockonError(f"tracker '{self.name}' follows no candidates; use one that does, e.g. 'keep_track_s'.")

    def require_density(self) -> None:
        """Make sure that the tracker can predict densities, before any work is done.

        Raises:
            LockonError: it cannot.
        """
        slot = self.config.localiser
        if not (isinstance(slot, TargetModelConfig) and slot.softmax and self.config.estimator):
            raise LockonError(
                f"tracker '{self.name}' predicts no densities; use a PrDiMP-type tracker, e.g. 'lockon_s'."
            )

    def _density(
        self, state: State, features: BackboneFeatures, crop: CropFrame, maps: NDArray[np.float32]
    ) -> BoxDensity:
        net = self._net.bb_regressor
        assert net is not None
        boxes = crop.to_crop(state.position, state.size).to(self.device)
        box_features = net.test_features(*features)
        return predicted_density(net, state.modulation, box_features, boxes, crop, maps, self._localiser.grid)
