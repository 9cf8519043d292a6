"""Situations that are brought about: look-alikes that cross the target, hide it, or stay when it goes.

The look-alikes here are near-copies: the target's own sprite, a little larger or smaller and in a slightly different
light, deforming in their own way. What they look like hardly tells them from the target; where they come from does.
Distances are in target sizes (square roots of its box area) and times in frames, at `motion` 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.random import Generator

from lockon.data.synthetic.bank import ImageBank
from lockon.data.synthetic.compose import Cast, Moves, Props, Scenario, SyntheticConfig, film, up_to
from lockon.data.synthetic.motion import Path, Route, Wave, random_wave
from lockon.data.synthetic.render import Layer
from lockon.data.synthetic.sequence import SyntheticSequence

_LIGHT = (0.93, 1.07)
"""Factors on red, green and blue between the light on the target and that on a near-copy."""
_SIZE = (0.9, 1.1)
"""Sizes of near-copies."""
_CHANGE = 0.4
"""Factor on changes of size, shape and attitude: those that are ordinary would tell who is who."""
_SCREEN = (1.5, 1.9)
"""Sizes of what is no look-alike and hides the target."""
_GROUND = (1.0, 1.6)
"""Sizes of the ground in those of the frame: where it is seen several times over, so is all that is on it."""
_NEAR = (1.3, 2.2)
"""Distances at which look-alikes stay or turn back."""


class _Script(NamedTuple):
    """Who moves how."""

    target: Path
    behind: list[Path]
    """Look-alikes that pass behind the target."""
    front: list[Path]
    """Look-alikes that pass in front of it."""
    screen: Path | None = None
    """Something else that hides it."""


def compose_scenario(config: SyntheticConfig, images: ImageBank | None, seed: int) -> SyntheticSequence:
    """Draw the sequence with this number, in the situation of `config.scenarios` whose turn it is."""
    rng = np.random.default_rng(seed)
    props, moves = Props(config, images, rng), Moves(config, rng)
    scenario = config.scenarios[seed % len(config.scenarios)]
    script = _SCRIPTS[scenario](_Director(config, moves, rng))
    low, high = (share * float(np.sqrt(moves.frame.prod())) / moves.size for share in _GROUND)
    ground_path = moves.ground((low, high))
    clutter = [
        Layer(props.object(), moves.resting(ground_path), props.gain()) for _ in range(up_to(rng, config.clutter))
    ]
    target = Layer(props.object(), script.target, props.gain())
    behind, front = (
        [Layer(target.sprite, path, _other_light(target.gain, rng)) for path in paths]
        for paths in (script.behind, script.front)
    )
    screens = [Layer(props.object(), script.screen, props.gain())] if script.screen else []
    cast = Cast(
        ground=props.ground(),
        ground_path=ground_path,
        layers=(*clutter, *behind, target, *front, *screens),
        target=target,
        look_alikes=(*behind, *front),
    )
    return film(cast, config, rng, seed)


def _other_light(gain: Wave, rng: Generator) -> Wave:
    return replace(gain, offset=gain.offset * rng.uniform(*_LIGHT, 3))


@dataclass(frozen=True, slots=True)
class _Director:
    """Writes the scripts."""

    config: SyntheticConfig
    moves: Moves
    rng: Generator

    def crossing(self) -> _Script:
        """One to three look-alikes cross the target's way again and again, some in front of it, some behind."""
        target = self._in_the_middle()
        paths = [self._copy(target, route=self._weave()) for _ in range(self._some())]
        above = int(self.rng.integers(len(paths) + 1))
        return _Script(target, paths[above:], paths[:above])

    def occlusion(self) -> _Script:
        """The target disappears behind a look-alike, or behind something else beside a look-alike; twice."""
        target, rng = self._in_the_middle(), self.rng
        starts = self.config.length * np.array([0.23, 0.66])
        hidden = [(start, start + rng.uniform(8, 20) / self.moves.speed) for start in starts.tolist()]
        cover = self._cover(hidden)
        if rng.random() < 0.5:
            others = [self._copy(target, centre=self._beside()) for _ in range(self._some() - 1)]
            return _Script(target, others, [self._copy(target, route=cover)])
        return _Script(
            target,
            [self._copy(target, centre=self._beside()) for _ in range(self._some())],
            [],
            self._screen(target, cover),
        )

    def absence(self) -> _Script:
        """The target leaves the view, or is hidden for long, while look-alikes stay; later it returns."""
        rng, length = self.rng, self.config.length
        gone = length * np.array([0.0, 1.0]) * rng.uniform(0.17, 0.3) + length * rng.uniform(0.25, 0.33)
        if rng.random() < 0.3:
            target = self._in_the_middle()
            screen = self._screen(target, self._cover([(float(gone[0]), float(gone[1]))]))
            return _Script(
                target, [self._copy(target, centre=self._beside()) for _ in range(self._some())], [], screen
            )
        outward = np.array([(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)][int(rng.integers(4))])
        stage = self._stage(outward)
        inward = float(np.arctan2(*-outward[::-1]))
        others = [self._copy(stage, centre=self._beside(inward)) for _ in range(self._some())]
        return _Script(replace(stage, route=self._trip(stage, outward, gone)), others, [])

    def _some(self) -> int:
        return 1 + up_to(self.rng, max(self.config.distractors - 1, 0))

    def _in_the_middle(self) -> Path:
        return self._stage(np.zeros(2))

    def _stage(self, outward: Float[np.ndarray, "2"]) -> Path:
        """A path with room around it; where `outward` is not zero, near the border that it points to."""
        rng, moves = self.rng, self.moves
        reach = np.maximum(moves.frame / 2 - 1.2 * moves.size, 0.1 * moves.frame)
        wave = moves.wave(1.0, (50, 250), 2)
        towards = np.abs(outward) > 0
        middle = moves.frame / 2 + np.where(towards, outward * reach, reach * rng.uniform(-0.3, 0.3, 2))
        amplitude = wave.amplitude * np.where(towards, 0.3 * moves.size, 0.6 * reach * rng.uniform(0.3, 1.0))
        return moves.path(Wave(middle, amplitude, wave.frequency, wave.phase), moves.size, _CHANGE)

    def _copy(self, followed: Path, *, centre: Wave | None = None, route: Route | None = None) -> Path:
        """How a look-alike moves, as seen by what it follows."""
        moves = self.moves
        centre = moves.wave(0.15 * moves.size, (30, 150), 2) if centre is None else centre
        return moves.path(centre, moves.other_size(*_SIZE), _CHANGE, follow=followed, route=route)

    def _screen(self, target: Path, route: Route) -> Path:
        still = random_wave(self.rng, 0.0, (1, 2), 2)
        return self.moves.path(still, self.moves.other_size(*_SCREEN), _CHANGE, follow=target, route=route)

    def _beside(self, angle: float | None = None) -> Wave:
        """Roaming about a place beside the target, in any direction or about in that of `angle`."""
        rng, size = self.rng, self.moves.size
        angle = rng.uniform(-np.pi, np.pi) if angle is None else angle + rng.uniform(-1.2, 1.2)
        return self.moves.wave(0.4 * size, (40, 150), 2, offset=size * rng.uniform(*_NEAR) * _direction(angle))

    def _weave(self) -> Route:
        """From one side of the target to about the opposite one, and back, until the end."""
        rng, moves = self.rng, self.moves
        angle, time = rng.uniform(-np.pi, np.pi), rng.uniform(0, 15)
        times, points = [time], [moves.size * rng.uniform(*_NEAR) * _direction(angle)]
        while times[-1] < self.config.length:
            angle += np.pi + rng.uniform(-0.45, 0.45)
            times.append(times[-1] + rng.uniform(24, 48) / moves.speed)
            points.append(moves.size * rng.uniform(*_NEAR) * _direction(angle))
        return Route(np.array(times), np.array(points))

    def _cover(self, hidden: list[tuple[float, float]]) -> Route:
        """Over the target in each of these spans of frames, and through to the other side."""
        rng, size = self.rng, self.moves.size
        angle = rng.uniform(-np.pi, np.pi)
        times, points = [], []
        free = np.diff([0.0, *np.ravel(hidden), self.config.length])[::2]  # between them, and at both ends
        for (start, end), before, after in zip(hidden, free[:-1], free[1:], strict=True):
            come, go = np.minimum(rng.uniform(12, 20, 2) / self.moves.speed, 0.45 * np.array([before, after]))
            times += [start - come, start, end, end + go]
            points += [size * away * _direction(angle) for away in (rng.uniform(2.2, 3.0), 0.1, -0.1)]
            angle += np.pi + rng.uniform(-0.6, 0.6)
            points.append(size * rng.uniform(2.2, 3.0) * _direction(angle))
        return Route(np.array(times), np.array(points))

    def _trip(self, stage: Path, outward: Float[np.ndarray, "2"], gone: Float[np.ndarray, "2"]) -> Route:
        """Out of the view, for as long as `gone` says, and back to the stage."""
        border = self.moves.frame / 2 * (1 + outward)
        inside = max(float((border - stage.position(time)) @ outward) for time in np.linspace(gone[0], gone[1], 20))
        away = (inside + self.moves.size) * outward
        come, go = self.rng.uniform(12, 22, 2) / self.moves.speed
        times = np.array([gone[0] - go, gone[0], gone[1], gone[1] + come])
        return Route(times, np.array([np.zeros(2), away, away, np.zeros(2)]))


def _direction(angle: float) -> Float[np.ndarray, "2"]:
    return np.array([np.cos(angle), np.sin(angle)])


_SCRIPTS: Mapping[Scenario, Callable[[_Director], _Script]] = {
    "crossing": _Director.crossing,
    "occlusion": _Director.occlusion,
    "absence": _Director.absence,
}
