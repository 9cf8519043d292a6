"""Mining: what a base tracker sees of training data, kept on disk to learn association from (KeepTrack, Sec. A.1)."""

from lockon.training.mining.categories import CATEGORIES, PAIRS, Category, Thresholds
from lockon.training.mining.dump import MinedDump, MinedSequence
from lockon.training.mining.frames import MinedFrame

__all__ = ["CATEGORIES", "PAIRS", "Category", "MinedDump", "MinedFrame", "MinedSequence", "Thresholds"]
