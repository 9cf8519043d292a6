"""KeepTrack's bookkeeping against the reference: candidates, objects, localisation, confidences, search areas."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from golden_data import golden_path

from lockon.networks.association import AssociationNet, Matches
from lockon.tracking.candidates import find_candidates, image_places
from lockon.tracking.learners import aged_weights_
from lockon.tracking.localisers import ScoreGrid
from lockon.tracking.search import SearchRegions
from lockon.tracking.search_area import RescalingConfig, SearchHistory
from lockon.tracking.search_region import CropFrame
from lockon.tracking.selectors import (
    AssociationConfig,
    AssociationSelector,
    IdentityConfig,
    ObjectTable,
    PeakSelector,
    Scene,
)
from lockon.tracking.selectors.object_table import Sighting

FLAGS = {"normal": "found", "not_found": "lost", "hard_negative": "hard_negative", "uncertain": "uncertain"}
WRITTEN = 1e-6


def association():
    return json.loads(golden_path("networks", "keep_track_association.json").read_text())


def score_maps(data):
    return np.load(golden_path("networks", data["score_map_file"]))["score_maps"]


def sighting(scores):
    scores = torch.tensor([scores], dtype=torch.float32)
    count = scores.shape[1]
    return Sighting(
        torch.zeros(1, count, 2), scores, torch.zeros(1, count, 4), torch.ones(1, count, dtype=torch.bool)
    )


def assert_table(table: ObjectTable, expected, where):
    count = int(table.valid.sum())
    assert table.ids[0, :count].tolist() == expected["object_ids"], where
    selected = expected["selected_candidate"]
    assert int(table.selected) == (-1 if selected is None else selected), where
    assert (int(table.selected) >= 0) == (expected["flag"] == "normal"), where
    assert int(table.selected_id) == expected["selected_object"], where
    assert int(table.next_id) == expected["next_object_id"], where
    assert table.best[0, :count].tolist() == pytest.approx(expected["max_scores"], abs=WRITTEN), where
    assert table.lengths[0, :count].tolist() == expected["track_lengths"], where


def test_identities():
    for index, sequence in enumerate(association()["candidate_collection_sequences"]):
        first = sequence["initial_state"]
        unmatched = Matches(
            torch.full((1, len(sequence["initial_scores"])), -1), torch.zeros(1, len(sequence["initial_scores"]))
        )
        table = ObjectTable.empty(1, 4).forgetting(torch.tensor([True]), min(first["object_ids"]))
        table = table.follow(sighting(sequence["initial_scores"]), unmatched, 1, IdentityConfig())
        assert_table(table, first, index)
        for number, frame in enumerate(sequence["frames"], start=2):
            matches = Matches(
                torch.tensor([frame["matches"]], dtype=torch.long),
                torch.tensor([frame["match_scores"]], dtype=torch.float32),
            )
            table = table.follow(sighting(frame["scores"]), matches, number, IdentityConfig())
            assert_table(table, frame["state"], (index, number))


class ScriptedNet(AssociationNet):
    """Gives the recorded matches in place of a graph network's, as assignment probabilities."""

    def __init__(self) -> None:
        super().__init__(4, 4, (4,), gnn_layers=0)
        self.asked = False
        self.matches = self.probabilities = None

    def score_matrix(self, previous, current):
        self.asked = True
        return torch.zeros(1, previous.valid.shape[1], current.valid.shape[1])

    def transport(self, scores, previous_valid, current_valid):
        log = torch.full((1, scores.shape[1] + 1, scores.shape[2] + 1), -20.0)
        for column, (row, probability) in enumerate(zip(self.matches, self.probabilities, strict=True)):
            if row >= 0:
                log[0, row, column] = np.log(probability)
        return log


