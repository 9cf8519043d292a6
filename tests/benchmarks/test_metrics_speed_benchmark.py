import pytest

import metrics_speed
from lockon.errors import DataError


def test_every_rule_set_is_timed_and_the_loops_agree(tmp_path, capsys):
    options = metrics_speed.Options(sequences=3, frames=40, trackers=2, looped=2, out=tmp_path)
    metrics_speed.main(options)
    table = (tmp_path / "metrics_speed.md").read_text()
    assert all(f"| {rules} |" in table for rules in metrics_speed.one_pass.RULE_SETS)
    assert "GiB" in table


def test_loops_that_disagree_are_found(monkeypatch):
    options = metrics_speed.Options(sequences=1, frames=5, trackers=1)
    test_set, results = metrics_speed.generate(options, metrics_speed.np.random.default_rng(0))
    monkeypatch.setattr(metrics_speed, "loop_auc", lambda truth, predicted: 50.0)
    with pytest.raises(DataError, match="one of them is wrong"):
        metrics_speed.time_loops(test_set, results, options)
    with pytest.raises(DataError, match="at least 1"):
        metrics_speed.Options(frames=0)
