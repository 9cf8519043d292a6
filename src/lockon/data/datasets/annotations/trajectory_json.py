"""Lockon's own JSON trajectories, as `lockon track --save` writes them."""

from __future__ import annotations

from pathlib import Path

from lockon.boxes import Box
from lockon.data.datasets.annotations.base import Annotation, Observation, parse_box
from lockon.trajectory import read_json


def read_trajectory(path: Path) -> Annotation:
    """Read the boxes of a trajectory; a target that the tracker did not think present is not visible.

    Raises:
        DataError: it is malformed.
    """
    found = []
    for result in read_json(path).results:
        for target, one in enumerate(result):
            where = f"'{path}', frame {one.frame}, target {target}"
            box = parse_box(Box(*one.box), where)
            if box is not None:
                visible = bool(one.present) and box.w > 0 and box.h > 0
                found.append(Observation(where, None, one.frame, None, str(target), None, box, visible))
    return Annotation(path=path, observations=tuple(found))
