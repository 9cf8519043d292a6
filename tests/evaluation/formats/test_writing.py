import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from evaluation.formats.result_folders import sequence_of, set_of
from lockon.boxes import Box
from lockon.data.image_reading import read_labels
from lockon.data.testsets.base import MaskTruth, RegionTruth, SparseTruth, TestSequence, TestSet
from lockon.errors import DataError, OutputError, UnknownNameError
from lockon.evaluation.formats import EXPORTS, read_results, submission_form, write_results, write_submission
from lockon.evaluation.tracks import Code, MaskTrack, RegionTrack, Results, Track
from lockon.regions import MaskRegion, Polygon

FRAMES = 4
ROUNDING = {
    "text": 0,
    "pysot": 0.5e-4,
    "lasot": 0.5e-4,
    "got10k": 0.5e-3,
    "trackingnet": 0.5e-2,
    "pytracking": 1,
}


def boxes_of(rng: np.random.Generator) -> Track:
    boxes = rng.uniform(1, 100, (FRAMES, 4))
    return Track(boxes=boxes, scores=rng.random(FRAMES), seconds=rng.uniform(0.1, 1, FRAMES))


def box_results(runs: int) -> tuple[TestSet, Results]:
    rng = np.random.default_rng(0)
    names = ("alpha", "beta")
    tests = set_of("one_pass", *(sequence_of(name, FRAMES) for name in names))
    results = {tracker: [{name: boxes_of(rng) for name in names} for _ in range(runs)] for tracker in ("A", "B")}
    return tests, results


@pytest.mark.parametrize("form", ROUNDING)
def test_boxes_are_read_back_as_exactly_as_the_form_holds_them(tmp_path: Path, form: str) -> None:
    tests, results = box_results(2 if EXPORTS[form].several_runs else 1)
    if form == "got10k":
        tests = set_of("got10k", *tests.sequences)
    write_results(form, tests, results, tmp_path)
    read = read_results(tmp_path, tests)
    assert not read.exclusions
    assert not read.unused
    assert not read.doubts
    for tracker, runs in results.items():
        again = read.results[tracker + "_default" * (form == "pytracking")]
        assert len(again) == len(runs)
        for run, run_again in zip(runs, again, strict=True):
            for name, track in run.items():
                copy = run_again[name]
                assert isinstance(track, Track)
                assert isinstance(copy, Track)
                np.testing.assert_allclose(copy.boxes, track.boxes, rtol=0, atol=ROUNDING[form] + 1e-12)
                if form in {"pytracking", "got10k"}:
                    np.testing.assert_allclose(copy.seconds, track.seconds, rtol=0, atol=1e-6)
                if form == "pytracking":
                    np.testing.assert_allclose(copy.scores, track.scores, rtol=0, atol=1e-6)
                    np.testing.assert_array_equal(copy.boxes, np.floor(track.boxes))


def test_whole_numbers_are_cut_off_and_nan_stays(tmp_path: Path) -> None:
    track = Track(boxes=np.array([[1.9, 2, 3, 4], [-0.5, -1.9, 3, 4], [np.nan] * 4, [5, 6, 7, np.inf]]))
    tests = set_of("one_pass", sequence_of("s", FRAMES))
    write_results("pytracking", tests, {"A": [{"s": track}]}, tmp_path)
    lines = (tmp_path / "A" / "default_000" / "s.txt").read_text().splitlines()
    assert [line.split("\t") for line in lines] == [
        ["1", "2", "3", "4"], ["0", "-1", "3", "4"], ["nan"] * 4, ["5", "6", "7", "inf"],
    ]  # fmt: skip


