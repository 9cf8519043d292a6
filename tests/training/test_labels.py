import math

import pytest
import torch

from lockon.training.labels import gaussian_label, label_density

SIGMA = 0.05 * 18


def test_label_matches_the_reference_value():
    label = gaussian_label(torch.tensor([120.0, 100, 40, 60]), cells=18, sigma=SIGMA)
    assert label.shape == (19, 19)
    assert (label == label.max()).nonzero().tolist() == [[8, 9]]
    assert label.max() == pytest.approx(0.9529, abs=1e-4)
    assert label.sum() / (2 * math.pi * SIGMA**2) == pytest.approx(1.0000001, abs=3e-7)


def test_labels_are_the_papers_formula():
    """Grid -(n-1)/2 .. (n+1)/2, centre n (c - S/2) / S + 1/2."""
    generator = torch.Generator().manual_seed(0)
    boxes = torch.rand(5, 4, generator=generator, dtype=torch.float64) * 150
    cells, size, sigma = 22, 352, 0.25 / 6 * 22
    label = gaussian_label(boxes, cells=cells, sigma=sigma)
    centre = cells * (boxes[:, :2] + boxes[:, 2:] / 2 - size / 2) / size + 0.5
    k = torch.arange(cells + 1) - (cells - 1) / 2
    along_x, along_y = (torch.exp(-((k - c[:, None]) ** 2) / (2 * sigma**2)) for c in centre.unbind(1))
    torch.testing.assert_close(label, along_y[:, :, None] * along_x[:, None, :])


def test_density_is_normalised_even_where_it_overhangs_the_map():
    boxes = torch.tensor([[120.0, 100, 40, 60], [-25, 100, 40, 60], [270, -30, 40, 60]])
    density = label_density(boxes, cells=18, sigma=SIGMA)
    torch.testing.assert_close(density.sum(dim=(1, 2)), torch.ones(3))
    label = gaussian_label(boxes, cells=18, sigma=SIGMA)
    torch.testing.assert_close(density / density.amax(dim=(1, 2), keepdim=True), label / label.amax((1, 2), True))


def test_density_is_uniform_where_the_target_is_far_outside():
    boxes = torch.tensor([900.0, 900, 40, 60]).expand(2, 3, 4)
    density = label_density(boxes, cells=18, sigma=SIGMA)
    torch.testing.assert_close(density, torch.full((2, 3, 19, 19), 1 / 361))


def test_density_turns_uniform_at_a_mass_of_one_percent():
    def peak(x):
        return label_density(torch.tensor([x, 124.0, 40, 40]), cells=18, sigma=SIGMA).max().item()

    # Cells from 0 on hold 1 - Φ(-d / σ) of a Gaussian d cells before the map: about 1 % at 2.5 cells or so.
    assert peak(-20 - 2.0 * 16) > 0.1
    assert peak(-20 - 3.0 * 16) == pytest.approx(1 / 361)
