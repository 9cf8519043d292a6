"""The forms of raw results that can be read."""

from __future__ import annotations

from collections.abc import Mapping

from lockon.evaluation.formats.base import Layout
from lockon.evaluation.formats.boxes import find_boxes, find_lasot, read_boxes
from lockon.evaluation.formats.got10k import find_got10k, read_got10k
from lockon.evaluation.formats.masks import find_masks, read_masks
from lockon.evaluation.formats.otb_mat import find_otb_mat, read_otb_mat
from lockon.evaluation.formats.oxuva import find_oxuva, read_oxuva
from lockon.evaluation.formats.pytracking import find_pytracking, read_pytracking
from lockon.evaluation.formats.vot import find_longterm, find_multistart, find_supervised, read_vot

_PYTRACKING = Layout("TRACKER/PARAMETERS[_RUN]/SEQUENCE.txt", find_pytracking, read_pytracking)
_LASOT = Layout("TRACKER_tracking_result/SEQUENCE.txt", find_lasot, read_boxes)
_BOXES = Layout("TRACKER/SEQUENCE.txt", find_boxes, read_boxes)
_OTB_MAT = Layout("TRACKER/SEQUENCE.mat or SEQUENCE_TRACKER.mat", find_otb_mat, read_otb_mat)
_GOT10K = Layout("TRACKER/SEQUENCE/SEQUENCE_001.txt", find_got10k, read_got10k)
_OXUVA = Layout("TRACKER/VIDEO_OBJECT.csv", find_oxuva, read_oxuva)
_MASKS = Layout("TRACKER/SEQUENCE/FRAME.png", find_masks, read_masks)

_VOT = {
    "vot_supervised": Layout("TRACKER/baseline/SEQUENCE/SEQUENCE_001.txt", find_supervised, read_vot),
    "vot_multistart": Layout("TRACKER/baseline/SEQUENCE/SEQUENCE_00000000.txt", find_multistart, read_vot),
    "vot_longterm": Layout("TRACKER/longterm/SEQUENCE/SEQUENCE_001.txt", find_longterm, read_vot),
}
_MASK_PROTOCOLS = dict.fromkeys(("davis", "youtube_vos"), _MASKS)
_TOOLKIT = {"one_pass": _BOXES, "got10k": _GOT10K} | _VOT

FORMATS: Mapping[str, Mapping[str, Layout]] = {
    "lasot": {"one_pass": _LASOT},
    "vot": _VOT,
    "oxuva": {"oxuva": _OXUVA},
    "masks": _MASK_PROTOCOLS,
    "otb_mat": {"one_pass": _OTB_MAT},
    "pytracking": dict.fromkeys(("one_pass", "got10k", "identity"), _PYTRACKING)
    | {"oxuva": _OXUVA}
    | _MASK_PROTOCOLS,
    "text": dict.fromkeys(("one_pass", "got10k", "identity"), _BOXES),
    "got10k": _TOOLKIT,
    "pysot": _TOOLKIT,
}
"""By name of the form, then by name of the protocol of a test set. Of those that fit a folder equally well the first
is taken, so the particular ones come before the plain ones."""


def layouts(protocol: str) -> Mapping[str, Layout]:
    """The layouts of results for a protocol by name of the form."""
    return {name: by_protocol[protocol] for name, by_protocol in FORMATS.items() if protocol in by_protocol}
