"""Small workspaces of the VOT toolkit, and the toolkit itself in an environment of its own."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.integrations.bright_tracker import HEIGHT, WIDTH, save_frame, square_at
from lockon.boxes import Box
from lockon.regions import MaskRegion, Polygon, Region, format_region

ANALYSES = {
    "vot_supervised": ("supervised_average_ar", "supervised_eao_score"),
    "vot_multistart": ("multistart_average_ar", "multistart_eao_score"),
    "vot_longterm": ("average_tpr", None),
}
EXPERIMENTS = {
    "vot_supervised": "baseline:\n    type: supervised\n    repetitions: 2\n    skip_initialize: 5",
    "vot_multistart": "baseline:\n    type: multistart",
    "vot_longterm": "longterm:\n    type: unsupervised\n    repetitions: 1",
}
LENGTHS = (30, 44)
SPEEDS = ((2, 1), (6, 4))
HIDDEN = range(15, 26)
"""Frames of the second sequence in which nothing is to be seen."""


def make_workspace(folder: Path, protocol: str, interval: tuple[int, int]) -> None:
    """Two videos of a moving square, annotated by polygons, masks or boxes, as the protocol's challenges are."""
    score, expected_overlap = ANALYSES[protocol]
    lines = [f"      - type: {score}\n        name: scores"]
    if expected_overlap:
        low, high = interval
        lines.append(f"      - type: {expected_overlap}\n        name: eao\n        low: {low}\n        high: {high}")
    analyses = "\n".join(lines)
    names = [write_sequence(folder / "sequences", protocol, number) for number in range(len(LENGTHS))]
    (folder / "sequences" / "list.txt").write_text("\n".join(names) + "\n")
    (folder / "stack.yaml").write_text(
        f"title: made\nexperiments:\n  {EXPERIMENTS[protocol]}\n    analyses:\n{analyses}\n"
    )
    (folder / "config.yaml").write_text("stack: stack.yaml\nregistry:\n- .\nsequences: sequences\n")


def write_sequence(root: Path, protocol: str, number: int) -> str:
    name, length = f"square{number}", LENGTHS[number]
    folder = root / name
    annotation = []
    for index in range(length):
        box = square_at(index, SPEEDS[number], (10.0 * number, 5.0))
        hidden = number == 1 and index in HIDDEN
        save_frame(folder / "color" / f"{index + 1:08d}.jpg", None if hidden else box)
        absent = hidden and protocol == "vot_longterm"
        annotation.append("nan,nan,nan,nan" if absent else format_region(as_annotated(box, protocol)))
    (folder / "groundtruth.txt").write_text("\n".join(annotation) + "\n")
    (folder / "sequence").write_text(
        f"name={name}\nfps=30\nformat=default\nchannels.color=color/%08d.jpg\n"
        f"width={WIDTH}\nheight={HEIGHT}\nlength={length}\n"
    )
    if protocol == "vot_multistart":
        anchors = {0: 1, 20: 1, length - 1: -1}
        (folder / "anchor.value").write_text("".join(f"{anchors.get(index, 0)}\n" for index in range(length)))
    return name


def as_annotated(box: Box, protocol: str) -> Region:
    x, y, w, h = box
    if protocol == "vot_supervised":
        return Polygon(np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]]))
    return MaskRegion(int(x), int(y), np.ones((int(h), int(w)), dtype=bool)) if protocol == "vot_multistart" else box


class Toolkit:
    """The toolkit's command line. `LOCKON_VOT_PYTHON` is the interpreter of an environment that has it.

    From 0.8 on the toolkit cannot run two of its experiments with any tracker that is a program. For them an older
    toolkit is used, which lies in the folder `vot-evaluate` of the environment.
    """

    def __init__(self) -> None:
        python = os.environ.get("LOCKON_VOT_PYTHON")
        if not python:
            pytest.skip("LOCKON_VOT_PYTHON is not set: the interpreter of an environment with vot-toolkit")
        self._python = Path(python).absolute()

    def evaluate(self, workspace: Path, protocol: str, tracker: str) -> None:
        older = self._python.parents[1] / "vot-evaluate"
        self._run(workspace, ["evaluate", tracker], () if protocol == "vot_longterm" else (older,))

    def analysis(self, workspace: Path, trackers: Sequence[str]) -> Any:
        """What each analysis gave for each tracker."""
        self._run(workspace, ["analysis", "--format", "json", "--name", "report", *trackers], ())
        report = json.loads((workspace / "analysis" / "report.json").read_text())
        (experiment,) = report["results"].values()
        return experiment["results"]

    def _run(self, workspace: Path, arguments: Sequence[str], first_on_path: Sequence[Path]) -> None:
        path = os.pathsep.join(filter(None, [*map(str, first_on_path), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            [self._python, "-m", "vot", *arguments],
            cwd=workspace,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        # The toolkit's exit status is 0 after errors, too.
        assert "uccessful" in said, said
