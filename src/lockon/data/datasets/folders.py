"""Any folder of a user's videos: clips, and the boxes that lie beside them in any format `annotations` reads."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Bool, Float

from lockon.data.datasets.annotations import Annotation, Observation, Track, read_annotation
from lockon.data.datasets.annotations.base import gather_tracks
from lockon.data.datasets.clips import Clip, Decoders, ImageClip, VideoClip
from lockon.data.datasets.fingerprints import annotation_digest
from lockon.data.datasets.folder_layout import FRAME_FOLDERS, VIDEO_SUFFIXES, FoundClip, Layout, find_layout
from lockon.data.datasets.index import Progress
from lockon.data.datasets.records import Issue
from lockon.data.datasets.video_lengths import VideoLengths
from lockon.errors import DataError, ImageError, VideoError
from lockon.files import user_path
from lockon.images import Image
from lockon.video import read_image


@dataclass(frozen=True, slots=True)
class FolderSequence:
    """One object in one of the user's clips."""

    name: str
    """That of the clip; where it has several objects, `clip#id`."""
    category: str | None
    boxes: Float[np.ndarray, "frames 4"]
    """float32."""
    visible: Bool[np.ndarray, "frames"]
    source: Clip
    mask_paths: tuple[Path, ...] = ()
    """One mask a frame, or empty."""

    @property
    def clip(self) -> str:
        """Name of the clip, which other sequences may share."""
        return self.source.name

    def __len__(self) -> int:
        return len(self.boxes)

    def frame(self, index: int) -> Image:
        """Read frame `index`, from 0.

        Raises:
            DataError: it cannot be read.
        """
        return self.source.frame(index)

    def frame_path(self, index: int) -> Path | None:
        """The image file of frame `index`, from 0; None in a video file."""
        return self.source.frame_path(index)

    def mask(self, index: int) -> Bool[np.ndarray, "height width"] | None:
        """The target's pixels in frame `index`, from 0; None where there are no masks.

        Raises:
            DataError: the mask cannot be read.
        """
        if not self.mask_paths:
            return None
        try:
            return np.asarray(read_image(self.mask_paths[index]).max(axis=2) > 0)
        except ImageError as error:
            raise DataError(str(error)) from error


class FolderDataset:
    """The sequences of a folder, and what is wrong with it.

    Args:
        root: the folder.
        sequences: in order of their names.
        issues: what was left out, and why.
        notes: choices that were made where several files could have been meant.
    """

    def __init__(
        self, root: Path, sequences: Sequence[FolderSequence], issues: Sequence[Issue], notes: Sequence[str] = ()
    ) -> None:
        self.root = root
        self.name = root.resolve().name
        self.is_video = any(len(sequence) > 1 for sequence in sequences)
        self.fingerprint = annotation_digest(sequences)
        self.issues = tuple(issues)
        self.notes = tuple(notes)
        self._sequences = tuple(sequences)

    def __len__(self) -> int:
        return len(self._sequences)

    def __getitem__(self, index: int) -> FolderSequence:
        return self._sequences[index]

    def __iter__(self) -> Iterator[FolderSequence]:
        return iter(self._sequences)


def open_folder(
    root: str | Path,
    split: str | None = None,
    *,
    first_frame: int = 0,
    rebuild: bool = False,
    progress: Progress | None = None,
) -> FolderDataset:
    """Find the clips of a folder and read their annotation; docs/own_videos.md describes layouts and formats.

    A clip that cannot be used is left out, and `issues` says why.

    Args:
        root: the folder, searched in depth.
        split: a folder in it, if only that is meant.
        first_frame: number of the first frame in tables (CSV) whose header does not say.
        rebuild: count the frames of videos again, even of those that have not changed.
        progress: called with the number of clips looked at, and of all.

    Raises:
        DataError: there is no such folder, or nothing in it can be used.
    """
    root = user_path(root) / (split or "")
    if not root.is_dir():
        raise DataError(f"there is no folder '{root}'; give the folder in which the videos lie.")
    layout = find_layout(root)
    if not layout.clips:
        raise DataError(f"there are no videos and no images in '{root}' or below.")
    reading = _Reading(root, layout, first_frame, VideoLengths(rebuild))
    reading.run(progress)
    if not reading.sequences:
        reasons = " ".join(issue.text for issue in reading.issues[:3])
        raise DataError(f"nothing in '{root}' can be used. {reasons}")
    return FolderDataset(root, reading.sequences, reading.issues, reading.notes)


