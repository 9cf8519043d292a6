"""The commands of docs/reproduce.md are commands, and name what there is."""

import re
import shlex
from pathlib import Path

import pytest
import tyro

from lockon.apps.cli import Command
from lockon.apps.eval import Eval
from lockon.apps.report import Report
from lockon.apps.results import ResultsSubmit
from lockon.data.testsets.registry import TEST_SETS
from lockon.evaluation.one_pass import RULE_SETS
from lockon.tracking import PRESETS
from lockon.tracking.config import TrackerConfig
from lockon.training.overrides import override

TEXT = (Path(__file__).parents[1] / "docs" / "reproduce.md").read_text(encoding="utf-8")


def commands():
    for block in re.findall(r"```bash\n(.*?)```", TEXT, flags=re.DOTALL):
        for line in re.sub(r"(&&|\\)\n", r"\1 ", block).replace("\\ ", " ").splitlines():
            if line and not line.startswith("#"):
                yield from (part.strip() for part in line.split("&&"))


def _given_names():
    """What trackers are called that the reader trains first: NAME=FILE."""
    return re.findall(r" (\w+)=runs/", TEXT)


def test_every_table_and_figure_has_commands():
    assert len(list(commands())) > 30


@pytest.mark.parametrize("text", sorted(set(commands())))
def test_command_can_be_typed(text):
    program, *words = shlex.split(text)
    assert program == "lockon"
    command = tyro.cli(Command, args=words)
    if isinstance(command, ResultsSubmit):
        places = [command.on, *([command.tuned_on] if command.tuned_on else [])]
    else:
        places = [place for group in command.on for place in group]
    assert places
    for place in places:
        assert place.partition("=")[0] in TEST_SETS
    if isinstance(command, Eval):
        assert {name for name in command.trackers if "=" not in name} <= set(PRESETS)
        for group in command.sweep:
            for axis in group:
                config = PRESETS[command.trackers[0]]
                changed = override(config, [f"{axis.partition('=')[0]}={axis.partition('=')[2].partition('..')[0]}"])
                assert isinstance(changed, TrackerConfig)
    elif isinstance(command, ResultsSubmit):
        assert command.tracker in PRESETS
    else:
        assert isinstance(command, Report)
        assert command.rules in {None, "all", *RULE_SETS}
        assert set(command.trackers) <= {*PRESETS, *_given_names(), "RTS"}
