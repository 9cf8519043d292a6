import json

import numpy as np
import pytest
import torch

import candidates_speed
from lockon.errors import DataError
from lockon.tracking import PRESETS
from lockon.tracking.candidates import find_candidates


@pytest.mark.parametrize(("name", "cells", "most"), [("keep_track_s", 17, 36), ("keep_track", 31, 121)])
def test_maps_hold_so_many_candidates(name, cells, most):
    assert candidates_speed.room(cells) == most
    config = PRESETS[name].selector
    for count in (0, 1, 2, 15, most):
        scores = candidates_speed.score_map(count, cells, config, np.random.default_rng(count))
        found = find_candidates(torch.from_numpy(scores)[None], config.candidate)
        assert int(found.valid.sum()) == count
        assert int((found.scores > config.sure).sum()) >= min(count, 1)


@pytest.mark.slow
def test_every_number_of_candidates_is_measured(tmp_path):
    options = candidates_speed.Options(
        trackers=("keep_track_s",), candidates=(0, 1, 40), repetitions=1, threads=1, out=tmp_path
    )
    candidates_speed.main(options)
    (measurement,) = json.loads((tmp_path / "candidates_speed.json").read_text())["measurements"]
    costs = {
        int(count): {part: cost["median"] for part, cost in of.items()} for count, of in measurement["costs"].items()
    }
    assert measurement["trained"]
    assert list(costs) == [0, 1, 2, 36]
    for count, cost in costs.items():
        assert (cost["embed"] > 0) == (cost["sinkhorn"] > 0) == (count >= candidates_speed.PEER)
        assert cost["candidates"] > 0
        stages = sum(cost[stage] for stage in candidates_speed.STAGES)
        assert stages < cost[candidates_speed.SELECT] < measurement["frame"]["median"]
    table = (tmp_path / "candidates_speed.md").read_text()
    assert all(f"\n| {count} | " in table for count in costs)
    assert all((tmp_path / f"candidates_speed.{kind}").stat().st_size for kind in ("svg", "png"))


def test_the_table_compares_with_two_candidates():
    def costs(**milliseconds):
        return {
            part: candidates_speed.Spread(milliseconds.get(part.split()[-1], 0.0), 0.0, 0.0)
            for part in candidates_speed.COLOURS
        }

    measurement = candidates_speed.Measurement(
        "keep_track_s",
        True,
        candidates_speed.Spread(16.0, 0.0, 0.0),
        {1: costs(selector=1.0), 2: costs(embed=2.0, selector=4.0)},
    )
    table = candidates_speed.make_table(measurement)
    assert table.lines == (
        ("1", "–", "–", "–", "–", "1.00 (× 0.25)", "17.00 (× 0.85)", "5.9"),
        ("2", "–", "2.00 (× 1.00)", "–", "–", "4.00 (× 1.00)", "20.00 (× 1.00)", "20.0"),
    )


def test_impossible_numbers_fail_at_once():
    with pytest.raises(DataError, match="--candidates"):
        candidates_speed.Options(candidates=(-1,))
    with pytest.raises(DataError, match="--repetitions"):
        candidates_speed.Options(repetitions=0)
