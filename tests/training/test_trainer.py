"""What the loop does beside learning: figures, rhythms, and what can go wrong."""

import json
from collections import Counter
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from toy_training import LOOP, ToySamples, ToyTask, losses, toy_trainer

from lockon.errors import OutputError, TrainingError
from lockon.training.checkpoints import Checkpoints, decode
from lockon.training.logs import read_log
from lockon.training.loop import steps_per_epoch
from lockon.training.monitor import LOG, Monitor
from lockon.training.schedules import StepDecay

SHORT = replace(LOOP, epochs=1, samples_per_epoch=20, ema_decay=None)


class Notes(Monitor):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.trained, self.validated, self.told, self.skips, self.pictures, self.began = [], [], [], [], [], []

    def begin(self, position):
        self.began.append(position.step)

    def train(self, position, figures):
        self.trained.append((position.step, dict(figures)))

    def validation(self, position, figures):
        self.validated.append((position.step, dict(figures)))

    def batch(self, position, task, batch):
        self.pictures.append(position.step)

    def skipped(self, position, reasons):
        self.skips.append((position.step, tuple(reasons)))

    def tell(self, sentence):
        self.told.append(sentence)


def saved_steps(folder) -> list[int]:
    return sorted(label.step for label in Checkpoints(folder / "checkpoints", keep_last=9).labels())


def test_a_run_learns(tmp_path):
    outcome = toy_trainer(tmp_path, replace(LOOP, epochs=4, samples_per_epoch=200, log_every=50)).run()
    means = list(losses(tmp_path).values())
    assert outcome.finished
    assert len(means) == 4
    assert means[-1] < means[0] / 5
    assert losses(tmp_path).keys() == {50, 100, 150, 200}


def test_lines_of_the_log_are_means_over_their_steps(tmp_path):
    each, some = Notes(), Notes()
    toy_trainer(tmp_path / "each", SHORT, monitor=each).run()
    toy_trainer(tmp_path / "some", replace(SHORT, log_every=2), monitor=some).run()
    assert [step for step, _ in each.trained] == [1, 2, 3, 4, 5]
    assert [step for step, _ in some.trained] == [2, 4]
    for name in ("loss", "norm", "square"):
        first, second = (figures[name] for _, figures in each.trained[2:4])
        assert some.trained[1][1][name] == pytest.approx((first + second) / 2)
    assert [figures["rate"] for _, figures in each.trained[:3]] == pytest.approx([1 / 3, 2 / 3, 1])
    assert all(figures["samples_per_second"] > 0 for _, figures in each.trained)


def test_accumulated_batches_are_one_larger_batch(tmp_path):
    """Without what depends on the batch: normalisation and dropout."""

    def run(folder, loop):
        task, notes = ToyTask(dropout=0), Notes()
        task.net[1] = torch.nn.Identity()
        return toy_trainer(tmp_path / folder, loop, task=task, monitor=notes).run().weights, notes.trained

    one, one_log = run("one", replace(SHORT, batch=4))
    two, two_log = run("two", replace(SHORT, batch=2, accumulate=2))
    for name, value in one.items():
        assert torch.allclose(value, two[name], atol=1e-5), name
    for (_, first), (_, second) in zip(one_log, two_log, strict=True):  # Adam forgives gradients of another scale
        assert second["norm"] == pytest.approx(first["norm"], rel=1e-3)
        assert second["loss"] == pytest.approx(first["loss"], rel=1e-3)


def test_gradients_are_clipped_where_asked(tmp_path):
    def first_step(loop):
        notes, task = Notes(), ToyTask()
        trainer = toy_trainer(tmp_path / str(loop.clip_norm), loop, task=task, monitor=notes)
        before = task.net[0].weight.detach().clone()
        trainer.run(should_stop=lambda: True)
        return notes.trained[0][1]["norm"], task.net[0].weight.grad.norm().item(), before

    norm, gradient, _ = first_step(SHORT)
    assert gradient <= norm
    clipped_norm, clipped, _ = first_step(replace(SHORT, clip_norm=norm / 10))
    assert clipped_norm == pytest.approx(norm)
    assert clipped == pytest.approx(gradient / 10, rel=1e-4)


def test_the_average_is_what_is_given_where_one_is_kept(tmp_path):
    task = ToyTask()
    outcome = toy_trainer(tmp_path, replace(SHORT, ema_decay=0.9), task=task).run()
    own = task.state_dict()
    assert any(not torch.equal(value, own[name]) for name, value in outcome.weights.items())
    plain = toy_trainer(tmp_path / "plain", SHORT, task=ToyTask()).run()
    for name, value in plain.weights.items():
        assert torch.equal(value, own[name])


