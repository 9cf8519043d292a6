"""Predicted densities, with an energy network whose density is known in closed form."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from lockon.errors import LockonError
from lockon.networks.iou_net import BoxFeatures, BoxScorer
from lockon.networks.tracker_net import lockon_s
from lockon.tracking import PRESETS, Tracker
from lockon.tracking.density import SIZE_RANGE, STEPS, predicted_density
from lockon.tracking.localisers import ScoreGrid
from lockon.tracking.search_region import CropFrame
from lockon.tracking.selectors import PeakConfig

SAMPLE_SIZE = 256
GRID = ScoreGrid((8.0, 8.0), 16.0)
CELLS = 17
# Two targets: where their crops lie, what is known of their boxes, and what the network believes.
CROP = CropFrame(torch.tensor([[120.0, 200.25], [330.5, 51.75]]), torch.tensor([1.5, 0.4]), SAMPLE_SIZE)
BOXES = torch.tensor([[100.0, 90.0, 56.0, 40.0], [120.0, 128.0, 30.0, 64.0]])
OFFSET_MEAN = torch.tensor([[0.15, -0.2], [-0.31, 0.07]])
OFFSET_COVARIANCE = torch.tensor([[[0.02, 0.012], [0.012, 0.03]], [[0.008, -0.004], [-0.004, 0.015]]])
RATIO_MEAN = torch.tensor([[0.2, -0.1], [-0.25, 0.3]])
RATIO_COVARIANCE = torch.tensor([[[0.03, -0.01], [-0.01, 0.02]], [[0.012, 0.008], [0.008, 0.025]]])


def log_gaussian(points, mean, covariance):
    centred = points - mean[:, None, None]
    return -0.5 * torch.einsum("trci,tij,trcj->trc", centred, torch.linalg.inv(covariance), centred)


class GaussianScorer(BoxScorer):
    """Scores boxes by a Gaussian of (cx / w0, cy / h0, log w, log h) around known boxes."""

    def modulation(self, layer2, layer3, boxes):
        raise NotImplementedError

    def _readout(self, modulation):
        raise NotImplementedError

    def predict_grid(self, modulation, features, columns, rows):
        shape = (len(columns), rows.shape[1], columns.shape[1])
        x, w = (value[:, None, :].expand(shape) for value in columns.unbind(-1))
        y, h = (value[:, :, None].expand(shape) for value in rows.unbind(-1))
        size, known = torch.stack([w, h], dim=-1), BOXES[:, None, None]
        centre = torch.stack([x, y], dim=-1) + size / 2
        offsets = (centre - known[..., :2] - known[..., 2:] / 2) / known[..., 2:]
        ratios = (size / known[..., 2:]).log()
        return log_gaussian(offsets, OFFSET_MEAN, OFFSET_COVARIANCE) + log_gaussian(
            ratios, RATIO_MEAN, RATIO_COVARIANCE
        )


def density_of(centre_maps):
    return predicted_density(GaussianScorer([]), (), BoxFeatures((), ()), BOXES, CROP, centre_maps, GRID)


@pytest.fixture(scope="module")
def density():
    return density_of(np.full((2, CELLS, CELLS), 0.5, np.float32))


def test_everything_has_the_shape_it_is_declared_with(density):
    shapes = {
        "centre_map": (CELLS, CELLS),
        "centre_grid_xy": (CELLS, CELLS, 2),
        "centre_mean_xy": (2,),
        "centre_covariance": (2, 2),
        "centre_entropy": (),
        "position_slice": (STEPS, STEPS),
        "size_slice": (STEPS, STEPS),
        "box_mean": (4,),
        "box_covariance": (4, 4),
        "box_entropy": (2,),
    }
    for name, shape in shapes.items():
        assert np.shape(getattr(density, name)) == (2, *shape)
        assert np.shape(getattr(density[1], name)) == shape


def test_slices_and_map_are_normalised_and_look_where_they_say(density):
    for values in (density.centre_map, density.position_slice, density.size_slice):
        assert values.sum(axis=(1, 2)) == pytest.approx(1)
    row, column = np.unravel_index(density.position_slice[0].argmax(), (STEPS, STEPS))
    axis = np.linspace(-1, 1, STEPS)
    assert (axis[column], axis[row]) == pytest.approx((0.15, -0.2), abs=0.026)
    row, column = np.unravel_index(density.size_slice[1].argmax(), (STEPS, STEPS))
    axis = np.linspace(-math.log(3), math.log(3), STEPS)
    assert (axis[column], axis[row]) == pytest.approx((-0.25, 0.3), abs=0.028)


def image_of_crop(points_xy):
    """Continuous image coordinates of continuous crop coordinates: the crop's middle is a pixel's centre."""
    middle = CROP.position.flip(-1).double() + 0.5
    return middle + (points_xy - SAMPLE_SIZE / 2) * CROP.scale[:, None].double()


def test_the_box_has_the_moments_of_the_gaussian_in_image_pixels(density):
    sizes = BOXES[:, 2:].double()
    centre = image_of_crop(BOXES[:, :2] + sizes / 2 + OFFSET_MEAN * sizes)
    assert density.box_mean[:, :2] == pytest.approx(centre.numpy(), abs=0.02)
    mean_size = sizes * RATIO_MEAN.exp() * CROP.scale[:, None]
    assert density.box_mean[:, 2:] == pytest.approx(mean_size.numpy(), rel=1e-3)
    side = sizes * CROP.scale[:, None]
    expected = (OFFSET_COVARIANCE * side[:, :, None] * side[:, None, :]).numpy()
    assert density.box_covariance[:, :2, :2] == pytest.approx(expected, rel=0.01)
    assert density.box_covariance[:, 2:, 2:] == pytest.approx(RATIO_COVARIANCE.numpy(), rel=0.01)
    assert not density.box_covariance[:, :2, 2:].any()
    assert not density.box_covariance[:, 2:, :2].any()


def gaussian_entropy(covariance, cell_area):
    """Of a Gaussian on a fine grid, in nats: its differential entropy less the logarithm of the cell."""
    return 1 + math.log(2 * math.pi) + 0.5 * np.linalg.slogdet(np.asarray(covariance))[1] - math.log(cell_area)


def test_entropies_are_those_of_gaussians_on_a_grid(density):
    step, log_step = 2 / (STEPS - 1), 2 * SIZE_RANGE / (STEPS - 1)
    assert density.box_entropy[:, 0] == pytest.approx(gaussian_entropy(OFFSET_COVARIANCE, step**2), abs=5e-3)
    assert density.box_entropy[:, 1] == pytest.approx(gaussian_entropy(RATIO_COVARIANCE, log_step**2), abs=5e-3)
    assert density.centre_entropy == pytest.approx(math.log(CELLS**2))


def test_a_certain_centre_has_no_spread_and_no_entropy():
    maps = np.zeros((2, CELLS, CELLS), np.float32)
    maps[0, 3, 11] = maps[1, 16, 0] = 0.7
    density = density_of(maps)
    assert density.centre_entropy == pytest.approx(0)
    assert density.centre_covariance == pytest.approx(0)
    expected = image_of_crop(torch.tensor([[11.0, 3.0], [0.0, 16.0]]) * GRID.cell)
    assert density.centre_mean_xy == pytest.approx(expected.numpy(), abs=1e-3)


def test_the_centre_has_the_moments_of_a_gaussian_in_image_pixels():
    cells = np.stack(np.meshgrid(np.arange(CELLS), np.arange(CELLS)), axis=-1).astype(np.float64)
    mean, covariance = np.array([9.3, 7.1]), np.array([[1.5, 0.4], [0.4, 0.9]])
    centred = cells - mean
    maps = np.exp(-0.5 * np.einsum("rci,ij,rcj->rc", centred, np.linalg.inv(covariance), centred))
    density = density_of(np.stack([maps, 3 * maps]))
    expected = image_of_crop(torch.from_numpy(mean) * GRID.cell)
    assert density.centre_mean_xy == pytest.approx(expected.numpy(), abs=0.02)
    scale = (GRID.cell * CROP.scale.numpy())[:, None, None]
    assert density.centre_covariance == pytest.approx(covariance * scale**2, rel=0.01)
    assert density.centre_entropy == pytest.approx(gaussian_entropy(covariance, 1), abs=5e-3)


# -------------------------------------------------------------------------------------------------- from the tracker


def tracker_of(name="lockon_s", **changes):
    network = lockon_s(torch.Generator().manual_seed(0)).eval()
    return Tracker(network, replace(PRESETS[name], **changes), name=name)


def frames(count=3):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (120, 160, 3), dtype=np.uint8) for _ in range(count)]


def test_a_cell_of_the_map_lies_where_the_tracker_moves_to_from_it(monkeypatch):
    """Without steps, refinement leaves the position that the peak gave, but for its half pixel of the crop."""
    still = replace(PRESETS["lockon_s"].estimator, iterations=0, proposals=0)
    tracker = tracker_of(estimator=still, selector=PeakConfig(lost=0.0))
    boxes = np.array([(60.0, 40.0, 30.0, 26.0), (30.5, 50.0, 17.0, 22.0)])
    first, second, _ = frames()
    state = tracker.start(first, boxes)
    peaks = [(6, 10), (9, 5)]
    maps = np.zeros((2, 1, CELLS, CELLS), np.float32)
    for target, (row, column) in enumerate(peaks):
        maps[target, 0, row, column] = 1
    monkeypatch.setattr(tracker._localiser, "scores", lambda *_: maps)
    _, result = tracker.step(state, second, density=True)
    for one, (row, column) in zip(result, peaks, strict=True):
        half_crop_pixel = one.search_region.w / SAMPLE_SIZE / 2
        cell = one.density.centre_grid_xy[row, column]
        assert cell == pytest.approx(np.array(one.box.center) - half_crop_pixel, abs=1e-3)
        assert one.density.centre_mean_xy == pytest.approx(cell, abs=1e-3)
        corners = one.density.centre_grid_xy[[0, -1], [0, -1]]
        x, y, w, h = one.search_region
        assert corners == pytest.approx(np.array([(x, y), (x + w, y + h)]), abs=1e-3)


def test_densities_change_nothing_and_are_those_of_each_target():
    tracker = tracker_of(selector=PeakConfig(lost=0.0))
    boxes = np.array([(60.0, 40.0, 30.0, 26.0), (30.5, 50.0, 17.0, 22.0)])
    first, second, _ = frames()
    state = tracker.start(first, boxes)
    _, plain = tracker.step(state, second)
    _, both = tracker.step(state, second, density=True)
    assert plain.density is None
    assert np.array_equal(plain.box, both.box)
    for target, box in enumerate(boxes):
        _, alone = tracker.step(tracker.start(first, box), second, density=True)
        assert both[target].density.position_slice == pytest.approx(alone.density.position_slice, rel=1e-2, abs=1e-6)
        assert both[target].density.box_mean == pytest.approx(alone.density.box_mean, abs=0.05)
        assert both[target].density.centre_map == pytest.approx(alone.density.centre_map, abs=1e-4)


@pytest.mark.parametrize("changes", [{"estimator": None}, {"localiser": PRESETS["dimp18"].localiser}])
def test_other_trackers_refuse(changes):
    tracker = tracker_of(**changes)
    first, second, _ = frames()
    state = tracker.start(first, (60, 40, 30, 26))
    with pytest.raises(LockonError, match="predicts no densities"):
        tracker.step(state, second, density=True)
