"""A seeded world of synthetic videos with exact boxes, masks, visibility and distractors."""

from lockon.data.synthetic.bank import ImageBank
from lockon.data.synthetic.compose import SCENARIOS, Scenario, SyntheticConfig
from lockon.data.synthetic.sequence import SyntheticSequence
from lockon.data.synthetic.world import SyntheticWorld

__all__ = ["SCENARIOS", "ImageBank", "Scenario", "SyntheticConfig", "SyntheticSequence", "SyntheticWorld"]
