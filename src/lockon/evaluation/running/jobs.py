"""The work: one run of a tracker on a sequence is a job, and a plan lists the jobs whose results are missing."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lockon.data.testsets.base import TestSequence, TestSet
from lockon.errors import DataError
from lockon.evaluation.result_files import Outcome
from lockon.evaluation.running.experiments import find_experiment, one_pass
from lockon.evaluation.running.following import Clock, Follower, RealTimeFollower, TimedFollower, closing
from lockon.evaluation.running.lockstep import one_pass_lockstep
from lockon.evaluation.store import ResultKey, ResultStore, check_name
from lockon.evaluation.trackers import TrackerSpec

OnFrame = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RealTime:
    """A camera that waits for nobody; see `RealTimeFollower`."""

    fps: float
    grace: int = 3
    """Of VOT's real-time experiment."""

    def __post_init__(self) -> None:
        if not self.fps > 0 or self.grace < 0:
            raise DataError(f"a camera needs a positive frame rate, and a grace of 0 or more frames; got {self}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run of a tracker on one sequence."""

    key: ResultKey
    tracker: TrackerSpec
    sequence: TestSequence
    protocol: str
    real_time: RealTime | None = None

    @property
    def seed(self) -> int:
        """The same for all trackers, and another for every sequence and run."""
        text = f"{self.key.sequence}\n{self.key.run}".encode()
        return int.from_bytes(hashlib.sha256(text).digest()[:4], "big")

    @property
    def provenance(self) -> dict[str, Any]:
        """From what the result is made; one made from anything else is another."""
        return provenance_of(self.tracker, self.protocol, self.real_time)

    def run(self, on_frame: OnFrame = lambda: None, clock: Clock = time.perf_counter) -> Outcome:
        """Do it.

        Raises:
            Exception: whatever the tracker raises.
        """

        @contextmanager
        def open_follower() -> Iterator[Follower]:
            with closing(self.tracker.create(self.seed)) as tracker:
                follower = TimedFollower(tracker, self.sequence, on_frame=on_frame, clock=clock)
                if self.real_time is None:
                    yield follower
                else:
                    yield RealTimeFollower(follower, self.real_time.fps, self.real_time.grace)

        return find_experiment(self.protocol)(open_follower, self.sequence)


Batch = tuple[Job, ...]
"""Jobs that are done together: one, or several in lock-step."""


def run_batch(batch: Batch, on_frame: OnFrame = lambda: None) -> list[Outcome]:
    """Do the jobs of a batch.

    Raises:
        Exception: whatever the tracker raises.
    """
    if len(batch) == 1:
        return [batch[0].run(on_frame)]
    create = batch[0].tracker.create_lockstep
    assert create is not None, "batches are made of jobs that can be done in lock-step"
    tracker = create([job.seed for job in batch])
    return list(one_pass_lockstep(tracker, [job.sequence for job in batch], on_frame=on_frame))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done."""

    jobs: tuple[Job, ...]
    """The longest first, so that processes end together."""
    finished: int
    """Results that are there."""
    damaged: tuple[str, ...]
    """What is wrong with results that are made again."""

    def batches(self, lockstep: int = 1) -> list[Batch]:
        """The jobs, up to `lockstep` of similar length together where the tracker can do so."""
        groups: dict[tuple[str, str], list[Job]] = {}
        batches: list[Batch] = []
        for job in self.jobs:
            if lockstep < 2 or not _fit_for_lockstep(job):
                batches.append((job,))
                continue
            group = groups.setdefault((job.key.test_set, job.key.tracker), [])
            group.append(job)
            if len(group) == lockstep:
                batches.append(tuple(group))
                group.clear()
        return batches + [tuple(group) for group in groups.values() if group]


def _fit_for_lockstep(job: Job) -> bool:
    plain = job.real_time is None and find_experiment(job.protocol) is one_pass
    return plain and job.tracker.create_lockstep is not None


def make_plan(
    trackers: Sequence[TrackerSpec],
    test_sets: Sequence[TestSet],
    store: ResultStore,
    *,
    runs: int = 1,
    overwrite: bool = False,
    real_time: RealTime | None = None,
) -> Plan:
    """See what there is, and what is missing or damaged.

    Args:
        trackers: to be measured.
        test_sets: on which.
        store: where results are, and will be.
        runs: of each tracker that is stochastic.
        overwrite: make everything anew.
        real_time: show frames as a camera would.

    Raises:
        DataError: names are not unique or fit for files, images are not at hand, or results were made by another
            version of a tracker.
        UnknownNameError: a test set has an unknown protocol.
    """
    if runs < 1:
        raise DataError(f"there must be at least one run; got {runs}.")
    check_inputs(trackers, test_sets)
    jobs: list[Job] = []
    damaged: list[str] = []
    finished = 0
    for test_set in test_sets:
        for tracker in trackers:
            for run in range(runs if tracker.stochastic else 1):
                for sequence in test_set.sequences:
                    key = ResultKey(test_set.name, tracker.name, run, sequence.name)
                    job = Job(
                        key=key,
                        tracker=tracker,
                        sequence=sequence,
                        protocol=test_set.protocol,
                        real_time=real_time,
                    )
                    try:
                        done = not overwrite and _is_done(job, store)
                    except _Damaged as problem:
                        damaged.append(str(problem))
                        done = False
                    finished += done
                    if not done:
                        jobs.append(job)
    jobs.sort(key=lambda job: -len(job.sequence))
    return Plan(jobs=tuple(jobs), finished=finished, damaged=tuple(damaged))


class _Damaged(Exception):
    """A result that is to be made again."""


def _is_done(job: Job, store: ResultStore) -> bool:
    try:
        record = store.record(job.key)
        if record is None:
            return False
        store.read(job.key, job.sequence)
    except DataError as error:
        raise _Damaged(str(error)) from error
    changed = _differences(record.get("provenance", {}), job.provenance)
    if changed:
        raise DataError(
            f"results of '{job.key.tracker}' on '{job.key.test_set}' in '{store.root}' were made otherwise: "
            f"{'; '.join(changed)}. Choose another folder or name, or make them anew with --overwrite."
        )
    return True


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [
        f"{key} was {old.get(key)!r} and is {new.get(key)!r}"
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]


def provenance_of(tracker: TrackerSpec, protocol: str, real_time: RealTime | None) -> dict[str, Any]:
    """What a result depends on, as its record keeps it."""
    camera = None if real_time is None else {"fps": real_time.fps, "grace": real_time.grace}
    # As a record gives it back: with lists for tuples, and text for keys.
    plain: dict[str, Any] = json.loads(json.dumps({**tracker.provenance, "protocol": protocol, "real_time": camera}))
    return plain


def check_inputs(trackers: Sequence[TrackerSpec], test_sets: Sequence[TestSet]) -> None:
    """Refuse what cannot be run before anything is run.

    Raises:
        DataError: names are not unique or fit for files, or images are not at hand.
        UnknownNameError: a test set has an unknown protocol.
    """
    _check_names("tracker", [tracker.name for tracker in trackers])
    _check_names("test set", [test_set.name for test_set in test_sets])
    for test_set in test_sets:
        find_experiment(test_set.protocol)
        _check_names(f"sequence of {test_set.name}", [sequence.name for sequence in test_set.sequences])
        for sequence in test_set.sequences:
            if not sequence.has_images:
                raise DataError(f"the images of sequence '{sequence.name}' of {test_set.name} are not at hand.")


def _check_names(kind: str, names: Sequence[str]) -> None:
    if not names:
        raise DataError(f"there is no {kind}.")
    for name, count in Counter(names).items():
        check_name(kind, name)
        if count > 1:
            raise DataError(f"there are {count} of {kind} '{name}', and results are kept by name; rename one.")
