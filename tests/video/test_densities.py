"""Drawing of predicted densities: where things lie, what the colours mean, and that any image will do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lockon.boxes import Box
from lockon.types import BoxDensity, Result, Status
from lockon.video import draw_density, target_color
from lockon.video.densities import colormap

CELLS, STEPS = 17, 41
GREY = np.full((720, 1280, 3), 90, np.uint8)
ABOVE_INSET = slice(0, 410)
BOX = Box(840, 240, 80, 60)


def spot(size, at, sigma=1.0):
    """A density with one mode at (column, row)."""
    columns, rows = np.meshgrid(np.arange(size), np.arange(size))
    values = np.exp(-((columns - at[0]) ** 2 + (rows - at[1]) ** 2) / (2 * sigma**2))
    return values / values.sum()


def make_density(region=(700.0, 80.0, 320.0, 320.0), mode=(8, 8), **changes):
    x, y, w, h = region
    grid = np.stack(np.meshgrid(np.linspace(x, x + w, CELLS), np.linspace(y, y + h, CELLS)), axis=-1)
    covariance = np.zeros((4, 4))
    covariance[:2, :2] = [[400.0, 90.0], [90.0, 100.0]]
    density = BoxDensity(
        centre_map=spot(CELLS, mode),
        centre_grid_xy=grid,
        centre_mean_xy=grid[mode[1], mode[0]],
        centre_covariance=np.eye(2),
        centre_entropy=np.array(2.5),
        position_slice=spot(STEPS, (20, 20), 2),
        size_slice=spot(STEPS, (20, 20), 3),
        box_mean=np.array([880.0, 270.0, 80.0, 60.0]),
        box_covariance=covariance,
        box_entropy=np.array([3.5, 4.5]),
    )
    return replace(density, **changes)


def result_of(*densities):
    if len(densities) == 1:
        return Result(1, BOX, 0.9, True, Status.FOUND, density=densities[0])
    together = BoxDensity(
        *(np.stack([getattr(one, name) for one in densities]) for name in BoxDensity.__dataclass_fields__)
    )
    count = len(densities)
    return Result(1, np.array([BOX] * count), np.ones(count), np.ones(count, bool), (Status.FOUND,) * count,
                  density=together)  # fmt: skip


def brightness(image):
    return image.astype(int).sum(axis=2)


def changed(one, other):
    """Left, top, right and bottom of the pixels that differ."""
    rows, columns = np.nonzero((one != other).any(axis=2))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_without_densities_the_image_comes_back_as_a_copy():
    drawn = draw_density(GREY, Result(0, BOX, 1.0, True, Status.FOUND))
    assert np.array_equal(drawn, GREY)
    assert not np.shares_memory(drawn, GREY)


def test_the_image_itself_is_left_alone():
    before = GREY.copy()
    drawn = draw_density(GREY, result_of(make_density()))
    assert np.array_equal(GREY, before)
    assert drawn.shape == GREY.shape
    assert drawn.dtype == np.uint8


def test_the_heat_map_covers_the_search_region_and_peaks_where_the_density_does():
    no_spread = np.zeros((4, 4))
    density = make_density(mode=(3, 12), box_covariance=no_spread)
    drawn = draw_density(GREY, result_of(density))
    assert changed(drawn[ABOVE_INSET], GREY[ABOVE_INSET]) == (700, 80, 1020, 400)
    rows, columns = np.nonzero(brightness(drawn)[ABOVE_INSET] > 470)
    # Pixel centres lie half a pixel beyond their index.
    assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((700 + 3 * 20, 80 + 12 * 20), abs=0.5)
    assert brightness(drawn)[85, 705] < 270, "where the density is zero the region is darker"


@pytest.mark.parametrize("offset", [(0.3, 0.8), (-20.5, 10.2)])
def test_heat_maps_move_with_their_region(offset):
    region = (700 + offset[0], 80 + offset[1], 320.0, 320.0)
    drawn = draw_density(GREY, result_of(make_density(region, box_mean=np.array([880.0, 600, 80, 60]))))
    light = (brightness(drawn)[ABOVE_INSET] - 270).clip(min=0)
    rows, columns = np.indices(light.shape) + 0.5
    centre = (light * columns).sum() / light.sum(), (light * rows).sum() / light.sum()
    assert centre == pytest.approx((860 + offset[0], 240 + offset[1]), abs=0.1)


def test_a_second_mode_of_a_tenth_is_seen():
    both = spot(CELLS, (4, 4)) + spot(CELLS, (12, 12)) / 10
    drawn = draw_density(GREY, result_of(make_density(centre_map=both / both.sum())))
    second, nothing = drawn[80 + 240, 700 + 240], drawn[80 + 40, 700 + 280]
    assert np.abs(second.astype(int) - nothing).max() > 30


def test_the_heat_map_has_no_holes_beside_a_sharp_peak():
    one_cell = np.zeros((CELLS, CELLS))
    one_cell[8, 8] = 1
    region = draw_density(GREY, result_of(make_density(centre_map=one_cell)))[80:400, 700:1020]
    assert (region != 90).any(axis=2).all()


@pytest.mark.parametrize("deviations", [(20, 10), (8, 25)])
@pytest.mark.parametrize("correlation", [0.45, -0.7])
def test_the_ellipse_spans_two_standard_deviations(deviations, correlation):
    x, y = deviations
    covariance = np.zeros((4, 4))
    covariance[:2, :2] = [[x * x, correlation * x * y], [correlation * x * y, y * y]]
    density = make_density(box_mean=np.array([880.0, 570.0, 80, 60]), box_covariance=covariance)
    drawn = draw_density(GREY, result_of(density))[480:, 700:]
    rows, columns = np.nonzero((drawn == target_color(0)).all(axis=2))
    assert (columns.min() + 700, columns.max() + 701) == pytest.approx((880 - 2 * x, 880 + 2 * x), abs=3)
    assert (rows.min() + 480, rows.max() + 481) == pytest.approx((570 - 2 * y, 570 + 2 * y), abs=3)
    at_the_right = rows[columns + 700 > 880 + 1.9 * x].mean() + 480
    assert at_the_right == pytest.approx(570 + 2 * correlation * y, abs=3)


def test_the_inset_stands_on_the_other_side_of_the_image():
    for mean, expected in ((880.0, slice(0, 640)), (300.0, slice(640, 1280))):
        density = make_density(box_mean=np.array([mean, 270.0, 80, 60]))
        left, _, right, bottom = changed(draw_density(GREY, result_of(density))[420:], GREY[420:])
        assert bottom == 300
        assert expected.start <= left
        assert right <= expected.stop


@pytest.mark.parametrize("name", ["position_slice", "size_slice"])
def test_slices_are_drawn_as_they_lie(name):
    """A mode further right and down in the slice is further right and down in the panel, to scale."""
    at = ((8, 12), (30, 33))
    one, other = (
        brightness(draw_density(GREY, result_of(make_density(**{name: spot(STEPS, place, 1.5)})))) for place in at
    )
    centres = [
        np.array([axis.mean() for axis in np.nonzero(difference > 300)][::-1])
        for difference in (one - other, other - one)
    ]
    side = 720 // 4
    assert centres[1] - centres[0] == pytest.approx(np.subtract(at[1], at[0]) / STEPS * side, abs=1.5)


def test_entropies_are_written_in_the_inset():
    drawn = draw_density(GREY, result_of(make_density()))
    for change in ({"centre_entropy": np.array(1.0)}, {"box_entropy": np.array([1.0, 4.5])}):
        left, top, right, bottom = changed(drawn, draw_density(GREY, result_of(make_density(**change))))
        assert right - left < 60
        assert bottom - top < 40


def test_each_target_has_a_heat_map_and_one_has_the_inset():
    first = make_density((100.0, 20.0, 200.0, 200.0), box_mean=np.array([200.0, 120, 50, 50]))
    second = make_density((900.0, 100.0, 300.0, 300.0), mode=(2, 2), box_mean=np.array([1000.0, 200, 50, 50]))
    drawn = draw_density(GREY, result_of(first, second))
    assert (drawn[25, 105] < 90).all()
    assert (drawn[395, 1195] < 90).all()
    assert (drawn[25, 1195] == 90).all(), "between the search regions nothing is drawn"
    for target, (left, right) in enumerate([(100, 300), (900, 1200)]):
        assert (drawn[ABOVE_INSET, left:right] == target_color(target)).all(axis=2).any()
    other = replace(second, size_slice=spot(STEPS, (5, 5)))
    assert np.array_equal(drawn, draw_density(GREY, result_of(first, other)))
    of_second = [draw_density(GREY, result_of(first, one), inset=1) for one in (second, other)]
    assert not np.array_equal(*of_second)


def test_where_search_regions_overlap_the_higher_density_shows():
    one = make_density(mode=(4, 8), box_covariance=np.zeros((4, 4)))
    other = make_density(mode=(12, 8), box_covariance=np.zeros((4, 4)))
    together = draw_density(GREY, result_of(one, other))
    for density, column in ((one, 780), (other, 940)):
        alone = draw_density(GREY, result_of(density))
        assert np.array_equal(together[220:260, column - 20 : column + 20], alone[220:260, column - 20 : column + 20])


@pytest.mark.parametrize(
    "size", [(1, 1), (20, 30), (33, 400), (400, 33), (120, 160), (240, 320), (360, 480), (1080, 1920)]
)
def test_any_image_will_do(size):
    image = np.full((*size, 3), 90, np.uint8)
    for region in ((-50.0, -20.0, 300.0, 300.0), (5000.0, 40.0, 80.0, 80.0), (3.2, 3.3, 0.5, 0.5)):
        density = make_density(region, box_mean=np.array([region[0] + 9, 30.0, 8, 8]))
        assert draw_density(image, result_of(density)).shape == image.shape


def test_a_panel_never_covers_more_than_half_of_a_usual_image():
    for height, width in ((240, 320), (480, 640), (1080, 1920)):
        image = np.full((height, width, 3), 90, np.uint8)
        density = make_density((5000.0, 0.0, 9.0, 9.0), box_mean=np.array([5000.0, 0.0, 8, 8]))
        assert (draw_density(image, result_of(density)) != image).any(axis=2).mean() < 0.25


def test_colours_rise_in_even_steps_of_lightness():
    encoded = colormap() / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    lightness = np.where(luminance > 0.008856, 116 * np.cbrt(luminance) - 16, 903.3 * luminance)
    assert (np.diff(lightness) > -0.1).all()
    assert lightness[0] < 8
    assert lightness[-1] == pytest.approx(100, abs=0.1)
    quarters = np.diff(lightness[[0, 64, 128, 192, 255]])
    assert quarters.min() > 12, "no part of the range looks flat"
