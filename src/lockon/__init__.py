"""Lockon: mark any object in the first frame of a video and follow it to the last.

For example:

    import lockon

    for result in lockon.track("dog.mp4", box=(120, 80, 60, 90)):
        print(result.frame, result.box, result.score, result.present)

    tracker = lockon.load("lockon_s")
    state = tracker.start(frame, box)
    state, result = tracker.step(state, frame)
"""

from lockon.apps.api import track
from lockon.boxes import Box
from lockon.errors import LockonError
from lockon.tracking import State, Tracker
from lockon.types import Frame, Result, Status
from lockon.zoo import load

__all__ = ["Box", "Frame", "LockonError", "Result", "State", "Status", "Tracker", "load", "track"]
