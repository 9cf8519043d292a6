"""The runner: a plan is carried out by workers, and every result is kept as soon as it is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lockon.evaluation.running.jobs import Plan
from lockon.evaluation.running.workers import Event, Finished, ShouldStop, Workers
from lockon.evaluation.store import Making, ResultStore


def carry_out(
    plan: Plan,
    store: ResultStore,
    workers: Workers,
    *,
    lockstep: int = 1,
    should_stop: ShouldStop = lambda: False,
    environment: Mapping[str, Any] | None = None,
) -> Iterator[Event]:
    """Do what is planned, and tell what happens. A kill at any moment loses no more than the jobs in work.

    Args:
        plan: what is to be done.
        store: where results are kept; this process alone writes to it, and claims it until all is done.
        workers: who does it.
        lockstep: sequences that a tracker may follow at once, where it can.
        should_stop: asked often; once it says yes, only what is begun is finished.
        environment: facts to be kept with every result, beside those of the machine that made it.

    Raises:
        OutputError: a result cannot be written, or another process writes results there.
    """
    with store.claimed():
        for event in workers.run(plan.batches(lockstep), should_stop):
            if isinstance(event, Finished):
                making = Making(
                    seed=event.job.seed,
                    provenance=event.job.provenance,
                    environment={**event.environment, **(environment or {})},
                )
                store.save(event.job.key, event.job.sequence, event.outcome, making)
            yield event