@dataclass(slots=True)
class _Reading:
    """One pass over a folder: sequences, issues and notes grow while it runs."""

    root: Path
    layout: Layout
    first_frame: int
    lengths: VideoLengths
    sequences: list[FolderSequence] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def run(self, progress: Progress | None) -> None:
        decoders = Decoders()
        shared = self._read_shared()
        for folder in self.layout.empty:
            self._leave_out(str(folder), f"'{folder}' is empty.")
        for number, found in enumerate(self.layout.clips, start=1):
            try:
                annotations = self._annotations_of(found, shared)
                clip = _open_clip(found, decoders, self.lengths)
                tracks = _tracks(clip, found, annotations)
                self._add(clip, found, tracks)
            except DataError as error:
                self._leave_out(found.name, str(error))
            if progress:
                progress(number, len(self.layout.clips))
        self.lengths.save()

    def _read_shared(self) -> dict[str, list[Annotation]]:
        """Annotations in files for several clips, by name of the clip."""
        finder = _ClipFinder(self.layout.clips)
        shared: dict[str, list[Annotation]] = defaultdict(list)
        for path in self.layout.shared:
            try:
                annotation = read_annotation(path, first_frame=self.first_frame)
            except DataError as error:
                self._leave_out(path.name, str(error))
                continue
            parts, unknown = finder.split(annotation)
            for clip, part in parts.items():
                shared[clip].append(part)
            for name, text in unknown.items():
                self._leave_out(name or path.name, text)
        return shared

    def _annotations_of(self, found: FoundClip, shared: dict[str, list[Annotation]]) -> list[Annotation]:
        """The file of the clip's own that counts, or else all shared ones.

        Raises:
            DataError: there is none, or it is malformed.
        """
        own = self.layout.own.get(found.name, [])
        unread = [*own[1:], *(other.path for other in shared[found.name] if own)]
        if unread:
            names = ", ".join(f"'{path.name}'" for path in unread)
            self.notes.append(f"'{found.name}' is annotated by '{own[0].name}'; {names} left aside.")
        if own:
            return [read_annotation(own[0], first_frame=self.first_frame)]
        if not shared[found.name]:
            example = found.home.with_suffix(".csv") if found.is_video else found.home / "groundtruth.txt"
            raise DataError(f"'{found.home}' has no annotation; put one beside it, such as '{example.name}'.")
        return shared[found.name]

    def _add(self, clip: Clip, found: FoundClip, tracks: Sequence[Track]) -> None:
        masks = found.masks if len(tracks) == 1 else ()
        if masks and len(masks) != len(clip):
            text = f"'{found.home}' has {len(masks)} masks for {len(clip)} frames; there must be one each."
            raise DataError(text)
        for track in tracks:
            name = clip.name if len(tracks) == 1 else f"{clip.name}#{track.id}"
            boxes, visible = track.spread(len(clip))
            flat = np.flatnonzero((boxes[:, 2:] <= 0).any(axis=1))
            boxes[flat] = np.nan
            if len(flat):
                text = f"'{name}' has {len(flat)} boxes without area, the first in frame {flat[0]}."
                self.issues.append(Issue(name, "boxes", len(flat), text))
            if visible.any():
                self.sequences.append(
                    FolderSequence(name, track.category, boxes.astype(np.float32), visible, clip, masks)
                )
            else:
                self.issues.append(Issue(name, "hidden", 1, f"'{name}' shows its target in no frame."))

    def _leave_out(self, name: str, text: str) -> None:
        self.issues.append(Issue(name, "left out", 1, text))


def _open_clip(found: FoundClip, decoders: Decoders, lengths: VideoLengths) -> Clip:
    if not found.is_video:
        return ImageClip(found.name, found.images[0].parent, found.images)
    try:
        return VideoClip(found.name, found.home, lengths.of(found.home), decoders)
    except VideoError as error:
        raise DataError(str(error)) from error


