"""One-pass evaluation (OPE): how well one track follows one annotated sequence.

Wu, Lim and Yang, "Object Tracking Benchmark", PAMI 2015 (success and precision); Müller et al., "TrackingNet", ECCV
2018 (normalised precision). Pure functions of annotation and prediction: boxes `(x, y, w, h)` in pixels, one row a
frame, the annotation NaN where the target is absent.

Toolkits disagree on details. Here, as in the GOT-10k toolkit's OPE: absent frames are left out of numerator and
denominator, the start frame counts as a perfect hit, overlaps must *exceed* a threshold, errors must not exceed it,
and a data set's score is the mean over its sequences. A perfect track therefore has a success AUC of 20/21, not 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from lockon.boxes import iou
from lockon.errors import DataError

# Divided, not accumulated: boxes with integer sizes give overlaps and errors that lie exactly on a threshold.
SUCCESS_THRESHOLDS = np.arange(21) / 20
"""Overlaps 0, 0.05 … 1."""
PRECISION_THRESHOLDS = np.arange(51, dtype=np.float64)
"""Centre errors 0, 1 … 50 pixels."""
NORMALISED_THRESHOLDS = np.arange(51) / 100
"""Normalised centre errors 0, 0.01 … 0.5."""


@dataclass(frozen=True, slots=True)
class OnePassScores:
    """The three curves of one-pass evaluation, each a share of frames in [0, 1] per threshold."""

    success: Float[np.ndarray, "21"]
    """Share of frames whose overlap exceeds each of `SUCCESS_THRESHOLDS`."""
    precision: Float[np.ndarray, "51"]
    """Share of frames whose centre error is within each of `PRECISION_THRESHOLDS`."""
    normalised_precision: Float[np.ndarray, "51"]
    """Share of frames whose centre error in target sizes is within each of `NORMALISED_THRESHOLDS`."""

    @property
    def success_auc(self) -> float:
        """Mean of the success curve: the one number OTB, LaSOT, NFS and UAV123 rank by."""
        return float(self.success.mean())

    @property
    def precision_at_20(self) -> float:
        """Share of frames whose centre is within 20 pixels."""
        return float(self.precision[20])

    @property
    def normalised_precision_at_20(self) -> float:
        """Share of frames whose centre is within 0.20 target sizes."""
        return float(self.normalised_precision[20])


def absent_frames(ground_truth: Float[np.ndarray, "frames 4"]) -> Bool[np.ndarray, "frames"]:
    """The frames in which the annotation says that the target cannot be seen."""
    absent: Bool[np.ndarray, "frames"] = np.isnan(ground_truth).any(axis=1)
    return absent


def overlap(
    ground_truth: Float[np.ndarray, "frames 4"], predictions: Float[np.ndarray, "frames 4"]
) -> Float[np.ndarray, "frames"]:
    """Intersection over union per frame; NaN where the target is absent, 0 where only the prediction is NaN."""
    overlaps = iou(_double(ground_truth), _double(predictions)).numpy()
    return _fill_missed(overlaps, ground_truth, missed=0.0)


def centre_error(
    ground_truth: Float[np.ndarray, "frames 4"], predictions: Float[np.ndarray, "frames 4"]
) -> Float[np.ndarray, "frames"]:
    """Distance of the centres in pixels; NaN where the target is absent, infinite where only a prediction is NaN."""
    distances = np.linalg.norm(_centres(predictions) - _centres(ground_truth), axis=1)
    return _fill_missed(distances, ground_truth, missed=np.inf)


def normalised_centre_error(
    ground_truth: Float[np.ndarray, "frames 4"], predictions: Float[np.ndarray, "frames 4"]
) -> Float[np.ndarray, "frames"]:
    """Distance of the centres in units of the annotated width and height; NaN and infinite as in `centre_error`.

    Each centre is divided before they are subtracted, as the toolkits do: the other order rounds ties differently.
    A size below one pixel counts as one.
    """
    sizes = np.maximum(ground_truth[:, 2:], 1)
    distances = np.linalg.norm(_centres(predictions) / sizes - _centres(ground_truth) / sizes, axis=1)
    return _fill_missed(distances, ground_truth, missed=np.inf)


def one_pass_scores(
    ground_truth: Float[np.ndarray, "frames 4"], predictions: Float[np.ndarray, "frames 4"]
) -> OnePassScores:
    """Score one track. The prediction of frame 0, where the target is given, is replaced by the annotation.

    Raises:
        DataError: the two differ in length, are not `(frames, 4)`, or frame 0 has no annotation.
    """
    if ground_truth.shape != predictions.shape or ground_truth.ndim != 2 or ground_truth.shape[1] != 4:
        raise DataError(
            f"annotation and prediction need the same shape (frames, 4); got {ground_truth.shape} and "
            f"{predictions.shape}. Is the track complete, and of this sequence?"
        )
    absent = absent_frames(ground_truth)
    if absent[:1].all():
        raise DataError(
            "frame 0 has no annotated target to start from; cut the sequence to where the target appears."
        )
    truth, predicted = ground_truth[~absent], predictions[~absent].copy()
    predicted[0] = truth[0]
    return OnePassScores(
        success=(overlap(truth, predicted)[:, None] > SUCCESS_THRESHOLDS).mean(axis=0),
        precision=(centre_error(truth, predicted)[:, None] <= PRECISION_THRESHOLDS).mean(axis=0),
        normalised_precision=(normalised_centre_error(truth, predicted)[:, None] <= NORMALISED_THRESHOLDS).mean(
            axis=0
        ),
    )


def mean_scores(scores: Sequence[OnePassScores]) -> OnePassScores:
    """Mean curves over sequences (or runs), each with equal weight whatever its length.

    Raises:
        DataError: there is nothing to average.
    """
    if not scores:
        raise DataError("there are no scores to average; evaluate at least one sequence.")
    return OnePassScores(
        success=np.mean([score.success for score in scores], axis=0),
        precision=np.mean([score.precision for score in scores], axis=0),
        normalised_precision=np.mean([score.normalised_precision for score in scores], axis=0),
    )


def false_presence_rate(
    ground_truth: Float[np.ndarray, "frames 4"], present: Bool[np.ndarray, "frames"]
) -> float | None:
    """Share of the absent frames that the tracker calls present; None for a sequence without absent frames."""
    absent = absent_frames(ground_truth)
    return float(present[absent].mean()) if absent.any() else None


def _double(boxes: Float[np.ndarray, "frames 4"]) -> Float[torch.Tensor, "frames 4"]:
    return torch.from_numpy(np.asarray(boxes, dtype=np.float64))


def _centres(boxes: Float[np.ndarray, "frames 4"]) -> Float[np.ndarray, "frames 2"]:
    # The toolkits' pixel-centre convention. It matters: half a pixel shifts a centre by (size difference) / 2.
    return boxes[:, :2] + (boxes[:, 2:] - 1) / 2


def _fill_missed(
    values: Float[np.ndarray, "frames"], ground_truth: Float[np.ndarray, "frames 4"], missed: float
) -> Float[np.ndarray, "frames"]:
    filled: Float[np.ndarray, "frames"] = np.where(np.isnan(values) & ~absent_frames(ground_truth), missed, values)
    return filled
