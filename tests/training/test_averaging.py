import pytest
import torch
from torch import nn

from lockon.training.averaging import WeightAverage


def model_with(value: float) -> nn.BatchNorm1d:
    model = nn.BatchNorm1d(1)
    with torch.no_grad():
        model.weight.fill_(value)
    return model


def test_the_average_follows_the_weights_and_copies_counters():
    model = model_with(1.0)
    average = WeightAverage(model, decay=0.5)
    with torch.no_grad():
        model.weight.fill_(3.0)
        model.num_batches_tracked.fill_(7)
    average.update(model, step=1000)
    assert average.values["weight"].item() == pytest.approx(2.0)
    assert average.values["num_batches_tracked"].item() == 7


def test_the_first_steps_count_for_more():
    """Decay (1 + step) / (10 + step): 2/11 at the first step."""
    model = model_with(0.0)
    average = WeightAverage(model, decay=0.999)
    with torch.no_grad():
        model.weight.fill_(11.0)
    average.update(model, step=1)
    assert average.values["weight"].item() == pytest.approx(9.0)


def test_a_model_has_the_average_for_a_while():
    model = model_with(1.0)
    average = WeightAverage(model, decay=0.5)
    with torch.no_grad():
        model.weight.fill_(3.0)
    with average.in_place_of(model):
        assert model.weight.item() == 1.0
    assert model.weight.item() == 3.0


def test_a_saved_average_is_taken_up():
    average = WeightAverage(model_with(1.0), decay=0.5)
    average.load(model_with(5.0).state_dict())
    assert average.values["weight"].item() == 5.0
