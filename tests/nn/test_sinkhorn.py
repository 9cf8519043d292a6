"""Transport with a dustbin: hand-computed values, exact sums, and padding that changes nothing."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lockon.nn.sinkhorn import sinkhorn


def all_valid(size):
    return torch.ones(1, size, dtype=torch.bool)


def transport(scores, dustbin=0.0, iterations=10):
    return sinkhorn(
        scores[None], torch.tensor(dustbin), all_valid(len(scores)), all_valid(scores.shape[1]), iterations
    )[0]


def test_no_iteration_gives_scores_and_dustbins_offset_by_their_number():
    log = transport(torch.tensor([[1.0, 2.0]]), dustbin=0.5, iterations=0)
    torch.testing.assert_close(log, torch.tensor([[1.0, 2.0, 0.5], [0.5, 0.5, 0.5]]) + math.log(3))


def test_one_pair_by_hand():
    # exp(Z) = [[a, 1], [1, 1]], both sums 1: by symmetry A = [[p, 1 - p], [1 - p, p]], and p² / (1 - p)² = a.
    a = 9.0
    log = transport(torch.tensor([[math.log(a)]]), iterations=100)
    torch.testing.assert_close(log.exp(), torch.tensor([[0.75, 0.25], [0.25, 0.75]]))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 20), st.floats(-3, 3), st.integers(0, 1000))
def test_columns_sum_exactly(m, n, iterations, dustbin, seed):
    scores = torch.randn(m, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    mass = transport(scores, dustbin, iterations).exp()
    torch.testing.assert_close(mass.sum(dim=0), torch.tensor([1.0] * n + [m], dtype=torch.float64))


def test_rows_sum_in_the_end():
    scores = torch.randn(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mass = transport(scores, 0.5, 200).exp()
    torch.testing.assert_close(mass.sum(dim=1), torch.tensor([1.0] * 3 + [5], dtype=torch.float64))


@pytest.mark.parametrize("iterations", [0, 1, 10])
def test_padding_changes_nothing_and_gets_nothing(iterations):
    generator = torch.Generator().manual_seed(3)
    sizes = [(2, 3), (4, 1), (0, 4), (3, 0), (0, 0), (4, 4)]
    scores = torch.randn(len(sizes), 4, 4, generator=generator) * 50
    rows, columns = (torch.arange(4) < torch.tensor(side)[:, None] for side in zip(*sizes, strict=True))
    together = sinkhorn(scores, torch.tensor(0.3), rows, columns, iterations)
    assert together.isfinite().all()
    for index, (m, n) in enumerate(sizes):
        alone = transport(scores[index, :m, :n], 0.3, iterations)
        kept = together[index][[*range(m), 4]][:, [*range(n), 4]]
        torch.testing.assert_close(kept, alone, atol=1e-4, rtol=1e-5)
        mass = together[index].exp()
        assert (mass[m:4] == 0).all()
        assert (mass[:, n:4] == 0).all()


def test_what_has_no_partner_goes_to_the_dustbin():
    assert transport(torch.zeros(0, 3)).exp()[0, :3].tolist() == pytest.approx([1, 1, 1])


def test_gradients_are_numbers_where_there_is_padding():
    scores = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    dustbin = torch.tensor(0.0, requires_grad=True)
    valid = torch.tensor([[True, True, False], [False, False, False]])
    log = sinkhorn(scores, dustbin, valid, valid, 5)
    (log[0, 0, 0] + log[0, 1, 3] + log[1, 3, 3]).backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
    assert (scores.grad[0, :2, :2] != 0).all()
    assert (scores.grad[0, 2] == 0).all()
    assert (scores.grad[1] == 0).all()
    assert dustbin.grad is not None
    assert dustbin.grad.isfinite()
