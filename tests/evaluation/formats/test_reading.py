import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.formats.result_folders import sequence_of, set_of, write_files
from lockon.boxes import Box
from lockon.data.testsets.base import RegionTruth, SparseTruth, TestSet
from lockon.errors import DataError, MissingExtraError, UnknownNameError
from lockon.evaluation.formats import detect_format, read_results
from lockon.evaluation.formats.text import read_rows
from lockon.evaluation.tracks import Code, RegionTrack, Track
from lockon.regions import MaskRegion, Polygon

BOXES = "10,20,30,40\n11,21,30,40\n12,22,30,40\n"
TEXT = {"alpha.txt": BOXES, "beta.txt": "1\t2\t3\t4\n5, 6 7\t8\n"}
ONE_PASS = set_of("one_pass", sequence_of("alpha", 3), sequence_of("beta", 2))
GOT10K = set_of("got10k", sequence_of("GOT-10k_Val_000001", 3))


def track(said: object) -> Track:
    assert isinstance(said, Track)
    return said


def regions(said: object) -> RegionTrack:
    assert isinstance(said, RegionTrack)
    return said


@pytest.mark.parametrize(
    ("folder", "form", "trackers"),
    [
        ("", "text", ["results"]),
        ("A", "text", ["A"]),
        ("A_tracking_result", "lasot", ["A"]),
        ("atom/default_000", "pytracking", ["atom_default"]),
        ("atom/default", "pytracking", ["atom_default"]),
    ],
)
def test_boxes_are_found_in_every_layout(tmp_path: Path, folder: str, form: str, trackers: list[str]) -> None:
    write_files(tmp_path / "results" / folder, TEXT)
    read = read_results(tmp_path / "results", ONE_PASS)
    assert (read.form, list(read.results)) == (form, trackers)
    (run,) = read.results[trackers[0]]
    assert track(run["alpha"]).boxes.tolist() == [[10, 20, 30, 40], [11, 21, 30, 40], [12, 22, 30, 40]]
    assert track(run["beta"]).boxes.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert not read.exclusions
    assert not read.unused
    assert not read.doubts


def test_pytracking_runs_times_and_presence_scores(tmp_path: Path) -> None:
    write_files(tmp_path / "dimp" / "d50_000", TEXT | {"alpha_time.txt": "0.5\n0.25\n0.25\n"})
    write_files(tmp_path / "dimp" / "d50_001", TEXT | {"alpha_object_presence_scores.txt": "1\n0.5\n0.25\n"})
    for root in (tmp_path, tmp_path / "dimp"):
        read = read_results(root, ONE_PASS)
        assert (read.form, list(read.results)) == ("pytracking", ["dimp_d50"])
        first, second = (track(run["alpha"]) for run in read.results["dimp_d50"])
        assert first.seconds is not None
        assert first.seconds.tolist() == [0.5, 0.25, 0.25]
        assert first.scores is None
        assert second.scores is not None
        assert second.scores.tolist() == [1, 0.5, 0.25]


def test_times_of_the_got10k_toolkit_lie_in_a_folder(tmp_path: Path) -> None:
    write_files(tmp_path / "A", TEXT | {"times/alpha_time.txt": "0.1\n0.2\n0.3\n"})
    (run,) = read_results(tmp_path, ONE_PASS, "got10k").results["A"]
    seconds = track(run["alpha"]).seconds
    assert seconds is not None
    assert seconds.tolist() == [0.1, 0.2, 0.3]


def test_got10k_repetitions_with_their_columns_of_times(tmp_path: Path) -> None:
    name = "GOT-10k_Val_000001"
    files = {f"{name}_{run:03d}.txt": BOXES.replace("10", str(run)) for run in (1, 2)}
    write_files(tmp_path / "A" / name, files | {f"{name}_time.txt": "0.1,0.4\n0.2,0.5\n0.3,0.6\n"})
    read = read_results(tmp_path, GOT10K)
    assert read.form == "got10k"
    first, second = (track(run[name]) for run in read.results["A"])
    assert (first.boxes[0, 0], second.boxes[0, 0]) == (1, 2)
    assert second.seconds is not None
    assert second.seconds.tolist() == [0.4, 0.5, 0.6]


