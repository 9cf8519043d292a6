import pytest
import torch

from lockon.nn.distance_map import gaussian_map, radial_map, squared_distance_map


def test_learned_function_is_the_sum_of_triangular_bases():
    centres = torch.tensor([[[2.5, 3.25], [0.0, 1.0]], [[4.0, -3.0], [1.1, 2.2]]], dtype=torch.float64)
    profile = torch.randn(30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    spacing = 0.2
    distance = squared_distance_map(centres, (6, 7)).sqrt()[..., None] / spacing
    bases = (1 - (distance - torch.arange(30)).abs()).clamp(min=0)
    bases[..., -1] = (1 + distance[..., 0] - 29).clamp(0, 1)  # the last one saturates

    values = radial_map(profile, centres, (6, 7), spacing=spacing)

    assert values.shape == (2, 2, 6, 7)
    torch.testing.assert_close(values, bases @ profile)


@pytest.mark.parametrize(
    ("cell", "weights"), [((2, 3), {5: 0.40983, 6: 0.59017}), ((0, 0), {41: 0.996948, 42: 0.003052})]
)
def test_distance_basis_check_values(cell, weights):
    centre = torch.tensor([2.5, 3.25])
    for knot in range(38, 45) if cell == (0, 0) else range(3, 9):
        one_knot = torch.zeros(100)
        one_knot[knot] = 1
        value = radial_map(one_knot, centre, (6, 6), spacing=0.1)[cell].item()
        assert value == pytest.approx(weights.get(knot, 0.0), abs=2e-5)


def test_last_value_holds_beyond_the_last_knot():
    profile = torch.tensor([0.0, 1.0, 5.0])

    values = radial_map(profile, torch.tensor([0.0, 0.0]), (1, 8), spacing=1.0)

    assert values.tolist() == [[0.0, 1.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0]]


def test_profile_is_learned_through_the_map():
    centres = torch.tensor([[0.3, 1.7]], dtype=torch.float64)
    profile = torch.linspace(1, 0, 8, dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradcheck(lambda p: radial_map(p, centres, (4, 5), spacing=0.6), [profile])


def test_training_label_check_value():
    centre_yx = torch.tensor([(100 + 60 / 2) / 16, (120 + 40 / 2) / 16])

    label = gaussian_map(centre_yx, (19, 19), sigma=0.9)

    assert divmod(int(label.argmax()), 19) == (8, 9)
    assert label.max().item() == pytest.approx(0.9529, abs=5e-5)
