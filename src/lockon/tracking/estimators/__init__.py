"""From a position to a box: refinement on a learned overlap or density."""

from lockon.tracking.estimators.refinement import RefinementConfig, Refined, ascend, jittered_boxes, refine

__all__ = ["RefinementConfig", "Refined", "ascend", "jittered_boxes", "refine"]
