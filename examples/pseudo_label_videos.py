"""Label a folder of videos for self-training: `python pseudo_label_videos.py clips --starts starts.csv --out labels`.

Objects are followed forwards and back in time from where they are marked, or from where something moves before a
still camera. Kept are the frames where the way there and back agree and, where NanoTrack is given, both trackers do.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import tyro

import lockon
from lockon.boxes import Box, iou
from lockon.data.datasets.annotations import read_annotation
from lockon.data.datasets.folder_layout import find_layout
from lockon.errors import DataError
from lockon.files import replacing
from lockon.images import Image
from lockon.video import VideoSource, open_source

Track = dict[int, Box]  # boxes by frame
Starts = Sequence[tuple[int, Box]]
Follower = Callable[[Sequence[Image], Box], Iterator[Box | None]]
"""Follows the box in the first image through all: the box in each, None where the object is not seen."""

PIECE = 12  # frames followed before the way back is tried
TRACKERS_AGREE, WAYS_AGREE, RETURNS = 0.45, 0.6, 0.55  # least overlaps; RETURNS: with where a piece began
MOST = 0.6  # share of a piece in which the trackers must agree, else the track ends before it
NANOTRACK_PRESENT, LEAST_FRAMES = 0.6, 8
STAYS = 0.3  # what always overlaps its start by more has not moved: foliage, or what an object uncovered
MOTION_WIDTH, LEAST_CHANGE, LEAST_AREA, LEAST_FILL, MARGIN = 640, 28, 1800, 0.45, 3  # pixels of frames this wide


def main(
    videos: tyro.conf.Positional[Path],
    out: Path,
    starts: Path | None = None,
    motion_every: int = 0,
    reach: int = 72,
    tracker: str = "lockon_s",
    nanotrack: Path | None = None,
) -> None:
    """Write one CSV per video (frame,x,y,w,h,id), as `lockon data check` and `lockon train` read it.

    Args:
        videos: folder, searched in depth.
        out: folder for the CSVs, which get the names of the videos; that of the videos itself is fine.
        starts: table clip,frame,x,y,w,h of marked objects; frames from 0, pixels of the video.
        motion_every: also look for motion in every so many frames; only for cameras that stand still. 0: do not.
        reach: frames to follow before and after each start; all are in memory at once.
        tracker: name in the catalogue or path of a model.
        nanotrack: folder with NanoTrack's two ONNX files; it then leads, and `tracker` confirms.
    """
    clips = {clip.name: clip.home for clip in find_layout(videos).clips if clip.is_video}
    marked = read_starts(starts, clips) if starts else {}
    targets = {name: out / f"{name}.csv" for name in clips if name in marked or motion_every}
    if not targets:
        raise DataError(f"there is nothing to follow in '{videos}': give --starts or --motion-every, and videos.")
    if taken := [str(path) for path in targets.values() if path.exists()]:
        raise DataError(f"{', '.join(taken)} would be overwritten; give another folder with --out.")
    followers: list[Follower] = [partial(follow_nanotrack, nanotrack)] if nanotrack else []
    followers.append(partial(follow, lockon.load(tracker)))
    for name, path in targets.items():
        with open_source(clips[name], on_bad_frame="raise") as source:
            tracks = label(source, followers, marked.get(name, []), motion_every, reach)
        if tracks:
            write_tracks(path, tracks)
        print(f"{name}: {len(tracks)} tracks, {sum(map(len, tracks))} boxes", flush=True)


def read_starts(path: Path, clips: Iterable[str]) -> dict[str, Starts]:
    """Frame and box of marked objects, by clip."""
    by_name = {name: name for name in clips} | {Path(name).name: name for name in clips}
    marked: dict[str, list[tuple[int, Box]]] = defaultdict(list)
    for one in read_annotation(path).observations:
        if one.clip not in by_name or one.frame is None:
            raise DataError(f"{one.where}: give a clip of the folder (got '{one.clip}') and a frame.")
        marked[by_name[one.clip]].append((one.frame, one.box))
    return dict(marked)


def label(source: VideoSource, followers: Sequence[Follower], marked: Starts, every: int, reach: int) -> list[Track]:
    """Tracks from all starts, but what moves where one already runs gets no second one."""
    tracks = [track_around(source, followers, start, box, reach) for start, box in marked]
    for start, box in moving(source, every) if every else []:
        if not any(start in track and overlap(track[start], box) > TRACKERS_AGREE for track in tracks):
            track = track_around(source, followers, start, box, reach)
            if min(overlap(box, other) for other in track.values()) < STAYS:
                tracks.append(track)
    return [track for track in tracks if len(track) >= LEAST_FRAMES]


def track_around(source: VideoSource, followers: Sequence[Follower], start: int, box: Box, reach: int) -> Track:
    """Trusted boxes by frame, up to `reach` frames before and after the start."""
    here = min(start, reach)
    source.seek_frame(start - here)
    images = [frame.image.copy() for frame in islice(source, here + 1 + reach)]
    track = {start - place: box for place, box in trusted(followers, images[here::-1], box).items()}
    track |= {start + place: box for place, box in trusted(followers, images[here:], box).items()}
    return dict(sorted(track.items()))


def trusted(followers: Sequence[Follower], images: Sequence[Image], start: Box) -> Track:
    """Boxes by place in `images` in which all followers agree and the first finds back to where it came from."""
    kept, anchor, anchor_box = {0: start}, 0, start
    ways = [follower(images, start) for follower in followers]
    for way in ways:
        next(way)
    for begin in range(1, len(images), PIECE):
        places = range(begin, min(begin + PIECE, len(images)))
        seen = {place: box for place in places if (box := agreed([next(way) for way in ways])) is not None}
        if len(seen) < MOST * len(places):
            break
        end = max(seen)
        way_back = followers[0](images[anchor : end + 1][::-1], seen[end])
        back = dict(zip(range(end, anchor - 1, -1), way_back, strict=True))
        if overlap(back[anchor], anchor_box) < RETURNS:
            break
        for place, box in seen.items():
            if (returned := back[place]) is not None and overlap(returned, box) >= WAYS_AGREE:
                kept[place] = Box(*((a + b) / 2 for a, b in zip(box, returned, strict=True)))
        anchor, anchor_box = end, seen[end]
    return kept


def agreed(boxes: Sequence[Box | None]) -> Box | None:
    """The first, if all others agree with it."""
    return boxes[0] if all(overlap(boxes[0], box) >= TRACKERS_AGREE for box in boxes) else None


def overlap(a: Box | None, b: Box | None) -> float:
    """Intersection over union; 0 where nothing was seen."""
    return 0.0 if a is None or b is None else float(iou(torch.tensor(a), torch.tensor(b)))


def follow(tracker: lockon.Tracker, images: Sequence[Image], box: Box) -> Iterator[Box | None]:
    """A tracker of Lockon; a `Follower` once it knows which."""
    state = tracker.start(images[0], box)
    yield box
    for image in images[1:]:
        state, result = tracker.step(state, image, inplace=True)
        yield Box(*result.box) if result.present else None


def follow_nanotrack(folder: Path, images: Sequence[Image], box: Box) -> Iterator[Box | None]:
    """NanoTrack in OpenCV (`pip install 'lockon[benchmark]'`); a `Follower` once it knows where its files are."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # or it warns at every start
    parameters = cv2.TrackerNano.Params()
    parameters.backbone = str(folder / "nanotrack_backbone_sim.onnx")
    parameters.neckhead = str(folder / "nanotrack_head_sim.onnx")
    tracker = cv2.TrackerNano.create(parameters)
    tracker.init(np.ascontiguousarray(images[0][..., ::-1]), [round(value) for value in box])
    yield box
    for image in images[1:]:
        found, place = tracker.update(np.ascontiguousarray(image[..., ::-1]))
        yield Box(*map(float, place)) if found and tracker.getTrackingScore() > NANOTRACK_PRESENT else None


