"""The program `lockon`: reads the command line and reports errors."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import tyro
from tyro.conf import subcommand

from lockon.apps.bench import Bench
from lockon.apps.data import Data
from lockon.apps.demo import Demo
from lockon.apps.doctor import Doctor
from lockon.apps.eval import Eval
from lockon.apps.interrupts import INTERRUPTED
from lockon.apps.mine import Mine
from lockon.apps.models import Models
from lockon.apps.report import Report
from lockon.apps.results import Packing
from lockon.apps.track import Track
from lockon.apps.train import Train
from lockon.apps.vot import Vot
from lockon.errors import LockonError

DESCRIPTION = """Mark any object in the first frame of a video and follow it to the last.

`lockon COMMAND --help` explains a command. With --debug anywhere, an error shows its traceback."""

Command = (
    Annotated[Track, subcommand("track")]
    | Annotated[Demo, subcommand("demo")]
    | Models
    | Data
    | Annotated[Mine, subcommand("mine")]
    | Annotated[Train, subcommand("train")]
    | Annotated[Eval, subcommand("eval")]
    | Annotated[Report, subcommand("report")]
    | Packing
    | Vot
    | Annotated[Bench, subcommand("bench")]
    | Annotated[Doctor, subcommand("doctor")]
)

USER_ERROR = 2
"""Exit status; that of tyro, too, on a bad command line."""
BROKEN_PIPE = 141
"""Exit status, as shells have it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0, 2 for an error the user can act on, 130 when interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ✓ shows a question mark
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    command = tyro.cli(
        Command,
        prog="lockon",
        description=DESCRIPTION,
        args=[argument for argument in arguments if argument != "--debug"],
    )
    try:
        return command.run()
    except LockonError as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is flushed at exit
        return BROKEN_PIPE
