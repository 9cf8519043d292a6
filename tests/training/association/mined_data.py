"""Mined frames of a made-up world in memory: coloured squares that move, each of them a candidate."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from lockon.boxes import Box
from lockon.training.association.drawing import MinedSource
from lockon.training.mining import CATEGORIES, PAIRS, MinedFrame, MinedSequence
from lockon.training.mining.categories import CandidateLists, categorise, find_pairs

FRAME = (120, 160)
REGION = Box(16, -4, 127, 127)
"""128 pixels a side; a part of it is above the frame."""
SIDE = 17
SQUARE = 20


def mined(cells, scores, *, target=0, visible=True, look_alikes=(), number=0, sequence="a", region=REGION):
    """A frame with candidates at cells; `target` is the candidate that is annotated."""
    cells = np.array(cells, np.int64).reshape(-1, 2)
    scores = np.array(scores, np.float32)
    score_map = np.zeros((SIDE, SIDE), np.float32)
    score_map[tuple(cells.T)] = scores
    box = None if target is None else box_at(cells[target], region)
    return MinedFrame(
        sequence=sequence,
        frame=number,
        frame_size=FRAME,
        region=region,
        image=np.random.default_rng(number).integers(0, 255, (140, 140, 3), dtype=np.uint8),
        image_area=Box(region.x - 6, region.y - 6, region.w + 13, region.h + 13),
        score_map=score_map,
        candidate_cells=cells,
        candidate_scores=scores,
        target_box=box,
        target_cell=None if target is None else tuple(int(value) for value in cells[target]),
        visible=visible,
        identities=np.array([box_at(cells[other], region) for other in look_alikes]).reshape(-1, 4),
    )


def box_at(cell, region=REGION, size=SQUARE):
    """The box whose centre lies on a cell."""
    y = region.y + cell[0] * (region.h + 1) / (SIDE - 1)
    x = region.x + cell[1] * (region.w + 1) / (SIDE - 1)
    return Box(x - size / 2, y - size / 2, size, size)


@dataclass
class FakeDump:
    """As a `MinedDump`, of frames at hand."""

    frames: list
    sample_size: int = 64
    root: Path = Path("fake")
    fingerprint: str = "fake"
    found: float = 0.25

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, index):
        return self.frames[index]

    @cached_property
    def sequences(self):
        names = [frame.sequence for frame in self.frames]
        firsts = [row for row, name in enumerate(names) if row == 0 or names[row - 1] != name]
        ends = [*firsts[1:], len(names)]
        return tuple(
            MinedSequence(names[first], number, range(first, end))
            for number, (first, end) in enumerate(zip(firsts, ends, strict=True))
        )

    @cached_property
    def candidate_counts(self):
        return np.array([len(frame.candidate_cells) for frame in self.frames])

    @cached_property
    def codes(self):
        lists = CandidateLists(
            np.concatenate([frame.candidate_cells for frame in self.frames]),
            np.concatenate([frame.candidate_scores for frame in self.frames]),
            self.candidate_counts,
        )
        cells = np.array([frame.target_cell or (-1, -1) for frame in self.frames])
        visible = np.array([frame.visible for frame in self.frames])
        return categorise(lists, cells, visible, self.found)

    @cached_property
    def categories(self):
        return {category: np.flatnonzero(self.codes == code) for code, category in enumerate(CATEGORIES)}

    @cached_property
    def _numbers(self):
        owners = np.repeat(np.arange(len(self.sequences)), [len(each.rows) for each in self.sequences])
        return owners, np.array([frame.frame for frame in self.frames])

    @cached_property
    def pairs(self):
        return {name: find_pairs(self.codes, self.successive, parts) for name, parts in PAIRS.items()}

    @cached_property
    def successive(self):
        owners, numbers = self._numbers
        return np.flatnonzero((np.diff(owners) == 0) & (np.diff(numbers) == 1))


def squares(sequences=4, frames=12, objects=4, seed=0):
    """A dump of sequences with moving squares of their own colours; the first is the target, mostly the highest."""
    rng = np.random.default_rng(seed)
    found = []
    for sequence in range(sequences):
        colours = rng.integers(0, 255, (objects, 3))
        homes = np.array([[3, 3], [3, 12], [12, 3], [12, 12]])[rng.permutation(4)[:objects]]
        for number in range(frames):
            cells = homes + rng.integers(-1, 2, (objects, 2))
            scores = np.clip(np.array([0.8, 0.5, 0.4, 0.3])[:objects] + 0.2 * rng.standard_normal(objects), 0.06, 1)
            order = np.argsort(-scores)
            frame = mined(cells, scores, number=number + 1, sequence=f"s{sequence}", look_alikes=range(1, objects))
            for cell, colour in zip(cells, colours, strict=True):
                box = box_at(cell)
                x, y = round(box.x - frame.image_area.x), round(box.y - frame.image_area.y)
                frame.image[y : y + SQUARE, x : x + SQUARE] = colour
            found.append(reordered(frame, order))
    return FakeDump(found)


def reordered(frame, order):
    """The same with its candidates in the order of their scores."""
    from dataclasses import replace

    return replace(
        frame, candidate_cells=frame.candidate_cells[order], candidate_scores=frame.candidate_scores[order]
    )


def whole(dump):
    """All of it, as a source."""
    return MinedSource(dump, np.ones(len(dump), np.bool_))
