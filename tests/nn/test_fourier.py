import math

import pytest
import torch

from lockon.nn.fourier import hann_window, hann_window_origin, interpolation_matrix


def test_interpolation_matrix_check_values():
    matrix = interpolation_matrix(18, 288)

    assert matrix[144, 9].item() == pytest.approx(1.0555556, abs=1e-6)
    assert matrix[144, 8].item() == pytest.approx(-0.0555556, abs=1e-6)
    assert matrix[152, 9].item() == pytest.approx(0.6350029, abs=1e-6)


@pytest.mark.parametrize("kernel_size", [3, 4])
@pytest.mark.parametrize("cells", [17, 18])
def test_interpolation_equals_the_fourier_chain(cells, kernel_size):
    """Spectrum, half-period shift and kernel shift, inverse transform on the fine grid, roll to the centre."""
    samples = 64
    scores = torch.randn(cells, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    frequency = torch.arange(-(cells // 2), cells // 2 + 1)
    spectrum = torch.fft.fft(scores)[frequency % cells]
    shift = torch.polar(torch.ones(()).double(), math.pi * (1 - kernel_size % 2 / cells) * frequency.double())
    padded = torch.zeros(samples, dtype=torch.complex128)
    padded[frequency % samples] = spectrum * shift / cells
    expected = (torch.fft.ifft(padded) * samples).real.roll(samples // 2)

    matrix = interpolation_matrix(cells, samples, kernel_size=kernel_size, dtype=torch.float64)

    torch.testing.assert_close(matrix @ scores, expected)


def test_an_odd_number_of_cells_is_reproduced_and_lies_where_stated():
    scores = torch.randn(17, generator=torch.Generator().manual_seed(1))

    fine = interpolation_matrix(17, 17 * 4) @ scores
    half_later = interpolation_matrix(17, 17 * 4, kernel_size=3) @ scores

    torch.testing.assert_close(fine[::4], scores, atol=1e-5, rtol=0)
    torch.testing.assert_close(half_later[2::4], scores, atol=1e-5, rtol=0)


def test_hann_windows():
    assert hann_window(5).tolist() == pytest.approx([0.25, 0.75, 1, 0.75, 0.25])
    assert hann_window_origin(6).tolist() == pytest.approx([1, 0.8535534, 0.5, 0.1464466, 0.5, 0.8535534])
    assert hann_window_origin(5).tolist() == pytest.approx([1, 0.8117449, 0.3887395, 0.3887395, 0.8117449])