def test_several_trackers_and_what_each_of_them_lacks(tmp_path: Path) -> None:
    write_files(tmp_path, {"A/alpha.txt": BOXES, "A/beta.txt": "1,2,3,4\n" * 2, "B/alpha.txt": BOXES})
    write_files(tmp_path, {"B/of_another_benchmark.txt": BOXES})
    read = read_results(tmp_path, ONE_PASS)
    assert list(read.results) == ["A", "B"]
    assert [(lack.tracker, lack.sequence) for lack in read.exclusions] == [("B", "beta")]
    assert [path.name for path in read.unused] == ["of_another_benchmark.txt"]
    (remark,) = read.remarks
    assert "of_another_benchmark.txt" in remark


def test_a_sequence_that_one_run_lacks_is_named_with_the_run(tmp_path: Path) -> None:
    write_files(tmp_path, {"t/p_000/alpha.txt": BOXES, "t/p_000/beta.txt": BOXES, "t/p_003/alpha.txt": BOXES})
    (lack,) = read_results(tmp_path, ONE_PASS).exclusions
    assert (lack.sequence, lack.reason) == ("beta", "there is no result of run 3")


def test_doubts_name_file_and_line(tmp_path: Path) -> None:
    text = "10,20,30,40\nnan,nan,nan,nan\n1,2,-3,4\n1,2,3,-4\n"
    write_files(tmp_path, {"A/alpha.txt": text, "A/beta.txt": "1,2,3,4\n1,2,3,4\n"})
    length, infinite, negative = read_results(tmp_path, ONE_PASS).doubts
    assert "alpha.txt' has 4 lines, 'alpha' 3 frames" in length
    assert "not finite in line 2." in infinite
    assert "negative width or height in line 3 and in 1 more" in negative


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "alpha.txt' is empty"),
        ("\n \n", "alpha.txt' is empty"),
        ("1,2,3,4\n1,2,3\n", r"line 2: expected 4 numbers, got 3 \('1,2,3'\). The file ends there"),
        ("1,2,3,4\n1,2,3\n1,2,3,4\n", r"line 2: expected 4 numbers, got 3 \('1,2,3'\). Fetch"),
        ("1,2,3\n1,2,3,4,5\n", "line 1: expected 4 numbers, got 3"),
        ("1,2,3,4\n1,2,x3,4\n", "line 2: 'x3' is no number"),
        ("1,2,3,4\n1,2,3,4,5,6,7,8\n", "line 2: expected 4 numbers, got 8"),
        ("1,2,3,4,5,6,7,8\n1,2,3,4\n", "line 2: expected 8 numbers, got 4"),
    ],
)
def test_damaged_files_are_refused_with_line_and_remedy(tmp_path: Path, text: str, message: str) -> None:
    write_files(tmp_path, {"A/alpha.txt": text, "A/beta.txt": "1,2,3,4\n"})
    with pytest.raises(DataError, match=message) as caught:
        read_results(tmp_path, ONE_PASS)
    assert "delete the file" in str(caught.value)


@pytest.mark.parametrize("folder", ["A", "A/p_000"])
def test_polygons_are_read_as_boxes_around_them_and_that_is_said_once(tmp_path: Path, folder: str) -> None:
    # A diamond that moves by a pixel, its corners given from the right one on.
    text = "".join(f"{x + 8},5,{x + 4},9 {x},5\t{x + 4},2.5\n" for x in (1, 2))
    write_files(tmp_path / folder, {"alpha.txt": text + "nan,1,2,3,4,5,6,7\n", "beta.txt": text})
    read = read_results(tmp_path, ONE_PASS)
    (runs,) = read.results.values()
    assert track(runs[0]["beta"]).boxes.tolist() == [[1, 2.5, 8, 6.5], [2, 2.5, 8, 6.5]]
    infinite, polygons = read.doubts
    assert "not finite in line 3" in infinite
    assert "alpha.txt', as in 1 more, there are polygons" in polygons


