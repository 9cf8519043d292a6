import pytest
import torch
from golden_data import GoldenArrays

from lockon.boxes import xyxy_to_xywh
from lockon.nn.prpool import prroi_pool


@pytest.mark.parametrize("setting", range(5))
def test_values_and_gradients_equal_the_published_definition(setting: int) -> None:
    golden = GoldenArrays("prroi_pool")
    features = golden["features"].double().requires_grad_()
    image = golden["rois"][:, 0].long()
    corners = golden["rois"][:, 1:].double().requires_grad_()
    rows, cols, scale = golden["cfg_ph_pw_scale"][setting].tolist()
    boxes = xyxy_to_xywh(corners).expand(len(features), -1, -1)
    pooled = prroi_pool(features, boxes, (int(rows), int(cols)), scale)[image, torch.arange(len(image))]
    golden.check(f"out_{setting}", pooled)
    loss = (pooled * golden[f"cotangent_{setting}"]).sum()
    by_features, by_corners = torch.autograd.grad(loss, (features, corners))
    golden.check(f"grad_features_{setting}", by_features)
    golden.check(f"grad_rois_{setting}", torch.cat([torch.zeros(len(image), 1), by_corners], dim=1))
    degenerate = int(golden["num_degenerate_at_end"])
    assert not pooled[-degenerate:].any()
    assert not by_corners[-degenerate:].any()
