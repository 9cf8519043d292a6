"""A real cluster of two nodes on this machine: workers and the driver are killed at random, and nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_trackers import drifting, make_test_set

import lockon
from lockon.errors import TrackerError
from lockon.evaluation.running.cluster import Cluster, _reason
from lockon.evaluation.running.evaluate import carry_out
from lockon.evaluation.running.jobs import make_plan
from lockon.evaluation.running.workers import Here
from lockon.evaluation.store import ResultStore

pytest.importorskip("ray", reason="ray is not installed (pip install 'lockon[cluster]')")
pytestmark = pytest.mark.slow

LENGTHS = [10] * 16
PAUSE = 0.1
TIMEOUT = 180
HERE = Path(__file__).parent
DRIVER = """
import sys
from pathlib import Path
from lockon.evaluation.running.cluster import Cluster
from lockon.evaluation.running.evaluate import carry_out
from lockon.evaluation.running.jobs import make_plan
from lockon.evaluation.store import ResultStore
from toy_trackers import drifting, make_test_set
address, data, results = sys.argv[1:]
store = ResultStore(Path(results))
plan = make_plan([drifting(pause={pause})], [make_test_set(Path(data), {lengths})], store)
print("planned", len(plan.jobs), flush=True)
for event in carry_out(plan, store, Cluster(address)):
    print(type(event).__name__, getattr(event, "problem", ""), flush=True)
"""


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    places = [str(HERE), str(Path(lockon.__file__).parents[1])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(places),
        "RAY_DEDUP_LOGS": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }


@pytest.fixture(scope="module")
def address(environment: dict[str, str]) -> Iterator[str]:
    """Of a head without CPUs of its own and two nodes with one each."""
    from ray.cluster_utils import Cluster as TwoNodes

    before = dict(os.environ)
    os.environ.update(environment)
    nodes = TwoNodes(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 10**8})
    try:
        for _ in range(2):
            nodes.add_node(num_cpus=1, object_store_memory=10**8)
        nodes.wait_for_nodes()
        yield nodes.address
    finally:
        nodes.shutdown()
        os.environ.clear()
        os.environ.update(before)


def start_driver(tmp_path: Path, address: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    script = tmp_path / "driver.py"
    script.write_text(DRIVER.format(pause=PAUSE, lengths=LENGTHS))
    command = [sys.executable, str(script), address, str(tmp_path / "data"), str(tmp_path / "results")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def read_until(driver: subprocess.Popen[str], word: str) -> str:
    assert driver.stdout is not None
    for line in driver.stdout:
        if line.startswith(word):
            return line
    pytest.fail(f"the driver ended before it said {word}")


def busy_workers() -> list[int]:
    """Processes of the cluster that do one of our jobs: descendants of this process, which has started it."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, rest = path.read_text().rpartition(")")
        except OSError:
            continue
        parents[int(path.parent.name)] = (int(rest.split()[1]), head.partition("(")[2])
    return [pid for pid, (_, name) in parents.items() if name.startswith("ray::_do") and _descends(pid, parents)]


def _descends(pid: int, parents: dict[int, tuple[int, str]]) -> bool:
    while pid in parents:
        pid = parents[pid][0]
        if pid == os.getpid():
            return True
    return False


def test_workers_and_driver_are_killed_and_nothing_is_lost(tmp_path: Path, address: str, environment: dict[str, str]):
    chance = random.Random(3)
    driver = start_driver(tmp_path, address, environment)
    assert read_until(driver, "planned").split()[1] == "16"
    for _ in range(chance.randint(1, 3)):
        read_until(driver, "Finished")
    deadline = time.monotonic() + TIMEOUT
    while not (victims := busy_workers()) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(chance.choice(victims), signal.SIGKILL)
    assert "lost" in read_until(driver, "Retried")
    for _ in range(chance.randint(1, 3)):
        read_until(driver, "Finished")
    driver.kill()
    driver.wait()
    kept = len(list((tmp_path / "results/toys/drifting/000").glob("*.json")))
    assert 2 <= kept < 16

    again = start_driver(tmp_path, address, environment)
    output, _ = again.communicate(timeout=TIMEOUT)
    assert again.returncode == 0
    assert f"planned {16 - kept}" in output
    assert "Failed" not in output

    test_set = make_test_set(tmp_path / "data", LENGTHS)
    undisturbed = ResultStore(tmp_path / "undisturbed")
    list(carry_out(make_plan([drifting()], [test_set], undisturbed), undisturbed, Here()))
    disturbed, problems = ResultStore(tmp_path / "results").load(test_set, "drifting")
    assert not problems
    for name, expected in undisturbed.load(test_set, "drifting").runs[0].items():
        assert disturbed[0][name].boxes.tobytes() == expected.boxes.tobytes()
        assert disturbed[0][name].scores.tobytes() == expected.scores.tobytes()


def test_a_missing_cluster_is_named():
    with pytest.raises(TrackerError, match=r"no Ray cluster answers at '127.0.0.1:1'"):
        Cluster("127.0.0.1:1")


def test_a_lost_job_says_what_is_missing():
    assert _reason(RuntimeError("far away\n  line 3\nModuleNotFoundError: No module named 'mine'\n")) == (
        "RuntimeError: ModuleNotFoundError: No module named 'mine'"
    )
    assert _reason(RuntimeError()) == "RuntimeError"
