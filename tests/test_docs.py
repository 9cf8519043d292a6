"""The documents keep up with the code: names resolve, links lead somewhere, no tracker is left out."""

import importlib
import re
from pathlib import Path

import pytest

from lockon.tracking import PRESETS
from lockon.zoo import entries

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "README.md"]
ROOMS = "apps|training|evaluation|zoo|tracking|networks|nn|data|video|trajectory|types|boxes|images|errors"
NAME = re.compile(rf"`(?:lockon\.)?((?:{ROOMS})(?:\.\w+)+)(?:\(.*?\))?`")
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")


def resolves(dotted: str) -> bool:
    """Whether a dotted name below `lockon` is a module, or something defined in one; dataclass fields included."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(["lockon", *parts[:length]]))
        except ModuleNotFoundError:
            continue
        for name in parts[length:]:
            if name in getattr(thing, "__dataclass_fields__", {}):
                return name == parts[-1]
            if not hasattr(thing, name):
                return False
            thing = getattr(thing, name)
        return True
    return False


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_of_code_exist(document):
    names = NAME.findall(document.read_text(encoding="utf-8"))
    assert not [name for name in names if not resolves(name) and not name.endswith((".py", ".md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(document):
    links = LINK.findall(document.read_text(encoding="utf-8"))
    assert not [link for link in links if not (document.parent / link).exists()]


def test_names_that_do_not_exist_are_found():
    assert resolves("nn.filters.apply_filter")
    assert resolves("tracking.config.TrackerConfig.search")
    assert not resolves("nn.filters.no_such_filter")
    assert not resolves("tracking.config.TrackerConfig.no_such_slot")


@pytest.mark.parametrize("document", ["README.md", "docs/trackers.md"])
def test_every_tracker_is_described(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    assert not [name for name in {*PRESETS, *(entry.name for entry in entries())} if f"`{name}`" not in text]
