"""Training sets at their distributed layouts, behind one interface."""

from lockon.data.datasets.base import SequenceDataset, TargetSequence

__all__ = ["SequenceDataset", "TargetSequence"]