def _tracks(clip: Clip, found: FoundClip, annotations: Iterable[Annotation]) -> tuple[Track, ...]:
    numbering = _Numbering(clip, found)
    numbered = []
    for annotation in annotations:
        for length in annotation.lengths.values():
            if length != len(clip):
                raise DataError(
                    f"'{annotation.path}' is for {length} frames, but '{clip.path}' has {len(clip)}. "
                    "Was it copied whole?"
                )
        numbered += [(numbering.index(one), one) for one in annotation.observations]
    tracks = gather_tracks(numbered)
    if not tracks:
        raise DataError(f"'{clip.name}' is annotated with no box at all.")
    return tracks


class _Numbering:
    """From what an annotation calls a frame to its number in the clip."""

    def __init__(self, clip: Clip, found: FoundClip) -> None:
        self._clip = clip
        self._by_name = {path.name: index for index, path in enumerate(found.images)}
        self._by_stem = {path.stem: index for index, path in enumerate(found.images)}

    def index(self, one: Observation) -> int:
        """Frame number from 0.

        Raises:
            DataError: the clip has no such frame.
        """
        index = self._by_file(one) if one.file is not None and self._by_name else one.frame
        if index is None and one.file is not None and (digits := re.search(r"(\d+)\D*$", one.file)):
            index = int(digits[1])  # frames of a video, exported under their number
        if index is None:
            raise DataError(f"{one.where}: it does not say which frame it is for.")
        if index >= len(self._clip):
            raise DataError(
                f"{one.where}: there is no frame {index} in '{self._clip.path}', whose {len(self._clip)} frames are "
                f"counted from 0 here. Was it copied whole? Does the annotation count from 1?"
            )
        return index

    def _by_file(self, one: Observation) -> int:
        path = PurePosixPath(str(one.file).replace("\\", "/"))
        index = self._by_name.get(path.name, self._by_stem.get(path.stem))
        if index is None:
            raise DataError(
                f"{one.where}: the image '{one.file}' is not in '{self._clip.path}'. Was the folder copied whole?"
            )
        return index


class _ClipFinder:
    """Clips by the names that annotation files give them."""

    def __init__(self, clips: Sequence[FoundClip]) -> None:
        self._only = clips[0].name if len(clips) == 1 else None
        by_last: dict[str, list[str]] = defaultdict(list)
        for clip in clips:
            by_last[clip.name.rpartition("/")[2]].append(clip.name)
        self._names = {last: names[0] for last, names in by_last.items() if len(names) == 1}
        self._names |= {clip.name: clip.name for clip in clips}

    def split(self, annotation: Annotation) -> tuple[dict[str, Annotation], dict[str | None, str]]:
        """What an annotation says of each clip by its name, and what is wrong with names that are not known."""
        found: dict[str, list[Observation]] = defaultdict(list)
        lengths: dict[str, int] = {}
        unknown: dict[str | None, str] = {}
        for one in annotation.observations:
            named = one.clip if one.clip is not None else _folder_of(one.file)
            clip = self._find(named)
            if clip is None:
                reason = "its clip is not named" if named is None else f"the clip '{named}' is not in the folder"
                unknown.setdefault(named, f"{one.where}: {reason}.")
                continue
            found[clip].append(one)
            if one.clip in annotation.lengths:
                lengths[clip] = annotation.lengths[one.clip]
        parts = {
            clip: Annotation(
                path=annotation.path,
                observations=tuple(observations),
                lengths={None: lengths[clip]} if clip in lengths else {},
            )
            for clip, observations in found.items()
        }
        return parts, unknown

    def _find(self, named: str | None) -> str | None:
        if named is None:
            return self._only
        path = PurePosixPath(named.replace("\\", "/"))
        parts = list((path.with_suffix("") if path.suffix.lower() in VIDEO_SUFFIXES else path).parts)
        while len(parts) > 1 and parts[-1].casefold() in FRAME_FOLDERS:
            parts.pop()
        candidates = ("/".join(parts[start:]) for start in range(len(parts)))
        return next((self._names[name] for name in candidates if name in self._names), None)


def _folder_of(file: str | None) -> str | None:
    folder = "" if file is None else file.replace("\\", "/").rpartition("/")[0]
    return folder or None
