"""Lockon: mark any object in the first frame of a video and follow it to the last."""