def test_two_files_for_one_sequence_are_refused(tmp_path: Path) -> None:
    write_files(tmp_path, {"A/alpha.txt": BOXES, "A/Alpha.txt": BOXES})
    with pytest.raises(DataError, match=r"both results of 'A' on 'alpha'\. Remove one"):
        read_results(tmp_path, ONE_PASS)


def test_a_wrong_folder_is_answered_with_the_right_one(tmp_path: Path) -> None:
    write_files(tmp_path / "up" / "down" / "deep" / "deeper" / "A", {"alpha.txt": BOXES})
    with pytest.raises(DataError, match="no results of Test set"):
        read_results(tmp_path / "up", ONE_PASS)
    with pytest.raises(DataError, match=re.escape(f"Give '{tmp_path / 'up' / 'down' / 'deep'}'")):
        read_results(tmp_path / "up" / "down", ONE_PASS)
    with pytest.raises(DataError, match="there is no folder"):
        read_results(tmp_path / "nowhere", ONE_PASS)
    with pytest.raises(UnknownNameError, match="pytraking"):
        read_results(tmp_path, ONE_PASS, "pytraking")
    with pytest.raises(DataError, match="Forms that it has: lasot, otb_mat, pytracking"):
        read_results(tmp_path, ONE_PASS, "vot")


def test_tiger1_with_the_frames_that_pytracking_omits_is_aligned_at_its_end(tmp_path: Path) -> None:
    rows = "".join(f"{frame},1,2,3\n" for frame in range(8))
    write_files(tmp_path / "A", {"tiger1.txt": rows, "times/tiger1_time.txt": "1\n" * 5 + "2\n" * 3})
    read = read_results(tmp_path, set_of("one_pass", sequence_of("Tiger1", 3)))
    said = track(read.results["A"][0]["Tiger1"])
    assert said.boxes[:, 0].tolist() == [5, 6, 7]
    assert said.seconds is not None
    assert said.seconds.tolist() == [2, 2, 2]
    assert not read.doubts


def test_supervised_runs_have_codes_and_regions(tmp_path: Path) -> None:
    text = "1\n1.5,2,3,4\n2\n0\n0,0,2,0,2,2,0,2\n"
    folder = tmp_path / "A" / "baseline" / "s"
    write_files(folder, {"s_001.txt": text, "s_002.txt": text, "s_001_time.value": "1\n2\n3\n4\n5\n"})
    read = read_results(tmp_path, set_of("vot_supervised", sequence_of("s", 5, RegionTruth(regions=()))))
    first, second = (regions(run["s"]) for run in read.results["A"])
    assert first.regions[:4] == (Code.START, Box(1.5, 2, 3, 4), Code.FAILURE, Code.SKIPPED)
    polygon = first.regions[4]
    assert isinstance(polygon, Polygon)
    assert polygon.points.tolist() == [[0, 0], [2, 0], [2, 2], [0, 2]]
    assert first.seconds is not None
    assert first.seconds.tolist() == [1, 2, 3, 4, 5]
    assert second.seconds is None
    assert not read.doubts


def test_times_of_the_matlab_toolkit_have_a_column_a_repetition(tmp_path: Path) -> None:
    folder = tmp_path / "A" / "baseline" / "s"
    write_files(folder, {"s_001.txt": "1\n1,2,3,4\n", "s_002.txt": "1\n1,2,3,4\n", "s_time.txt": "1,2,3\n4,5,6\n"})
    runs = read_results(tmp_path, set_of("vot_supervised", sequence_of("s", 2))).results["A"]
    seconds = [regions(run["s"]).seconds for run in runs]
    assert [None if each is None else each.tolist() for each in seconds] == [[1, 4], [2, 5]]


def multi_start_set(anchors: list[int]) -> TestSet:
    truth = RegionTruth(regions=(Box(0, 0, 1, 1),) * len(anchors), anchors=np.array(anchors))
    return set_of("vot_multistart", sequence_of("s", len(anchors), truth))


