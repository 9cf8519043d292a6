"""A world: an endless supply of numbered sequences."""

from __future__ import annotations

from lockon.data.synthetic.bank import ImageBank
from lockon.data.synthetic.compose import SyntheticConfig, compose_sequence
from lockon.data.synthetic.scenarios import compose_scenario
from lockon.data.synthetic.sequence import SyntheticSequence


class SyntheticWorld:
    """An endless supply of sequences: `world.sequence(seed)` is the same sequence for ever.

    Args:
        config: how varied the world is.
        images: photographs for grounds and objects; without them everything is procedural.
    """

    def __init__(self, config: SyntheticConfig | None = None, images: ImageBank | None = None) -> None:
        self.config = config or SyntheticConfig()
        self._images = images

    def sequence(self, seed: int) -> SyntheticSequence:
        """Build the sequence with this number (not negative); its frames are drawn when asked for."""
        compose = compose_scenario if self.config.scenarios else compose_sequence
        return compose(self.config, self._images, seed)
