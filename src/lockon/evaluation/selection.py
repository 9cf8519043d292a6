"""Which sequences count, and what is left out, said aloud."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lockon.data.testsets.base import TestSequence, TestSet
from lockon.errors import DataError
from lockon.evaluation.assessment import Exclusion
from lockon.evaluation.tracks import Results


def select_sequences(
    test_set: TestSet, results: Results, *, missing_allowed: bool = False
) -> tuple[tuple[TestSequence, ...], list[Exclusion]]:
    """The sequences that every run of every tracker has a result of, and what does not count.

    A sequence that one lacks is left out for all of them, so that numbers compare.

    Args:
        test_set: the sequences.
        results: of all trackers that are compared.
        missing_allowed: the protocol itself knows what a missing result is worth; all sequences are kept.

    Raises:
        DataError: sequences of the same name, a tracker without any result, or no sequence that all have.
    """
    _check(test_set, results)
    exclusions = [Exclusion(sequence=name, tracker=None, reason=reason) for name, reason in test_set.excluded]
    known = {sequence.name for sequence in test_set.sequences}
    left_out = set()
    consequence = "counts as lost" if missing_allowed else "left out for all trackers"
    for tracker, runs in results.items():
        missing = {name: [number for number, run in enumerate(runs) if name not in run] for name in known}
        for name in sorted(known):
            if missing[name]:
                left_out.add(name)
                reason = f"{_lack(missing[name], len(runs))}: {consequence}"
                exclusions.append(Exclusion(sequence=name, tracker=tracker, reason=reason))
        strangers = sorted({name for run in runs for name in run} - known)
        exclusions += [
            Exclusion(sequence=name, tracker=tracker, reason=f"a result, but {test_set.title} has no such sequence")
            for name in strangers
        ]
    if missing_allowed:
        return test_set.sequences, exclusions
    kept = tuple(sequence for sequence in test_set.sequences if sequence.name not in left_out)
    if not kept:
        raise DataError(
            f"no sequence of {test_set.title} has a result of every run of {_listed(list(results))}. "
            "Finish the runs, or compare fewer trackers."
        )
    return kept, exclusions


def secret_annotation(test_set: TestSet, known: str) -> DataError:
    """The error to raise where there is nothing to compare results with.

    Args:
        test_set: whose annotation is secret.
        known: what of it is public.
    """
    return DataError(
        f"the annotation of {test_set.title} is secret but for {known}; "
        "write a submission and send it to the benchmark's server."
    )


def _check(test_set: TestSet, results: Results) -> None:
    repeated = [name for name, times in Counter(each.name for each in test_set.sequences).items() if times > 1]
    if repeated:
        raise DataError(f"{test_set.title} has {_listed(repeated)} more than once; give every sequence its own name.")
    if not results:
        raise DataError(
            f"there are no results on {test_set.title} to assess; run a tracker first, or import results."
        )
    known = {sequence.name for sequence in test_set.sequences}
    for tracker, runs in results.items():
        if not any(known & run.keys() for run in runs):
            raise DataError(
                f"tracker '{tracker}' has no result of any sequence of {test_set.title}. "
                "Check the folder and the names of its files, or leave the tracker out."
            )


def _lack(runs: Sequence[int], count: int) -> str:
    return "no result" if count == 1 else f"no result of run {', '.join(map(str, runs))} of {count}"


def _listed(names: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in names[:5]]
    return ", ".join(quoted) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
