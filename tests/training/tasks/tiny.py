"""Tiny networks of every kind, and batches for them."""

import numpy as np
import torch

from lockon.networks.dimp import dimp_classifier
from lockon.networks.iou_net import IoUNet
from lockon.networks.resnet import BasicBlock, ResNet
from lockon.networks.tracker_net import TrackerNet
from lockon.training.proposals import DensityProposalConfig, OverlapProposalConfig, draw_proposals
from lockon.training.samples import TrackingSample
from lockon.training.tasks.base import Group

SIZE = 64
HEADS = Group(name="heads", prefixes=("classifier.", "bb_regressor."), lr=1e-3)
BACKBONE = Group(name="backbone", prefixes=("feature_extractor.",), lr=1e-4)
OVERLAPS = OverlapProposalConfig(count=6)
DENSITIES = DensityProposalConfig(count=12)


def tiny_net(optimizer=None, *, boxes=None, zero=False, seed=0, widths=(6, 8, 10), hidden=8) -> TrackerNet:
    """A network of a few thousand parameters; without an optimiser it has no classifier."""
    generator = torch.Generator().manual_seed(seed)
    backbone = ResNet(BasicBlock, (1, 1, 1), widths, stem_width=widths[0], generator=generator)
    classifier = None
    if optimizer is not None:
        classifier = dimp_classifier(
            optimizer, in_channels=widths[2], channels=hidden, blocks=1, zero_initializer=zero, generator=generator
        )
    return TrackerNet(backbone, classifier, boxes or IoUNet(backbone.channels, hidden=hidden, generator=generator))


def batch_of(samples=3, *, train=2, test=2, proposals=OVERLAPS, size=SIZE, seed=0) -> TrackingSample:
    """Random pictures in which a bright square is the target; proposals for the test frames."""
    rng = np.random.default_rng(seed)
    frames = train + test
    corners = rng.uniform(8, size - 32, (samples, frames, 2))
    sizes = rng.uniform(16, 24, (samples, frames, 2))
    boxes = torch.from_numpy(np.concatenate([corners, sizes], axis=2).astype(np.float32))
    images = rng.integers(0, 120, (samples, frames, size, size, 3), dtype=np.uint8)
    for sample, frame in np.ndindex(samples, frames):
        x, y, w, h = boxes[sample, frame].round().int().tolist()
        images[sample, frame, y : y + h, x : x + w] += np.uint8(100)
    drawn = draw_proposals(boxes[:, train:], proposals, rng)
    return TrackingSample(torch.from_numpy(images), boxes, drawn)
