"""Results of several targets, taken one by one."""

import numpy as np

from lockon.types import Candidates, Result, Status


def candidates(*ids):
    n = len(ids)
    return Candidates(
        points_xy=np.arange(2.0 * n).reshape(n, 2),
        scores=np.linspace(0.9, 0.1, n),
        ids=np.array(ids, dtype=np.int64),
        selected=0 if n else -1,
        partners=np.full(n, -1),
        probabilities=np.zeros(n),
    )


def test_candidates_go_with_their_target():
    sets = candidates(0, 3), candidates(), candidates(7)
    result = Result(
        frame=5,
        box=np.array([[0.0, 0, 4, 4], [9, 9, 4, 4], [20, 20, 4, 4]]),
        score=np.array([0.9, 0.1, 0.5]),
        present=np.array([True, False, True]),
        status=(Status.FOUND, Status.LOST, Status.FOUND),
        candidates=sets,
    )
    assert [one.candidates for one in result] == list(sets)
    assert [len(one.candidates) for one in result] == [2, 0, 1]


def test_a_result_of_one_target_has_one_set():
    only = candidates(0)
    result = Result(1, (0, 0, 4, 4), 0.9, True, Status.FOUND, candidates=only)
    assert result[0].candidates is only
    assert Result(1, (0, 0, 4, 4), 0.9, True, Status.FOUND)[0].candidates is None
