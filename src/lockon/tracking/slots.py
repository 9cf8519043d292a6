"""From a configuration to the parts that fill the slots of the frame loop."""

from __future__ import annotations

from lockon.errors import LockonError
from lockon.networks.tracker_net import TrackerNet
from lockon.tracking.config import TrackerConfig
from lockon.tracking.localisers import (
    Localiser,
    OnlineConfig,
    OnlineLocaliser,
    StationaryLocaliser,
    TargetModelConfig,
    TargetModelLocaliser,
)
from lockon.tracking.profiling import Timer
from lockon.tracking.selectors import AssociationSelector, PeakConfig, PeakSelector, Selector


def make_localiser(config: TrackerConfig, net: TrackerNet) -> Localiser:
    """What turns features into score maps."""
    slot, search = config.localiser, config.search
    if slot is None:
        return StationaryLocaliser()
    if isinstance(slot, OnlineConfig):
        return OnlineLocaliser(slot, search.sample_size, search.area_factor)
    assert net.classifier is not None, "the network has no target classifier"
    return TargetModelLocaliser(net.classifier, slot, search.sample_size)


def make_selector(config: TrackerConfig, net: TrackerNet, localiser: Localiser, timer: Timer) -> Selector:
    """What chooses a place of the score maps.

    Raises:
        LockonError: candidates cannot be associated with this network, or on these score maps.
    """
    slot = config.selector
    peaks = PeakSelector(
        slot if isinstance(slot, PeakConfig) else slot.peaks,
        first_factor=config.search.scale_factors[0],
        expect=config.expect,
        window=None if config.window == "none" else localiser.window(),
        every_peak=config.window == "all",
        timer=timer,
    )
    if isinstance(slot, PeakConfig):
        return peaks
    if net.association is None:
        raise LockonError("candidates are associated by a network of its own; give its weights, too.")
    if len(config.search.scale_factors) > 1 or not isinstance(config.localiser, TargetModelConfig):
        raise LockonError(
            "candidates are described at the cells of one score map of a DiMP-type classifier; "
            "search one scale with such a localiser."
        )
    return AssociationSelector(slot, net.association, peaks, timer)
