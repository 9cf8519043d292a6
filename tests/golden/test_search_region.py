"""Crops and first-frame transforms against the reference implementation, in both rounding regimes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from golden_data import GoldenArrays, golden_path
from PIL import Image

from lockon.tracking.augmentation import blur, crop_shifted, rescale, rotate
from lockon.tracking.search_region import sample_patch


def _meta():
    return json.loads(golden_path("networks", "sample_patch.json").read_text())


@pytest.mark.parametrize(("rounding", "variant"), [("current", "true"), ("legacy", "floor")])
def test_sample_patch(rounding, variant):
    meta, golden = _meta(), GoldenArrays("sample_patch")
    image = np.asarray(Image.open(golden_path("networks", *meta["image"].split("/"))).convert("RGB"))
    for index, case in enumerate(meta["cases"]):
        output = case["output_size_hw"]
        patch = sample_patch(
            image,
            case["pos_yx"],
            case["sample_size_hw"],
            tuple(output) if output else None,
            border_mode=case["mode"],
            max_scale_change=case["max_scale_change"],
            rounding=rounding,
        )
        assert list(patch.corners_yx) == case[f"coords_{variant}"], index
        golden.check(f"case{index:02d}_{variant}_patch", patch.pixels[None])


def test_first_frame_transforms():
    golden = GoldenArrays("sample_patch")
    patch = golden["aug_input"][0]
    for case in _meta()["augmentations"]:
        params = case["params"]
        transformed = patch
        if case["name"].startswith("flip"):
            transformed = patch.flip(-1 if case["name"] == "flip_lr" else -2)
        elif "sigma" in params:
            transformed = blur(patch, tuple(params["sigma"]))
        elif "angle" in params:
            transformed = rotate(patch, params["angle"])
        elif "scale" in params:
            transformed = rescale(patch, params["scale"])
        output = tuple(case["output_size"] or patch.shape[1:])
        golden.check(f"aug_{case['name']}", crop_shifted(transformed, output, tuple(case["total_shift_yx"]))[None])
