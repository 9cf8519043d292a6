import json

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from lockon.training import trainer
from lockon.training.trainer import LoopConfig, WeightAverage, learning_rate_factor, train


class Numbers(Dataset):
    def __getitem__(self, index):
        return torch.tensor(float(index))


class Line:
    """Fit w to 2; remembers which samples it saw."""

    def __init__(self):
        self.model = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.model.weight)
        self.seen = []

    def parameter_groups(self):
        return [{"params": list(self.model.parameters()), "lr": 0.1}]

    def dataset(self):
        return Numbers()

    def loss(self, batch):
        self.seen.append(batch.tolist())
        return (self.model.weight - 2).square().sum(), {"samples": float(len(batch))}

    def validate(self):
        assert not self.model.training
        return {"error": abs(self.model.weight.item() - 2)}


class Clock:
    """Advances by a second at every look."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        self.now += 1.0
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(trainer, "time", clock)
    return clock


CONFIG = LoopConfig(minutes=20, batch=3, checkpoint_minutes=1, validate_minutes=5, average_decay=0.9)


def test_training_reaches_the_goal_and_leaves_a_log(tmp_path):
    task = Line()
    average = train(task, CONFIG, tmp_path)
    assert average["weight"].item() == pytest.approx(2, abs=0.1)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {line["kind"] for line in lines} == {"train", "validation"}
    assert lines[-1]["error"] < 0.1
    assert task.seen[:2] == [[0, 1, 2], [3, 4, 5]]


def test_a_finished_run_is_not_trained_further(tmp_path):
    first = train(Line(), CONFIG, tmp_path)
    again = Line()
    assert torch.equal(train(again, CONFIG, tmp_path)["weight"], first["weight"])
    assert again.seen == []


def test_a_killed_run_goes_on_with_the_next_samples(tmp_path):
    class Killed(Line):
        def loss(self, batch):
            if len(self.seen) == 60:
                raise KeyboardInterrupt
            return super().loss(batch)

    killed, resumed = Killed(), Line()
    with pytest.raises(KeyboardInterrupt):
        train(killed, CONFIG, tmp_path)
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    train(resumed, CONFIG, tmp_path)
    assert resumed.seen[0] == [3.0 * saved["step"] + i for i in range(3)]
    assert resumed.model.weight.item() == pytest.approx(2, abs=0.1)


def test_a_step_with_infinite_gradient_is_skipped(tmp_path):
    class Infinite(Line):
        def loss(self, batch):
            loss, figures = super().loss(batch)
            return loss * (float("inf") if len(self.seen) == 5 else 1.0), figures

    assert train(Infinite(), CONFIG, tmp_path)["weight"].item() == pytest.approx(2, abs=0.1)


def test_learning_rate_rises_then_falls_to_its_end():
    config = LoopConfig(minutes=1, batch=1, warmup=0.1, final_lr=0.01)
    factors = [learning_rate_factor(i / 100, config) for i in range(101)]
    assert max(factors) == pytest.approx(1.0)
    assert factors.index(max(factors)) == 10
    assert factors[:11] == sorted(factors[:11])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[-1] == pytest.approx(0.01)
    assert learning_rate_factor(1.5, config) == pytest.approx(0.01)


def test_average_follows_weights_and_copies_counters():
    model = nn.BatchNorm1d(1)
    average = WeightAverage(model, decay=0.5)
    with torch.no_grad():
        model.weight.fill_(3.0)
        model.num_batches_tracked.fill_(7)
    average.update(model, step=1000)
    assert average.values["weight"].item() == pytest.approx(2.0)
    assert average.values["num_batches_tracked"].item() == 7
