"""Make a training set of still images with boxes: `python boxes_to_coco.py DUTS-TR coco256 --out stills`.

Each folder has `images/` and `boxes.csv` (image, x, y, w, h and more, no header). Kept are whole objects, small
enough for their image to show what surrounds them. `lockon train … --data coco_json=stills` reads what is written.
"""

import csv
import json
from collections import defaultdict
from pathlib import Path

import tyro
from PIL import Image

from lockon.boxes import Box

LEAST_SIDE, MOST_SHARE = 20.0, 0.45  # of the square roots of areas: pixels, and in image sizes
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


def main(folders: tyro.conf.Positional[list[Path]], out: Path, every: int = 25) -> None:
    """Write `out/stills.json` and links to the images.

    Args:
        folders: of images with boxes, and of photographs without, all those that the synthetic world draws from.
        out: folder to write to.
        every: photographs 0, every, 2·every … of all folders stay out: the synthetic world holds them out, too.
    """
    photos = [path for folder in folders for path in sorted(folder.rglob("*")) if is_photo(path)]
    trained = {path for number, path in enumerate(photos) if number % every}
    images, annotations = [], []
    for folder in folders:
        for name, boxes in boxes_by_image(folder).items():
            path = folder / "images" / name
            size = Image.open(path).size if path in trained else (0, 0)
            fit = [box for box in boxes if is_fit(box, *size)]
            if fit:
                link = out / "images" / f"{folder.name}_{name}"
                link.parent.mkdir(parents=True, exist_ok=True)
                link.unlink(missing_ok=True)
                link.symlink_to(path.resolve())
                number = len(images) + 1
                images.append({"id": number, "file_name": f"images/{link.name}", "width": size[0], "height": size[1]})
                annotations += [
                    {
                        "id": len(annotations) + k,
                        "image_id": number,
                        "category_id": 1,
                        "bbox": list(box),
                        "iscrowd": 0,
                    }
                    for k, box in enumerate(fit, start=1)
                ]
    categories = [{"id": 1, "name": "object"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (out / "stills.json").write_text(json.dumps(content))
    print(f"{len(annotations)} objects in {len(images)} images: {out}")


def is_photo(path: Path) -> bool:
    """Whether the synthetic world would read this file."""
    return path.suffix.lower() in SUFFIXES and path.parent.name != "masks"


def boxes_by_image(folder: Path) -> dict[str, list[Box]]:
    """Boxes of each image; none where the folder has photographs only."""
    boxes = defaultdict(list)
    table = folder / "boxes.csv"
    if table.is_file():
        with table.open(newline="") as file:
            for name, *values in csv.reader(file):
                boxes[name].append(Box(*map(float, values[:4])))
    return boxes


def is_fit(box: Box, width: int, height: int) -> bool:
    """Whether an object is whole, and of a size to learn from."""
    whole = box.x > 1 and box.y > 1 and box.x + box.w < width - 1 and box.y + box.h < height - 1
    return whole and LEAST_SIDE <= box.area**0.5 <= MOST_SHARE * (width * height) ** 0.5


if __name__ == "__main__":
    tyro.cli(main)
