import numpy as np
import pytest
from PIL import Image

from lockon.data.image_reading import image_names, image_size, read_grey, read_labels, read_rgb
from lockon.errors import DataError


def test_names_sort_in_time_and_leave_out_what_is_no_image(tmp_path):
    for name in ("10.jpg", "9.JPEG", "2.png", "._2.png", "notes.md", "11.jpg"):
        (tmp_path / name).touch()
    assert image_names(tmp_path) == ["2.png", "9.JPEG", "10.jpg", "11.jpg"]


def test_a_folder_that_is_missing_or_a_file_is_said(tmp_path):
    (tmp_path / "file").touch()
    for name in ("nowhere", "file"):
        with pytest.raises(DataError, match=f"{name}' is missing"):
            image_names(tmp_path / name)


def test_labels_are_numbers_of_the_palette_and_not_its_colours(tmp_path):
    pixels = np.array([[0, 3], [255, 1]], np.uint8)
    image = Image.fromarray(pixels, "P")
    image.putpalette([7] * 768)
    image.save(tmp_path / "palette.png")
    Image.fromarray(pixels).save(tmp_path / "grey.png")
    Image.fromarray(pixels > 2).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "palette.png"), pixels)
    np.testing.assert_array_equal(read_labels(tmp_path / "grey.png"), pixels)
    np.testing.assert_array_equal(read_labels(tmp_path / "bits.png"), pixels > 2)
    np.testing.assert_array_equal(read_rgb(tmp_path / "palette.png"), np.full((2, 2, 3), 7))
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(tmp_path / "colours.png")
    with pytest.raises(DataError, match="no mask of objects"):
        read_labels(tmp_path / "colours.png")


def test_size_comes_from_the_header_alone(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 64), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:200])
    assert image_size(path) == (64, 48)
    with pytest.raises(DataError, match=r"cannot read the image.*a\.png"):
        read_grey(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"no image at all", b"\x89PNG\r\n\x1a\n" + bytes(40), b"\x89PNG\r\n\x1a\n\0\0\0\x05IHDR" + bytes(40)],
)
def test_damaged_images_are_one_kind_of_error(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match="cannot read the image"):
        read_rgb(tmp_path / "a.png")


def test_an_image_of_absurd_size_is_refused(tmp_path, monkeypatch):
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match="decompression bomb"):
        read_rgb(tmp_path / "a.png")
