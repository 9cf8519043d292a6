"""Annotation of test sets as they are distributed, of full length, with as few images as a test needs."""

from data.datasets.layouts import lines, picture, write
from lockon.data.testsets.tables import table


def entry_of(name, sequence):
    return next(entry for entry in table(name).entries if entry.name == sequence)


def counting_boxes(frames, first=1):
    """`(n, n + 1, 20, 10)` for each number n."""
    return [(number, number + 1, 20, 10) for number in range(first, first + frames)]


def boxes_file(path, frames, separator=","):
    return write(path, lines(counting_boxes(frames)).replace(",", separator))


def images(folder, numbers, digits, suffix=".jpg"):
    """Images whose brightness is their place among these, from 1; from the 25th on they are all alike."""
    for place, number in enumerate(numbers, start=1):
        picture(folder / f"{number:0{digits}d}{suffix}", min(place, 25))


def make_otb(root, *names):
    """Annotation of OTB's sequences with these names, or of all."""
    for entry in table("otb100").entries:
        if entry.name in names or not names:
            path = root / (entry.folder or entry.name) / (entry.annotation or "groundtruth_rect.txt")
            boxes_file(path, entry.frames)
    return root


def make_nfs(root, *names):
    """NFS as pytracking lays it out, tabs between the numbers."""
    for entry in table("nfs30").entries:
        if entry.name in names or not names:
            boxes_file(root / "anno" / f"nfs_{entry.name}.txt", entry.frames, "\t")
    return root


def make_uav(root, *names):
    """UAV123, NaN in the last frames."""
    for entry in table("uav123").entries:
        if entry.name in names or not names:
            rows = [*counting_boxes(entry.frames - entry.absent), *[("NaN",) * 4] * entry.absent]
            write(root / "anno" / "UAV123" / f"{entry.name}.txt", lines(rows))
    return root


def make_lasot_test(root, *names, name="lasot"):
    """LaSOT, boxes of zeros at the end and before them hidden targets that have a box."""
    for entry in table(name).entries:
        if entry.name not in names:
            continue
        frames, absent, flat = entry.frames or 6, entry.absent or 0, entry.flat or 0
        folder = root / entry.name.rpartition("-")[0] / entry.name
        write(folder / "groundtruth.txt", lines([*counting_boxes(frames - flat), *[(0, 0, 0, 0)] * flat]))
        flags = ["0"] * (frames - absent) + ["1"] * absent
        write(folder / "full_occlusion.txt", ",".join(flags) + "\n")
        write(folder / "out_of_view.txt", ",".join("0" * frames) + "\n")
    return root
