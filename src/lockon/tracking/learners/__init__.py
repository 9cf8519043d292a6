"""What the target model remembers, and when it learns."""

from lockon.tracking.learners.confidence import ConfidenceConfig, confidence
from lockon.tracking.learners.memory import Memory, MemoryConfig, aged_weights_
from lockon.tracking.learners.plan import LearningPlan, plan_learning

__all__ = [
    "ConfidenceConfig",
    "LearningPlan",
    "Memory",
    "MemoryConfig",
    "aged_weights_",
    "confidence",
    "plan_learning",
]
