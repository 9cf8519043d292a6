"""Trajectory files: what is written is what is read, and a failure leaves whole frames behind."""

import collections
import itertools
import json
import resource
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockon.boxes import Box
from lockon.errors import DataError, OutputError, UnknownNameError
from lockon.trajectory import (
    Header,
    check_path,
    open_writer,
    otb_paths,
    read_csv,
    read_json,
    read_otb,
)
from lockon.types import Candidates, Result, Status

HEADER = Header(
    tracker="lockon_s",
    source="dog «1».mp4",
    image_size=(640, 480),
    fps=29.97,
    start_frame=3,
    start_boxes=(Box(1.5, 2, 30, 40),),
    seed=7,
    weights_sha256="ab" * 32,
    lockon_version="0.1.0",
)

numbers = st.floats(allow_nan=False, allow_infinity=False)


def header(targets):
    return replace(HEADER, start_boxes=(Box(1.0, 2.0, 3.0, 4.0),) * targets)


@st.composite
def tracks(draw):
    targets = draw(st.integers(1, 3))
    gaps = draw(st.lists(st.integers(0, 3), min_size=1, max_size=6))
    results, frame = [], HEADER.start_frame - 1
    for number, gap in enumerate(gaps):
        frame += 1 + (gap if number else 0)
        rows = [
            (
                draw(st.tuples(*[numbers] * 4)),
                draw(st.floats(0, 1)),
                draw(st.booleans()),
                draw(st.sampled_from(Status)),
            )
            for _ in range(targets)
        ]
        boxes, scores, present, status = zip(*rows, strict=True)
        time = draw(st.none() | st.floats(0, 1e6))
        if targets == 1:
            results.append(Result(frame, Box(*boxes[0]), scores[0], present[0], status[0], time=time))
        else:
            results.append(Result(frame, np.array(boxes), np.array(scores), np.array(present), status, time=time))
    return results


def flat(results):
    return [
        (one.frame, one.time, Box(*one.box), one.score, one.present, one.status)
        for result in results
        for one in result
    ]


def write(path, results):
    with open_writer(path, header(len(results[0]))) as writer:
        for result in results:
            writer.write(result)
    return writer


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(results=tracks())
def test_every_format_gives_back_what_was_written(tmp_path: Path, results):
    for suffix in (".json", ".csv", ".txt"):
        write(tmp_path / f"track{suffix}", results)
    trajectory = read_json(tmp_path / "track.json")
    assert trajectory.header == header(len(results[0]))
    assert flat(trajectory.results) == flat(results)
    assert flat(read_csv(tmp_path / "track.csv")) == flat(results)
    for target, path in enumerate(otb_paths(tmp_path / "track.txt", len(results[0]))):
        boxes = read_otb(path)
        assert len(boxes) == results[-1].frame - HEADER.start_frame + 1
        for result in results:
            assert tuple(boxes[result.frame - HEADER.start_frame]) == tuple(result[target].box)


def one(frame, x=1.0):
    return Result(frame, Box(x, 2, 30, 40), 0.5, True, Status.FOUND, time=frame / 30)


def candidates(*ids, selected=-1):
    n, rng = len(ids), np.random.default_rng(len(ids))
    return Candidates(
        points_xy=rng.normal(100, 50, (n, 2)),
        scores=rng.uniform(size=n).astype(np.float32),
        ids=np.array(ids, dtype=np.int64),
        selected=selected,
        partners=np.arange(n) - 1,
        probabilities=rng.uniform(size=n).astype(np.float32),
    )


def columns(candidates):
    return {name: np.asarray(getattr(candidates, name)).tolist() for name in Candidates.__dataclass_fields__}


def test_json_gives_back_the_candidates_bit_for_bit(tmp_path: Path):
    path = tmp_path / "track.json"
    sets = [None, candidates(0, 4, 2, selected=1), candidates(), candidates(7, selected=0)]
    write(path, [replace(one(3 + number), candidates=given) for number, given in enumerate(sets)])
    read = [result.candidates for result in read_json(path).results]
    assert read[0] is None
    assert [columns(found) for found in read[1:]] == [columns(given) for given in sets[1:]]
    assert read[1].points_xy.shape == (3, 2)
    assert read[2].points_xy.shape == (0, 2)
    assert all(found.ids.dtype == found.partners.dtype == np.int64 for found in read[1:])


