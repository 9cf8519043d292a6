"""Which peak of the score map is the target, and how sure that is."""

from lockon.tracking.selectors.peaks import PeakConfig, Selection, select_peak

__all__ = ["PeakConfig", "Selection", "select_peak"]
