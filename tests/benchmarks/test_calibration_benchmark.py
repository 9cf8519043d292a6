import numpy as np
import pytest

from calibration import Observations, draw, fit_presence, probability, reliability
from lockon.errors import DataError
from lockon.tracking.config import PresenceConfig


def test_the_fit_finds_the_settings_that_made_the_outcomes():
    rng = np.random.default_rng(0)
    peak = rng.uniform(0, 0.3, 40_000)
    truth = PresenceConfig(threshold=0.12, temperature=0.03)
    fitted = fit_presence(peak, rng.random(len(peak)) < probability(peak, truth))
    assert fitted.threshold == pytest.approx(0.12, abs=0.003)
    assert fitted.temperature == pytest.approx(0.03, abs=0.002)


def test_what_cannot_be_fitted_is_refused():
    peak = np.linspace(0, 1, 50)
    with pytest.raises(DataError, match="hits and misses"):
        fit_presence(peak, np.ones(50, dtype=bool))
    with pytest.raises(DataError, match="do not mean more hits"):
        fit_presence(peak, (peak < 0.5) ^ (np.arange(50) % 7 == 0))


def test_reliability_of_hand_made_scores():
    score = np.array([0.85, 0.85, 0.85, 0.85, 0.15, 0.15, 1.0])
    hit = np.array([1, 1, 0, 0, 0, 0, 1], dtype=bool)
    report = reliability(score, hit)
    # Bin 0.8-0.9 says 0.85 and is right half of the time; bin 0.1-0.2 says 0.15 and never is; 1.0 counts in the last.
    assert report.frames.tolist() == [0, 2, 0, 0, 0, 0, 0, 0, 4, 1]
    assert report.expected_error == pytest.approx((4 * 0.35 + 2 * 0.15) / 7)
    assert report.brier == pytest.approx((2 * 0.15**2 + 2 * 0.85**2 + 2 * 0.15**2) / 7)


def test_rows_are_chosen_in_all_columns(tmp_path):
    columns = Observations(*(np.arange(4.0) for _ in range(3)), *(np.array([True, False] * 2) for _ in range(3)))
    assert columns.of(columns.hit).peak.tolist() == [0.0, 2.0]
    draw({"as it is": reliability(np.array([0.2, 0.9]), np.array([False, True]))}, tmp_path / "plot")
    assert (tmp_path / "plot.svg").exists()
