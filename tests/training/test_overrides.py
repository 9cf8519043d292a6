"""Changes of a recipe from the command line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from lockon.errors import RecipeError, UnknownNameError
from lockon.training.overrides import override
from lockon.training.recipes import RECIPES
from lockon.training.schedules import Cosine, StepDecay

DIMP = RECIPES["dimp18"]


@dataclass(frozen=True)
class Knobs:
    number: float = 1.0
    whole: int = 1
    switch: bool = False
    text: str = "a"
    path: Path | None = None
    several: tuple[float, ...] = ()
    pair: tuple[int, int] = (1, 2)
    words: tuple[str, ...] = ()
    choice: Literal["auto", "none"] = "auto"
    either: int | None = None


@pytest.mark.parametrize(
    ("assignment", "field", "value"),
    [
        ("number=2", "number", 2.0),
        ("number=1e-3", "number", 1e-3),
        ("whole=16", "whole", 16),
        ("whole=10_000", "whole", 10_000),
        ("switch=true", "switch", True),
        ("switch=off", "switch", False),
        ("text=12", "text", "12"),
        ("text=none", "text", "none"),
        ("text=a=b", "text", "a=b"),
        ("path=/tmp/x.pth", "path", Path("/tmp/x.pth")),
        ("path=none", "path", None),
        ("several=1,2.5", "several", (1.0, 2.5)),
        ("several=(3,)", "several", (3.0,)),
        ("several=", "several", ()),
        ("pair=3, 4", "pair", (3, 4)),
        ("words=layer1,layer2", "words", ("layer1", "layer2")),
        ("words=layer1", "words", ("layer1",)),
        ("words=1,2", "words", ("1", "2")),
        ("choice=none", "choice", "none"),
        ("either=none", "either", None),
        ("either=5", "either", 5),
    ],
)
def test_text_is_read_as_what_the_field_is(assignment, field, value):
    changed = getattr(override(Knobs(), [assignment]), field)
    assert changed == value
    assert type(changed) is type(value)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("whole=1.5", "whole=1.5 does not fit; it must be a whole number"),
        ("number=fast", "number=fast does not fit; it must be a number"),
        ("number=nan", "it must be a number"),
        ("switch=2", "it must be true or false"),
        ("pair=1", "a tuple"),
        ("whole", "'whole' is no change of a recipe; write PATH=VALUE"),
        ("=3", "write PATH=VALUE"),
        ("whole.deep=3", "whole is 1, which has no part 'deep'"),
    ],
)
def test_what_does_not_fit_is_refused(assignment, message):
    with pytest.raises(RecipeError, match=message):
        override(Knobs(), [assignment])


def test_paths_lead_through_nested_parts_by_field_name_and_number():
    recipe = override(
        DIMP,
        [
            "loop.batch=16",
            "samples.frames.max_gap=50",
            "schedule.every_epochs=5",
            "groups.backbone.lr=1e-5",
            "data.lasot.weight=0.5",
            "data.1.weight=2",
            "model.pretrained=weights/resnet18.pth",
        ],
    )
    assert recipe.loop.batch == 16
    assert recipe.samples.frames.max_gap == 50
    assert recipe.schedule == StepDecay(every_epochs=5, factor=0.2)
    assert {group.name: group.lr for group in recipe.groups}["backbone"] == 1e-5
    assert [config.weight for config in recipe.data] == [0.5, 2.0, 1.0, 1.0]
    assert recipe.model.pretrained == Path("weights/resnet18.pth")
    assert DIMP.loop.batch == 26


def test_a_name_chooses_among_dataclasses_with_their_defaults():
    recipe = override(DIMP, ["schedule=cosine", "schedule.final=0.1", "loop.clip_norm=5"])
    assert recipe.schedule == Cosine(final=0.1)
    assert recipe.loop.clip_norm == 5.0
    with pytest.raises(UnknownNameError, match=r"kind of schedule 'cosin'\. Did you mean 'Cosine'"):
        override(DIMP, ["schedule=cosin"])


def test_arguments_of_the_network_can_be_set_and_added():
    recipe = override(RECIPES["smoke"], ["model.arguments.width=8"])
    assert recipe.model.arguments == {"width": 8}
    assert override(DIMP, ["model.arguments.init_gauss_sigma=0.8"]).model.arguments == {"init_gauss_sigma": 0.8}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("loop.bach=16", "unknown field of loop 'bach'. Did you mean 'batch'"),
        ("lop.batch=16", "field of the recipe 'lop'. Did you mean 'loop'"),
        ("data.lasott.weight=1", "unknown part of data 'lasott'. Did you mean 'lasot'"),
        ("data.7.weight=1", "unknown part of data '7'"),
        ("objective.box=overlapp", "value of objective.box 'overlapp'. Did you mean 'overlap'"),
    ],
)
def test_a_typo_gets_the_nearest_name(assignment, message):
    with pytest.raises(UnknownNameError, match=message):
        override(DIMP, [assignment])


def test_a_field_that_lies_deeper_is_pointed_out():
    with pytest.raises(RecipeError, match=r"samples has no field 'max_gap'. Did you mean 'samples\.frames\.max_gap'"):
        override(DIMP, ["samples.max_gap=50"])
    with pytest.raises(RecipeError, match=r"the recipe has no field 'batch'. Did you mean 'loop\.batch'"):
        override(DIMP, ["batch=4"])


def test_a_change_that_makes_no_sense_is_refused():
    with pytest.raises(RecipeError, match="learning rate that is not positive"):
        override(DIMP, ["groups.backbone.lr=0"])
    with pytest.raises(RecipeError, match="negative weight"):
        override(DIMP, ["data.lasot.weight=-1"])
