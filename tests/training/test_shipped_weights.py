"""The weights in the package: they fit, they are what their card says, and they track."""

import numpy as np
import pytest
import torch

import lockon
from lockon.boxes import iou
from lockon.data.synthetic import SyntheticConfig, SyntheticWorld
from lockon.networks.tracker_net import lockon_s as build
from lockon.networks.tracker_net import normalise
from lockon.zoo.store import packaged_models, read_model


@pytest.fixture(scope="module")
def shipped():
    return read_model(packaged_models() / "lockon_s.safetensors")


def test_weights_fit_the_builder_strictly_and_are_finite(shipped):
    state, _ = shipped
    net = build()
    net.load_state_dict({name: value.to(net.state_dict()[name].dtype) for name, value in state.items()}, strict=True)
    assert all(value.isfinite().all() for value in net.state_dict().values())
    assert (packaged_models() / "lockon_s.safetensors").stat().st_size < 8e6


def test_outputs_of_every_head_are_finite_and_depend_on_the_image(shipped):
    net = build()
    net.load_state_dict({name: value.to(net.state_dict()[name].dtype) for name, value in shipped[0].items()})
    net.eval()
    images = torch.randint(0, 256, (2, 3, 256, 256), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[100.0, 100, 50, 60]]).expand(2, 4)
    with torch.no_grad():
        features = net.feature_extractor(normalise(images))
        extracted = net.classifier.extract(features.layer3)[:, None]
        filters = net.classifier.optimise(
            net.classifier.initial_filter(extracted, boxes[:, None]), extracted, boxes[:, None], iterations=5
        ).filters
        scores = net.classifier.score(filters, extracted)
        maps = net.bb_regressor.test_features(*features)
        energies = net.bb_regressor.predict(net.bb_regressor.modulation(*features, boxes), maps, boxes[:, None])
    for output in (scores, energies):
        assert output.isfinite().all()
        assert not torch.allclose(output[0], output[1])


def test_the_card_says_where_the_weights_come_from(shipped):
    _, card = shipped
    assert (card.constructor, card.tracker) == ("lockon_s", "lockon_s")
    assert any("research" in line for line in card.details["data"])
    assert card.details["joint_recipe"]["samples"]["crop"]["size"] == 224


@pytest.mark.slow
def test_it_follows_objects_it_has_never_seen():
    """Procedural objects on procedural ground, of numbers that the training never reaches."""
    tracker, world = lockon.load("lockon_s"), SyntheticWorld(SyntheticConfig(length=30, distractors=1))
    overlaps, still = [], []
    for seed in range(5):
        sequence = world.sequence(3_000_000_000 + seed)
        state = tracker.start(sequence.frame(0), sequence.box(0))
        for index in range(1, 30):
            state, result = tracker.step(state, sequence.frame(index))
            if sequence.visibility(index) > 0.5:
                truth = torch.tensor(sequence.box(index))
                overlaps.append(iou(torch.tensor(result.box), truth).item())
                still.append(iou(torch.tensor(sequence.box(0)), truth).item())
    assert np.mean(overlaps) > 0.5
    assert np.mean(overlaps) > 1.5 * np.mean(still)
