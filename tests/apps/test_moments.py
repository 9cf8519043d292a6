import pytest

from lockon.apps.moments import Moment
from lockon.errors import VideoError


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (0, Moment(frame=0)),
        ("120", Moment(frame=120)),
        (" 7 ", Moment(frame=7)),
        ("4.5s", Moment(seconds=4.5)),
        ("0s", Moment(seconds=0)),
        ("1:02.5", Moment(seconds=62.5)),
        ("01:00:03", Moment(seconds=3603)),
    ],
)
def test_frames_and_times_are_read(text, moment):
    assert Moment.parse(text) == moment


@pytest.mark.parametrize("text", ["", "-1", -1, "1.5", "s", "1:2:3:4", "4 s", "nan", "1:02s"])
def test_anything_else_is_refused(text):
    with pytest.raises(VideoError, match="frame number"):
        Moment.parse(text)


def test_a_moment_is_reached_by_the_frame_at_it_and_those_after_it():
    for moment in (Moment(frame=4), Moment(seconds=0.4), Moment(seconds=0.31)):
        assert [frame for frame in range(10) if moment.is_reached_by(frame, frame / 10)] == [4, 5, 6, 7, 8, 9]
