"""Optimal transport with a dustbin: which candidates of two frames belong together, softly and one to one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

_NEVER = -1e9
"""Logarithm of a zero. Finite, so that products with zeros and gradients stay numbers."""


def sinkhorn(
    scores: Float[Tensor, "targets m n"],
    dustbin: Float[Tensor, ""],
    row_valid: Bool[Tensor, "targets m"],
    column_valid: Bool[Tensor, "targets n"],
    iterations: int,
) -> Float[Tensor, "targets m+1 n+1"]:
    """Logarithm of the assignment that the scores ask for (KeepTrack, Sec. 3.4, after SuperGlue, CVPR 2020).

    A row or column that finds no partner goes to the dustbin, the last of the other side, which takes any number.
    Every iteration scales the rows to their sums, then the columns: the columns come out exact (1, and the number of
    valid rows for the dustbin), the rows nearly so. An empty side counts as one for the dustbin of the other.

    Args:
        scores: of each pair, any real numbers.
        dustbin: score of a pair with a dustbin.
        row_valid: false where a row is mere padding, which takes part in nothing and is assigned to nothing.
        column_valid: the same of the columns.
        iterations: 0 gives the scores themselves, offset by the logarithm of their number.
    """
    rows, columns = F.pad(row_valid, (0, 1), value=True), F.pad(column_valid, (0, 1), value=True)
    m, n = row_valid.sum(dim=1, keepdim=True), column_valid.sum(dim=1, keepdim=True)
    norm = -torch.log((m + n).clamp(min=1).to(scores.dtype))
    log_mu = _log_marginal(row_valid, n, norm)
    log_nu = _log_marginal(column_valid, m, norm)
    pairs = rows[:, :, None] & columns[:, None, :]
    z = torch.where(pairs, _with_dustbins(scores, dustbin), _NEVER)
    u, v = torch.zeros_like(log_mu), torch.zeros_like(log_nu)
    for _ in range(iterations):
        u = torch.where(rows, log_mu - torch.logsumexp(z + v[:, None, :], dim=2), 0)
        v = torch.where(columns, log_nu - torch.logsumexp(z + u[:, :, None], dim=1), 0)
    return z + u[:, :, None] + v[:, None, :] - norm[:, :, None]


def _with_dustbins(scores: Float[Tensor, "targets m n"], dustbin: Float[Tensor, ""]) -> Tensor:
    targets, m, n = scores.shape
    dustbin = dustbin.to(scores.dtype)
    widened = torch.cat([scores, dustbin.expand(targets, m, 1)], dim=2)
    return torch.cat([widened, dustbin.expand(targets, 1, n + 1)], dim=1)


def _log_marginal(
    valid: Bool[Tensor, "targets k"], others: Int[Tensor, "targets 1"], norm: Float[Tensor, "targets 1"]
) -> Float[Tensor, "targets k+1"]:
    """One share for everything real, and as many for the dustbin as there are on the other side."""
    dustbin = torch.log(others.clamp(min=1).to(norm.dtype)) + norm
    return torch.cat([norm.expand(valid.shape), dustbin], dim=1)
