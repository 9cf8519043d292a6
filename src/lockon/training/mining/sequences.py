"""The sequences to mine, annotated in every frame, and how long they are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from lockon.data.datasets import SequenceDataset
from lockon.data.datasets.synthetic import SyntheticDataset
from lockon.errors import DataError
from lockon.training.recipe import DataConfig, SyntheticData
from lockon.training.sources import ProgressOf, Selection, open_sources, photographs, unseen

_SEEN = 0.05
"""Share of a synthetic target that must be seen: like an annotated one it is visible unless hidden or out of view."""


class Sequences(NamedTuple):
    """Videos, and the number of frames of each."""

    dataset: SequenceDataset
    lengths: Int64[np.ndarray, "sequences"]


def open_sequences(config: DataConfig | SyntheticData, count: int | None, progress: ProgressOf = unseen) -> Sequences:
    """Open a data set.

    Args:
        config: with its folder.
        count: the first so many sequences; None: all.
        progress: of indexing it.

    Raises:
        DataError: it is not there, is incomplete, or holds no videos.
    """
    dataset = (
        _synthetic(config) if isinstance(config, SyntheticData) else open_sources((config,), progress)[0].dataset
    )
    if not dataset.is_video:
        raise DataError(f"'{dataset.name}' holds single images, in which there is nothing to follow; mine videos.")
    if count is not None and count < len(dataset):
        dataset = Selection(dataset, range(count), dataset.name)
    if isinstance(config, SyntheticData):  # to make a sequence takes long, and all have one length
        return Sequences(dataset, np.full(len(dataset), config.world.length, np.int64))
    return Sequences(dataset, np.array([len(dataset[number]) for number in range(len(dataset))], np.int64))


def _synthetic(config: SyntheticData) -> SyntheticDataset:
    return SyntheticDataset(
        config.world,
        photographs(config),
        length=config.length,
        first_seed=config.first_seed,
        annotated=config.world.length,
        min_visibility=_SEEN,
    )
