"""`lockon report`: what results are worth, as tables, plots and a page."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import Positional, arg

from lockon.apps.progress import progress_bar
from lockon.data.testsets.base import TestSet
from lockon.data.testsets.registry import open_test_set
from lockon.errors import DataError
from lockon.evaluation.assessment import Assessment, Exclusion
from lockon.evaluation.protocols import assess, assess_under_all_rules
from lockon.evaluation.reports import Assessed, as_rich, overview_table, rules_tables, verdicts, write_report
from lockon.evaluation.store import ResultStore
from lockon.evaluation.tracks import Results
from lockon.files import user_path

ALL = "all"
_FEW = 5
"""Exclusions that are printed; the report lists all."""


@dataclass(frozen=True)
class Report:
    """Compare trackers from their stored results: a table here, and plots, tables and a page in a folder.

    For example: `lockon report results --on otb100=/data/OTB100 --rules all --out report`
    """

    results: Annotated[Positional[Path], arg(metavar="RESULTS")]
    """Folder that `lockon eval` has written to."""
    on: Annotated[tuple[str, ...], arg(metavar="NAME=FOLDER")] = ()
    """Test sets and where they lie."""
    rules: str | None = None
    """Whose rules (pytracking, otb, lasot, trackingnet, pysot, got10k, …), or all of them side by side."""
    trackers: Annotated[tuple[str, ...], arg(metavar="TRACKER")] = ()
    """Which trackers; all that have results, unless given."""
    out: Annotated[Path | None, arg(metavar="FOLDER")] = None
    """Folder for the report; nothing is written without it."""

    def run(self) -> int:
        """Assess, print the tables, and write the report."""
        store, console = ResultStore(user_path(self.results)), Console(soft_wrap=True)
        assessed = [self._assessed(store, *_name_and_folder(place)) for place in self._places(store)]
        for one in assessed:
            _print(one, console)
        if self.out is not None:
            folder = user_path(self.out)
            with progress_bar("drawing") as progress:
                paths = write_report(assessed, folder, command=shlex.join(["lockon", *sys.argv[1:]]), progress=progress)
            print(f"report: {paths[0]} and {len(paths) - 1} files beside it")
        return 0
