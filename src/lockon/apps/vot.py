"""`lockon vot`: trackers inside the official VOT toolkit."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg, subcommand

from lockon.apps.integrations.named import named_tracker
from lockon.apps.integrations.vot_toolkit import RegionForm, register, serve
from lockon.files import user_path


@dataclass(frozen=True, kw_only=True)
class VotRegister:
    """Enter trackers into the workspace of a VOT toolkit, which can then run them.

    For example: `lockon vot register workspace lockon_s csrt`, and then, in the environment of the toolkit,
    `vot evaluate --workspace workspace lockon_s`
    """

    workspace: Annotated[Positional[Path], arg(metavar="WORKSPACE")]
    """Folder that the toolkit has made."""
    trackers: Annotated[Positional[tuple[str, ...]], arg(metavar="TRACKER")]
    """As for `lockon eval`; NAME=TRACKER gives it another name."""
    region: RegionForm = "rectangle"
    """What regions are exchanged as: polygon where annotations are rotated (to VOT2019), mask (from VOT2020)."""
    device: str = "cpu"
    """Where Lockon's trackers run."""

    def run(self) -> int:
        """Write the registry, and say where it is."""
        commands = {}
        for text in self.trackers:
            spec = named_tracker(text, device=self.device)
            options = ["--region", self.region, "--device", self.device]
            commands[spec.name] = [sys.executable, "-m", "lockon", "vot", "track", text, *options]
        print(register(user_path(self.workspace), commands))
        return 0


@dataclass(frozen=True, kw_only=True)
class VotTrack:
    """Track for a VOT toolkit; it starts this command by itself."""

    tracker: Annotated[Positional[str], arg(metavar="TRACKER")]
    """As for `lockon eval`."""
    region: RegionForm = "rectangle"
    """What regions are exchanged as."""
    device: str = "cpu"
    """Where Lockon's trackers run."""
    seed: int = 0
    """Of the first start; every start after it has the next."""

    def run(self) -> int:
        """Track until the toolkit is done."""
        spec = named_tracker(self.tracker, device=self.device)
        serve(spec.create, name=spec.name, form=self.region, seed=self.seed)
        return 0


Vot = Annotated[
    Annotated[VotRegister, subcommand("register")] | Annotated[VotTrack, subcommand("track")],
    subcommand("vot", description="Run trackers in the official VOT toolkit."),
]
