"""Training of a probabilistic tracker (PrDiMP): both heads and the backbone, on synthetic sequences."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Generator, Tensor, nn

from lockon.boxes import iou
from lockon.data.synthetic import SyntheticWorld
from lockon.networks.resnet import BackboneFeatures
from lockon.networks.tracker_net import TrackerNet, normalise
from lockon.nn.folding import fold_batch_norms
from lockon.tracking.estimators.refinement import RefinementConfig, refine
from lockon.training.distillation import FeatureRegression
from lockon.training.objectives import box_divergence, centre_divergence
from lockon.training.processing import from_relative, label_density
from lockon.training.recipes import TrackingRecipe
from lockon.training.sampling import SyntheticSamples, TrackingSample

_STRIDE = 16
_EARLY = ("conv1", "bn1", "relu", "maxpool", "layer1")
"""Layers of the backbone that do not learn here."""
_VALIDATION_SEED = 10**9
"""First sequence number of validation; training never gets there."""
_VALIDATION_BATCHES = 6


class ProbabilisticTask:
    """Stage 2 of `lockon_s`, and the training of PrDiMP.

    Args:
        net: the network to train.
        regression: distance of the backbone's features to a teacher's.
        worlds: where training and validation sequences come from.
        recipe: losses, learning rates and samples.
        seed: number of the first training sequence.
    """

    def __init__(
        self,
        net: TrackerNet,
        regression: FeatureRegression,
        worlds: tuple[SyntheticWorld, SyntheticWorld],
        recipe: TrackingRecipe,
        seed: int,
    ) -> None:
        self.model = nn.ModuleDict({"net": net, "regression": regression})
        assert net.classifier is not None
        assert net.bb_regressor is not None
        self._backbone, self._classifier, self._boxes = net.feature_extractor, net.classifier, net.bb_regressor
        self._regression, self._recipe = regression, recipe
        self._samples = SyntheticSamples(worlds[0], recipe.samples, seed)
        self._held_out = SyntheticSamples(worlds[1], recipe.samples, _VALIDATION_SEED)
        self._early: nn.Module | None = None  # folded when first needed: the weights are loaded only then
        for layer in self._early_layers().values():
            layer.requires_grad_(False)

    def _early_layers(self) -> OrderedDict[str, nn.Module]:
        """Layers up to stride 4: they keep what the teacher taught them, and most of the cost of training stays out.

        SuperDiMP freezes as much and layer2.
        """
        return OrderedDict((name, getattr(self._backbone, name)) for name in _EARLY)

    def _features(self, images: UInt8[Tensor, "n 3 h w"]) -> BackboneFeatures:
        """Backbone features, with gradients for layer2 and layer3; to be called under autocast."""
        if self._early is None:
            self._early = fold_batch_norms(nn.Sequential(self._early_layers())).bfloat16()
        with torch.no_grad():
            early = self._early(normalise(images, torch.bfloat16))
        layer2 = self._backbone.layer2(early)
        return BackboneFeatures(layer2, self._backbone.layer3(layer2))

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Backbone, and everything else."""
        backbone = [parameter for parameter in self._backbone.parameters() if parameter.requires_grad]
        known = {id(parameter) for parameter in self._backbone.parameters()}
        heads = [parameter for parameter in self.model.parameters() if id(parameter) not in known]
        return [
            {"params": backbone, "lr": self._recipe.backbone_lr},
            {"params": heads, "lr": self._recipe.head_lr},
        ]

    def dataset(self) -> SyntheticSamples:
        """Samples of the training world."""
        return self._samples

    def loss(self, batch: TrackingSample) -> tuple[Tensor, dict[str, float]]:
        """Weighted sum of the centre, box and teacher losses."""
        recipe, images = self._recipe, batch.images.flatten(0, 1).movedim(-1, 1)
        with torch.autocast("cpu", torch.bfloat16):
            features = self._features(images)
            seen = recipe.teacher_images
            shortfall = torch.stack(
                self._regression(normalise(images[:seen]), BackboneFeatures(*(f[:seen] for f in features)))
            ).sum()
            layer2, layer3 = (f.unflatten(0, batch.boxes.shape[:2]) for f in features)
        centre = self._centre_losses(layer3, batch)
        box = self._box_loss(layer2, layer3, batch)
        between = 4 / max(len(centre) - 2, 1)
        weights = torch.tensor([1.0] + [between] * (len(centre) - 2) + [1.0])
        loss = recipe.classifier_weight * (weights * centre).sum() + recipe.box_weight * box
        figures = {
            "centre0": centre[0].item(),
            "centre": centre[-1].item(),
            "box": box.item(),
            "teacher": shortfall.item(),
        }
        return loss + recipe.teacher_weight * shortfall, figures

    def _centre_losses(
        self, layer3: Float[Tensor, "batch frames channels rows cols"], batch: TrackingSample
    ) -> Float[Tensor, "iterates"]:
        """Mean cross-entropy of the test score maps for every filter on the optimiser's way."""
        classifier, count = self._classifier, self._recipe.samples.train_frames
        with torch.autocast("cpu", torch.bfloat16):
            extracted = classifier.extract(layer3.flatten(0, 1))
        # The solver runs in full precision: its steps are small differences.
        known, new = extracted.float().unflatten(0, layer3.shape[:2]).split([count, layer3.shape[1] - count], dim=1)
        boxes, test_boxes = batch.boxes[:, :count], batch.boxes[:, count:]
        filters = classifier.initial_filter(known, boxes)
        iterations = self._recipe.optimiser_iterations
        trace = classifier.optimise(filters, known, boxes, iterations=iterations, keep_iterates=True)
        density = label_density(test_boxes, layer3.shape[-1], _STRIDE, self._recipe.label_sigma)
        losses = [centre_divergence(classifier.score(w, new), density).mean() for w in trace.iterates]
        return torch.stack(losses)

    def _box_loss(
        self,
        layer2: Float[Tensor, "batch frames c2 rows8 cols8"],
        layer3: Float[Tensor, "batch frames c3 rows cols"],
        batch: TrackingSample,
    ) -> Float[Tensor, ""]:
        """Mean divergence of the box energies in every frame but the first, which is the reference.

        The papers use the test frames alone; the other train frames come at no cost of the backbone.
        """
        head = self._boxes
        with torch.autocast("cpu", torch.bfloat16):
            modulation = head.modulation(layer2[:, 0], layer3[:, 0], batch.boxes[:, 0])
            maps = head.test_features(layer2[:, 1:].flatten(0, 1), layer3[:, 1:].flatten(0, 1))
            repeated = [m.repeat_interleave(layer2.shape[1] - 1, dim=0) for m in modulation]
            energies = head.predict(repeated, maps, batch.proposals.boxes.flatten(0, 1)).float()
        _, log_label, log_proposal = (value.flatten(0, 1) for value in batch.proposals)
        return box_divergence(energies, log_label, log_proposal).mean()

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Losses, overlap before and after refinement of disturbed boxes, share of score peaks on the target."""
        size, generator = self._recipe.loop.batch, Generator().manual_seed(0)
        rows = []
        for first in range(0, _VALIDATION_BATCHES * size, size):
            samples = [self._held_out[i] for i in range(first, first + size)]
            batch = torch.utils.data.default_collate(samples)
            rows.append({**self.loss(batch)[1], **self._figures_of_merit(batch, generator)})
        return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}

    def _figures_of_merit(self, batch: TrackingSample, generator: Generator) -> dict[str, float]:
        classifier, head, count = self._classifier, self._boxes, self._recipe.samples.train_frames
        features = self._backbone(normalise(batch.images.flatten(0, 1).movedim(-1, 1)))
        layer2, layer3 = (f.unflatten(0, batch.boxes.shape[:2]) for f in features)
        reference = head.modulation(layer2[:, 0], layer3[:, 0], batch.boxes[:, 0])
        maps = head.test_features(layer2[:, -1], layer3[:, -1])
        truth = batch.boxes[:, -1]
        start = from_relative(0.15 * torch.randn(truth.shape, generator=generator), truth)
        uniform = torch.rand(len(truth), 9, 4, generator=generator)
        config = RefinementConfig(space="relative", iterations=10, step=(2.5e-3, 2.5e-3))
        refined = refine(head, reference, maps, start, uniform, config).boxes
        known = classifier.extract(layer3.flatten(0, 1)).unflatten(0, layer3.shape[:2])
        filters = classifier.initial_filter(known[:, :count], batch.boxes[:, :count])
        trace = classifier.optimise(filters, known[:, :count], batch.boxes[:, :count], iterations=10)
        scores = classifier.score(trace.filters, known[:, -1:])[:, 0]
        best = scores.flatten(1).argmax(dim=1)
        centre = torch.stack([best % scores.shape[-1], best // scores.shape[-1]], dim=1) * _STRIDE
        distance = (centre - truth[:, :2] - truth[:, 2:] / 2).norm(dim=1) / truth[:, 2:].prod(dim=1).sqrt()
        return {
            "iou_start": iou(start, truth).mean().item(),
            "iou": iou(refined, truth).mean().item(),
            "hit": (distance < 0.5).float().mean().item(),
        }
