"""What the short-term protocols share: annotation, image sizes, and the overlaps of a run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from lockon.data.testsets.base import RegionTruth, TestSequence, TestSet
from lockon.errors import DataError
from lockon.evaluation.tracks import Code, RegionTrack
from lockon.evaluation.vot.raster import Bounds, Overlaps
from lockon.regions import Region

UNBOUNDED = "The sizes of the images are not known for all sequences; there, regions are not cut off at the border."


def region_truth(sequence: TestSequence, test_set: TestSet) -> RegionTruth:
    """The annotated regions of a sequence.

    Raises:
        DataError: it is annotated otherwise, or not in every frame.
    """
    truth = sequence.truth
    if not isinstance(truth, RegionTruth):
        raise DataError(
            f"'{sequence.name}' of {test_set.title} is not annotated with regions; "
            f"assess it by the protocol '{test_set.protocol}'."
        )
    if len(truth.regions) != len(sequence):
        raise DataError(
            f"'{sequence.name}' of {test_set.title} has {len(truth.regions)} annotated regions and {len(sequence)} "
            "frames. Unpack the data set anew."
        )
    return truth


def size_of_images(sequence: TestSequence) -> Bounds | None:
    """Width and height of the images, if there is a way to know them."""
    return sequence.size_of_images() if sequence.image_size or sequence.has_images else None


def name_of(tracker: str, sequence: TestSequence, track: RegionTrack) -> str:
    """How messages call the result of a tracker on a sequence."""
    return f"the result of '{tracker}' on '{sequence.name}'" + (f" ({track.path})" if track.path else "")


def check_run(track: RegionTrack, length: int, label: str) -> None:
    """Check that a run is complete and begins with a start.

    Raises:
        DataError: it is not, or does not.
    """
    if len(track.regions) != length:
        raise DataError(
            f"{label} has {len(track.regions)} lines where the run has {length} frames. "
            "Is it complete, and of this sequence? Delete it and repeat the run."
        )
    if track.regions[0] is not Code.START:
        raise DataError(
            f"{label} does not begin with the code 1 of a start; line 1 is what VOT's raw results say so by."
        )


def overlaps_of_run(
    truth: Sequence[Region], regions: Sequence[Region | Code], rule: Overlaps, bounds: Bounds | None, label: str
) -> Float[np.ndarray, "frames"]:
    """Overlap per frame; NaN where the run has a code in place of a region.

    Raises:
        DataError: a region does not fit the rule.
    """
    overlaps = np.full(len(regions), np.nan)
    pairs = {
        index: (annotated, region)
        for index, (annotated, region) in enumerate(zip(truth, regions, strict=True))
        if not isinstance(region, Code)
    }
    if pairs:
        annotated, found = zip(*pairs.values(), strict=True)
        try:
            overlaps[list(pairs)] = rule(annotated, found, bounds)
        except DataError as error:
            raise DataError(f"{label}: {error}") from error
    return overlaps