def test_the_global_random_numbers_are_left_alone(tmp_path):
    torch.rand(3)
    before = torch.get_rng_state()
    toy_trainer(tmp_path, SHORT).run()
    assert torch.equal(torch.get_rng_state(), before)


def test_another_seed_drops_other_features(tmp_path):
    first, second = Notes(), Notes()
    toy_trainer(tmp_path / "a", SHORT, monitor=first, seed=1).run()
    toy_trainer(tmp_path / "b", SHORT, monitor=second, seed=2).run()
    assert first.trained[0][1]["loss"] != second.trained[0][1]["loss"]


def test_checkpoints_come_every_few_steps_and_epochs(tmp_path):
    toy_trainer(tmp_path, replace(LOOP, keep_last=9)).run()
    assert saved_steps(tmp_path) == [0, 5, 10, 12, 15, 20, 24]


def test_checkpoints_come_every_few_minutes(tmp_path):
    toy_trainer(tmp_path, replace(SHORT, keep_last=9, checkpoint_steps=None, checkpoint_minutes=0.0)).run()
    assert saved_steps(tmp_path) == [0, 1, 2, 3, 4, 5]


class Growing:
    """Validation whose merits are given."""

    def __init__(self, task, merits):
        self._task, self._merits = task, iter(merits)
        self.weights = []

    def __call__(self, task, loss, device):
        assert task is self._task
        self.weights.append(task.net[0].weight.detach().clone())
        return {"loss": 1.0, "auc": next(self._merits)}


def test_validation_rates_the_average_and_the_best_checkpoint_is_kept(tmp_path):
    task, notes = ToyTask(), Notes()
    validation = Growing(task, [0.1, 0.5, 0.3, 0.2])
    loop = replace(SHORT, epochs=5, validate_every=2, keep_last=1, ema_decay=0.9)
    outcome = toy_trainer(tmp_path, loop, task=task, validation=validation, monitor=notes).run()
    assert [step for step, _ in notes.validated] == [0, 10, 20, 25]
    assert saved_steps(tmp_path) == [10, 25]
    assert [row["auc"] for row in outcome.history] == [0.1, 0.5, 0.3, 0.2]
    assert torch.equal(validation.weights[-1], outcome.weights["net.0.weight"])
    assert not torch.equal(validation.weights[-1], task.net[0].weight)


def test_pictures_of_samples_are_made_as_epochs_begin(tmp_path):
    notes = Notes()
    toy_trainer(tmp_path, replace(SHORT, epochs=3), monitor=notes).run()
    assert notes.pictures == [0, 5, 10]


def test_images_that_were_skipped_are_counted_and_named(tmp_path):
    notes = Notes()
    toy_trainer(tmp_path, SHORT, samples=ToySamples(unreadable=9), monitor=notes).run()
    assert notes.skips == [(3, ("cannot read the image 'x.jpg'",))]
    assert [figures["skipped"] for _, figures in notes.trained] == [0, 0, 1, 1, 1]


def test_skipped_images_are_in_the_log(tmp_path, capsys):
    toy_trainer(tmp_path, SHORT, samples=ToySamples(unreadable=9)).run()
    lines = [entry for entry in read_log(tmp_path / LOG) if entry["kind"] == "skipped"]
    assert [(line["step"], line["reason"]) for line in lines] == [(3, "cannot read the image 'x.jpg'")]
    assert "x.jpg" in capsys.readouterr().err


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_batch(tmp_path):
    with pytest.raises(TrainingError) as error:
        toy_trainer(tmp_path, replace(LOOP, keep_last=9), samples=ToySamples(bad=29)).run()
    message = str(error.value)
    assert "step 8 is not finite (loss nan" in message
    assert "checkpoint of step 5 is intact" in message
    assert "clip_norm" in message
    kept = tmp_path / "nonfinite" / "step-00000008-process-0.safetensors"
    tensors = load_file(kept)
    assert tensors["0.batch.images"].shape == (4, 2, 12, 12, 3)
    assert tensors["0.batch.boxes"][1, 0, 0].isnan()
    note = json.loads(kept.with_suffix(".json").read_text())
    assert note["batches"][0]["samples"] == [28, 29, 30, 31]
    assert note["batches"][0]["figures"]["loss"] == "nan"
    saved = decode(Checkpoints(tmp_path / "checkpoints", keep_last=9).newest() or b"")
    assert all(value.isfinite().all() for value in saved["model"].values())


def test_a_gradient_that_is_not_finite_stops_the_run_too(tmp_path):
    class Steep(ToyTask):
        def forward(self, batch):
            losses = super().forward(batch)
            return losses._replace(total=losses.total + (self.net[0].weight * 0).sum().sqrt())  # gradient 0 / 0

    with pytest.raises(TrainingError, match=r"\(norm nan\)"):
        toy_trainer(tmp_path, SHORT, task=Steep()).run()
    assert list((tmp_path / "nonfinite").glob("*.safetensors"))


