"""The runner: results are kept as they come, failures are told, deaths survived, and runs go on where they were."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy_trackers import (
    Drifting,
    Raising,
    drifting,
    dying,
    in_step,
    make_test_set,
    parallel,
    parallel_and_dying,
)

from lockon.data.testsets.base import TestSequence, TestSet
from lockon.errors import DataError, OutputError, TrackerError, UnknownNameError
from lockon.evaluation.running.evaluate import carry_out
from lockon.evaluation.running.jobs import RealTime, make_plan
from lockon.evaluation.running.processes import Processes
from lockon.evaluation.running.workers import Event, Failed, Finished, Here, Retried, Workers
from lockon.evaluation.store import ResultStore
from lockon.evaluation.trackers import TrackerSpec


@pytest.fixture
def test_set(tmp_path: Path) -> TestSet:
    return make_test_set(tmp_path / "data")


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "results")


def run(
    spec: TrackerSpec, test_set: TestSet, store: ResultStore, workers: Workers | None = None, **options
) -> list[Event]:
    lockstep = options.pop("lockstep", 1)
    plan = make_plan([spec], [test_set], store, **options)
    return list(carry_out(plan, store, workers or Here(), lockstep=lockstep))


def boxes(store: ResultStore, test_set: TestSet, tracker: str = "drifting") -> list[dict[str, bytes]]:
    runs, problems = store.load(test_set, tracker)
    assert not problems
    return [{name: result.boxes.tobytes() for name, result in results.items()} for results in runs]


def test_every_sequence_and_run_has_a_result(test_set: TestSet, store: ResultStore):
    events = run(drifting(), test_set, store, runs=2)
    assert sum(isinstance(event, Finished) for event in events) == 6
    first, second = boxes(store, test_set)
    assert first.keys() == {"toy0", "toy1", "toy2"}
    assert all(first[name] != second[name] for name in first)


def test_seeds_depend_on_sequence_and_run_alone(test_set: TestSet, store: ResultStore, tmp_path: Path):
    run(drifting(), test_set, store, runs=2)
    few = TestSet(name="few", title="Few", sequences=test_set.sequences[2:], protocol="one_pass")
    run(drifting("other"), few, store, runs=2)
    for whole, part in zip(boxes(store, test_set), boxes(store, few, "other"), strict=True):
        assert whole["toy2"] == part["toy2"]


def test_trackers_without_randomness_run_once(test_set: TestSet, store: ResultStore):
    run(TrackerSpec(name="drifting", create=Drifting, stochastic=False), test_set, store, runs=5)
    assert store.run_count("toys", "drifting") == 1


def test_what_is_there_is_left_alone(test_set: TestSet, store: ResultStore):
    run(drifting(), test_set, store)
    before = boxes(store, test_set)
    plan = make_plan([drifting()], [test_set], store)
    assert (len(plan.jobs), plan.finished) == (0, 3)
    plan = make_plan([drifting()], [test_set], store, runs=2)
    assert (len(plan.jobs), plan.finished) == (3, 3)
    plan = make_plan([drifting()], [test_set], store, overwrite=True)
    assert (len(plan.jobs), plan.finished) == (3, 0)
    assert boxes(store, test_set) == before


def test_damaged_results_are_named_and_made_again(test_set: TestSet, store: ResultStore):
    run(drifting(), test_set, store)
    before = boxes(store, test_set)
    folder = store.root / "toys/drifting/000"
    (folder / "toy0.txt").write_text("1,2,3")
    (folder / "toy1.json").unlink()
    plan = make_plan([drifting()], [test_set], store)
    assert [job.key.sequence for job in plan.jobs] == ["toy0", "toy1"]
    assert ["toy0.txt" in plan.damaged[0], "toy1.txt" in plan.damaged[1]] == [True, True]
    list(carry_out(plan, store, Here()))
    assert boxes(store, test_set) == before


def test_results_of_another_version_are_not_mixed_in(test_set: TestSet, store: ResultStore):
    run(drifting(pause=0.0), test_set, store)
    with pytest.raises(DataError, match=r"pause was 0.0 and is 0.001.*--overwrite"):
        make_plan([drifting(pause=0.001)], [test_set], store)
    with pytest.raises(DataError, match="real_time was None"):
        make_plan([drifting()], [test_set], store, real_time=RealTime(fps=20))
    assert make_plan([drifting(pause=0.001)], [test_set], store, overwrite=True).finished == 0


def test_one_failure_does_not_stop_the_others(test_set: TestSet, store: ResultStore):
    events = run(TrackerSpec(name="raising", create=Raising), test_set, store)
    failed = [event for event in events if isinstance(event, Failed)]
    assert [event.job.key.sequence for event in failed] == ["toy0", "toy1"]
    assert failed[0].problem == "ValueError: frame 3 is too much"
    assert "toy_trackers.py" in failed[0].details
    assert [event.job.key.sequence for event in events if isinstance(event, Finished)] == ["toy2"]


def test_lockstep_gives_what_one_by_one_gives(test_set: TestSet, store: ResultStore):
    run(drifting(), test_set, store)
    run(in_step(), test_set, store, lockstep=2)
    assert boxes(store, test_set) == boxes(store, test_set, "in_step")
    record = json.loads((store.root / "toys/in_step/000/toy0.json").read_text())
    assert record["environment"]["lockstep"] == "2"
    assert json.loads((store.root / "toys/in_step/000/toy2.json").read_text())["environment"]["lockstep"] == "1"


def test_what_fails_together_is_tried_alone(test_set: TestSet, store: ResultStore):
    events = run(in_step(fail=True), test_set, store, lockstep=3)
    assert sum(isinstance(event, Retried) for event in events) == 3
    assert len(boxes(store, test_set, "in_step")[0]) == 3


def test_stopping_finishes_what_is_begun(test_set: TestSet, store: ResultStore):
    plan = make_plan([drifting()], [test_set], store)
    events = list(carry_out(plan, store, Here(), should_stop=lambda: bool(store.trackers("toys"))))
    assert sum(isinstance(event, Finished) for event in events) == 1
    assert len(make_plan([drifting()], [test_set], store).jobs) == 2


def test_two_runs_do_not_write_to_the_same_folder(test_set: TestSet, store: ResultStore):
    plan = make_plan([drifting()], [test_set], store)
    first = carry_out(plan, store, Here())
    next(first)
    with pytest.raises(OutputError, match=rf"in use by process {os.getpid()} on .*Wait for it"):
        next(carry_out(plan, store, Here()))
    assert len(list(first)) == 5
    assert len(list(carry_out(plan, store, Here()))) == 6


def test_bad_input_fails_before_any_work(test_set: TestSet, store: ResultStore):
    twice = TestSet(name="x", title="x", sequences=test_set.sequences[:1] * 2, protocol="one_pass")
    with pytest.raises(DataError, match="2 of sequence of x 'toy0'"):
        make_plan([drifting()], [twice], store)
    with pytest.raises(DataError, match="2 of tracker 'drifting'"):
        make_plan([drifting(), drifting()], [test_set], store)
    truth = test_set.sequences[0]
    bare = TestSequence(name="bare", frame_paths=(), truth=truth.truth, start=truth.start, length=len(truth))
    with pytest.raises(DataError, match="images of sequence 'bare' of x are not at hand"):
        make_plan([drifting()], [TestSet(name="x", title="x", sequences=(bare,), protocol="one_pass")], store)
    with pytest.raises(DataError, match="there is no tracker"):
        make_plan([], [test_set], store)
    with pytest.raises(UnknownNameError, match="one_pas"):
        make_plan([drifting()], [TestSet(name="x", title="x", sequences=twice.sequences, protocol="one_pas")], store)
    with pytest.raises(DataError, match="at least one run"):
        make_plan([drifting()], [test_set], store, runs=0)
    with pytest.raises(DataError, match="positive frame rate"):
        RealTime(fps=0)


@pytest.mark.slow
def test_processes_give_the_same_results(test_set: TestSet, store: ResultStore, tmp_path: Path):
    other = ResultStore(tmp_path / "other")
    run(drifting(), test_set, store, runs=2)
    events = run(drifting(), test_set, other, Processes(2), runs=2)
    assert boxes(store, test_set) == boxes(other, test_set)
    finished = next(event for event in events if isinstance(event, Finished))
    assert int(finished.environment["threads"]) >= 1


@pytest.mark.slow
def test_jobs_of_a_process_that_dies_are_begun_again(test_set: TestSet, store: ResultStore, tmp_path: Path):
    marks = tmp_path / "marks"
    marks.mkdir()
    (marks / "1").touch()
    events = run(dying(marks), test_set, store, Processes(1))
    retried = [event for event in events if isinstance(event, Retried)]
    assert len(retried) == 1
    assert "killed" in retried[0].problem
    run(drifting(), test_set, store)
    assert boxes(store, test_set, "dying") == boxes(store, test_set)


@pytest.mark.slow
def test_a_job_that_always_kills_its_process_fails(test_set: TestSet, store: ResultStore, tmp_path: Path):
    marks = tmp_path / "marks"
    marks.mkdir()
    for number in range(3):
        (marks / str(number)).touch()
    events = run(dying(marks), test_set, store, Processes(1))
    failed = [event for event in events if isinstance(event, Failed)]
    assert [(event.job.key.sequence, "3 times in a row" in event.problem) for event in failed] == [("toy0", True)]
    assert sum(isinstance(event, Finished) for event in events) == 2


@pytest.fixture
def pids(tmp_path: Path) -> Path:
    """Where trackers write down what processes they have started."""
    (tmp_path / "pids").mkdir()
    return tmp_path / "pids"


def started(pids: Path) -> list[int]:
    return [int(path.name) for path in pids.iterdir()]


@pytest.mark.slow
def test_trackers_may_have_processes_of_their_own_which_end_with_the_work(
    test_set: TestSet, store: ResultStore, pids: Path
):
    run(parallel(pids), test_set, store, Processes(1))
    run(drifting(), test_set, store)
    assert boxes(store, test_set, "parallel") == boxes(store, test_set)
    assert len(started(pids)) == 3
    assert all(_gone(pid) for pid in started(pids))


@pytest.mark.slow
def test_a_death_is_noticed_though_the_tracker_has_processes_left(store: ResultStore, tmp_path: Path, pids: Path):
    events = run(parallel_and_dying(pids), make_test_set(tmp_path / "one", [5]), store, Processes(1))
    assert [type(event) for event in events if isinstance(event, Retried | Failed)] == [Retried, Retried, Failed]
    assert len(started(pids)) == 3
    assert all(_gone(pid) for pid in started(pids))


def test_what_cannot_be_sent_to_a_process_is_named(test_set: TestSet, store: ResultStore):
    with pytest.raises(TrackerError, match="'local' cannot be sent"):
        run(TrackerSpec(name="local", create=lambda seed: Drifting(seed)), test_set, store, Processes(1))


DRIVER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from lockon.evaluation.running.evaluate import carry_out
from lockon.evaluation.running.jobs import make_plan
from lockon.evaluation.running.processes import Processes
from lockon.evaluation.store import ResultStore
from toy_trackers import drifting, make_test_set, parallel
if __name__ == "__main__":
    store = ResultStore(Path({results!r}))
    plan = make_plan([{tracker}], [make_test_set(Path({data!r}), [8] * 12)], store)
    print("planned", len(plan.jobs), flush=True)
    for event in carry_out(plan, store, Processes(2)):
        print(type(event).__name__, flush=True)
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_happened(tmp_path: Path):
    paths = {"tests": str(Path(__file__).parent), "data": str(tmp_path / "data")}
    script = tmp_path / "driver.py"
    script.write_text(DRIVER.format(**paths, tracker="drifting(pause=0.02)", results=str(tmp_path / "killed")))
    driver = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    lines = iter(driver.stdout.readline, "")
    assert next(line for line in lines if line.startswith("planned")).split()[1] == "12"
    for _ in range(3):
        next(line for line in lines if line.startswith("Finished"))
    workers = _children(driver.pid)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    again = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    left = int(again.stdout.split()[1])
    assert 0 < left <= 9
    assert all(_gone(pid) for pid in workers)
    test_set = make_test_set(tmp_path / "data", [8] * 12)
    undisturbed = ResultStore(tmp_path / "undisturbed")
    list(carry_out(make_plan([drifting(pause=0.02)], [test_set], undisturbed), undisturbed, Here()))
    assert boxes(ResultStore(tmp_path / "killed"), test_set) == boxes(undisturbed, test_set)


@pytest.mark.slow
def test_nothing_outlives_a_killed_run_whatever_trackers_do(tmp_path: Path, pids: Path):
    paths = {
        "tests": str(Path(__file__).parent),
        "data": str(tmp_path / "data"),
        "results": str(tmp_path / "results"),
    }
    script = tmp_path / "driver.py"
    script.write_text(DRIVER.format(**paths, tracker=f"parallel(Path({str(pids)!r}), pause=600)"))
    driver = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    try:
        while len(started(pids)) < 2:
            assert driver.poll() is None
            time.sleep(0.1)
        everything = {*_children(driver.pid), *started(pids)}
        assert len(everything) >= 4
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    assert all(_gone(pid) for pid in everything)


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def _gone(pid: int) -> bool:
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    return not Path(f"/proc/{pid}").exists()
