"""Pictures of a run: what the network sees, and the curves of its log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image as PillowImage
from PIL import ImageDraw
from torch import Tensor
from torch.nn import functional as F

from lockon.errors import MissingExtraError
from lockon.files import replacing
from lockon.images import Image
from lockon.training.logs import read_log
from lockon.training.tasks.base import Task

_ROWS = 4
"""Samples in a picture."""
_PROPOSALS = 8
"""Proposals that are drawn in a frame: more would hide it."""
_BOX, _PROPOSAL, _LABEL = (80, 255, 80), (255, 180, 0), (255, 0, 0)


def sample_grid(task: Task, batch: Any) -> Image:
    """A row per sample, a column per frame: the target's box, some proposals, and the label map in red over it.

    Args:
        task: asked for the labels of the last frames (`label_maps`), if it makes any.
        batch: with `images` `(batch, frames, size, size, 3)`, uint8; `boxes` and `proposals` are drawn if there.
    """
    boxes, proposals = getattr(batch, "boxes", None), getattr(batch, "proposals", None)
    draw_labels = getattr(task, "label_maps", None)
    with torch.no_grad():
        labels = None if draw_labels is None else draw_labels(batch)
    rows = []
    for number, images in enumerate(batch.images[:_ROWS].cpu()):
        frames = list(images) if labels is None else _tinted(images, labels[number].cpu())
        pictures = [PillowImage.fromarray(frame.numpy()) for frame in frames]
        if proposals is not None:
            for picture, candidates in _last(pictures, proposals.boxes[number]):
                _outline(picture, candidates[:_PROPOSALS], _PROPOSAL)
        if boxes is not None:
            for picture, box in _last(pictures, boxes[number]):
                _outline(picture, box[None], _BOX)
        rows.append(np.concatenate([np.asarray(picture) for picture in pictures], axis=1))
    grid: Image = np.concatenate(rows)
    return grid


def _last(pictures: list[PillowImage.Image], things: Tensor) -> Iterator[tuple[PillowImage.Image, Tensor]]:
    """Pair things with the last pictures, of which there may be more."""
    return zip(pictures[-len(things) :], things.cpu(), strict=True)


def _tinted(
    images: UInt8[Tensor, "frames size size 3"], labels: Float[Tensor, "labelled rows cols"]
) -> list[UInt8[Tensor, "size size 3"]]:
    """The frames, of which the last are red where their labels are high."""
    size = images.shape[1:3]
    # The first and the last score cell lie on the borders of the crop.
    spread = F.interpolate(labels[:, None].float(), size=size, mode="bilinear", align_corners=True)[:, 0]
    strength = 0.6 * spread / spread.amax(dim=(1, 2), keepdim=True).clamp(min=1e-6)
    tinted = images.clone()
    red = torch.tensor(_LABEL, dtype=torch.float32)
    behind = images[-len(labels) :].float()
    tinted[-len(labels) :] = (behind + strength[..., None] * (red - behind)).round().byte()
    return list(tinted)


def _outline(picture: PillowImage.Image, boxes: Float[Tensor, "n 4"], colour: tuple[int, int, int]) -> None:
    draw = ImageDraw.Draw(picture)
    for x, y, w, h in boxes.tolist():
        if min(w, h) > 0:
            draw.rectangle((x, y, x + w, y + h), outline=colour)


def save_picture(image: Image, path: Path) -> None:
    """Write a PNG.

    Raises:
        OutputError: the file cannot be written.
    """
    with replacing(path) as part:
        PillowImage.fromarray(image).save(part, format="PNG")


def draw_curves(log: Path, path: Path) -> None:
    """Draw what a log says of a run: training and validation loss, and the AUC of validation by tracking.

    Raises:
        MissingExtraError: matplotlib is not installed.
        OutputError: the picture cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("a picture of the curves", "train") from error
    entries = read_log(log) if log.exists() else []
    merits = [entry for entry in entries if entry["kind"] == "validation"]
    tracked = any("auc" in entry for entry in merits)
    figure = Figure(figsize=(10, 4) if tracked else (6, 4), layout="constrained")
    axes = figure.subplots(1, 2 if tracked else 1, squeeze=False)[0]
    axes[0].set(xlabel="step", ylabel="loss")
    _draw_training(axes[0], [entry for entry in entries if entry["kind"] == "train"])
    _draw_merit(axes[0], merits, "loss", "validation")
    axes[0].legend()
    if tracked:
        _draw_merit(axes[1], merits, "auc", "held-out sequences")
        axes[1].set(xlabel="step", ylabel="success AUC")
        axes[1].legend()
    with replacing(path) as part:
        figure.savefig(part, format="png", dpi=100)


def _draw_training(axes: Any, entries: list[dict[str, Any]]) -> None:
    steps = [entry["step"] for entry in entries]
    losses = np.array([entry["loss"] for entry in entries])
    axes.plot(steps, losses, color="tab:blue", alpha=0.25, linewidth=0.8)
    width = max(1, len(losses) // 50)
    if len(losses) >= width > 1:
        means = np.convolve(losses, np.full(width, 1 / width), mode="valid")
        axes.plot(steps[width - 1 :], means, color="tab:blue", label=f"training, mean of {width}")
    else:
        axes.plot(steps, losses, color="tab:blue", label="training")


def _draw_merit(axes: Any, entries: list[dict[str, Any]], name: str, label: str) -> None:
    points = [(entry["step"], entry[name]) for entry in entries if name in entry]
    if points:
        steps, values = zip(*points, strict=True)
        axes.plot(steps, values, "o-", color="tab:orange", label=label)
