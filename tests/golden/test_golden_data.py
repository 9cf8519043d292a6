import pytest
from golden_data import DIMP_NETS, formula_weights, recipe


@pytest.mark.parametrize("net", ["atom_resnet18", *DIMP_NETS, "keep_track_matching", "lwl", "rts50", "sta"])
def test_formula_weights_have_the_recorded_sums_and_norms(net: str) -> None:
    expected = recipe()["networks"][net]["state_dict"]
    for key, tensor in formula_weights(net).items():
        shape, total, norm = expected[key]
        assert list(tensor.shape) == shape
        assert float(tensor.double().norm()) == pytest.approx(norm, rel=1e-6), key
        assert float(tensor.double().sum()) == pytest.approx(total, abs=1e-6 * max(norm, 1)), key
