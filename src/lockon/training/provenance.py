"""What a run was made from: recipe, data and code; kept in checkpoints, compared when a run goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lockon.errors import TrainingError
from lockon.training.plain import differences


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Plain data only."""

    recipe: Mapping[str, Any]
    data: Mapping[str, str]
    """Fingerprint of each data set."""
    processes: int
    code: str
    """Version of the package, and the commit where there is one."""

    def plain(self) -> dict[str, Any]:
        """As a checkpoint keeps it."""
        return asdict(self)


def code_version() -> str:
    """Version of the package; of a working copy the commit, too, with a `+` where files were changed."""
    folder = str(Path(__file__).parent)
    command = ["git", "-C", folder, "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
    try:
        commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or no repository: an installed package
        return version("lockon")
    return f"{version('lockon')}, commit {commit}"


def check_same(saved: Mapping[str, Any], now: Provenance, *, force: bool) -> list[str]:
    """Compare what a checkpoint was made from with what is at hand.

    Args:
        saved: what `Provenance.plain` gave.
        now: of this process.
        force: let recipe, data and number of processes differ.

    Returns:
        The differences, one line each.

    Raises:
        TrainingError: more than the code differs, and `force` is not given.
    """
    code = {"code": saved["code"]}
    grave = differences({**saved, **code}, {**now.plain(), **code})
    if grave and not force:
        lines = "\n".join(f"  {line}" for line in grave)
        raise TrainingError(
            f"this run was begun with other settings or data:\n{lines}\n"
            "Give the same again, begin another run (--out), or go on with the new ones (--force)."
        )
    return [*grave, *differences(code, {"code": now.code})]
