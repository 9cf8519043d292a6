from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockon.video.sequencer import Announcements, Sequencer


@dataclass(frozen=True)
class Packet:
    pts: int | None
    dts: int | None
    is_keyframe: bool = False
    is_discard: bool = False


def counting_sequencer():
    return Sequencer(Announcements(from_keyframe=True))


def run(sequencer, packets, arrivals):
    out = []
    for packet in packets:
        out += sequencer.announce(packet)
    for pts in arrivals:
        out += sequencer.arrive(pts, pts)
    return out + list(sequencer.finish())


@st.composite
def broken_streams(draw):
    """Timestamps, which of them are lost, and the order in which a damaged decoder gives out the others."""
    steps = draw(st.lists(st.integers(1, 50), min_size=1, max_size=30))
    times = [sum(steps[:n]) for n in range(len(steps))]
    lost = draw(st.sets(st.integers(0, len(times) - 1)))
    arrivals = [time for index, time in enumerate(times) if index not in lost]
    for index in draw(st.lists(st.integers(0, max(0, len(arrivals) - 2)), max_size=3, unique=True)):
        arrivals[index : index + 2] = arrivals[index : index + 2][::-1]
    return times, lost, arrivals


@given(broken_streams(), st.randoms())
def test_each_picture_gets_its_rank_in_time_and_each_lost_one_is_named(stream, random):
    times, lost, arrivals = stream
    order = times[1:]
    random.shuffle(order)
    packets = [Packet(time, dts, dts == 0) for dts, time in enumerate([times[0], *order])]
    expected = [(index, None if index in lost else time) for index, time in enumerate(times)]
    assert run(counting_sequencer(), packets, arrivals) == expected


def test_healthy_pictures_are_given_out_at_once():
    sequencer = counting_sequencer()
    for dts, pts in enumerate((0, 4, 2, 1, 3)):
        assert list(sequencer.announce(Packet(pts, dts, dts == 0))) == []
    for pts in range(5):
        assert list(sequencer.arrive(pts, "picture")) == [(pts, "picture")]


def test_a_lost_picture_does_not_hold_up_the_stream():
    sequencer = counting_sequencer()
    for pts in range(20):
        list(sequencer.announce(Packet(pts, pts, pts == 0)))
    given_out = [list(sequencer.arrive(pts, pts)) for pts in range(1, 10)]
    first = next(index for index, items in enumerate(given_out) if items)
    assert first <= 5
    assert given_out[first][0] == (0, None)


def test_numbers_start_where_a_seek_landed():
    packets = [Packet(50, 0), Packet(40, 1, True), Packet(35, 2), Packet(60, 3)]
    sequencer = Sequencer(Announcements(True), lambda timestamp: timestamp // 10)
    assert run(sequencer, packets, [35, 40, 60]) == [(4, 40), (5, 60)]


def test_numbers_start_at_the_first_packet_of_a_file():
    packets = [Packet(30, 0), Packet(40, 1, True), Packet(20, 2)]
    assert run(Sequencer(Announcements(from_keyframe=False)), packets, [40]) == [(0, None), (1, 40)]


def test_discarded_pictures_have_no_number():
    packets = [Packet(0, 0, True, True), Packet(1, 1, False, True), Packet(2, 2), Packet(3, 3)]
    assert run(counting_sequencer(), packets, [2, 3]) == [(0, 2), (1, 3)]


@pytest.mark.parametrize(
    "packets",
    [
        [Packet(None, 0, True), Packet(None, 1)],
        [Packet(7, 9, True), Packet(3, 1)],
        [Packet(5, 0), Packet(6, 1)],  # no keyframe is marked
        [Packet(70, 0, True), Packet(80, 1)],  # other times than those of the pictures
    ],
)
def test_without_reliable_announcements_pictures_are_numbered_as_they_come(packets):
    assert run(counting_sequencer(), packets, [90, 10]) == [(0, 90), (1, 10)]


def test_errors_count_only_where_nothing_is_announced():
    counting, plain = counting_sequencer(), Sequencer(None)
    list(counting.announce(Packet(0, 0, True)))
    assert list(counting.lose()) == []
    assert list(counting.finish()) == [(0, None)]
    assert [*plain.lose(), *plain.arrive(None, "picture")] == [(0, None), (1, "picture")]