def test_multi_start_runs_by_anchor_with_masks(tmp_path: Path) -> None:
    files = {"s_00000000.txt": "1\nm1,2,2,1,1,1\n0\n0\n", "s_00000002.txt": "1\n1,2,3,4\n1,2,3,4\n"}
    write_files(tmp_path / "A" / "baseline" / "s", files)
    read = read_results(tmp_path, multi_start_set([1, 0, -1, 0]))
    (run,) = read.results["A"]
    by_anchor = run["s"]
    assert isinstance(by_anchor, dict)
    assert list(by_anchor) == [0, 2]
    mask = by_anchor[0].regions[1]
    assert isinstance(mask, MaskRegion)
    assert (mask.left, mask.top, mask.pixels.tolist()) == (1, 2, [[False, True]])
    assert not read.doubts
    (doubt,) = read_results(tmp_path, multi_start_set([1, 0, 1, 0])).doubts
    assert "has 3 lines, 's' 2 frames" in doubt


def test_long_term_confidences_are_blank_in_the_first_frame(tmp_path: Path) -> None:
    files = {"s_001.txt": "1\n1,2,3,4\n5,6,7,8\n", "s_001_confidence.value": "\n0.5\n\n"}
    write_files(tmp_path / "A" / "longterm" / "s", files)
    (run,) = read_results(tmp_path, set_of("vot_longterm", sequence_of("s", 3))).results["A"]
    said = regions(run["s"])
    assert said.regions == (Code.START, Box(1, 2, 3, 4), Box(5, 6, 7, 8))
    np.testing.assert_array_equal(said.scores, [np.nan, 0.5, np.nan])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"s_001.txt": "1\n1,2,3\n"}, "s_001.txt', line 2: '1,2,3' is no region"),
        ({"s_001.txt": "1\nm0,0,2,2,9\n"}, "s_001.txt', line 2: .* is no mask"),
        ({"s_001.txt": "1\n", "s_001_confidence.value": "\n0.5\n"}, "confidence.value' has more lines than the 1"),
        ({"s_001.txt": "1\n0\n", "s_001_confidence.value": "\n?\n"}, "confidence.value', line 2: '\\?' is no number"),
    ],
)
def test_damaged_vot_files_are_refused(tmp_path: Path, files: dict[str, str], message: str) -> None:
    write_files(tmp_path / "A" / "longterm" / "s", files)
    with pytest.raises(DataError, match=message):
        read_results(tmp_path, set_of("vot_longterm", sequence_of("s", 2)))


OXUVA = set_of(
    "oxuva",
    sequence_of(
        "vid0001_obj0000",
        4,
        SparseTruth(numbers=np.array([0]), present=np.array([True]), boxes=np.array([[0.0, 0, 1, 1]])),
        first_number=30,
    ),
)


def test_oxuva_frames_are_numbered_as_in_the_video(tmp_path: Path) -> None:
    lines = "vid0001,obj0000,31,True,0.75,0.25,0.75,0.5,1.0\nvid0001,obj0000,33,false,0.25,,,,\n"
    write_files(tmp_path / "A", {"vid0001_obj0000.csv": lines})
    (run,) = read_results(tmp_path, OXUVA).results["A"]
    said = track(run["vid0001_obj0000"])
    assert said.scores is not None
    assert said.present is not None
    np.testing.assert_array_equal(said.boxes[[1, 3]], [[80, 120, 160, 120], [0, 0, 0, 0]])
    assert np.isnan(said.boxes[[0, 2]]).all()
    assert said.present.tolist() == [False, True, False, False]
    np.testing.assert_array_equal(said.scores, [np.nan, 0.75, np.nan, 0.25])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("vid0001,obj0000,31,present,0.5,0,1,0,1", "line 2: 'present' should say"),
        ("vid0001,obj0000,31,true,0.5,0,1,0", "line 2: expected 9 columns"),
        ("vid0001,obj0000,32,true,0.5,0,1,0,1", "line 2: a second prediction for frame 32"),
        ("vid0001,obj0000,30,true,0.5,0,1,0,1", "line 2: frame 30 is not in"),
        ("vid0001,obj0000,34,true,0.5,0,1,0,1", "line 2: frame 34 is not in"),
        ("vid0001,obj0000,31,true,0.5,0,x,0,1", "line 2: could not convert"),
    ],
)
def test_damaged_oxuva_files_are_refused(tmp_path: Path, line: str, message: str) -> None:
    text = f"vid0001,obj0000,32,true,0.5,0,1,0,1\n{line}\n"
    write_files(tmp_path / "A", {"vid0001_obj0000.csv": text})
    with pytest.raises(DataError, match=message):
        read_results(tmp_path, OXUVA)


