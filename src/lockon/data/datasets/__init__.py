"""Training sets at their distributed layouts, the user's own videos and packed data, behind one interface."""

from lockon.data.datasets.base import SequenceDataset, TargetSequence
from lockon.data.datasets.registry import DATASETS, detect_dataset, open_dataset

__all__ = ["DATASETS", "SequenceDataset", "TargetSequence", "detect_dataset", "open_dataset"]
