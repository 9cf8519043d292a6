"""The random decisions of a sequence: what is in it and how it moves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float
from numpy.random import Generator

from lockon.data.synthetic.bank import ImageBank
from lockon.data.synthetic.motion import Path, Route, Wave, random_wave
from lockon.data.synthetic.render import Layer
from lockon.data.synthetic.sequence import SyntheticSequence
from lockon.data.synthetic.sprites import Levels, Sprite, procedural_background, procedural_sprite

Scenario = Literal["crossing", "occlusion", "absence"]
"""A situation in which a look-alike can be mistaken for the target; `lockon.data.synthetic.scenarios` has them."""
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntheticConfig:
    """How varied a world is."""

    frame_size: tuple[int, int] = (480, 360)
    """Width and height in pixels."""
    length: int = 100
    """Frames in a sequence."""
    target_size: tuple[float, float] = (30.0, 110.0)
    """Smallest and largest square root of the target's box area, in pixels."""
    motion: float = 1.0
    """Factor on how fast things move and change."""
    motion_spread: float = 0.0
    """Largest deviation of the log of a sequence's own factor on its speed."""
    change: float = 1.0
    """Factor on how far sizes, shapes and attitudes change."""
    photo_share: float = 0.85
    """Probability that an object or a ground is photographic where photographs are given."""
    scene_share: float = 0.4
    """Probability that a photographic target keeps its own surroundings (it then moves with them)."""
    distractors: int = 2
    """Largest number of look-alikes near the target."""
    clutter: int = 4
    """Largest number of other objects on the ground."""
    occluder_probability: float = 0.4
    excursion_probability: float = 0.0
    """Probability that the target leaves the view once and returns."""
    degradation: float = 1.0
    """Factor on blur, noise and changes of light."""
    compression_probability: float = 0.0
    """Probability that the frames are stored with the losses of a JPEG file."""
    scenarios: tuple[Scenario, ...] = ()
    """Situations that are brought about, the sequences taking turns in them; without any, all move at random."""


