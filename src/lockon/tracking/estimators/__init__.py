"""From a position to a box: refinement on a learned overlap or density."""

from lockon.tracking.estimators.refinement import Refined, RefinementConfig, ascend, jittered_boxes, refine

__all__ = ["Refined", "RefinementConfig", "ascend", "jittered_boxes", "refine"]