def region_results(protocol: str) -> tuple[TestSet, Results]:
    polygon = Polygon(np.array([[0, 0.1], [2, 0], [2, 2], [0, 1 / 3]]))
    mask = MaskRegion(3, 4, np.array([[True, False], [False, True]]))
    regions = (Code.START, polygon, mask, Box(0.1, 0.2, 1 / 3, 4))
    seconds = np.array([0.1, 0.2, 0.3, 1 / 3])
    track = RegionTrack(regions=regions, scores=np.array([np.nan, 0.1, np.nan, 1 / 3]), seconds=seconds)
    failing = RegionTrack(regions=(Code.START, Code.FAILURE, Code.SKIPPED, polygon))
    truth = RegionTruth(regions=(polygon,) * FRAMES, anchors=np.array([1, 0, -1, 0]))
    tests = set_of(protocol, sequence_of("s", FRAMES, truth))
    if protocol == "vot_multistart":
        short = RegionTrack(regions=(Code.START, mask, polygon))
        return tests, {"A": [{"s": {0: track, 2: short}}]}
    return tests, {"A": [{"s": track}, {"s": failing}]}


def assert_same_regions(one: object, other: object) -> None:
    assert isinstance(one, RegionTrack)
    assert isinstance(other, RegionTrack)
    assert len(one.regions) == len(other.regions)
    for a, b in zip(one.regions, other.regions, strict=True):
        assert type(a) is type(b)
        if isinstance(a, Polygon) and isinstance(b, Polygon):
            np.testing.assert_array_equal(a.points, b.points)
        elif isinstance(a, MaskRegion) and isinstance(b, MaskRegion):
            assert (a.left, a.top, a.pixels.tolist()) == (b.left, b.top, b.pixels.tolist())
        else:
            assert a == b
    np.testing.assert_array_equal(one.scores, other.scores)  # type: ignore[arg-type]
    np.testing.assert_array_equal(one.seconds, other.seconds)  # type: ignore[arg-type]


@pytest.mark.parametrize("protocol", ["vot_supervised", "vot_multistart", "vot_longterm"])
def test_vot_files_are_read_back_to_the_last_bit(tmp_path: Path, protocol: str) -> None:
    tests, results = region_results(protocol)
    write_results("vot", tests, results, tmp_path)
    read = read_results(tmp_path, tests)
    assert not read.doubts
    assert len(read.results["A"]) == len(results["A"])
    for run, again in zip(results["A"], read.results["A"], strict=True):
        said, copy = run["s"], again["s"]
        if isinstance(said, Mapping):
            assert isinstance(copy, Mapping)
            assert list(said) == list(copy)
            for anchor in said:
                assert_same_regions(said[anchor], copy[anchor])
        else:
            assert_same_regions(said, copy)


def test_boxes_become_long_term_files_without_a_confidence_at_the_start(tmp_path: Path) -> None:
    tests = set_of("vot_longterm", sequence_of("s", FRAMES))
    track = boxes_of(np.random.default_rng(1))
    write_results("vot", tests, {"A": [{"s": track}]}, tmp_path)
    folder = tmp_path / "A" / "longterm" / "s"
    assert (folder / "s_001.txt").read_text().splitlines()[0] == "1"
    assert (folder / "s_001_confidence.value").read_text().startswith("\n0.")
    (run,) = read_results(tmp_path, tests).results["A"]
    copy = run["s"]
    assert isinstance(copy, RegionTrack)
    assert copy.regions[1:] == tuple(Box(*box) for box in track.boxes[1:])


def oxuva_task(first: int = 30) -> TestSequence:
    truth = SparseTruth(numbers=np.array([0]), present=np.array([True]), boxes=np.array([[0.0, 0, 1, 1]]))
    return TestSequence(
        name="vid0001_obj0000",
        frame_paths=(),
        truth=truth,
        start=None,
        length=3,
        first_number=first,
        image_size=(200, 100),
    )


