import torch

from lockon.nn.layers import InstanceL2Norm, power_normalize


def test_instance_norm_gives_every_image_the_norm_its_scale_says() -> None:
    x = torch.randn(3, 256, 18, 18) * torch.tensor([0.1, 1.0, 30.0])[:, None, None, None]
    normed = InstanceL2Norm(scale=1 / 64)(x)
    torch.testing.assert_close(normed.flatten(1).norm(dim=1), torch.full((3,), 4.5))
    torch.testing.assert_close(normed[1] / normed[1, 0, 0, 0], x[1] / x[1, 0, 0, 0], rtol=1e-4, atol=1e-4)


def test_power_normalisation_gives_every_image_unit_mean_square() -> None:
    x = torch.randn(2, 8, 6, 5) * torch.tensor([0.1, 30.0])[:, None, None, None]
    torch.testing.assert_close(power_normalize(x).square().mean(dim=(1, 2, 3)), torch.ones(2))
    assert power_normalize(torch.zeros(1, 2, 3, 3)).isfinite().all()
