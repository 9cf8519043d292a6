"""Video in, video out: sources, sinks and drawing."""

from lockon.video.candidates import draw_candidates, object_color
from lockon.video.densities import draw_density
from lockon.video.drawing import annotate, draw_box, draw_mask, draw_trail, target_color
from lockon.video.image_files import read_image
from lockon.video.opening import open_source
from lockon.video.report import BadFrame, ReadReport
from lockon.video.sink import FrameSink
from lockon.video.source import DEFAULT_FRAME_RATE, BadFramePolicy, VideoInfo, VideoSource
from lockon.video.writers import ImageFolderWriter, VideoWriter, open_sink

__all__ = [
    "DEFAULT_FRAME_RATE",
    "BadFrame",
    "BadFramePolicy",
    "FrameSink",
    "ImageFolderWriter",
    "ReadReport",
    "VideoInfo",
    "VideoSource",
    "VideoWriter",
    "annotate",
    "draw_box",
    "draw_candidates",
    "draw_density",
    "draw_mask",
    "draw_trail",
    "object_color",
    "open_sink",
    "open_source",
    "read_image",
    "target_color",
]
