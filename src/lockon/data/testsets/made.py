"""Test sets that are made, not downloaded: beside the sequences lies the recipe that they were made by."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from lockon.data.datasets.layout import read_text
from lockon.errors import DataError, OutputError
from lockon.files import make_folder, replacing

Recipe = TypeVar("Recipe")


def claim(root: Path, name: str, recipe: Any) -> None:
    """Make the folder of a test set and write its recipe there, a dataclass of plain values.

    Raises:
        OutputError: the folder cannot be written, or has a test set of another recipe.
    """
    path = root / name
    make_folder(root)
    if not path.exists():
        with replacing(path) as part:
            part.write_text(json.dumps(asdict(recipe)) + "\n")
    elif read_recipe(root, name, type(recipe)) != recipe:
        raise OutputError(f"'{root}' has a synthetic test set made otherwise: see '{path}'. Give another folder.")


def read_recipe(root: Path, name: str, kind: type[Recipe]) -> Recipe:
    """What a folder's test set was made with.

    Raises:
        DataError: the folder does not say.
    """
    path = root / name
    try:
        stored = json.loads(read_text(path))
        values = {field.name: stored.pop(field.name) for field in fields(kind)}  # type: ignore[arg-type]
        if stored:
            raise KeyError(*stored)
        return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"'{path}' is no recipe of a synthetic test set: {error!r}. Make it again.") from error
