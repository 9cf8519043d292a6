import json

import pytest

import train_speed
from lockon.errors import UnknownNameError
from lockon.training.recipes import find_recipe
from lockon.training.schedules import Position


def step(number):
    return Position(step=number, steps=9, steps_per_epoch=9)


def test_the_clock_adds_up_the_steps_after_the_warm_up():
    clock = train_speed.Clock(samples=8, warm_up=2)
    for number, (speed, share) in enumerate([(0.1, 1.0), (0.1, 1.0), (4.0, 0.5), (8.0, 0.0)], start=1):
        clock.train(step(number), {"samples_per_second": speed, "wait_share": share, "loss": 1.0})
    assert (clock.steps, clock.seconds, clock.waited) == (2, 3.0, 1.0)


def test_papers_recipes_read_files_of_the_usual_size(tmp_path, monkeypatch):
    monkeypatch.setenv("LOCKON_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(train_speed, "CLIPS", 2)
    (tmp_path / "clips").mkdir()
    samples = train_speed.open_samples(find_recipe("dimp18"), (), tmp_path / "clips")
    assert samples.config == find_recipe("dimp18").samples
    sample = samples[0]
    assert sample.images.shape == (6, 288, 288, 3)
    assert not sample.skipped
    files = sorted((tmp_path / "clips").rglob("*.jpg"))
    assert len(files) == 2 * train_speed.CLIP_LENGTH


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_the_trainer_is_measured(workers, tmp_path):
    options = train_speed.Options(recipes=("smoke",), batch=2, steps=2, warm_up=1)
    samples = train_speed.open_samples(find_recipe("smoke"), (), tmp_path)
    measurement = train_speed.measure("smoke", "fp32", workers, samples, 5.0, options)
    assert measurement.samples_per_second > 0
    assert 0 <= measurement.wait_share <= 1
    assert (measurement.wait_share > 0) or workers


def test_the_report_compares_with_the_plain_loader(tmp_path):
    measurements = [
        train_speed.Measurement("dimp18", "fp32", workers, speed, share, 9.0)
        for workers, speed, share in ((0, 2.0, 0.4), (2, 3.0, 0.0123))
    ]
    options = train_speed.Options(out=tmp_path, batch=4)
    train_speed.write_report(measurements, {"cpu": "x"}, options)
    text = (tmp_path / "train_speed.md").read_text()
    assert "| dimp18 | fp32 | 2 | 3.00 | 1.2 | 1.50 | 9.0 |" in text
    assert "Batches of 4" in text
    values = json.loads((tmp_path / "train_speed.json").read_text())
    assert values["measurements"][0]["wait_share"] == 0.4
    assert train_speed.make_table(measurements[1:]).lines[0][5] == "–"


def test_an_unknown_recipe_fails_at_once():
    with pytest.raises(UnknownNameError, match="dimp18"):
        train_speed.Options(recipes=("dimp81",))
