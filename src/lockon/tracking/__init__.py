"""The frame loop, its state, and the parts that fill its five slots."""

from lockon.tracking.config import TrackerConfig
from lockon.tracking.presets import PRESETS
from lockon.tracking.state import State
from lockon.tracking.tracker import Tracker

__all__ = ["PRESETS", "State", "Tracker", "TrackerConfig"]