def test_json_gives_every_target_its_candidates(tmp_path: Path):
    several = Result(3, np.ones((2, 4)), np.ones(2), np.ones(2, bool), (Status.FOUND,) * 2)
    sets = candidates(0, 3, selected=0), candidates(5)
    write(tmp_path / "track.json", [several, replace(several, frame=4, candidates=sets)])
    first, second = read_json(tmp_path / "track.json").results
    assert first.candidates is None
    assert [columns(found) for found in second.candidates] == [columns(given) for given in sets]


@pytest.mark.parametrize("suffix", [".csv", ".txt"])
def test_other_formats_do_without_candidates(tmp_path: Path, suffix):
    write(tmp_path / f"with{suffix}", [replace(one(3), candidates=candidates(0))])
    write(tmp_path / f"without{suffix}", [one(3)])
    assert (tmp_path / f"with{suffix}").read_text() == (tmp_path / f"without{suffix}").read_text()


def test_otb_text_repeats_the_last_box_for_skipped_frames(tmp_path: Path):
    write(tmp_path / "track.txt", [one(3, 1.0), one(6, 9.0)])
    assert read_otb(tmp_path / "track.txt")[:, 0].tolist() == [1.0, 1.0, 1.0, 9.0]


@pytest.mark.parametrize("suffix", [".json", ".csv", ".txt"])
def test_the_file_is_complete_after_every_frame(tmp_path: Path, suffix):
    path = tmp_path / f"track{suffix}"
    reader = {
        ".json": lambda: len(read_json(path).results),
        ".csv": lambda: len(read_csv(path)),
        ".txt": lambda: len(read_otb(path)),
    }
    writer = open_writer(path, HEADER)
    for count in range(4):
        assert reader[suffix]() == count
        writer.write(one(HEADER.start_frame + count))
    writer.close()


@pytest.mark.parametrize("suffix", [".json", ".csv", ".txt"])
def test_a_track_that_goes_on_makes_the_same_file(tmp_path: Path, suffix):
    results = [one(3), one(4, 5.0), one(7, 6.0), one(8)]
    results[1:3] = [replace(result, candidates=candidates(0, 1)) for result in results[1:3]]
    write(tmp_path / f"whole{suffix}", results)
    write(tmp_path / f"parts{suffix}", results[:3])
    with open_writer(tmp_path / f"parts{suffix}", header(1), past=results[:2]) as writer:
        for result in results[2:]:
            writer.write(result)
    whole, parts = ((tmp_path / f"{name}{suffix}").read_text() for name in ("whole", "parts"))
    assert parts == whole