def compose_sequence(config: SyntheticConfig, images: ImageBank | None, seed: int) -> SyntheticSequence:
    """Draw the sequence with this number."""
    rng = np.random.default_rng(seed)
    props = Props(config, images, rng)
    moves = Moves(config, rng)
    ground_path, target_path = moves.ground(), moves.target()
    behind = [
        Layer(props.object(), moves.resting(ground_path), props.gain()) for _ in range(up_to(rng, config.clutter))
    ]
    target = Layer(props.target(), target_path, props.gain())
    near = [
        Layer(props.look_alike(target.sprite), moves.companion(target_path), props.gain())
        for _ in range(up_to(rng, config.distractors))
    ]
    above = int(rng.integers(len(near) + 1))  # how many of the look-alikes pass in front of the target
    occluders = [Layer(props.object(), moves.crossing(target_path), props.gain())]
    layers = [*behind, *near[above:], target, *near[:above]]
    ground = props.ground()
    if rng.random() < config.occluder_probability:
        layers += occluders
    cast = Cast(ground=ground, ground_path=ground_path, layers=tuple(layers), target=target, look_alikes=tuple(near))
    return film(cast, config, rng, seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Everything that is to be seen."""

    ground: Levels
    ground_path: Path
    layers: tuple[Layer, ...]
    """Back to front."""
    target: Layer
    look_alikes: tuple[Layer, ...]
    """In the order in which their boxes are told."""


def film(cast: Cast, config: SyntheticConfig, rng: Generator, seed: int) -> SyntheticSequence:
    """Draw how the cast is lit and taken, and make the sequence of it."""
    return SyntheticSequence(
        seed=seed,
        frame_size=config.frame_size,
        length=config.length,
        ground=cast.ground,
        ground_path=cast.ground_path,
        layers=cast.layers,
        target=cast.layers.index(cast.target),
        look_alikes=tuple(cast.layers.index(layer) for layer in cast.look_alikes),
        light=_light(rng, 0.25 * config.degradation * rng.random()),
        noise=0.05 * config.degradation * max(0.0, float(rng.uniform(-0.6, 1.0))),
        quality=int(rng.integers(15, 85)) if rng.random() < config.compression_probability else None,
        defocus=random_wave(rng, 2.0 * config.degradation * max(0.0, float(rng.uniform(-0.8, 1.0))), (15, 100)),
        shake=random_wave(rng, 10.0 * config.degradation * max(0.0, float(rng.uniform(-1.0, 1.0))), (4, 30), 2),
    )


def up_to(rng: Generator, most: int) -> int:
    """A number from 0 to `most`."""
    return int(rng.integers(most + 1))


def _light(rng: Generator, strength: float) -> Wave:
    """Factors on red, green, blue, and an offset."""
    wave = random_wave(rng, strength, (20, 200), 4)
    amplitude = wave.amplitude * np.array([1.0, 1.0, 1.0, 0.4])
    return Wave(np.array([1.0, 1.0, 1.0, 0.0]), amplitude, wave.frequency, wave.phase)


class Props:
    """Chooses what things look like."""

    def __init__(self, config: SyntheticConfig, images: ImageBank | None, rng: Generator) -> None:
        self._config, self._images, self._rng = config, images, rng

    def _photos(self, objects: bool) -> ImageBank | None:
        """The bank, if this thing is to be photographic."""
        bank = self._images
        if bank is None or (objects and not bank.has_objects) or self._rng.random() > self._config.photo_share:
            return None
        return bank

    def ground(self) -> Levels:
        """What everything lies on."""
        bank = self._photos(objects=False)
        return procedural_background(self._rng) if bank is None else bank.background(self._rng)

    def object(self) -> Sprite:
        """Something without surroundings."""
        bank = self._photos(objects=True)
        return procedural_sprite(self._rng) if bank is None else bank.cutout(self._rng)

    def target(self) -> Sprite:
        """What is to be tracked, some with their surroundings."""
        bank = self._photos(objects=True)
        if bank is None:
            return procedural_sprite(self._rng)
        return bank.scene(self._rng) if self._rng.random() < self._config.scene_share else bank.cutout(self._rng)

    def look_alike(self, target: Sprite) -> Sprite:
        """The same as the target, or something else."""
        return target if self._rng.random() < 0.6 else self.object()

    def gain(self) -> Wave:
        """Slowly changing colour of the light on one object."""
        strength = 0.25 * self._config.degradation * self._rng.random()
        return random_wave(self._rng, strength, (30, 200), 3, offset=float(self._rng.uniform(0.85, 1.1)))


class Moves:
    """Chooses how things move. Periods are in frames, at `motion` 1.

    Attributes:
        frame: width and height of the frames in pixels.
        speed: factor on how fast things move in this sequence.
        size: square root of the target's box area in pixels, before it changes.
    """

    def __init__(self, config: SyntheticConfig, rng: Generator) -> None:
        self._config, self._rng = config, rng
        self.frame = np.array(config.frame_size, dtype=float)
        self.speed = config.motion * float(np.exp(config.motion_spread * rng.uniform(-1, 1)))
        low, high = config.target_size
        self.size = float(np.exp(rng.uniform(np.log(low), np.log(high))))

    def path(self, centre: Wave, size: float, change: float, **more: object) -> Path:
        """A path with random changes of size, shape and attitude; `change` scales them."""
        rng, change = self._rng, change * self._config.change
        turn = (0.15 if rng.random() < 0.7 else 1.5) * change * rng.random()
        return Path(
            centre=centre,
            log_size=self.wave(0.35 * change * rng.random(), (40, 200), offset=math.log(size)),
            log_aspect=self.wave(0.3 * change * rng.random(), (25, 150)),
            angle=self.wave(turn, (30, 150)),
            bend=self.wave(0.13 * change * rng.random(), (12, 60), 4),
            tilt=self.wave(0.12 * change * rng.random(), (25, 150), 2),
            **more,  # type: ignore[arg-type]
        )

    def wave(
        self,
        amplitude: float,
        period: tuple[float, float],
        dims: int = 1,
        offset: float | Float[np.ndarray, "dims"] = 0.0,
    ) -> Wave:
        """A random wave at the speed of the sequence; see `random_wave`."""
        fast = self.speed
        return random_wave(self._rng, float(amplitude), (period[0] / fast, period[1] / fast), dims, offset)

    def ground(self, sizes: tuple[float, float] = (3.5, 9.0)) -> Path:
        """Camera motion: pan, zoom, roll and shake of the ground; its size is drawn in units of the target's."""
        rng = self._rng
        pan = self.wave(0.4 * float(self.frame.max()) * rng.random(), (30, 200), 2, offset=self.frame / 2)
        return Path(
            centre=pan,
            log_size=self.wave(0.2 * rng.random(), (60, 200), offset=math.log(self.size * rng.uniform(*sizes))),
            log_aspect=random_wave(rng, 0.0, (1, 2)),
            angle=self.wave(0.1 * rng.random(), (40, 200)),
            bend=random_wave(rng, 0.0, (1, 2), 4),
            tilt=random_wave(rng, 0.0, (1, 2), 2),
        )

    def target(self) -> Path:
        """A path that stays in the frame, but for an excursion."""
        rng, length = self._rng, self._config.length
        reach = np.maximum(self.frame / 2 - 0.6 * self.size, 0.1 * self.frame)
        middle = self.frame / 2 + reach * rng.uniform(-0.3, 0.3, 2)
        wave = self.wave(1.0, (30, 250), 2)
        centre = Wave(middle, wave.amplitude * (0.7 * reach * rng.uniform(0.2, 1.0)), wave.frequency, wave.phase)
        if rng.random() >= self._config.excursion_probability:
            return self.path(centre, self.size, 1.0)
        first = float(rng.uniform(0.3, 0.5)) * length
        last = first + float(rng.uniform(0.15, 0.35)) * length
        ramp = min(10.0, (last - first) / 3)  # frames it takes to leave, and to come back
        away = np.array([[0.0, 0.0], [1.5, 0.0], [1.5, 0.0], [0.0, 0.0]]) * self.frame[0]
        trip = Route(np.array([first, first + ramp, last - ramp, last]), away)
        return self.path(centre, self.size, 1.0, route=trip)

    def resting(self, ground: Path) -> Path:
        """An object that lies on the ground, anywhere around the frame."""
        place = self.frame * self._rng.uniform(-0.7, 0.7, 2)
        return self.path(random_wave(self._rng, 0.0, (1, 2), 2, place), self.other_size(0.5, 2.0), 0.5, follow=ground)

    def companion(self, target: Path) -> Path:
        """A look-alike that roams around the target at one to three times its size, now and then crossing it."""
        rng = self._rng
        direction = rng.uniform(0, 2 * np.pi)
        offset = self.size * rng.uniform(1.0, 2.2) * np.array([np.cos(direction), np.sin(direction)])
        centre = self.wave(1.5 * self.size * rng.random(), (30, 150), 2, offset=offset)
        return self.path(centre, self.other_size(0.7, 1.4), 1.0, follow=target)

    def crossing(self, target: Path) -> Path:
        """An object that passes in front of the target once."""
        rng = self._rng
        direction = rng.uniform(0, 2 * np.pi)
        speed = self.size * rng.uniform(0.04, 0.2) * self.speed
        miss = self.size * rng.uniform(-0.4, 0.4, 2)
        return self.path(
            random_wave(rng, 0.0, (1, 2), 2, miss),
            self.other_size(0.5, 1.3),
            0.5,
            drift=(speed * math.cos(direction), speed * math.sin(direction)),
            drift_from=float(rng.uniform(0.2, 0.9)) * self._config.length,
            follow=target,
        )

    def other_size(self, low: float, high: float) -> float:
        """A size between two factors of the target's."""
        return self.size * float(np.exp(self._rng.uniform(math.log(low), math.log(high))))
