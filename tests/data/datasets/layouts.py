"""Tiny data sets in the layouts in which the large ones are distributed.

Every frame is a flat grey picture of 64 × 48 pixels, as bright as ten times its number, so that a test can tell
frames apart. Boxes are `(n, n + 1, 20, 10)` in frame n where a test does not care.
"""

import json

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 64, 48
BOXES = ((1, 2, 20, 10), (2, 3, 20, 10), (3, 4, 20, 10), (4, 5, 20, 10))


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def lines(rows):
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


def picture(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 10 * number, np.uint8)).save(path)


def pictures(folder, pattern, numbers):
    for number in numbers:
        picture(folder / (pattern % number), number)


def number_of(image):
    """Which frame an image is."""
    assert image.shape == (HEIGHT, WIDTH, 3)
    return round(float(image.mean()) / 10)


def lasot_sequence(folder, boxes=BOXES, occluded=(0, 0, 0, 0), outside=(0, 0, 0, 0)):
    write(folder / "groundtruth.txt", lines(boxes))
    write(folder / "full_occlusion.txt", ",".join(map(str, occluded)))
    write(folder / "out_of_view.txt", ",".join(map(str, outside)))
    pictures(folder / "img", "%08d.jpg", range(1, 5))


def make_lasot(root):
    """Two sequences of the training set and one of the test set."""
    boxes = (*BOXES[:3], (0, 0, 0, 0))
    lasot_sequence(root / "airplane" / "airplane-2", boxes, occluded=(0, 1, 0, 1), outside=(0, 0, 1, 0))
    lasot_sequence(root / "airplane" / "airplane-1")
    lasot_sequence(root / "zebra" / "zebra-3")
    return root


def got10k_sequence(folder, absence=(0, 0, 0, 0), cover=(8, 8, 8, 8), category="jaguar"):
    write(folder / "groundtruth.txt", lines([f"{value:.4f}" for value in box] for box in BOXES))
    write(folder / "absence.label", "".join(f"{value}\n" for value in absence))
    write(folder / "cover.label", "".join(f"{value}\n" for value in cover))
    write(
        folder / "meta_info.ini", f"[METAINFO]\nurl: https://x.y/?v=50%zz\nobject_class: {category}\nbegin: 0:0:0\n"
    )
    pictures(folder, "%08d.jpg", range(1, 5))


def make_got10k(root):
    """Three training sequences and one for validation."""
    train = [f"GOT-10k_Train_{number:06d}" for number in (1, 2, 3)]
    write(root / "train" / "list.txt", "\n".join(train) + "\n")
    got10k_sequence(root / "train" / train[0], absence=(0, 1, 0, 0), cover=(8, 3, 0, 1))
    got10k_sequence(root / "train" / train[1], category="boat")
    got10k_sequence(root / "train" / train[2])
    write(root / "val" / "list.txt", "GOT-10k_Val_000001\n")
    got10k_sequence(root / "val" / "GOT-10k_Val_000001")
    return root


def make_trackingnet(root, sets=(0, 1)):
    """One video a set of twelve frames, so that 10.jpg comes after 9.jpg."""
    for number in sets:
        folder = root / f"TRAIN_{number}"
        boxes = [(n + 0.5, n + 1.25, 20, 10) for n in range(12)]
        write(folder / "anno" / f"v{number}_a-b.txt", lines(boxes))
        pictures(folder / "frames" / f"v{number}_a-b", "%d.jpg", range(12))
    return root


def vid_object(track, box, occluded=0, category="n02084071"):
    left, top, width, height = box
    sides = {"xmax": left + width, "xmin": left, "ymax": top + height, "ymin": top}
    corners = "".join(f"<{side}>{value}</{side}>" for side, value in sides.items())
    return (
        f"<object><trackid>{track}</trackid><name>{category}</name><bndbox>{corners}</bndbox>"
        f"<occluded>{occluded}</occluded><generated>0</generated></object>"
    )


