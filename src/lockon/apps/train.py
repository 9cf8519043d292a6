"""`lockon train`: train a tracker by a recipe, adapt one to videos of one's own, go on with a run."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.table import Table
from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg

from lockon.apps.interrupts import INTERRUPTED, deferred_interrupts
from lockon.apps.progress import progress_bar
from lockon.errors import DataError, RecipeError
from lockon.files import user_path
from lockon.training import peers
from lockon.training.association.recipe import AssociationRecipe
from lockon.training.association.sources import with_mined
from lockon.training.finetuning import finetuning
from lockon.training.monitor import PICTURES
from lockon.training.overrides import override
from lockon.training.recipe import AnyRecipe, describe
from lockon.training.recipes import EVERY_RECIPE, find_recipe
from lockon.training.run import Finished, recipe_of, train
from lockon.training.sources import with_data

DEFAULT_RUNS = Path("runs")


@dataclass(frozen=True)
class Train:
    """Train a tracker by a recipe, or adapt one to your own videos.

    Everything goes into one folder: checkpoints, log.jsonl, TensorBoard's files, pictures, and in the end
    model.safetensors, which `lockon track --tracker` takes. Ctrl-C finishes the step, saves, and says how to go on.

    For example:

    * `lockon train smoke`
    * `lockon train dimp18 --data lasot=/data/lasot got10k=/data/got10k --allow-missing`
    * `lockon train dimp18 --print --set loop.batch=16 groups.backbone.lr=1e-4`
    * `lockon train --finetune lockon_s --videos my_videos --out runs/mine`
    * `lockon train --resume --out runs/mine`
    * `torchrun --nproc-per-node 8 -m lockon train dimp50 --data … --out runs/dimp50`
    """

    recipe: Annotated[Positional[str | None], arg(metavar="RECIPE")] = None
    """What to train; see --list."""
    data: Annotated[UseAppendAction[tuple[tuple[str, ...], ...]], arg(metavar="NAME=FOLDER")] = ()
    """Where the data sets of the recipe lie, such as lasot=/data/lasot; photographs are synthetic=FOLDER, mined
    frames mined=FOLDER, and others to validate on held_out=FOLDER."""
    set: Annotated[UseAppendAction[tuple[tuple[str, ...], ...]], arg(metavar="PATH=VALUE")] = ()
    """Changes of the recipe, such as loop.batch=16; --print shows all paths."""
    out: Annotated[Path | None, arg(metavar="DIR")] = None
    """Folder of the run. Default: runs/ and the name of the recipe."""
    resume: FlagCreatePairsOff[bool] = False
    """Go on with the run in the folder, from its newest checkpoint; the recipe need not be named again."""
    force: FlagCreatePairsOff[bool] = False
    """Go on even though recipe, data or number of processes have changed."""
    allow_missing: FlagCreatePairsOff[bool] = False
    """Do without the data sets that have no folder."""
    finetune: Annotated[str | None, arg(metavar="MODEL")] = None
    """Tracker to adapt: name (see `lockon models list`) or path of a model."""
    videos: Annotated[Path | None, arg(metavar="DIR")] = None
    """Your videos or folders of images, with boxes; `lockon data check DIR` says what is found."""
    device: str = "auto"
    """Where to train: cpu, cuda, cuda:1, …; auto is cuda where there is one."""
    print: FlagCreatePairsOff[bool] = False
    """Print the recipe with all changes, and do nothing."""
    list: FlagCreatePairsOff[bool] = False
    """List the recipes."""

    def run(self) -> int:
        """Train, and return the exit status."""
        if self.list:
            _print_recipes()
            return 0
        recipe = override(self._recipe(), chain(*self.set))
        if self.print:
            print(describe(recipe))
            return 0
        folder = self._folder(recipe)
        recipe = self._with_data(recipe)
        finished = train(
            recipe,
            folder,
            self.device,
            resume=self.resume,
            force=self.force,
            listen=deferred_interrupts,
            progress=progress_bar,
        )
        _report(finished, folder)
        return 0 if finished.outcome.finished else INTERRUPTED

    def _with_data(self, recipe: AnyRecipe) -> AnyRecipe:
        folders = map(_name_and_folder, chain(*self.data))
        if isinstance(recipe, AssociationRecipe):
            return with_mined(recipe, folders)
        placed, notes = with_data(recipe, folders, allow_missing=self.allow_missing)
        for note in notes:
            print(note)
        return placed

    def _recipe(self) -> AnyRecipe:
        if (self.finetune is None) != (self.videos is None):
            raise RecipeError("adapting a tracker needs both --finetune MODEL and --videos DIR.")
        if self.finetune is not None and self.videos is not None:
            if self.recipe is not None:
                raise RecipeError(f"give a recipe ('{self.recipe}') or --finetune, not both.")
            return finetuning(self.finetune, _existing(self.videos))
        if self.recipe is not None:
            return find_recipe(self.recipe)
        if self.resume and self.out is not None:
            return recipe_of(user_path(self.out))
        raise RecipeError("name a recipe, such as smoke; `lockon train --list` shows them all.")

    def _folder(self, recipe: AnyRecipe) -> Path:
        return DEFAULT_RUNS / recipe.name if self.out is None else user_path(self.out)


def _name_and_folder(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not equals or not folder:
        raise DataError(f"--data {text}: write NAME=FOLDER, as in --data lasot=/data/lasot.")
    return name, _existing(Path(folder))


def _existing(folder: Path) -> Path:
    path = user_path(folder).resolve()
    if not path.is_dir():
        raise DataError(f"there is no folder {path}. Check the path.")
    return path


def _print_recipes() -> None:
    table = Table("recipe", "what it trains", box=None)
    for name, recipe in EVERY_RECIPE.items():
        table.add_row(name, recipe.summary)
    Console().print(table)
    print("Which data a recipe needs, and every number of it: lockon train RECIPE --print")


def _report(finished: Finished, folder: Path) -> None:
    if peers.is_first():
        outcome = finished.outcome
        if finished.model is None:
            print(f"stopped after step {outcome.position.step} of {outcome.position.steps}")
            print(f"to go on: lockon train --resume --out {shlex.quote(str(folder))}")
            return
        tracked = [figures["auc"] for figures in outcome.history if "auc" in figures]
        if tracked:
            print(f"success AUC on held-out sequences: {tracked[0]:.3f} at first, {tracked[-1]:.3f} in the end")
        print(f"curves: {folder / PICTURES / 'curves.png'}")
        print(f"model: {finished.model}")
        print(f"try it: lockon track VIDEO --box X,Y,W,H --tracker {shlex.quote(str(finished.model))}")