def test_oxuva_boxes_are_relative_clipped_and_in_its_order(tmp_path: Path) -> None:
    boxes = np.array([[0, 0, 1, 1], [-10, 20, 60, 30], [150, 50, 100, 25]], dtype=float)
    track = Track(boxes=boxes, scores=np.array([1, 0.75, 0.5]))
    tests = set_of("oxuva", oxuva_task())
    write_results("oxuva", tests, {"A": [{"vid0001_obj0000": track}]}, tmp_path)
    lines = (tmp_path / "A" / "vid0001_obj0000.csv").read_text().splitlines()
    assert lines == [
        "vid0001,obj0000,31,true,0.75,0.000000,0.250000,0.200000,0.500000",
        "vid0001,obj0000,32,false,0.5,0.750000,1.000000,0.500000,0.750000",
    ]
    (run,) = read_results(tmp_path, tests).results["A"]
    copy = run["vid0001_obj0000"]
    assert isinstance(copy, Track)
    np.testing.assert_allclose(copy.boxes[1:], [[0, 20, 50, 30], [150, 50, 50, 25]])
    assert copy.present is not None
    assert copy.present.tolist() == [False, True, False]


def mask_sequence(folder: Path, required: tuple[int, ...] | None) -> tuple[TestSequence, MaskTrack]:
    folder.mkdir(parents=True)
    paths = []
    for frame in range(FRAMES):
        labels = np.full((6, 8), frame, dtype=np.uint8)
        paths.append(folder / f"{frame:05d}.png")
        PillowImage.fromarray(labels).save(paths[-1])
    truth = MaskTruth(labels=tuple(paths), objects={1: 0}, required=required)
    return sequence_of("s", FRAMES, truth, tuple(paths)), MaskTrack(labels=tuple(paths))


@pytest.mark.parametrize(("form", "required"), [("davis", None), ("youtube_vos", (0, 2))])
def test_label_images_get_the_usual_palette(tmp_path: Path, form: str, required: tuple[int, ...] | None) -> None:
    sequence, track = mask_sequence(tmp_path / "labels", required)
    tests = set_of(form, sequence)
    write_results(form, tests, {"A": [{"s": track}]}, tmp_path / "out")
    (run,) = read_results(tmp_path / "out", tests).results["A"]
    copy = run["s"]
    assert isinstance(copy, MaskTrack)
    wanted = range(FRAMES) if required is None else required
    assert [frame for frame, path in enumerate(copy.labels) if path is not None] == list(wanted)
    for frame in wanted:
        path = copy.labels[frame]
        assert path is not None
        assert (read_labels(path) == frame).all()
        with PillowImage.open(path) as image:
            colour = image.convert("RGB").getpixel((0, 0))
        assert colour == [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)][frame]