def test_a_run_that_may_retry_goes_around_the_batch(tmp_path):
    notes = Notes()
    loop = replace(LOOP, retries=1)
    outcome = toy_trainer(tmp_path, loop, samples=ToySamples(bad=29), monitor=notes).run()
    assert outcome.finished
    assert notes.began == [0, 5]
    steps = Counter(step for step, _ in notes.trained)
    assert steps[5] == 1
    assert steps[6] == 2
    assert steps[8] == 1
    assert "Going on from there with later samples" in notes.told[0]


def test_too_little_memory_is_told_with_the_remedy(tmp_path):
    class Large(ToyTask):
        def forward(self, batch):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 80 GiB.")

    with pytest.raises(TrainingError, match=r"loop\.accumulate"):
        toy_trainer(tmp_path, SHORT, task=Large()).run()


def test_a_validation_without_a_number_makes_no_checkpoint_the_best(tmp_path):
    task = ToyTask()
    validation = Growing(task, [0.1, float("nan")])
    toy_trainer(tmp_path, replace(SHORT, keep_last=1), task=task, validation=validation).run()
    assert saved_steps(tmp_path) == [0, 5]


def test_retries_are_used_up(tmp_path):
    class Broken(ToyTask):
        def forward(self, batch):
            losses = super().forward(batch)
            return losses._replace(total=losses.total * float("inf"))

    notes = Notes()
    with pytest.raises(TrainingError):
        toy_trainer(tmp_path, replace(LOOP, retries=2), task=Broken(), monitor=notes).run()
    assert len(notes.told) == 2


def test_a_disk_that_fills_up_stops_no_run_before_its_end(tmp_path, full_disk):
    notes = Notes()
    trainer = toy_trainer(tmp_path, LOOP, monitor=notes)
    steps = iter(range(7))

    def fill() -> bool:
        if next(steps, None) is None:
            full_disk()
        return False

    with pytest.raises(OutputError, match=r"checkpoint of step 5 is intact"):
        trainer.run(should_stop=fill)
    assert "Training goes on" in notes.told[0]
    assert [step for step, _ in notes.trained] == list(range(1, 25))
    assert saved_steps(tmp_path) == [0, 5]
    saved = decode(Checkpoints(tmp_path / "checkpoints", keep_last=2).newest() or b"")
    assert saved["step"] == 5


def test_a_full_disk_is_found_before_the_first_step(tmp_path, full_disk):
    notes = Notes()
    trainer = toy_trainer(tmp_path, monitor=notes)
    full_disk()
    with pytest.raises(OutputError):
        trainer.run()
    assert not notes.trained


def test_an_epoch_needs_the_samples_of_a_step():
    assert steps_per_epoch(replace(LOOP, samples_per_epoch=49, batch=4, accumulate=3)) == 4
    with pytest.raises(TrainingError, match="shorter than a step of 64"):
        steps_per_epoch(replace(LOOP, batch=16, accumulate=4))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_precision_of_the_network(tmp_path, precision):
    seen = []
    task = ToyTask()
    task.net[0].register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    toy_trainer(tmp_path, replace(SHORT, precision=precision), task=task).run()
    assert set(seen) == {torch.bfloat16 if precision == "bf16" else torch.float32}
    assert task.net[0].weight.dtype == torch.float32


def test_the_schedule_decides_how_far_a_step_goes(tmp_path):
    before = ToyTask().state_dict()
    still = toy_trainer(tmp_path / "still", SHORT, schedule=StepDecay(every_epochs=1, factor=0.0)).run()
    moved = {name for name, value in still.weights.items() if not torch.equal(value, before[name])}
    assert {"net.0.weight", "net.5.bias"} <= moved  # in the first epoch
    loop = replace(SHORT, epochs=3)
    later = toy_trainer(tmp_path / "later", loop, schedule=StepDecay(every_epochs=1, factor=0.0)).run()
    for name in ("net.0.weight", "net.5.bias"):
        assert torch.equal(later.weights[name], still.weights[name])


def test_the_optimiser_is_the_one_asked_for(tmp_path):
    """Decoupled decay shrinks a weight that has no gradient; Adam's does not do so by the same amount."""
    plain, decayed = (
        toy_trainer(tmp_path / str(decay), replace(SHORT, optimizer="adamw", weight_decay=decay)).run().weights
        for decay in (0.0, 0.5)
    )
    assert decayed["net.5.weight"].norm() < plain["net.5.weight"].norm()
