"""Programs as trackers: what is said to them, what they answer, and every way in which they fail."""

import shlex
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lockon.boxes import Box
from lockon.errors import DataError, TrackerError
from lockon.evaluation.external import ExternalTracker, external_tracker
from lockon.evaluation.trackers import MeasuredTracker, Observation, covered_pixels

IMAGE = np.zeros((8, 8, 3), dtype=np.uint8)
BOX = Box(1, 2, 3, 4)
SPEAKER = """
import sys
print("loading", flush=True)
{before}
print("ready", flush=True)
for line in sys.stdin:
    word, *rest = line.split()
    {each}
"""


def program(tmp_path: Path, each: str, before: str = "") -> ExternalTracker:
    path = tmp_path / "tracker.py"
    path.write_text(SPEAKER.format(each=each, before=before))
    return ExternalTracker((sys.executable, str(path)), 7, answer_within=20, ready_within=20)


def test_a_program_is_told_seed_region_and_path(tmp_path: Path):
    echo = "print('region', '1,2,3,4', '0.5', '1', flush=True); open(sys.argv[0] + '.log', 'a').write(line)"
    tracker = program(tmp_path, echo)
    path = tmp_path / "with blank.jpg"
    assert tracker.start_file(path, BOX) == (BOX, 0.5, True, None)
    tracker.step_file(path)
    tracker.close()
    said = (tmp_path / "tracker.py.log").read_text().splitlines()
    assert said[:2] == [f"start 7 1.0,2.0,3.0,4.0 {path}", f"step {path}"]


def test_pixels_reach_a_program_without_loss(tmp_path: Path):
    each = (
        "from PIL import Image; import numpy as np; pixels = np.asarray(Image.open(line.split()[-1])); "
        "print('region', f'{pixels.sum()},0,1,1', '-', '0', flush=True)"
    )
    tracker: MeasuredTracker = program(tmp_path, each)
    image = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    observation = tracker.start(image, BOX)
    assert observation == (Box(float(image.sum()), 0, 1, 1), None, False, None)
    assert tracker.step(IMAGE).region == Box(0, 0, 1, 1)
    tracker.close()


@pytest.mark.parametrize(
    ("each", "message"),
    [
        ("print('region 1,2,3 0.5', flush=True)", "not understood"),
        ("print('region 1,2,3,4 high', flush=True)", "not understood"),
        ("print('region 1,2,3,4 1 yes', flush=True)", "PRESENT is 1 or 0"),
        ("print('region 1,2,3,4 1 1 1', flush=True)", "not understood"),
        ("print('region', flush=True)", "not understood"),
        ("print('ready', flush=True)", "where 'region …' was due"),
        ("print('error no memory', flush=True)", "reports: no memory"),
        ("print('last words', file=sys.stderr); sys.exit(3)", "(?s)exit status 3.*last words"),
        ("import os; os.abort()", "by signal 6"),
    ],
)
def test_bad_answers_are_explained(tmp_path: Path, each: str, message: str):
    tracker = program(tmp_path, each)
    with pytest.raises(TrackerError, match=message):
        tracker.start(IMAGE, BOX)
    tracker.close()


def test_a_silent_program_is_given_up_and_ended(tmp_path: Path):
    path = tmp_path / "tracker.py"
    path.write_text("import time\nprint('ready', flush=True)\ntime.sleep(100)\n")
    tracker = ExternalTracker((sys.executable, str(path)), answer_within=0.1)
    with pytest.raises(TrackerError, match=r"not said 'region' within 0.1 s"):
        tracker.start(IMAGE, BOX)
    begin = time.monotonic()
    tracker.close()
    assert time.monotonic() - begin < 10


def test_a_missing_program_is_named():
    with pytest.raises(TrackerError, match="cannot start 'no_such_program'"):
        ExternalTracker(("no_such_program",)).start(IMAGE, BOX)


def test_steps_need_a_start(tmp_path: Path):
    with pytest.raises(TrackerError, match="start comes before step"):
        ExternalTracker((sys.executable,)).step(IMAGE)


def test_commands_are_split_as_a_shell_does():
    spec = external_tracker("mine", f"{shlex.quote('my tracker')} --fast")
    assert spec.provenance == {"command": ["my tracker", "--fast"]}
    with pytest.raises(DataError, match="is empty"):
        external_tracker("mine", " ")
    with pytest.raises(DataError, match="cannot read the command"):
        external_tracker("mine", "'open")


def test_a_box_covers_the_pixels_whose_centres_it_holds():
    mask = covered_pixels(Observation(Box(-2.4, 7, 5, 8)), 20, 10)
    assert (mask.left, mask.top, mask.pixels.shape, mask.pixels.all()) == (0, 7, (3, 3), True)
    mask = covered_pixels(Observation(Box(2.6, 1.5, 2, 1)), 20, 10)
    assert (mask.left, mask.top, mask.pixels.shape) == (3, 1, (1, 2))
    for nowhere in (Box(30, 30, 5, 5), Box(5, 5, -3, 2), Box(*[float("nan")] * 4)):
        assert covered_pixels(Observation(nowhere), 20, 10).pixels.size == 0


def test_what_a_tracker_segments_counts_more_than_its_box():
    pixels = np.zeros((10, 20), dtype=bool)
    pixels[3, 4:6] = True
    mask = covered_pixels(Observation(Box(0, 0, 9, 9), mask=pixels), 20, 10)
    assert (mask.left, mask.top, mask.pixels.tolist()) == (4, 3, [[True, True]])
