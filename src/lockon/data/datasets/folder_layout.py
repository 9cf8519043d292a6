"""What a user's folder holds: clips, and the annotation file that goes with each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lockon.data.datasets.annotations import ANNOTATION_SUFFIXES, is_annotation
from lockon.data.datasets.layout import is_hidden
from lockon.data.datasets.shards import is_packed
from lockon.errors import DataError
from lockon.video.image_files import images_in, is_image_name

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .ts .mts .m2ts .wmv .flv .ogv .3gp".split()  # noqa: SIM905
)
FRAME_FOLDERS = frozenset({"frames", "img", "img1", "images", "color", "imgs"})
"""Names of folders that hold the images of the clip that the folder above them is."""
MASK_FOLDERS = frozenset({"masks", "mask"})
CHECK_PICTURE = "_check.png"
"""What the names of pictures end with that `lockon data check` draws, perhaps into the folder it looks at."""
_TRUTH_FILES = ("groundtruth.txt", "groundtruth_rect.txt", "gt/gt.txt", "gt.txt")


@dataclass(frozen=True, slots=True)
class FoundClip:
    """One clip, before anything of it is read."""

    name: str
    """Its path below the root, without the suffix of a video."""
    home: Path
    """The video file, or the folder that holds frames and annotation."""
    images: tuple[Path, ...] = ()
    """Empty for a video."""
    masks: tuple[Path, ...] = ()

    @property
    def is_video(self) -> bool:
        """Whether it is a video file."""
        return not self.images


@dataclass(slots=True)
class Layout:
    """All clips below a root and the annotation files beside them."""

    clips: list[FoundClip]
    own: dict[str, list[Path]] = field(default_factory=dict)
    """Annotation files that are for one clip by their place and name, the one that counts first; by clip name."""
    shared: list[Path] = field(default_factory=list)
    """Annotation files that name the clips they are for."""
    empty: list[Path] = field(default_factory=list)
    """Folders without anything that is visible."""


def find_layout(root: Path) -> Layout:
    """Look for clips and annotation files in `root` and below; hidden files and folders are left out.

    Raises:
        DataError: a folder cannot be listed.
    """
    layout, annotations = Layout([]), []
    for folder, files in _walk(root):
        if is_packed(folder):
            continue  # what was made of the clips is none of them
        layout.clips += _clips_in(root, folder, files)
        annotations += [path for path in files if is_annotation(path)]
        if all(is_hidden(path.name) for path in folder.iterdir()):
            layout.empty.append(folder)
    layout.clips = _with_unique_names(layout.clips, root)
    owners = _Owners(layout.clips)
    for path in annotations:
        owner = owners.of(path)
        if owner is not None:
            layout.own.setdefault(owner.name, []).append(path)
        elif path.suffix.lower() != ".txt":  # text is full of notes; only by its place and name it is annotation
            layout.shared.append(path)
    for paths in layout.own.values():
        paths.sort(key=_precedence)
    return layout


class _Owners:
    """Which clip an annotation file is for, by its place and name."""

    def __init__(self, clips: Sequence[FoundClip]) -> None:
        self._by_place: dict[tuple[Path, str], FoundClip] = {}
        """By folder and stem of the annotation."""
        self._by_folder: dict[Path, FoundClip] = {}
        """By a folder in which any annotation but text is for the clip."""
        self._by_stem: dict[str, FoundClip | None] = {}
        """By stem alone, None where several clips have it."""
        for clip in clips:
            stem = clip.home.stem if clip.is_video else clip.home.absolute().name
            self._by_stem[stem] = None if stem in self._by_stem else clip
            self._by_place[clip.home.parent, stem] = clip
            if not clip.is_video:
                truths = [clip.home / name for name in _TRUTH_FILES]
                self._by_place |= {(path.parent, path.stem): clip for path in truths}
                self._by_place[clip.home, stem] = clip
                self._by_folder |= {clip.home: clip, clip.images[0].parent: clip}

    def of(self, path: Path) -> FoundClip | None:
        """The clip, None where the file is for several, or for none."""
        owner = self._by_place.get((path.parent, path.stem))
        if owner is None and path.suffix.lower() != ".txt":
            owner = self._by_folder.get(path.parent)
        return owner or self._by_stem.get(path.stem)


def holds_clips(root: Path, videos_only: bool = False) -> bool:
    """Whether there is a video in a folder or below, or an image if these count, too."""
    return any(
        path.suffix.lower() in VIDEO_SUFFIXES or (not videos_only and is_image_name(path))
        for _, files in _walk(root)
        for path in files
    )


def _walk(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Folders with their visible files, sorted; not into folders of masks, and into none twice through links."""

    def stop(error: OSError) -> None:
        raise DataError(f"cannot look through '{error.filename}': {error.strerror}.") from error

    been: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(root, onerror=stop, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in been:
            folders.clear()
            continue
        been.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not is_hidden(name) and name.casefold() not in MASK_FOLDERS)
        yield Path(folder), [Path(folder, name) for name in sorted(files) if not is_hidden(name)]


def _clips_in(root: Path, folder: Path, files: Sequence[Path]) -> Iterator[FoundClip]:
    for path in files:
        if path.suffix.lower() in VIDEO_SUFFIXES:
            yield FoundClip(path.relative_to(root).with_suffix("").as_posix(), path)
    if any(map(_is_frame, files)) and not _has_frame_folder(folder):
        home = folder.parent if folder.name.casefold() in FRAME_FOLDERS else folder
        if root not in (home, *home.parents):
            home = folder  # the user gave the folder of frames itself
        name = home.relative_to(root).as_posix() if home != root else root.resolve().name
        yield FoundClip(name, home, tuple(images_in(folder)), _masks(home))


def _is_frame(path: Path) -> bool:
    return is_image_name(path) and not path.name.endswith(CHECK_PICTURE)


def _has_frame_folder(folder: Path) -> bool:
    """Whether the frames lie below, and images here are something else: previews, plots."""
    return any(path.is_dir() and path.name.casefold() in FRAME_FOLDERS for path in folder.iterdir())


def _masks(home: Path) -> tuple[Path, ...]:
    folders = (home / name for name in sorted(MASK_FOLDERS))
    folder = next((path for path in folders if path.is_dir() and any(map(is_image_name, path.iterdir()))), None)
    return () if folder is None else tuple(images_in(folder))


def _with_unique_names(clips: Iterable[FoundClip], root: Path) -> list[FoundClip]:
    """Where a video and a folder have the same name, the video gets its suffix back."""
    unique: dict[str, FoundClip] = {}
    for clip in sorted(clips, key=lambda clip: (clip.is_video, clip.name)):
        name = clip.name if clip.name not in unique else clip.home.relative_to(root).as_posix()
        unique[name] = FoundClip(name, clip.home, clip.images, clip.masks)
    return sorted(unique.values(), key=lambda clip: clip.name)


def _precedence(path: Path) -> tuple[bool, int, str]:
    is_truth = path.name in [Path(name).name for name in _TRUTH_FILES]
    return not is_truth, ANNOTATION_SUFFIXES.index(path.suffix.lower()), path.name
