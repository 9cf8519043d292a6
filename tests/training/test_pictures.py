import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from toy_training import ToySamples, ToyTask

from lockon.errors import MissingExtraError, OutputError
from lockon.training.pictures import draw_curves, sample_grid, save_picture
from lockon.training.proposals import OverlapProposals
from lockon.training.samples import TrackingSample, collate

GREEN, ORANGE = (80, 255, 80), (255, 180, 0)


def batch(size=32, frames=3) -> TrackingSample:
    images = torch.full((5, frames, size, size, 3), 100, dtype=torch.uint8)
    boxes = torch.tensor([4.0, 6.0, 10.0, 8.0]).expand(5, frames, 4)
    proposals = torch.tensor([20.0, 20.0, 6.0, 6.0]).expand(5, 1, 12, 4)
    return TrackingSample(images, boxes, OverlapProposals(proposals, torch.zeros(5, 1, 12)))


def test_boxes_are_in_every_frame_and_proposals_in_the_last():
    grid = sample_grid(ToyTask(), batch())
    assert grid.shape == (4 * 32, 3 * 32, 3)
    for row in range(4):
        for column in range(3):
            cell = grid[32 * row : 32 * row + 32, 32 * column : 32 * column + 32]
            assert tuple(cell[6, 4]) == tuple(cell[14, 14]) == GREEN
            assert tuple(cell[8, 8]) == (100, 100, 100)
            assert (tuple(cell[20, 20]) == ORANGE) == (column == 2)


def test_labels_are_red_where_they_are_high():
    class Labelled(ToyTask):
        def label_maps(self, batch):
            labels = torch.zeros(5, 1, 3, 3)
            labels[..., 1, 2] = 0.2  # halfway down, at the right border
            return labels

    grid = sample_grid(Labelled(), batch())
    assert tuple(grid[16, 95]) == pytest.approx((193, 40, 40), abs=6)
    assert tuple(grid[0, 64]) == (100, 100, 100)
    assert tuple(grid[16, 63]) == (100, 100, 100)


def test_samples_without_proposals_are_drawn():
    samples = ToySamples()
    assert sample_grid(ToyTask(), collate([samples[0]])).shape == (12, 24, 3)


def test_the_batch_itself_is_left_alone():
    seen = batch()
    sample_grid(ToyTask(), seen)
    assert torch.equal(seen.images, batch().images)


def test_pictures_are_saved(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    save_picture(image, tmp_path / "a.png")
    assert np.array_equal(np.asarray(PillowImage.open(tmp_path / "a.png")), image)
    with pytest.raises(OutputError):
        save_picture(image, tmp_path / "nowhere" / "a.png")


def write_log(path, *, auc: bool) -> None:
    lines = [{"kind": "train", "step": step, "loss": 1 / step} for step in range(1, 200)]
    lines += [
        {"kind": "validation", "step": step, "loss": 0.5, **({"auc": 0.6} if auc else {})} for step in (0, 100, 199)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize("auc", [True, False])
def test_curves_are_drawn_with_the_auc_where_there_is_one(tmp_path, auc):
    write_log(tmp_path / "log.jsonl", auc=auc)
    draw_curves(tmp_path / "log.jsonl", tmp_path / "curves.png")
    picture = PillowImage.open(tmp_path / "curves.png")
    assert picture.width == (1000 if auc else 600)
    assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 10


def test_there_may_be_nothing_to_draw(tmp_path):
    draw_curves(tmp_path / "log.jsonl", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").exists()


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"lockon\[train\]"):
        draw_curves(tmp_path / "log.jsonl", tmp_path / "curves.png")