def make_imagenet_vid(root):
    """A training video of five frames: track 0 leaves and comes back, track 1 is there in frames 1 and 2."""
    video = "ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000000"
    objects = [
        [vid_object(0, (1, 2, 20, 10))],
        [vid_object(0, (2, 3, 20, 10), occluded=1), vid_object(1, (5, 6, 7, 8), category="n02121808")],
        [vid_object(1, (6, 7, 7, 8), category="n02121808")],
        [vid_object(0, (4, 5, 20, 10))],
        [],
    ]
    for number, found in enumerate(objects):
        text = f"<annotation><filename>{number:06d}</filename>{''.join(found)}</annotation>"
        write(root / "Annotations/VID/train" / video / f"{number:06d}.xml", text)
    pictures(root / "Data/VID/train" / video, "%06d.JPEG", range(5))
    text = f"<annotation>{vid_object(0, (1, 2, 3, 4))}</annotation>"
    write(root / "Annotations/VID/val/ILSVRC2015_val_00000000/000000.xml", text)
    pictures(root / "Data/VID/val/ILSVRC2015_val_00000000", "%06d.JPEG", [0])
    return root


def make_youtube_bb(root):
    """Two segments with frames, one of them absent once, and one without."""
    rows = [
        ("-ab_c", 2000, 3, "dog", 0, "present", 0.25, 0.75, 0.5, 1.0),
        ("-ab_c", 1000, 3, "dog", 0, "present", 0.5, 0.75, 0.0, 0.25),
        ("-ab_c", 3000, 3, "dog", 0, "absent", -1, -1, -1, -1),
        ("-ab_c", 4000, 3, "dog", 0, "uncertain", -1, -1, -1, -1),
        ("xyz", 1000, 5, "cat", 1, "present", 0.0, 0.5, 0.0, 0.5),
        ("gone", 0, 5, "cat", 0, "present", 0.0, 0.5, 0.0, 0.5),
    ]
    write(root / "yt_bb_detection_train.csv", lines(rows))
    for number in (1, 2, 3, 4):
        picture(root / "frames" / "3" / "-ab_c+3+0" / f"-ab_c+3+0+{1000 * number}.jpg", number)
    picture(root / "frames" / "xyz" / "1000.jpg", 1)
    return root


SQUARE = [[10, 20, 14, 20, 14, 23, 10, 23]]


