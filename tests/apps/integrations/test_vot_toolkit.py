import configparser
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.integrations.bright_tracker import save_frame
from lockon.apps.integrations.vot_toolkit import RegionForm, corners, register, serve
from lockon.boxes import Box
from lockon.errors import DataError, MissingExtraError
from lockon.regions import MaskRegion, Polygon

PROGRAM = Path(__file__).with_name("bright_tracker.py")
FIRST, SECOND = Box(10, 20, 16, 16), Box(14, 23, 16, 16)


@contextmanager
def client(form: str) -> Iterator[Any]:
    """The toolkit's side of the protocol, with our program on the other."""
    trax_client = pytest.importorskip("trax.client", reason="the package vot-trax is not installed (extra vot)")
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), form, "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert process.stdin is not None
    assert process.stdout is not None
    side = trax_client.Client(stream=(process.stdin.fileno(), process.stdout.fileno()), log=lambda text: None)
    try:
        yield side
    finally:
        side.quit()
        process.stdin.close()
        process.stdout.close()
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("form", ["rectangle", "polygon", "mask"])
def test_the_toolkit_gets_regions_and_confidences(tmp_path: Path, form: RegionForm) -> None:
    trax = pytest.importorskip("trax", reason="the package vot-trax is not installed (extra vot)")
    # PNG: the bright pixels are those of the square and no others.
    paths = [save_frame(tmp_path / f"{index}.png", box) for index, box in enumerate([FIRST, SECOND])]
    images = [{"color": trax.FileImage.create(str(path))} for path in paths]
    given = {
        "rectangle": trax.Rectangle.create(*FIRST),
        "polygon": trax.Polygon.create([(10, 20), (26, 20), (26, 36), (10, 36)]),
        "mask": trax.Mask.create(np.ones((16, 16), dtype=np.uint8), 10, 20),
    }[form]
    with client(form) as toolkit:
        assert toolkit.region_formats == [form]
        for _ in range(2):  # a second start, as after a failure
            (((region, properties),), _seconds) = toolkit.initialize(images[0], [(given, {})], {})
            assert region.type == form
            assert bounds_of(region) == FIRST
            assert properties == {}
            (((region, properties),), _seconds) = toolkit.frame(images[1], {}, [])
            assert region.type == form
            assert bounds_of(region) == SECOND
            assert float(properties["confidence"]) == 220 / 255


def bounds_of(region: Any) -> Box:
    if region.type == "rectangle":
        return Box(*region.bounds())
    if region.type == "polygon":
        return Polygon(np.array(list(region))).box
    return MaskRegion(*region.offset(), region.array().astype(bool)).box


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trax", None)
    with pytest.raises(MissingExtraError, match=r"lockon\[vot\]"):
        serve(lambda seed: pytest.fail("no tracker is needed"), name="none", form="rectangle")


def test_corners_go_around() -> None:
    assert corners(Box(1, 2, 3, 4)) == [(1, 2), (4, 2), (4, 6), (1, 6)]
    assert corners(Polygon(np.array([[0.0, 1], [2, 3], [4, 5]]))) == [(0, 1), (2, 3), (4, 5)]


def test_trackers_are_entered_beside_those_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("stack: mine\n")
    (tmp_path / "trackers.ini").write_text("[Other]\ncommand = other\nprotocol = trax\n")
    command = ["/my python/bin/python", "-m", "lockon", "100%"]
    path = register(tmp_path, {"lockon_s": command})
    register(tmp_path, {"lockon_s": command})
    registry = configparser.ConfigParser()
    registry.read(path)
    assert registry.sections() == ["Other", "lockon_s"]
    assert registry["Other"]["command"] == "other"
    assert shlex.split(registry["lockon_s"]["command"]) == command
    assert registry["lockon_s"]["protocol"] == "trax"


def test_what_the_toolkit_would_not_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no workspace of the VOT toolkit"):
        register(tmp_path, {"a": ["b"]})
    (tmp_path / "config.yaml").touch()
    with pytest.raises(DataError, match="not 'a b'"):
        register(tmp_path, {"a b": ["c"]})
    assert not (tmp_path / "trackers.ini").exists()
    (tmp_path / "trackers.ini").write_text("command = a\n")
    with pytest.raises(DataError, match="cannot be read"):
        register(tmp_path, {"a": ["b"]})
