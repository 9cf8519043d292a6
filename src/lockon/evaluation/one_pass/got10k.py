"""The rules of the GOT-10k toolkit for OTB, NFS, UAV123, LaSOT and others (those of GOT-10k itself are elsewhere)."""

from __future__ import annotations

import numpy as np

from lockon.evaluation.geometry import centre_error, overlap_up_to_one, scaled_centre_error, unknown
from lockon.evaluation.one_pass.base import Frames, RuleSet, start_as_annotated
from lockon.evaluation.one_pass.cases import Case


def judge(case: Case) -> Frames:
    """Frames whose annotation is NaN count nowhere; flags are ignored; nothing is repaired."""
    frames = min(len(case.truth), len(case.track.boxes))
    missing = len(case.truth) - frames
    truth, predicted = case.truth[:frames], start_as_annotated(case.truth, case.track.boxes[:frames])
    known = ~unknown(truth)
    truth, predicted = truth[known], predicted[known]
    # Subtracted before divided, unlike in most toolkits: ties fall differently.
    sizes = np.maximum(truth[:, 2], 1), np.maximum(truth[:, 3], 1)
    return Frames(
        overlaps=overlap_up_to_one(predicted, truth),
        errors=centre_error(truth, predicted),
        normalised_errors=scaled_centre_error(truth, predicted, *sizes),
        count=len(truth),
        remark=f"{missing} of {len(case.truth)} frames have no box; both were cut" if missing else None,
    )


GOT10K = RuleSet(
    name="got10k",
    summary="frames with NaN annotation are left out; lengths are cut to the shorter; nothing is repaired",
    judge=judge,
)