def make_coco(root, split="train2017", prefix=""):
    """Two images with three instances, and a crowd."""
    images = [
        {"id": number, "file_name": f"{prefix}{number:012d}.jpg", "height": HEIGHT, "width": WIDTH}
        for number in (9, 25)
    ]
    whole = {"size": [HEIGHT, WIDTH], "counts": [0, HEIGHT * WIDTH]}
    annotations = [
        {"id": 1, "image_id": 9, "category_id": 18, "bbox": [10, 20, 4, 3], "iscrowd": 0, "segmentation": SQUARE},
        {"id": 2, "image_id": 9, "category_id": 1, "bbox": [0, 0, 9, 9], "iscrowd": 1, "segmentation": whole},
        {"id": 3, "image_id": 25, "category_id": 1, "bbox": [0, 0, 64, 48], "iscrowd": 0, "segmentation": whole},
        {"id": 4, "image_id": 25, "category_id": 1, "bbox": [5, 6, 7, 8], "iscrowd": 0, "segmentation": []},
    ]
    categories = [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    write(root / "annotations" / f"instances_{split}.json", json.dumps(content))
    for image in images:
        picture(root / split / image["file_name"], image["id"] % 10)
    return root


def labels(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels, "P")
    image.putpalette([value for label in range(256) for value in (label, 255 - label, label // 2)])
    image.save(path)


def object_labels(*objects):
    """An image of labels with boxes of objects: label, x, y, w, h."""
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for label, x, y, w, h in objects:
        pixels[y : y + h, x : x + w] = label
    return pixels


VOS_FRAMES = (
    object_labels((1, 4, 5, 6, 7), (255, 0, 0, 2, 2)),
    object_labels((1, 5, 5, 6, 7), (3, 30, 20, 8, 9)),
    object_labels((3, 31, 20, 8, 9)),
)
"""Object 1 in the first two frames, object 3 in the last two."""


def make_davis(root):
    write(root / "ImageSets/2017/train.txt", "bear\n")
    write(root / "ImageSets/2017/val.txt", "\n")
    pictures(root / "JPEGImages/480p/bear", "%05d.jpg", range(3))
    for number, pixels in enumerate(VOS_FRAMES):
        labels(root / "Annotations/480p/bear" / f"{number:05d}.png", pixels)
    return root


def make_youtube_vos(root):
    """Every fifth frame has labels; the folder of images has others, too."""
    objects = {"1": {"category": "ape", "frames": ["00000", "00005"]}, "3": {"category": "fox", "frames": ["00005"]}}
    write(root / "train" / "meta.json", json.dumps({"videos": {"0043f083b5": {"objects": objects}}}))
    pictures(root / "train/JPEGImages/0043f083b5", "%05d.jpg", range(12))
    for number, pixels in zip((0, 5, 10), VOS_FRAMES, strict=True):
        labels(root / "train/Annotations/0043f083b5" / f"{number:05d}.png", pixels)
    return root


def make_tao(root):
    """Images of videos with tracks: two frames of one video, out of order; a box without area."""
    images = [
        {"id": 7, "video_id": 2, "frame_index": 30, "file_name": "train/x/frame0031.jpg", "height": 48, "width": 64},
        {"id": 8, "video_id": 2, "frame_index": 0, "file_name": "train/x/frame0001.jpg", "height": 48, "width": 64},
    ]
    annotations = [
        {"id": 1, "image_id": 7, "track_id": 4, "category_id": 1, "bbox": [3, 3, 5, 5], "segmentation": SQUARE},
        {"id": 2, "image_id": 8, "track_id": 4, "category_id": 1, "bbox": [1, 1, 5, 5]},
        {"id": 3, "image_id": 8, "track_id": 5, "category_id": 1, "bbox": [1, 1, 0, 5]},
        {"id": 4, "image_id": 7, "track_id": 5, "category_id": 1, "bbox": [1, 1, 4, 5]},
    ]
    content = {"videos": [{"id": 2}], "images": images, "annotations": annotations}
    write(root / "tao.json", json.dumps(content | {"categories": [{"id": 1, "name": "cup"}]}))
    picture(root / "train/x/frame0031.jpg", 31 - 10)
    picture(root / "train/x/frame0001.jpg", 1)
    return root


def make_youtube_vis(root):
    """One video of three frames with a track that is not there in the second."""
    names = [f"a/{number:05d}.jpg" for number in (0, 5, 10)]
    videos = [{"id": 1, "file_names": names, "height": HEIGHT, "width": WIDTH, "length": 3}]
    run_lengths = {"size": [HEIGHT, WIDTH], "counts": [0, 2, HEIGHT * WIDTH - 2]}
    track = {"bboxes": [[1, 2, 3, 4], None, [2, 3, 3, 4]], "segmentations": [run_lengths, None, None]}
    annotations = [{"id": 6, "video_id": 1, "category_id": 1, "iscrowd": 0} | track]
    content = {"videos": videos, "annotations": annotations, "categories": [{"id": 1, "name": "owl"}]}
    write(root / "annotations" / "train.json", json.dumps(content))
    pictures(root / "a", "%05d.jpg", (0, 5, 10))
    return root


MAKERS = {
    "lasot": make_lasot,
    "got10k": make_got10k,
    "trackingnet": lambda root: make_trackingnet(root, range(12)),
    "imagenet_vid": make_imagenet_vid,
    "youtube_bb": make_youtube_bb,
    "coco": make_coco,
    "youtube_vos": make_youtube_vos,
    "davis": make_davis,
    "coco_json": make_tao,
}
