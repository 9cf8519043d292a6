"""Boxes: reading, conversions, overlaps, clipping."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lockon.boxes import Box, clip, cxcywh_to_xywh, giou, iou, xywh_to_cxcywh, xywh_to_xyxy, xyxy_to_xywh
from lockon.errors import BoxError

place, length = st.floats(-50, 50, width=32), st.floats(0.5, 40, width=32)
boxes = st.tuples(place, place, length, length).map(lambda values: torch.tensor(values, dtype=torch.float64))


@pytest.mark.parametrize("values", ["1,2,3,4", "1 2 3 4", (1, 2, 3, 4)])
def test_a_box_is_read_from_text_and_numbers(values):
    assert Box.parse(values) == (1, 2, 3, 4)


@pytest.mark.parametrize("values", ["1,2,3", "a,b,c,d", "1,2,0,4", "1,2,3,-4", "nan,2,3,4", "1,inf,3,4"])
def test_what_is_no_box_is_refused(values):
    with pytest.raises(BoxError, match="x,y,w,h"):
        Box.parse(values)


@given(boxes)
def test_conversions_are_inverse(box):
    assert xyxy_to_xywh(xywh_to_xyxy(box)).tolist() == pytest.approx(box.tolist(), abs=1e-4)
    assert cxcywh_to_xywh(xywh_to_cxcywh(box)).tolist() == pytest.approx(box.tolist(), abs=1e-4)


def test_overlaps_of_known_boxes():
    a = torch.tensor([[0.0, 0, 4, 4]])
    b = torch.tensor([[2.0, 0, 4, 4], [0, 0, 4, 4], [6, 0, 4, 4]])
    assert iou(a, b).tolist() == pytest.approx([8 / 24, 1, 0])
    # Apart, the share of the hull that neither covers counts against them.
    assert giou(a, b).tolist() == pytest.approx([8 / 24, 1, -8 / 40])


def test_boxes_without_area_overlap_nothing():
    nothing = torch.tensor([1.0, 1, 0, 0])
    assert iou(nothing, nothing) == 0
    assert torch.isfinite(giou(nothing, nothing))


@given(boxes, boxes)
def test_overlaps_are_symmetric_and_bounded(a, b):
    assert 0 <= iou(a, b) <= 1 + 1e-6
    assert -1 - 1e-6 <= giou(a, b) <= iou(a, b) + 1e-6
    assert float(giou(a, b)) == pytest.approx(float(giou(b, a)), abs=1e-5)


@given(boxes)
def test_a_clipped_box_is_the_part_on_the_image(box):
    image = torch.tensor([0.0, 0, 30, 20], dtype=torch.float64)
    part = clip(box, 30, 20)
    covered = float(part[2] * part[3])
    share = float(iou(box, image))
    assert covered == pytest.approx(share / (1 + share) * float(box[2] * box[3] + 600))
    assert clip(part, 30, 20).tolist() == pytest.approx(part.tolist())
    assert clip(image, 30, 20).tolist() == image.tolist()
