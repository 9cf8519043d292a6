"""Trackers inside the official VOT toolkit, which starts them as programs and talks to them by the TraX protocol.

The toolkit (`vot-toolkit` on PyPI, GPL) is never imported here: it runs in an environment of its own, and reads what
to start from `trackers.ini` in its workspace. `register` writes that file; `serve` is the program. The package
`vot-trax` (BSD), an optional dependency, speaks the protocol.
"""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lockon.boxes import Box
from lockon.data.image_reading import read_rgb
from lockon.data.testsets.base import box_of
from lockon.errors import DataError, LockonError, MissingExtraError, TrackerError
from lockon.evaluation.trackers import MeasuredTracker, Observation, covered_pixels
from lockon.files import replacing
from lockon.images import Image
from lockon.regions import MaskRegion, Polygon, Region

RegionForm = Literal["rectangle", "polygon", "mask"]

REGISTRY = "trackers.ini"
"""In a workspace of the toolkit."""
WORKSPACE = "config.yaml"
"""What makes a folder a workspace."""
TIMEOUT = 300
"""Seconds the toolkit waits for an answer; the first includes loading the network."""
_IDENTIFIER = re.compile(r"[a-zA-Z0-9_-]+")


def serve(create: Callable[[int], MeasuredTracker], *, name: str, form: RegionForm, seed: int = 0) -> None:
    """Track for the toolkit until it says that it is done. Call it in a program that the toolkit has started.

    Args:
        create: makes a tracker from a seed.
        name: of the tracker.
        form: what regions are exchanged as. The toolkit converts its annotation to it. Trackers of boxes take
            `polygon` as a box of the same area (the rule of VOT2015 to VOT2019), and the others as the box around.
        seed: of the first start; every start after it has the next.

    Raises:
        MissingExtraError: the package `vot-trax` is not installed.
        TrackerError: there is no toolkit on the other end.
    """
    trax = _trax()
    try:
        server = trax.Server([form], ["path"], tracker_name=name)
        _answer(trax, server, create, form, seed)
    except trax.TraxException as error:
        raise TrackerError(f"lost the VOT toolkit ({error}). This command is for `vot evaluate` to start.") from error
    except LockonError as error:
        server.quit(reason=str(error))
        raise
    server.quit()


def _answer(trax: Any, server: Any, create: Callable[[int], MeasuredTracker], form: RegionForm, seed: int) -> None:
    tracker: MeasuredTracker | None = None
    while True:
        request = server.wait()
        if request.type == trax.TraxStatus.QUIT:
            return
        image = read_rgb(Path(request.image["color"].path()))
        if request.type == trax.TraxStatus.INITIALIZE:
            tracker, seed = create(seed), seed + 1
            region = _from_trax(trax, request.objects[0][0])
            observation = tracker.start(image, region) or Observation(region)
        elif tracker is None:
            raise TrackerError("the toolkit sent a frame before it gave a target.")
        else:
            observation = tracker.step(image)
        # Where the target is given there is nothing to be confident of, and the toolkit would count it.
        score = None if request.type == trax.TraxStatus.INITIALIZE else observation.score
        properties = {} if score is None else {"confidence": repr(float(score))}
        server.status([(_to_trax(trax, observation, form, image), properties)])


def _trax() -> Any:
    try:
        import trax
    except ImportError as error:
        raise MissingExtraError("tracking for the VOT toolkit", "vot") from error
    return trax


def _from_trax(trax: Any, region: Any) -> Region:
    if region.type == trax.Region.RECTANGLE:
        return Box(*region.bounds())
    if region.type == trax.Region.POLYGON:
        return Polygon(np.array([region.get(index) for index in range(region.size())], dtype=np.float64))
    if region.type == trax.Region.MASK:
        left, top = region.offset()
        return MaskRegion(left, top, region.array().astype(np.bool_))
    raise TrackerError(f"the toolkit sent a region of type '{region.type}', which no tracker can start with.")


def _to_trax(trax: Any, observation: Observation, form: RegionForm, image: Image) -> Any:
    if form == "mask":
        height, width = image.shape[:2]
        mask = covered_pixels(observation, width, height)
        pixels = mask.pixels if mask.pixels.size else np.zeros((1, 1), dtype=np.bool_)
        return trax.Mask.create(np.ascontiguousarray(pixels, dtype=np.uint8), mask.left, mask.top)
    if form == "polygon":
        return trax.Polygon.create([(float(x), float(y)) for x, y in corners(observation.region)])
    return trax.Rectangle.create(*box_of(observation.region))


def corners(region: Region) -> Sequence[Sequence[float]]:
    """The corners `(x, y)` of a polygon, or of the box around another region."""
    if isinstance(region, Polygon):
        return [(float(x), float(y)) for x, y in region.points]
    x, y, w, h = box_of(region)
    return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]


def register(workspace: Path, commands: Mapping[str, Sequence[str]]) -> Path:
    """Enter trackers into the registry of a workspace; entries of other trackers stay.

    Args:
        workspace: of the toolkit.
        commands: what starts a tracker, by its name.

    Returns:
        The registry.

    Raises:
        DataError: this is no workspace, the registry cannot be read, or a name is none that the toolkit takes.
        OutputError: the registry cannot be written.
    """
    if not (workspace / WORKSPACE).is_file():
        raise DataError(
            f"'{workspace}' is no workspace of the VOT toolkit: it has no {WORKSPACE}. Make one first: "
            f"`vot initialize vot2022/stb --workspace {workspace}`."
        )
    path = workspace / REGISTRY
    registry = configparser.ConfigParser(interpolation=None)
    try:
        registry.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise DataError(f"'{path}' cannot be read: {error}. Correct it, or remove it.") from error
    for name, command in commands.items():
        if not _IDENTIFIER.fullmatch(name):
            raise DataError(f"the toolkit takes names of letters, digits, '_' and '-' only, not '{name}'.")
        # The toolkit reads the file with interpolation, in which a percent sign is written twice.
        line = shlex.join(command).replace("%", "%%")
        registry[name] = {"label": name, "protocol": "trax", "command": line, "timeout": str(TIMEOUT)}
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        registry.write(file)
    return path
