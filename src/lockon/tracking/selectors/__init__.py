"""Which peak of the score map is the target, and how sure that is."""

from lockon.tracking.selectors.association import AssociationConfig, AssociationSelector
from lockon.tracking.selectors.base import Scene, Selection, Selector
from lockon.tracking.selectors.motion import MotionConfig
from lockon.tracking.selectors.object_table import IdentityConfig, ObjectTable
from lockon.tracking.selectors.peaks import PeakConfig, PeakSelector, select_peak

__all__ = [
    "AssociationConfig",
    "AssociationSelector",
    "IdentityConfig",
    "MotionConfig",
    "ObjectTable",
    "PeakConfig",
    "PeakSelector",
    "Scene",
    "Selection",
    "Selector",
    "select_peak",
]