def test_localisation_by_candidates():
    data = association()["localisation_sequence"]
    maps = score_maps(data)
    net = ScriptedNet()
    config = AssociationConfig()
    selector = AssociationSelector(config, net, PeakSelector(config.peaks))
    objects = selector.start(1)
    cells = maps.shape[-1] - 1
    grid = ScoreGrid((cells / 2, cells / 2), data["image_sample_size"][0] / cells)
    for scores, case in zip(maps, data["frames"], strict=True):
        where = case["frame_num"]
        net.matches, net.probabilities = case["scripted_matches"], case["scripted_match_scores"]
        net.asked = False
        scene = Scene(
            frame=case["frame_num"] - 1,
            maps=scores[None, None],
            grid=grid,
            regions=SearchRegions(
                torch.tensor([[case["sample_pos"]]]),
                torch.tensor([[case["sample_scale"]]]),
                data["image_sample_size"][0],
            ),
            layer3=torch.zeros(1, 4, cells, cells),
            position=torch.tensor([data["tracker_pos_yx"]]),
            size=torch.tensor([data["target_size_hw"]], dtype=torch.float32),
            image_hw=torch.tensor([data["image_hw"]]),
        )
        before = objects
        (selection,), objects = selector.select(scene, objects)

        found = find_candidates(torch.from_numpy(scores)[None], config.candidate)
        assert found.cells[0].tolist() == case["candidates"], where
        assert found.scores[0].tolist() == pytest.approx(case["candidate_scores"], abs=WRITTEN), where
        assert net.asked == (case["path"] == "network_matching"), where
        skipped = int(objects.skipped - before.skipped)
        assert skipped == (case["path"] == "single_candidate_shortcut"), where
        assert selection.status == FLAGS[case["flag"]], where
        if case["translation"] is not None and case["flag"] != "not_found":
            translation = selection.displacement * grid.cell * case["sample_scale"]
            assert translation == pytest.approx(case["translation"], abs=1e-2), where
        assert_table(objects, case["collection"], where)
    asked = sum(case["path"] == "network_matching" for case in data["frames"])
    assert int(objects.associations) == asked


def test_image_coordinates_of_candidates():
    data = association()
    example = data["candidate_image_coords_example"]
    maps = score_maps(data["localisation_sequence"])
    found = find_candidates(torch.from_numpy(maps[example["map_index"]])[None], AssociationConfig().candidate)
    assert found.cells[0].tolist() == example["tsm_coords"]
    assert found.scores[0].tolist() == pytest.approx(example["scores"], abs=WRITTEN)
    x, y, w, h = example["search_area_box_xywh"]
    # A search region is square; each axis of the recorded box by itself.
    size = 16 * (maps.shape[-1] - 1)
    centre = torch.tensor([[y + h / 2, x + w / 2]])
    rows, cols = (
        image_places(found.cells, CropFrame(centre, torch.tensor([(side + 1) / size]), size), maps.shape[1:])[
            0, :, axis
        ]
        for axis, side in enumerate([h, w])
    )
    assert torch.stack([rows, cols], dim=1).numpy() == pytest.approx(np.array(example["img_coords"]), abs=1e-3)


def test_memory_weights_with_confidence():
    for run in association()["keep_track_memory_weights"]:
        slots, initial = run["memory_size"], run["num_init"]
        weights, confidences = torch.zeros(slots), torch.zeros(slots)
        weights[:initial], confidences[:initial] = 1 / initial, 1
        stored, latest = initial, -1
        for step in run["steps"]:
            rate = run["default_learning_rate"] if step["learning_rate"] is None else step["learning_rate"]
            latest = aged_weights_(
                weights, rate, latest, initial, run["init_minimum_weight"] or 0, confidences[:stored]
            )
            confidences[latest] = step["new_certainty"]
            stored = min(stored + 1, slots)
            assert latest == step["replace_index"]
            assert weights.tolist() == pytest.approx(step["weights"], abs=WRITTEN)
            assert confidences.tolist() == pytest.approx(step["certainties"], abs=WRITTEN)


def test_search_areas():
    config = RescalingConfig()
    history, scale = SearchHistory.empty(1, config), None
    for index, step in enumerate(association()["search_area_rescaling"]):
        found = torch.tensor([step["found"]])
        searched = torch.tensor([step["scale"]]) if step["found"] or scale is None else scale
        history, scale = history.after(searched, found, config)
        assert float(scale) == pytest.approx(step["scale"], rel=1e-5), index
