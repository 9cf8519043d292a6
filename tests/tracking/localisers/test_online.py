"""ATOM's localiser on features small enough that its labels, filters and scores are known (ATOM, Sec. 3.2, 3.3)."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from lockon.nn.gauss_newton import GradientDescentSettings
from lockon.tracking.learners import Memory
from lockon.tracking.localisers import Draws, OnlineConfig, OnlineLocaliser, TargetModel
from lockon.tracking.randomness import CounterRandomness

SAMPLE_SIZE, CELLS = 96, 6
CHANNELS, IMAGES = 10, 4
SMALL = OnlineConfig(projected_channels=5)
DESCENT = replace(SMALL, descent=GradientDescentSettings(iterations=0, step_length=1e-3))


def random(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def random_boxes(*shape, seed):
    uniform = torch.rand(*shape, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return uniform * 30 + torch.tensor([30.0, 30, 10, 10], dtype=torch.float64)


def learned(config, targets, *, iterations):
    """Models of some of three targets after the first frame and after each of four updates, and their last scores.

    Not every target finds a new sample in every frame, so that their memories differ in number and in age.
    """
    localiser = OnlineLocaliser(config, SAMPLE_SIZE, 5.0)
    draws = Draws(CounterRandomness(), [7 + target for target in targets], 0)
    features = random(3, IMAGES, CHANNELS, CELLS, CELLS, seed=1)[targets]
    boxes = random_boxes(3, IMAGES, seed=2)[targets]
    model, samples = localiser.start(features, boxes, 12, draws)
    memory, models = Memory.of_first_frame(samples, boxes, 8), [model]
    for frame, found in enumerate([(0, 2), (2,), (0, 1, 2), (2,)]):
        new = localiser.samples(model, random(3, 1, CHANNELS, CELLS, CELLS, seed=10 + frame)[targets])
        boxes = random_boxes(3, seed=20 + frame)[targets]
        chosen = torch.tensor([i for i, target in enumerate(targets) if target in found], dtype=torch.long)
        memory = memory.add(chosen, new[chosen, 0], boxes[chosen], torch.full((len(chosen),), 0.1), 0.25)
        model = localiser.learn(model, *memory.view(torch.arange(len(targets))), iterations)
        models.append(model)
    assert memory.stored.tolist() == [[6, 5, 8][target] for target in targets]
    return models, localiser.scores(model, new)


@pytest.mark.parametrize(("config", "iterations"), [(SMALL, 5), (DESCENT, 11)])
def test_three_targets_learn_together_as_they_do_apart(config, iterations):
    """In double precision, as conjugate gradient amplifies rounding."""
    together, scores = learned(config, [0, 1, 2], iterations=iterations)

    for target in range(3):
        alone, own_scores = learned(config, [target], iterations=iterations)
        for of_all, own in zip(together, alone, strict=True):
            torch.testing.assert_close(of_all.filters[target], own.filters[0], rtol=1e-9, atol=1e-12)
            torch.testing.assert_close(of_all.projections[target], own.projections[0], rtol=1e-9, atol=1e-12)
        assert scores[target] == pytest.approx(own_scores[0], abs=1e-5)
    for before, after in pairwise(together):
        assert (before.filters != after.filters).flatten(1).any(dim=1).all()


def gaussian(centre_y, centre_x, rows, cols, sigma=0.9):
    return [
        [math.exp(-((row - centre_y) ** 2 + (col - centre_x) ** 2) / (2 * sigma**2)) for col in cols] for row in rows
    ]


@pytest.mark.parametrize(
    ("kernel_size", "rows", "cols", "half_cell"),
    [
        # Tap u of an even filter scores cell 9 + 2 - u, of an odd one 9 + 1 - u.
        (4, (11, 10, 9, 8), (12, 11, 10, 9), 0.0),
        (3, (10, 9, 8), (11, 10, 9), 0.5),
    ],
)
@pytest.mark.parametrize(
    ("iterations", "descent", "share"),
    [
        # One step of conjugate gradient solves for taps that do not meet: γ label / (γ + λ).
        (1, None, 0.5 / (0.5 + 0.1)),
        # Gradient descent by 0.01 · 2γ label, then by 0.01 · (2 (γ + λ) w - 2γ label) and a half of that velocity.
        (1, GradientDescentSettings(iterations=7, step_length=0.01, momentum=0.5), 0.01),
        (2, GradientDescentSettings(iterations=7, step_length=0.01, momentum=0.5), 0.01 + 0.01 - 0.00012 + 0.005),
    ],
)
def test_a_single_active_cell_copies_the_label_into_the_filter(
    kernel_size, rows, cols, half_cell, iterations, descent, share
):
    """The label lies at the middle of the box, 150 / 16 rows and 160 / 16 columns, with σ = 0.25 · 18 / 5 cells."""
    config = OnlineConfig(projected_channels=1, kernel_size=kernel_size, descent=descent)
    samples = torch.zeros(1, 1, 1, 18, 18, dtype=torch.float64)
    samples[..., 9, 10] = 1
    start = TargetModel(samples.new_zeros(1, 1, kernel_size, kernel_size), samples.new_ones(1, 1, 4))

    box = samples.new_tensor([[[140, 135, 40, 30]]])
    model = OnlineLocaliser(config, 288, 5.0).learn(start, samples, box, samples.new_tensor([[0.5]]), iterations)

    label = samples.new_tensor(gaussian(150 / 16 - half_cell, 10 - half_cell, rows, cols))
    torch.testing.assert_close(model.filters[0, 0], share * label)
    assert torch.equal(model.projections, start.projections)


def test_steps_of_the_first_frame_are_shared_over_its_linearisations():
    """Six of them: what is left of 17 is not made, and of 5 none at all."""
    features, boxes = random(1, IMAGES, CHANNELS, CELLS, CELLS, seed=1), random_boxes(1, IMAGES, seed=2)
    localiser = OnlineLocaliser(SMALL, SAMPLE_SIZE, 5.0)
    draws = Draws(CounterRandomness(), [7], 0)

    none, few, twelve, seventeen, eighteen = (
        localiser.start(features, boxes, steps, draws)[0].filters for steps in (0, 5, 12, 17, 18)
    )

    assert torch.equal(none, few)
    assert torch.equal(twelve, seventeen)
    assert not torch.equal(few, twelve)
    assert not torch.equal(seventeen, eighteen)


def test_both_layers_start_from_the_seed():
    """Normal numbers with the deviations 1/16, for 256 channels, and 1/1024, for 64 · 4 · 4 weights."""
    features, boxes = torch.zeros(2, 1, 256, 18, 18), torch.tensor([[[100.0, 100, 80, 60]]]).expand(2, -1, -1)
    localiser = OnlineLocaliser(OnlineConfig(), 288, 5.0)

    model, _ = localiser.start(features, boxes, 0, Draws(CounterRandomness(), [3, 4], 0))
    other, _ = localiser.start(features[:1], boxes[:1], 0, Draws(CounterRandomness(), [4], 0))

    assert model.filters.shape == (2, 64, 4, 4)
    assert model.projections.shape == (2, 64, 256)
    assert model.filters.std().item() == pytest.approx(1 / 1024, rel=0.05)
    assert model.projections.std().item() == pytest.approx(1 / 16, rel=0.05)
    assert torch.equal(model.filters[1], other.filters[0])
    assert not torch.equal(model.filters[0], model.filters[1])


def test_samples_are_projected_features():
    """Two channels: 1 and 10 become 1 - 10 and 2 · 1."""
    features = torch.tensor([1.0, 10.0])[None, None, :, None, None].expand(1, 1, 2, 6, 6)
    model = TargetModel(torch.zeros(1, 2, 4, 4), torch.tensor([[[1.0, -1], [2, 0]]]))

    samples = OnlineLocaliser(SMALL, SAMPLE_SIZE, 5.0).samples(model, features)

    assert samples[0, 0, :, 3, 4].tolist() == [-9, 2]


@pytest.mark.parametrize(("kernel_size", "tap", "pixels"), [(4, 2, (144, 192)), (3, 1, (152, 200))])
def test_scores_are_interpolated_to_pixels(kernel_size, tap, pixels):
    """Cell (9, 12) of an even filter lies at 16 pixels a cell, of an odd one half a cell further.

    With the sign kept: the activation of learning does not apply, and 18/18 + 1/18 is the height of an impulse.
    """
    config = OnlineConfig(projected_channels=1, kernel_size=kernel_size)
    filters = torch.zeros(1, 1, kernel_size, kernel_size)
    filters[..., tap, tap] = -3
    samples = torch.zeros(1, 2, 1, 18, 18)
    samples[0, 1, 0, 9, 12] = 1

    scores = OnlineLocaliser(config, 288, 5.0).scores(TargetModel(filters), samples)

    assert scores.shape == (1, 2, 288, 288)
    assert not scores[0, 0].any()
    assert np.unravel_index(scores[0, 1].argmin(), (288, 288)) == pixels
    assert scores[0, 1][pixels] == pytest.approx(-3 * (19 / 18) ** 2, abs=1e-5)


def test_the_window_is_highest_where_nothing_has_moved():
    """(1 + cos 2πt / 98) / 2 at t pixels from the centre, which is pixel 48 of 96."""
    localiser = OnlineLocaliser(SMALL, SAMPLE_SIZE, 5.0)
    window = localiser.window()

    profile = [(1 + math.cos(2 * math.pi * abs(pixel - 48) / 98)) / 2 for pixel in range(96)]
    assert localiser.grid == ((48, 48), 1.0)
    assert window[48] == pytest.approx(profile, abs=1e-6)
    assert window == pytest.approx(np.outer(profile, profile), abs=1e-6)


def test_features_have_mean_square_one():
    features = OnlineLocaliser(SMALL, SAMPLE_SIZE, 5.0).normalise(random(2, 3, 4, 4, seed=0).bfloat16() * 50)

    assert features.dtype == torch.float32
    assert features.square().mean(dim=(1, 2, 3)).tolist() == pytest.approx([1, 1])
