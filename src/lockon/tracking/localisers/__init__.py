"""Where the target may be: from features to a score map, by a model of the target."""

from lockon.tracking.localisers.base import Draws, Localiser, ScoreGrid, TargetModel
from lockon.tracking.localisers.online import OnlineConfig, OnlineLocaliser
from lockon.tracking.localisers.stationary import StationaryLocaliser
from lockon.tracking.localisers.target_model import TargetModelConfig, TargetModelLocaliser

__all__ = [
    "Draws",
    "Localiser",
    "OnlineConfig",
    "OnlineLocaliser",
    "ScoreGrid",
    "StationaryLocaliser",
    "TargetModel",
    "TargetModelConfig",
    "TargetModelLocaliser",
]
