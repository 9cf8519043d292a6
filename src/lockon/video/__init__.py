"""Video in, video out: sources, sinks and drawing."""

from lockon.video.image_files import read_image
from lockon.video.opening import open_source
from lockon.video.report import BadFrame, ReadReport
from lockon.video.source import DEFAULT_FRAME_RATE, BadFramePolicy, VideoInfo, VideoSource

__all__ = [
    "DEFAULT_FRAME_RATE",
    "BadFrame",
    "BadFramePolicy",
    "ReadReport",
    "VideoInfo",
    "VideoSource",
    "open_source",
    "read_image",
]
