"""Training of the DiMP family: the classifier at every iterate of its optimiser, the box head, and the backbone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import torch
from jaxtyping import Float
from torch import Tensor

from lockon.networks.dimp import DimpClassifier
from lockon.networks.iou_net import STRIDES
from lockon.networks.resnet import BackboneFeatures
from lockon.networks.tracker_net import TrackerNet, normalise
from lockon.training.labels import gaussian_label, label_density
from lockon.training.objectives import centre_divergence, hinge_loss, iterate_weights
from lockon.training.samples import TrackingSample
from lockon.training.tasks.base import Group, Losses, Task, at_least_float32
from lockon.training.tasks.boxes import BoxLoss, box_loss
from lockon.training.tasks.distillation import FeatureRegression

LOSSES: Mapping[str, Callable[..., Tensor]] = {"hinge": hinge_loss, "divergence": centre_divergence}
LABELS: Mapping[str, Callable[..., Tensor]] = {"hinge": gaussian_label, "divergence": label_density}


@dataclass(frozen=True, kw_only=True, slots=True)
class DimpObjective:
    """Losses of a tracker of the DiMP family."""

    classifier: Literal["hinge", "divergence"] = "hinge"
    """Squared error with a hinge (DiMP), or divergence to a density (PrDiMP)."""
    label_sigma: float
    """Standard deviation of the classifier's label in score cells: a quarter of the mean target size."""
    given_labels: bool = False
    """Hand the training labels to the optimiser (SuperDiMP-simple), which makes its own otherwise."""
    iterations: int = 5
    """Of the optimiser; every iterate is scored."""
    initial_weight: float = 100.0
    """Of the loss of the first filter."""
    intermediate_weight: float = 400.0
    """That the filters between the first and the last share."""
    final_weight: float = 100.0
    box: BoxLoss = "overlap"
    box_weight: float = 1.0
    frozen_norms: tuple[str, ...] = ()
    """Layers of the backbone whose batch normalisations stay in evaluation mode."""
    teacher: Path | None = None
    """ImageNet weights of a ResNet-18 with torchvision's names, whose features the backbone is to stay near."""
    teacher_weight: float = 0.0
    """Of the distance to them."""
    teacher_images: int = 0
    """How many images of a batch the teacher looks at."""


class DimpTask(Task):
    """Network and loss of a tracker of the DiMP family.

    Args:
        net: the network.
        objective: the losses and their weights.
        groups: learning rates by prefix of the parameters' names (`regression.` for the adapters to a teacher).
        train_frames: how many frames of a sample the target model learns from; the others are test frames.
        regression: distance to a teacher's features, which keeps the backbone near it.
    """

    net: TrackerNet

    def __init__(
        self,
        net: TrackerNet,
        objective: DimpObjective,
        groups: Sequence[Group],
        *,
        train_frames: int,
        regression: FeatureRegression | None = None,
    ) -> None:
        super().__init__(net, groups, regression)
        self._objective, self._train_frames = objective, train_frames
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Training mode, but for the layers with frozen normalisations."""
        super().train(mode)
        for name in self._objective.frozen_norms:
            self.net.feature_extractor.get_submodule(name).eval()
        return self

    def forward(self, batch: TrackingSample) -> Losses:
        """Weighted sum of the losses of classifier, boxes and features."""
        objective, head = self._objective, self.net.bb_regressor
        assert head is not None
        assert batch.proposals is not None
        images = normalise(batch.images.flatten(0, 1).movedim(-1, 1))
        features: BackboneFeatures = self.net.feature_extractor(images)
        layer2, layer3 = (maps.unflatten(0, batch.boxes.shape[:2]) for maps in features)
        centre = self.centre_losses(layer3, batch.boxes)
        weights = iterate_weights(
            len(centre),
            initial=objective.initial_weight,
            intermediate=objective.intermediate_weight,
            final=objective.final_weight,
            like=centre,
        )
        box = box_loss(head, layer2, layer3, batch.boxes, batch.proposals, objective.box)
        total = (weights * centre).sum() + objective.box_weight * box
        parts = {"centre_initial": centre[0], "centre": centre[-1], "box": box}
        if self.regression is not None:
            seen = objective.teacher_images
            parts["teacher"] = sum(self.regression(images[:seen], BackboneFeatures(*(f[:seen] for f in features))))
            total = total + objective.teacher_weight * parts["teacher"]
        return Losses(total, {name: value.detach() for name, value in parts.items()})

    def centre_losses(
        self, layer3: Float[Tensor, "batch frames channels rows cols"], boxes: Float[Tensor, "batch frames 4"]
    ) -> Float[Tensor, "iterates"]:
        """Mean loss of the score maps of the test frames, for every filter on the optimiser's way."""
        classifier, loss = self.net.classifier, LOSSES[self._objective.classifier]
        assert classifier is not None
        extracted = at_least_float32(classifier.extract(layer3.flatten(0, 1))).unflatten(0, layer3.shape[:2])
        count = self._train_frames
        # The solver runs in full precision: its steps are small differences.
        with torch.autocast(layer3.device.type, enabled=False):
            known, new = extracted[:, :count], extracted[:, count:]
            iterates = self._iterates(classifier, known, boxes[:, :count])
            scores = torch.stack([classifier.score(filters, new) for filters in iterates])
            return loss(scores, self._labels(boxes[:, count:], layer3.shape[-1])).mean(dim=(1, 2))

    def _labels(
        self, boxes: Float[Tensor, "batch frames 4"], cells: int
    ) -> Float[Tensor, "batch frames {cells+1} {cells+1}"]:
        return LABELS[self._objective.classifier](boxes, cells, self._objective.label_sigma)

    def label_maps(self, batch: TrackingSample) -> Float[Tensor, "batch frames rows cols"]:
        """Labels of the test frames."""
        return self._labels(batch.boxes[:, self._train_frames :], batch.images.shape[2] // STRIDES[4])

    def _iterates(
        self,
        classifier: DimpClassifier,
        features: Float[Tensor, "batch frames channels rows cols"],
        boxes: Float[Tensor, "batch frames 4"],
    ) -> tuple[Float[Tensor, "batch channels kernel_rows kernel_cols"], ...]:
        """The first filter, and what each iteration of the optimiser makes of it."""
        objective = self._objective
        labels = gaussian_label(boxes, features.shape[-1], objective.label_sigma) if objective.given_labels else None
        first = classifier.initial_filter(features, boxes)
        return classifier.optimise(
            first, features, boxes, iterations=objective.iterations, labels=labels, keep_iterates=True
        ).iterates