def save_mat(path: Path, **fields: object) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    cell = np.empty((1, 1), dtype=object)
    cell[0, 0] = fields
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy_io.savemat(path, {"results": cell})


def test_otb_matlab_files_in_a_folder_a_tracker_or_in_one(tmp_path: Path) -> None:
    boxes = np.array([[10.0, 20, 30, 40], [11, 21, 30, 40]])
    tests = set_of("one_pass", sequence_of("Jogging-1", 2), sequence_of("Basketball", 2))
    save_mat(tmp_path / "one" / "jogging_1_Struck.mat", res=boxes, type="rect", len=2, fps=4.0)
    save_mat(tmp_path / "one" / "basketball_Struck.mat", res=boxes, type="rect", len=2)
    save_mat(tmp_path / "each" / "Struck" / "jogging_1.mat", res=boxes, type="rect", len=2, fps=4.0)
    for folder in ("one", "each"):
        read = read_results(tmp_path / folder, tests)
        assert (read.form, list(read.results), read.unused) == ("otb_mat", ["Struck"], ())
        said = track(read.results["Struck"][0]["Jogging-1"])
        assert said.boxes.tolist() == boxes.tolist()
        assert said.seconds is not None
        assert said.seconds.tolist() == [0.25, 0.25]


def test_matlab_files_without_boxes_are_refused(tmp_path: Path) -> None:
    tests = set_of("one_pass", sequence_of("alpha", 2))
    save_mat(tmp_path / "A" / "alpha.mat", res=np.zeros((2, 6)), type="ivtAff")
    with pytest.raises(DataError, match="results of type 'ivtAff'"):
        read_results(tmp_path, tests)
    (tmp_path / "A" / "alpha.mat").write_bytes(b"not MATLAB")
    with pytest.raises(DataError, match="as a MATLAB file"):
        read_results(tmp_path, tests)


def test_without_scipy_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "scipy.io", None)
    write_files(tmp_path, {"A/alpha.mat": "anything"})
    with pytest.raises(MissingExtraError, match=r"lockon\[formats\]"):
        read_results(tmp_path, ONE_PASS)


def test_detection_prefers_the_form_that_more_sequences_have(tmp_path: Path) -> None:
    write_files(tmp_path / "A_tracking_result", {"alpha.txt": BOXES})
    assert detect_format(tmp_path, ONE_PASS) == "lasot"
    write_files(tmp_path / "B", TEXT)
    assert detect_format(tmp_path, ONE_PASS) == "text"
    assert detect_format(tmp_path, set_of("one_pass", sequence_of("gamma", 3))) is None
    assert detect_format(tmp_path, set_of("davis", sequence_of("alpha", 3))) is None


numbers = st.lists(st.floats(allow_infinity=True, allow_nan=True), min_size=4, max_size=4)


@given(rows=st.lists(numbers, min_size=1), separators=st.lists(st.sampled_from([",", "\t", " ", ", "]), min_size=3))
def test_numbers_are_read_to_the_last_bit_whatever_separates_them(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[float]], separators: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "rows.txt"
    text = ["".join(f"{number!r}{separators[place % 3]}" for place, number in enumerate(row)) for row in rows]
    path.write_text("\n".join(text))
    np.testing.assert_array_equal(read_rows(path, 4), np.array(rows))