def moving(source: VideoSource, every: int) -> Iterator[tuple[int, Box]]:
    """Frame and box of what differs from the median frame, in every so many frames; needs `lockon[benchmark]`."""
    import cv2

    width, height = MOTION_WIDTH, round(source.info.height * MOTION_WIDTH / source.info.width)
    step = source.count_frames() // 60 + 1
    wanted = {
        frame.index: cv2.resize(frame.image, (width, height), interpolation=cv2.INTER_AREA)
        for frame in source
        if frame.index % step == 0 or frame.index % every == every // 2
    }
    still = np.median([image for index, image in wanted.items() if index % step == 0], axis=0)
    to_video = np.array([source.info.width / width, source.info.height / height] * 2)
    for index, image in ((index, image) for index, image in wanted.items() if index % every == every // 2):
        changed = (np.abs(image - still).max(axis=2) > LEAST_CHANGE).astype(np.uint8)
        closed = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((13, 13)))
        whole = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((9, 9)))
        for x, y, w, h, area in cv2.connectedComponentsWithStats(whole)[2][1:]:
            if min(x, y, width - x - w, height - y - h) > MARGIN and area > max(LEAST_AREA, LEAST_FILL * w * h):
                yield index, Box(*(np.array([x, y, w, h]) * to_video).tolist())


def write_tracks(path: Path, tracks: Sequence[Track]) -> None:
    """Write frame,x,y,w,h,id in pixels of the video, frames from 0."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        file.write("frame,x,y,w,h,id\n")
        for number, track in enumerate(tracks):
            for frame, (x, y, w, h) in track.items():
                file.write(f"{frame},{x:.2f},{y:.2f},{w:.2f},{h:.2f},{number}\n")


if __name__ == "__main__":
    tyro.cli(main)
