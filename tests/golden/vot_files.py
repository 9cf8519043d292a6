"""The VOT sequences of the golden set as a test set, and the raw results beside them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from lockon.data.testsets.base import BoxTruth, RegionTruth, TestSequence, TestSet
from lockon.evaluation.tracks import Code, RegionTrack
from lockon.regions import parse_region


def vot_test_set(root: Path, name: str, protocol: str) -> TestSet:
    """All sequences below `root/sequences`; image sizes where `meta.json` has them."""
    meta = json.loads((root / "meta.json").read_text())
    sequences = tuple(
        _sequence(folder, meta[folder.name], protocol) for folder in sorted((root / "sequences").iterdir())
    )
    return TestSet(name=name, title=name, sequences=sequences, protocol=protocol)


def _sequence(folder: Path, meta: dict, protocol: str) -> TestSequence:
    regions = tuple(parse_region(line) for line in (folder / "groundtruth.txt").read_text().splitlines())
    tags = {path.stem: _flags(path, len(regions)) for path in sorted(folder.glob("*.tag"))}
    anchors = folder / "anchor.value"
    truth = RegionTruth(
        regions=regions,
        tags=tags,
        anchors=np.array(anchors.read_text().split(), dtype=np.float64).astype(int) if anchors.exists() else None,
    )
    return TestSequence(
        name=folder.name,
        frame_paths=(),
        truth=BoxTruth(boxes=np.array(regions, dtype=np.float64)) if protocol == "vot_longterm" else truth,
        start=regions[0],
        length=len(regions),
        image_size=(meta["width"], meta["height"]) if "width" in meta else None,
    )


def _flags(path: Path, length: int):
    flags = np.zeros(length, dtype=bool)
    values = [line.strip() == "1" for line in path.read_text().splitlines()][:length]
    flags[: len(values)] = values
    return flags


def read_run(path: Path) -> RegionTrack:
    """One raw file, with the confidences beside it if there are any."""
    lines = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    regions = tuple(Code(int(line)) if line in {"0", "1", "2"} else parse_region(line) for line in lines)
    scores = path.with_name(f"{path.stem}_confidence.value")
    values = [float(line or "nan") for line in scores.read_text().splitlines()] if scores.exists() else None
    return RegionTrack(regions=regions, scores=None if values is None else np.array(values), path=path)


def repetitions(root: Path, tracker: str, experiment: str) -> list[dict[str, RegionTrack]]:
    """`<sequence>_001.txt` and so on, as runs."""
    runs: list[dict[str, RegionTrack]] = []
    for folder in sorted((root / "results" / tracker / experiment).iterdir()):
        for index, path in enumerate(sorted(folder.glob(f"{folder.name}_[0-9][0-9][0-9].txt"))):
            runs += [{}] if len(runs) == index else []
            runs[index][folder.name] = read_run(path)
    return runs


def starts(root: Path, tracker: str) -> list[dict[str, dict[int, RegionTrack]]]:
    """`<sequence>_00000050.txt` and so on, by anchor frame."""
    folders = sorted((root / "results" / tracker / "baseline").iterdir())
    return [{f.name: {int(p.stem.rpartition("_")[2]): read_run(p) for p in f.glob("*.txt")} for f in folders}]