@pytest.fixture
def small_files():
    """No file may grow beyond 2000 bytes: what a full disk looks like."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("small_files")
def test_a_full_disk_is_reported_and_keeps_the_frames_before_it(tmp_path: Path):
    frames = itertools.count(HEADER.start_frame)
    with open_writer(tmp_path / "track.json", HEADER) as writer, pytest.raises(OutputError, match=r"track\.json"):
        collections.deque((writer.write(one(frame)) for frame in frames), maxlen=0)
    written = next(frames) - 1 - HEADER.start_frame
    assert written > 3
    assert len(read_json(tmp_path / "track.json").results) == written


def test_paths_are_checked_without_touching_anything(tmp_path: Path):
    with pytest.raises(UnknownNameError, match=r"'\.jsn'.*'\.json'"):
        check_path(tmp_path / "track.jsn")
    with pytest.raises(UnknownNameError, match="'track'"):
        check_path(tmp_path / "track")
    with pytest.raises(OutputError, match="no folder"):
        check_path(tmp_path / "missing" / "track.json")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        check_path(tmp_path / "folder.csv")
    (tmp_path / "old.json").write_text("precious")
    check_path(tmp_path / "old.json")
    check_path(tmp_path / "new.json")
    assert (tmp_path / "old.json").read_text() == "precious"
    assert not (tmp_path / "new.json").exists()


def spoil(change):
    """JSON text of a good trajectory after `change` was applied to its content."""

    def text(path):
        write(path, [one(3), one(4)])
        content = json.loads(path.read_text())
        change(content)
        return json.dumps(content)

    return text


def spoil_candidates(**changes):
    """JSON text of a trajectory with candidates that are not right."""

    def change(content):
        content["records"][1]["candidates"] = {**columns(candidates(0, 1)), **changes}

    return spoil(change)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lambda path: "", "not a complete JSON"),
        (lambda path: "[1, 2", "not a complete JSON"),
        (lambda path: "[1, 2]", "not a trajectory"),
        (lambda path: '{"a": 1}', "not a trajectory"),
        (spoil(lambda content: content.update(version=2)), "version 2.*Upgrade"),
        (spoil(lambda content: content.pop("seed")), "header: 'seed' is missing"),
        (spoil(lambda content: content.update(start_boxes=[[1, 2, 3]])), "header: a box has four"),
        (spoil(lambda content: content.pop("records")), 'no list "records"'),
        (spoil(lambda content: content["records"][1].pop("box")), "record 1: 'box' is missing"),
        (spoil(lambda content: content["records"].append(5)), "record 2"),
        (spoil(lambda content: content["records"][0].update(status="gone")), "record 0: 'gone'"),
        (spoil(lambda content: content["records"][0].update(present=1)), "record 0: present is true or false"),
        (spoil(lambda content: content["records"][0].update(score="NaN")), "record 0: NaN is not a finite"),
        (spoil_candidates(scores=[1.0]), "record 1: the 2 candidates do not all have"),
        (spoil_candidates(points_xy=[[1.0, 2.0]]), "record 1: "),
        (spoil_candidates(points_xy=[[1.0, float("nan")]] * 2), "record 1: .* not a finite number"),
        (spoil_candidates(selected=2), "record 1: candidate 2 of 2 cannot be selected"),
        (spoil(lambda content: content["records"][1].update(candidates={})), "record 1: 'ids' is missing"),
        (spoil(lambda content: content["records"][1].update(candidates=None)), "record 1: "),
        (spoil(lambda content: content["records"].reverse()), "frame 3 comes after frame 4"),
        (spoil(lambda content: content["records"][1].update(frame=3)), "frame 3 does not list"),
        (spoil(lambda content: content["records"][1].update(target=1)), "frame 4 does not list"),
    ],
)
def test_a_bad_json_file_is_named_with_the_place(tmp_path: Path, text, message):
    path = tmp_path / "bad.json"
    path.write_text(text(path))
    with pytest.raises(DataError, match=message) as caught:
        read_json(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "first line"),
        (["frame,x,y"], "first line"),
        ([..., "0,0.0,0,1,2,3,4,0.5,1"], "line 2: expected 10 values; got 9"),
        ([..., "0,0.0,0,1,2,3,four,0.5,1,found"], "line 2: could not convert"),
        ([..., "0,,0,1,2,3,4,0.5,yes,found"], "line 2: present"),
        ([..., "0,,0,1,2,3,inf,0.5,1,found"], "line 2: inf is not a finite"),
    ],
)
def test_a_bad_csv_file_is_named_with_the_line(tmp_path: Path, lines, message):
    columns = "frame,time,target,x,y,w,h,score,present,status"
    (tmp_path / "bad.csv").write_text("\n".join(columns if line is ... else line for line in lines))
    with pytest.raises(DataError, match=message):
        read_csv(tmp_path / "bad.csv")


def test_otb_text_is_read_with_any_of_the_usual_separators(tmp_path: Path):
    (tmp_path / "mixed.txt").write_text("1,2,3,4\n1\t2\t3\t4\n1 2  3 4\n1, 2, 3, 4")
    assert read_otb(tmp_path / "mixed.txt").tolist() == [[1, 2, 3, 4]] * 4
    for bad in ("1,2,3", "1,2,3,x", "1,2,3,nan", "1,2,3,4,5"):
        (tmp_path / "bad.txt").write_text(f"1,2,3,4\n{bad}\n")
        with pytest.raises(DataError, match="line 2"):
            read_otb(tmp_path / "bad.txt")


def test_missing_and_binary_files_are_refused(tmp_path: Path):
    (tmp_path / "image.csv").write_bytes(b"\xff\xd8\xff\x00")
    with pytest.raises(DataError, match="not a text file"):
        read_csv(tmp_path / "image.csv")
    with pytest.raises(DataError, match=r"cannot read .*missing\.json"):
        read_json(tmp_path / "missing.json")
