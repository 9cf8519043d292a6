"""Several targets, one pass of the backbone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lockon.errors import LockonError
from lockon.networks.tracker_net import lockon_s
from lockon.tracking import PRESETS, Tracker
from lockon.tracking.search import cut_search_regions
from lockon.tracking.search_region import SearchConfig
from lockon.tracking.shared_search import cut_shared

CONFIGS = [
    SearchConfig(sample_size=64),
    SearchConfig(sample_size=64, rounding="legacy"),
    SearchConfig(sample_size=64, border_mode="inside_major", max_scale_change=1.5),
]


def ramp(height=150, width=200):
    """An image whose first two channels are row and column."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(height)[:, None], np.arange(width)
    return image


def coordinates(regions, cells, stride):
    """Where the cells of each region lie in the image: (targets, 2, cells, cells)."""
    steps = (torch.arange(cells) + 0.5) * stride - 0.5 - (regions.sample_size - 1) / 2
    along = regions.positions[:, 0, :, None] + steps * regions.scales[:, :, None]
    rows, cols = along[:, 0, :, None], along[:, 1, None, :]
    return torch.stack(torch.broadcast_tensors(rows, cols), dim=1)


@pytest.mark.parametrize("config", CONFIGS)
def test_features_lie_where_the_regions_say(config):
    """Mean pooling of a ramp is its value at the centre of the cell."""
    height, width = 90, 110
    image = ramp(height, width)
    positions = torch.tensor([[40, 50], [55, 62], [20, 30], [80, 100], [52.3, 71.9], [60, 40], [33, 77]])
    scales = torch.tensor([1.0, 1.2, 1.1, 1.05, 1.29, 1.13, 1.17])
    shared = cut_shared(image, positions, scales, config)
    assert [level.starts is not None for level in shared.levels] == [True]
    for stride in (8, 16):
        maps = [F.avg_pool2d(level.patches, stride) for level in shared.levels]
        actual = shared.of_targets(maps)[:, :2]
        expected = coordinates(shared.regions, config.sample_size // stride, stride)
        size = torch.tensor([height, width])[:, None, None]
        inside = ((expected > stride) & (expected < size - stride)).all(dim=1, keepdim=True).expand_as(expected)
        assert inside.float().mean() > 0.5
        torch.testing.assert_close(actual[inside], expected[inside], atol=0.2, rtol=0)
        # Outside, the border is repeated.
        assert (actual - torch.minimum(expected.clamp(min=0), size - 1)).abs().max() < stride


@pytest.mark.parametrize("config", CONFIGS)
def test_regions_stay_close_to_those_of_separate_crops(config):
    image = ramp()
    positions = torch.tensor([[60.0, 80.0], [75.0, 92.0], [40.0, 65.0], [70.0, 110.0]])
    scales = torch.tensor([1.0, 1.2, 1.1, 1.29])
    levels, shared = cut_shared(image, positions, scales, config)
    assert [level.starts is not None for level in levels] == [True]
    _, separate = cut_search_regions([image] * 4, positions, scales, config)
    assert ((shared.scales / separate.scales).log().abs() < np.log(1.3) / 2 + 0.02).all()
    # Half a cell, seen at the shared scale.
    assert ((shared.positions - separate.positions).abs() <= 8.1 * shared.scales[:, :, None]).all()


def test_targets_of_other_scales_or_far_apart_keep_their_own_crop():
    image = ramp(600, 800)
    positions = torch.tensor([[60.0, 80.0], [500.0, 700.0], [300.0, 400.0]])
    scales = torch.tensor([1.0, 1.0, 2.0])
    config = CONFIGS[0]
    shared = cut_shared(image, positions, scales, config)
    patches, regions = cut_search_regions([image] * 3, positions, scales, config)
    assert all(level.starts is None for level in shared.levels)
    torch.testing.assert_close(shared.of_targets([level.patches for level in shared.levels]), patches)
    torch.testing.assert_close(shared.regions.positions, regions.positions)
    torch.testing.assert_close(shared.regions.scales, regions.scales)


def test_one_target_is_tracked_the_same():
    network = lockon_s(torch.Generator().manual_seed(0)).eval()
    frames = [np.roll(ramp(), 2 * t, axis=1) for t in range(4)]
    boxes = []
    for share in (False, True):
        tracker = Tracker(network, PRESETS["lockon_s"], name="lockon_s", share_backbone=share)
        state = tracker.start(frames[0], (60, 50, 40, 30))
        for frame in frames[1:]:
            state, result = tracker.step(state, frame)
        boxes.append(result.box)
    assert np.array_equal(*boxes)


def test_several_scales_cannot_share():
    network = lockon_s(torch.Generator().manual_seed(0)).eval()
    with pytest.raises(LockonError, match="several scales"):
        Tracker(network, PRESETS["atom_multiscale"], name="atom_multiscale", share_backbone=True)
