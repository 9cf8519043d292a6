import numpy as np

from lockon.evaluation.precision_recall import f_score


def test_f_score_is_the_harmonic_mean():
    f = f_score(np.array([1.0, 0.5, 0.0, 1.0]), np.array([1.0, 0.25, 0.0, 0.0]))
    assert f.tolist() == [1.0, 1 / 3, 0.0, 0.0]
