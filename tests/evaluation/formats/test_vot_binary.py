import struct
from pathlib import Path

import numpy as np
import pytest

from evaluation.formats.result_folders import sequence_of, set_of
from lockon.boxes import Box
from lockon.errors import DataError
from lockon.evaluation.formats import read_results
from lockon.evaluation.formats.vot_binary import read_binary
from lockon.evaluation.tracks import Code, RegionTrack
from lockon.regions import MaskRegion, Polygon

HEADER = struct.pack("<hI", 1, 4)
CODE = struct.pack("<BI", 0, 1)
BOX = struct.pack("<B4f", 1, 1.5, 2, 3, 4)
POLYGON = struct.pack("<BH6f", 2, 3, 0, 0, 4, 0, 0, 4)
MASK = struct.pack("<BhhHHH4H", 3, -2, 5, 3, 2, 4, 1, 2, 0, 1)


def test_all_kinds_of_regions(tmp_path: Path) -> None:
    folder = tmp_path / "A" / "baseline" / "s"
    folder.mkdir(parents=True)
    (folder / "s_001.bin").write_bytes(HEADER + CODE + BOX + POLYGON + MASK)
    (run,) = read_results(tmp_path, set_of("vot_supervised", sequence_of("s", 4))).results["A"]
    said = run["s"]
    assert isinstance(said, RegionTrack)
    start, box, polygon, mask = said.regions
    assert start == Code.START
    assert box == Box(1.5, 2, 3, 4)
    assert isinstance(polygon, Polygon)
    assert polygon.points.tolist() == [[0, 0], [4, 0], [0, 4]]
    assert isinstance(mask, MaskRegion)
    # One pixel of zeros, two of the object, none of zeros, one of the object, and zeros to the end.
    assert mask.pixels.tolist() == [[False, True, True], [True, False, False]]
    assert (mask.left, mask.top) == (-2, 5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "ends before frame 0 does"),
        (HEADER + CODE + BOX[:-1], "ends before frame 1 does"),
        (HEADER + CODE, "ends before frame 1 does"),
        (struct.pack("<hI", 2, 1) + CODE, "its version is 2, not 1"),
        (HEADER + CODE + struct.pack("<B", 9), "frame 1: there is no kind 9"),
        (HEADER + struct.pack("<BI", 0, 7), "frame 0: 7 is not a valid Code"),
        (HEADER + struct.pack("<BhhHHH2H", 3, 0, 0, 2, 2, 2, 4, 4), "runs of a mask need 8 pixels"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "s.bin").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_binary(tmp_path / "s.bin")


def test_long_runs_are_written_in_parts(tmp_path: Path) -> None:
    runs = (65025, 0, 5, 10)  # zeros beyond the largest run go on after a run of no pixels
    mask = struct.pack("<BhhHHH4H", 3, 0, 0, 400, 200, len(runs), *runs)
    (tmp_path / "s.bin").write_bytes(struct.pack("<hI", 1, 1) + mask)
    (region,) = read_binary(tmp_path / "s.bin")
    assert isinstance(region, MaskRegion)
    assert np.flatnonzero(region.pixels).tolist() == list(range(65030, 65040))
