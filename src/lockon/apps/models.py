"""`lockon models`: which trackers there are, and the import of weights that others trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg, subcommand

from lockon.zoo import describe, entries, find_entry, import_checkpoint, is_ready, locate, models_folder


@dataclass(frozen=True)
class ModelsList:
    """List the trackers, and say which are ready to use.

    For example: `lockon models list`
    """

    def run(self) -> int:
        """Print the table."""
        table = Table("", "name", "what it is", box=None)
        for entry in entries():
            table.add_row("✓" if is_ready(entry) else "–", entry.name, entry.summary)
        Console().print(table)
        print(f"✓ ready; – needs weights: see `lockon models show NAME`. Imported models are in {models_folder()}.")
        return 0


@dataclass(frozen=True)
class ModelsShow:
    """Show all that is known of a tracker: weights, licence, paper and published results.

    For example: `lockon models show dimp50`
    """

    name: Annotated[Positional[str], arg(metavar="NAME")]
    """A name that `lockon models list` gives."""

    def run(self) -> int:
        """Print the entry."""
        entry = find_entry(self.name)
        print(describe(entry))
        for part in entry.parts:
            print(f"  model    {locate(part) or f'{part.name}.safetensors is not on this machine'}")
            for file in part.files:
                print(f"  import   lockon models import {file.name} --as {entry.name}")
        return 0


@dataclass(frozen=True)
class ModelsImport:
    """Import weights for a tracker from a file of its publisher; nothing in the file is executed.

    For example: `lockon models import dimp50.pth --as dimp50`
    """

    file: Annotated[Positional[Path], arg(metavar="FILE")]
    """PyTorch checkpoint of either format, or safetensors."""
    as_name: Annotated[str, arg(name="as", metavar="NAME")]
    """Tracker that the weights are for."""

    def run(self) -> int:
        """Import, and say where the model is."""
        path = import_checkpoint(self.file, self.as_name)
        served = [entry for entry in entries() if path in map(locate, entry.parts)]
        print(path)
        print(f"ready: {', '.join(entry.name for entry in served if is_ready(entry))}")
        waiting = [entry.name for entry in served if not is_ready(entry)]
        if waiting:
            print(f"these need another file (lockon models show {waiting[0]}): {', '.join(waiting)}")
        return 0


Models = Annotated[
    Annotated[ModelsList, subcommand("list")]
    | Annotated[ModelsShow, subcommand("show")]
    | Annotated[ModelsImport, subcommand("import")],
    subcommand("models", description="List, show and import the models that trackers need."),
]