@pytest.mark.parametrize(
    ("name", "form", "names"),
    [
        ("got10k_test", "got10k", {"s/s_001.txt", "s/s_002.txt", "s/s_time.txt"}),
        ("trackingnet", "trackingnet", {"s.txt"}),
        ("lasot", "lasot", {"A_tracking_result/s.txt"}),
        ("vot2020_lt", "vot", {f"A/longterm/s/s_001{end}" for end in (".txt", "_confidence.value", "_time.value")}),
        ("oxuva_test", "oxuva", {"vid0001_obj0000.csv"}),
        ("youtube_vos2019", "youtube_vos", {f"Annotations/s/{frame:05d}.png" for frame in range(FRAMES)}),
        ("davis2017", "davis", {f"s/{frame:05d}.png" for frame in range(FRAMES)}),
    ],
)
def test_archives_have_the_layout_that_servers_expect(tmp_path: Path, name: str, form: str, names: set[str]) -> None:
    rng = np.random.default_rng(0)
    protocol = {"lasot": "one_pass", "trackingnet": "one_pass", "vot": "vot_longterm"}.get(form, form)
    sequence, masks = mask_sequence(tmp_path / "labels", None)
    said: Track | MaskTrack = masks if form in {"davis", "youtube_vos"} else boxes_of(rng)
    if form == "oxuva":
        sequence = oxuva_task()
        said = Track(boxes=rng.uniform(1, 50, (3, 4)))
    elif not isinstance(said, MaskTrack):
        sequence = sequence_of("s", FRAMES)
    tests = set_of(protocol, sequence, name=name)
    assert submission_form(tests) == form
    runs = [{sequence.name: said}] * (2 if form == "got10k" else 1)
    count = write_submission(form, tests, "A", runs, tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert set(archive.namelist()) == names
        assert count == len(names)
        archive.extractall(tmp_path / "extracted")
    read = read_results(tmp_path / "extracted", tests)
    assert not read.exclusions
    assert not read.unused
    before = (tmp_path / "out.zip").read_bytes()
    write_submission(form, tests, "A", runs, tmp_path / "out.zip")
    assert (tmp_path / "out.zip").read_bytes() == before


def test_server_formats_to_the_digit(tmp_path: Path) -> None:
    track = Track(boxes=np.array([[1, 2, 3.456789, 4], [5, 6, 7, 8]]), seconds=np.array([0.5, 0.25]))
    tests = set_of("got10k", sequence_of("s", 2), name="got10k_test")
    write_submission("got10k", tests, "A", [{"s": track}] * 2, tmp_path / "got10k.zip")
    write_submission("trackingnet", set_of("one_pass", sequence_of("s", 2)), "A", [{"s": track}], tmp_path / "t.zip")
    with zipfile.ZipFile(tmp_path / "got10k.zip") as archive:
        assert archive.read("s/s_001.txt") == b"1.000,2.000,3.457,4.000\n5.000,6.000,7.000,8.000\n"
        assert archive.read("s/s_time.txt") == b"0.50000000,0.50000000\n0.25000000,0.25000000\n"
    with zipfile.ZipFile(tmp_path / "t.zip") as archive:
        assert archive.read("s.txt") == b"1.00,2.00,3.46,4.00\n5.00,6.00,7.00,8.00\n"


GOOD = Track(boxes=np.ones((3, 4)))


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([{"s": GOOD}], r"1 sequences have no result \(t\): run the tracker"),
        ([{"s": GOOD, "t": GOOD}, {"s": GOOD}], "Run 1 has results of 1 sequences only"),
        ([{"s": GOOD, "t": Track(boxes=np.ones((2, 4)))}], "has 2 lines, 't' 3 frames"),
        ([{"s": GOOD, "t": Track(boxes=np.full((3, 4), np.nan))}], "not finite in line 1"),
        ([{"s": GOOD, "t": Track(boxes=np.full((3, 4), -1.0))}], "negative width or height in line 1"),
    ],
)
def test_what_is_incomplete_or_odd_is_not_submitted(
    tmp_path: Path, runs: list[dict[str, Track]], message: str
) -> None:
    tests = set_of("got10k", sequence_of("s", 3), sequence_of("t", 3))
    with pytest.raises(DataError, match=message):
        write_submission("got10k", tests, "A", runs, tmp_path / "out.zip")
    assert not list(tmp_path.iterdir())


def test_gaps_of_other_kinds_are_not_submitted_either(tmp_path: Path) -> None:
    sequence, masks = mask_sequence(tmp_path / "labels", None)
    partial = MaskTrack(labels=(*masks.labels[:-1], None))
    with pytest.raises(DataError, match="'s' has no label image of frame 3"):
        write_submission("davis", set_of("davis", sequence), "A", [{"s": partial}], tmp_path / "out.zip")
    track = Track(boxes=np.array([[1.0, 1, 1, 1], [np.nan] * 4, [1, 1, 1, 1]]))
    with pytest.raises(DataError, match="no prediction for frame 1"):
        write_submission(
            "oxuva", set_of("oxuva", oxuva_task()), "A", [{oxuva_task().name: track}], tmp_path / "o.zip"
        )


def test_forms_that_do_not_fit_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    tests, results = box_results(2)
    with pytest.raises(DataError, match="'text' holds one run, and there are 2 of 'A'"):
        write_results("text", tests, results, tmp_path)
    with pytest.raises(DataError, match="Choose one of: text, pysot, pytracking, lasot"):
        write_results("davis", tests, results, tmp_path)
    with pytest.raises(UnknownNameError, match="lasott"):
        write_results("lasott", tests, results, tmp_path)
    with pytest.raises(DataError, match="has no form of submission"):
        submission_form(tests)
    assert not list(tmp_path.iterdir())
    write_results("pytracking", tests, results, tmp_path)
    with pytest.raises(OutputError, match="exists already"):
        write_results("pytracking", tests, results, tmp_path)
