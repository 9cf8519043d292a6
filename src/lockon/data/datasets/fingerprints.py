"""A number for what is learned from: equal where names, lengths and annotations are, whatever holds the pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from lockon.data.datasets.base import TargetSequence


def annotation_digest(sequences: Iterable[TargetSequence]) -> str:
    """SHA-256 (hex) over name, category, boxes (as float32) and visibility of each sequence, in order."""
    digest = hashlib.sha256()
    for sequence in sequences:
        category = "" if sequence.category is None else sequence.category
        for text in (sequence.name, category):
            encoded = text.encode(errors="surrogateescape")
            digest.update(len(encoded).to_bytes(8, "little") + encoded)
        boxes = np.where(np.isnan(sequence.boxes), np.nan, sequence.boxes).astype("<f4")  # one NaN for all
        digest.update(len(boxes).to_bytes(8, "little") + boxes.tobytes())
        digest.update(np.asarray(sequence.visible, dtype=np.uint8).tobytes())
    return digest.hexdigest()
