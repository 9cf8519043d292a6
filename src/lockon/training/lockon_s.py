"""Train `lockon_s`, the small tracker of this package: `python -m lockon.training.lockon_s --help`."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
import tyro
from safetensors.torch import load_file

from lockon.data.synthetic import ImageBank, SyntheticWorld
from lockon.networks.resnet import ResNet, resnet18
from lockon.networks.tracker_net import TrackerNet
from lockon.networks.tracker_net import lockon_s as build
from lockon.training import peers
from lockon.training.distillation import DistillationTask
from lockon.training.probabilistic import ProbabilisticTask
from lockon.training.recipes import Recipe, lockon_s
from lockon.training.trainer import train
from lockon.zoo import Card, write_model


def load_teacher(file: Path) -> ResNet:
    """The trunk of an ImageNet ResNet-18, from a safetensors file with torchvision's names."""
    teacher = resnet18(with_head=False)
    weights = load_file(file)
    teacher.load_state_dict({name: weights[name] for name in teacher.state_dict() if name in weights}, strict=False)
    return teacher


def run(recipe: Recipe, images: list[Path], teacher_file: Path, out: Path) -> TrackerNet:
    """Both stages, each going on from its checkpoint under `out`. Returns the averaged network."""
    torch.manual_seed(recipe.seed)
    net = build()
    photos, held_out = ImageBank.load(images).split(recipe.held_out)
    first = DistillationTask(
        net.feature_extractor,
        load_teacher(teacher_file),
        photos,
        held_out,
        size=recipe.distillation.size,
        lr=recipe.distillation.lr,
        seed=recipe.seed,
    )
    first.model.load_state_dict(train(first, recipe.distillation.loop, out / "distillation"))
    worlds = tuple(SyntheticWorld(recipe.tracking.world, bank) for bank in (photos, held_out))
    second = ProbabilisticTask(net, first.regression, (worlds[0], worlds[1]), recipe.tracking, recipe.seed)
    second.model.load_state_dict(train(second, recipe.tracking.loop, out / "tracking"))
    return net


def export(net: TrackerNet, recipe: Recipe, data: Sequence[str], folder: Path) -> Path:
    """Write `lockon_s.safetensors` (matrices in float16) and its card into a folder."""
    small = {name: value.half() if value.ndim > 1 else value for name, value in net.state_dict().items()}
    card = Card(
        constructor="lockon_s",
        tracker="lockon_s",
        licence="Apache-2.0, as far as ours to give: see the terms of the training data",
        origin="trained by the Lockon authors with lockon.training.lockon_s",
        details={
            "trained": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "data": list(data),
            "recipe": asdict(recipe),
        },
    )
    return write_model(folder / "lockon_s.safetensors", small, card)


def main(
    images: list[Path],
    teacher: Path,
    out: Path,
    minutes: float = 90.0,
    note: list[str] | None = None,
) -> None:
    """Train lockon_s on synthetic videos made of photographs.

    Run it again with the same `out` to go on after an interruption. To use several processes, start it by
    `torchrun --nproc-per-node N -m lockon.training.lockon_s`.

    Args:
        images: folders of photographs; object masks in `masks/*.png` or polygons in `labels/*.txt` beside `images/`.
        teacher: safetensors file of an ImageNet ResNet-18 with torchvision's names.
        out: folder for checkpoints, logs and the finished weights.
        minutes: wall-clock budget of both stages together.
        note: lines about the training data and their terms, for the metadata of the weights.
    """
    torch.set_num_threads(1)  # processes share the work better than threads where a step is many small operations
    peers.join()
    recipe = lockon_s(minutes)
    net = run(recipe, images, teacher, out)
    if peers.rank() == 0:
        path = export(net, recipe, note or [folder.name for folder in images], out)
        print(f"weights: {path}")
    peers.leave()


if __name__ == "__main__":
    tyro.cli(main)
