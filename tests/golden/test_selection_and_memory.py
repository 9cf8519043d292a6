"""Peak selection and the ageing of sample weights against the reference implementation."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from golden_data import golden_path

from lockon.tracking.learners import aged_weights_
from lockon.tracking.selectors import PeakConfig, select_peak

FLAGS = {"normal": "found", "not_found": "lost", "hard_negative": "hard_negative", "uncertain": "uncertain"}


def _association():
    return json.loads(golden_path("networks", "keep_track_association.json").read_text())


def test_peak_selection():
    data = _association()["dimp_localisation"]
    maps = np.load(golden_path("networks", data["score_map_file"]))["score_maps"]
    params = data["params"]
    config = PeakConfig(
        lost=params["target_not_found_threshold"],
        distractor=params["distractor_threshold"],
        hard_negative=params["hard_negative_threshold"],
        neighbourhood=params["target_neighborhood_scale"],
        displacement=params["displacement_scale"],
    )
    for index, (scores, case) in enumerate(zip(maps, data["cases"], strict=True)):
        cell = 16 * case["sample_scale"]
        selection = select_peak(
            scores[None],
            config,
            centre=(np.array(scores.shape) - 1) / 2,
            previous=(np.array(case["tracker_pos_yx"]) - np.array(case["sample_pos_yx"])) / cell,
            target_cells=np.array(case["target_size_hw"]) / cell,
        )
        assert selection.status == FLAGS[case["flag"]], index
        if case["flag"] != "not_found":
            assert selection.displacement * cell == pytest.approx(case["translation_yx"], abs=1e-2), index


def test_memory_weights():
    for run in _association()["dimp_memory_weights"]:
        weights = torch.zeros(run["memory_size"])
        weights[: run["num_init"]] = 1 / run["num_init"]
        latest = -1
        for step in run["steps"]:
            rate = run["default_learning_rate"] if step["learning_rate"] is None else step["learning_rate"]
            latest = aged_weights_(weights, rate, latest, run["num_init"], run["init_minimum_weight"] or 0)
            assert latest == step["replace_index"]
            assert weights.tolist() == pytest.approx(step["weights"], abs=1e-6)
