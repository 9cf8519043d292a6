"""Mined frames made by hand, and dumps of them."""

import json

import numpy as np

from lockon.boxes import Box
from lockon.training.mining import MinedFrame, Thresholds
from lockon.training.mining.dump import FORMAT, MANIFEST
from lockon.training.mining.frames import annotation_cell
from lockon.training.mining.shards import shard_path
from lockon.training.mining.writing import ShardWriter

CELLS = 17
REGION = Box(20, 10, 159, 159)
"""The search area covers [20, 180) × [10, 170): ten pixels a cell."""


def at_cell(row, col, size=20.0):
    """A box whose centre is nearest to a cell of the score map."""
    return Box(REGION.x + 10 * col - size / 2, REGION.y + 10 * row - size / 2, size, size)


def mined_frame(sequence="a", frame=1, peaks=(), target=(8, 8), visible=True, identities=()):
    """A frame with the given peaks `(row, col, score)`, and its target at a cell."""
    score_map = np.zeros((CELLS, CELLS), np.float32)
    for row, col, score in peaks:
        score_map[row, col] = score
    box = None if target is None else at_cell(*target)
    rng = np.random.default_rng([len(sequence), frame])
    return MinedFrame(
        sequence=sequence,
        frame=frame,
        frame_size=(240, 320),
        region=REGION,
        image=rng.integers(0, 256, (40, 40, 3), dtype=np.uint8),
        image_area=Box(10, 0, 180, 180),
        score_map=score_map,
        candidate_cells=np.zeros((0, 2), np.int32),
        candidate_scores=np.zeros(0, np.float32),
        target_box=box,
        target_cell=None if box is None else annotation_cell(box, REGION, CELLS),
        visible=visible and box is not None,
        identities=np.array(identities, np.float32).reshape(-1, 4),
    )


def write_dump(root, *shards, thresholds=None):
    """A dump with the given shards, each a list of sequences, each a list of frames; candidates are found anew."""
    thresholds = thresholds or Thresholds()
    root.mkdir(parents=True, exist_ok=True)
    numbers = [0, *np.cumsum([len(shard) for shard in shards]).tolist()]
    known = {"candidate": thresholds.candidate, "found": thresholds.found}
    tracker = {"name": "toy", "preset": {"search": {"sample_size": 256}}}
    about = {"format": FORMAT, "tracker": tracker, "thresholds": known, "shards": numbers[:-1]}
    (root / MANIFEST).write_text(json.dumps(about))
    for number, sequences in enumerate(shards):
        with ShardWriter(shard_path(root, number), thresholds.candidate) as writer:
            for place, frames in enumerate(sequences):
                writer.add(numbers[number] + place, frames)
            writer.finish()
    return root
