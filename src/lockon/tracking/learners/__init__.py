"""What the target model remembers, and when it learns."""

from lockon.tracking.learners.memory import Memory, MemoryConfig, aged_weights_

__all__ = ["Memory", "MemoryConfig", "aged_weights_"]
