"""The forms in which results are written: for the servers of benchmarks, and for other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from lockon.boxes import Box
from lockon.data.image_reading import read_labels
from lockon.data.label_writing import label_png
from lockon.data.testsets.base import MaskTruth, TestSequence
from lockon.evaluation.formats.masks import frame_names
from lockon.evaluation.formats.text import number_text
from lockon.evaluation.formats.vot import EXPERIMENTS
from lockon.evaluation.tracks import Code, MaskTrack, RegionTrack, Said, Track
from lockon.regions import format_region

Files = Iterator[tuple[str, bytes]]
"""Names below the tracker's folder, and contents."""

PRESENT_SCORE = 0.55
"""Score above which pytracking says "present" to OxUvA; used where a tracker has scores and makes no decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A form that results are written in."""

    folder: str
    """Where files lie in a folder of several trackers; with `{tracker}`, and for VOT `{experiment}`."""
    archived: str = ""
    """Where files lie in an archive that is submitted."""
    protocols: frozenset[str]
    """Those whose results it can hold."""
    several_runs: bool = False
    """Whether it holds repetitions; others hold one run."""
    files: Callable[[TestSequence, Sequence[Said]], Files]
    """Files of all runs on a sequence."""


def _boxes(runs: Sequence[Said]) -> list[Track]:
    return [run for run in runs if isinstance(run, Track)]


def _rows(values: Shaped[np.ndarray, "rows columns"], style: str, separator: str = ",") -> bytes:
    return _lines(number_text(row, style, separator) for row in values.tolist())


def _lines(lines: Iterator[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _text(style: str) -> Callable[[TestSequence, Sequence[Said]], Files]:
    def files(sequence: TestSequence, runs: Sequence[Said]) -> Files:
        for track in _boxes(runs):
            yield f"{sequence.name}.txt", _rows(track.boxes, style)

    return files


def _pytracking(sequence: TestSequence, runs: Sequence[Said]) -> Files:
    """Whole numbers, as pytracking writes them: it cuts off what is behind the point."""
    for number, track in enumerate(_boxes(runs)):
        stem = f"default_{number:03d}/{sequence.name}"
        yield f"{stem}.txt", _rows(np.trunc(track.boxes) + 0.0, "%.0f", "\t")  # %d has no NaN; and no -0
        if track.seconds is not None:
            yield f"{stem}_time.txt", _rows(track.seconds[:, None], "%f")
        if track.scores is not None:
            yield f"{stem}_object_presence_scores.txt", _rows(track.scores[:, None], "%f")


def _got10k(sequence: TestSequence, runs: Sequence[Said]) -> Files:
    name = sequence.name
    for number, track in enumerate(_boxes(runs), start=1):
        yield f"{name}/{name}_{number:03d}.txt", _rows(track.boxes, "%.3f")
    times = [track.seconds for track in _boxes(runs) if track.seconds is not None]
    if len(times) == len(runs):
        yield f"{name}/{name}_time.txt", _rows(np.column_stack(times), "%.8f")


def _oxuva(sequence: TestSequence, runs: Sequence[Said]) -> Files:
    video, _, target = sequence.name.partition("_")
    for track in _boxes(runs):
        corners, there, scores = _relative_corners(track, sequence), _presence(track), _scores(track)
        yield (
            f"{sequence.name}.csv",
            _lines(
                f"{video},{target},{sequence.first_number + index},{str(bool(there[index])).lower()},"
                f"{scores[index]:.6g},{number_text(corners[index], '%.6f')}"
                for index in range(1, len(sequence))
                if not np.isnan(corners[index]).any()
            ),
        )


def _relative_corners(track: Track, sequence: TestSequence) -> Float[np.ndarray, "frames 4"]:
    """Left, right, top, bottom relative to the image and cut off at its border."""
    x, y, w, h = (track.boxes / np.tile(sequence.image_size or (1, 1), 2)).T
    corners: Float[np.ndarray, "frames 4"] = np.column_stack([x, x + w, y, y + h])
    return corners.clip(0, 1)


def _scores(track: Track) -> Float[np.ndarray, "frames"]:
    return np.ones(len(track.boxes)) if track.scores is None else np.nan_to_num(track.scores)


def _presence(track: Track) -> Shaped[np.ndarray, "frames"]:
    return _scores(track) > PRESENT_SCORE if track.present is None else track.present


def _vot(sequence: TestSequence, runs: Sequence[Said]) -> Files:
    name = sequence.name
    for number, said in enumerate(runs, start=1):
        if isinstance(said, Mapping):
            for anchor, track in said.items():
                yield from _vot_run(f"{name}/{name}_{anchor:08d}", track)
        elif isinstance(said, RegionTrack):
            yield from _vot_run(f"{name}/{name}_{number:03d}", said)
        elif isinstance(said, Track):
            boxes = [Box(*box) for box in said.boxes[1:].tolist()]
            # The toolkit has no confidence where the target is given.
            scores = None if said.scores is None else np.concatenate([[np.nan], said.scores[1:]])
            track = RegionTrack(regions=(Code.START, *boxes), scores=scores, seconds=said.seconds)
            yield from _vot_run(f"{name}/{name}_{number:03d}", track)


def _vot_run(stem: str, track: RegionTrack) -> Files:
    yield (
        f"{stem}.txt",
        _lines(str(int(one)) if isinstance(one, Code) else format_region(one) for one in track.regions),
    )
    if track.scores is not None:
        yield f"{stem}_confidence.value", _values(track.scores)
    if track.seconds is not None:
        yield f"{stem}_time.value", _values(track.seconds)


def _values(values: Float[np.ndarray, "frames"]) -> bytes:
    return _lines("" if np.isnan(value) else repr(float(value)) for value in values)


def _masks(sequence: TestSequence, runs: Sequence[Said]) -> Files:
    names = frame_names(sequence)
    truth = sequence.truth
    required = truth.required if isinstance(truth, MaskTruth) else None
    for said in runs:
        if isinstance(said, MaskTrack):
            for frame in range(len(sequence)) if required is None else required:
                path = said.labels[frame]
                if path is not None:
                    yield f"{sequence.name}/{names[frame]}.png", label_png(read_labels(path))


_BOXES = frozenset({"one_pass", "got10k", "identity"})
_VOS = frozenset({"davis", "youtube_vos"})

EXPORTS: Mapping[str, Export] = {
    "text": Export(folder="{tracker}", protocols=_BOXES, files=_text("%r")),
    "pysot": Export(folder="{tracker}", protocols=frozenset({"one_pass"}), files=_text("%.4f")),
    "pytracking": Export(folder="{tracker}", protocols=_BOXES, several_runs=True, files=_pytracking),
    "lasot": Export(
        folder="{tracker}_tracking_result",
        archived="{tracker}_tracking_result",
        protocols=frozenset({"one_pass"}),
        files=_text("%.4f"),
    ),
    "trackingnet": Export(folder="{tracker}", protocols=frozenset({"one_pass"}), files=_text("%.2f")),
    "got10k": Export(folder="{tracker}", protocols=_BOXES, several_runs=True, files=_got10k),
    "vot": Export(
        folder="{tracker}/{experiment}",
        archived="{tracker}/{experiment}",
        protocols=frozenset(EXPERIMENTS),
        several_runs=True,
        files=_vot,
    ),
    "oxuva": Export(folder="{tracker}", protocols=frozenset({"oxuva"}), files=_oxuva),
    "davis": Export(folder="{tracker}", protocols=_VOS, files=_masks),
    "youtube_vos": Export(folder="{tracker}/Annotations", archived="Annotations", protocols=_VOS, files=_masks),
}
"""By name of the form."""
