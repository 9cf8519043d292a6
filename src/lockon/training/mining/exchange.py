"""The file in which the reference implementation keeps what it mined: one JSON object, a sequence an entry.

Only frames of the categories G, H, J and K are in it. Coordinates are cells `(row, col)`, indices are frame numbers
from 0.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from lockon.files import replacing
from lockon.training.mining.categories import CATEGORIES, PAIRS, Category
from lockon.training.mining.dump import MinedDump, MinedSequence

_STORED = (Category.G, Category.H, Category.J, Category.K)


def export(dump: MinedDump, path: Path) -> int:
    """Write the file, and return how many frames are in it.

    Args:
        dump: what was mined.
        path: of the JSON file.

    Raises:
        OutputError: it cannot be written.
    """
    count = 0
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        for number, sequence in enumerate(dump.sequences):
            entry = _entry(dump, sequence)
            count += len(entry["index"])
            file.write(f"{', ' if number else '{'}{json.dumps(sequence.name)}: {json.dumps(entry)}\n")
        file.write("}\n")
    return count


def _entry(dump: MinedDump, sequence: MinedSequence) -> dict[str, Any]:
    codes = {CATEGORIES.index(category) for category in _STORED}
    rows = [row for row in sequence.rows if dump.codes[row] in codes]
    candidates = [dump.candidates.of(row) for row in rows]
    first, end = sequence.rows.start, sequence.rows.stop
    return {
        "search_area_box": dump.regions[rows].tolist(),
        "index": dump.numbers[rows].tolist(),
        "target_anno_coord": dump.target_cells[rows].tolist(),
        "target_candidate_scores": [scores.tolist() for _, scores in candidates],
        "target_candidate_coords": [cells.tolist() for cells, _ in candidates],
        "frame_states": {
            category: dump.numbers[_within(dump.categories[category], first, end)].tolist() for category in _STORED
        },
        "subseq_states": {name: dump.numbers[_within(dump.pairs[name], first, end)].tolist() for name in PAIRS},
    }


def _within(rows: Int[np.ndarray, "rows"], first: int, end: int) -> Int[np.ndarray, "some"]:
    """Those of ascending rows that are from `first` on and before `end`."""
    return rows[slice(*np.searchsorted(rows, [first, end]))]
