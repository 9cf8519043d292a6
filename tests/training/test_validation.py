"""Validation with a real tracker, on sequences that are made up."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from toy_training import ToySamples, ToyTask

from lockon.boxes import Box
from lockon.errors import DataError
from lockon.networks.tracker_net import lockon_s
from lockon.tracking import PRESETS, Tracker
from lockon.tracking.inputs import check_on_image
from lockon.training.samples import collate
from lockon.training.validation import HeldOut, Validation, ValidationConfig, hold_out, track_auc

CPU = torch.device("cpu")


class Square:
    """A textured square that moves over a dark ground."""

    category = None

    def __init__(self, name="square", length=8, hidden=(), unreadable=()):
        self.name, self._unreadable = name, unreadable
        self.boxes = np.array([(30.0 + 2 * i, 40.0, 24.0, 24.0) for i in range(length)])
        self.visible = np.ones(length, dtype=bool)
        for index in hidden:
            self.boxes[index], self.visible[index] = np.nan, False

    def __len__(self):
        return len(self.boxes)

    def frame(self, index):
        if index in self._unreadable:
            raise DataError(f"cannot read frame {index}")
        rng = np.random.default_rng(0)
        image = rng.integers(40, 80, (120, 160, 3), dtype=np.uint8)
        x = 30 + 2 * index
        image[40:64, x : x + 24] = rng.integers(150, 255, (24, 24, 3), dtype=np.uint8)
        return image


class Squares:
    name, fingerprint = "squares", ""

    def __init__(self, sequences, is_video=True):
        self._sequences, self.is_video = sequences, is_video

    def __len__(self):
        return len(self._sequences)

    def __getitem__(self, index):
        return self._sequences[index]


class Still:
    """A tracker that says that the target never moves, so that overlaps can be computed by hand."""

    def start(self, image, box):
        check_on_image(Box(*box.tolist()), image)
        return Box(*box.tolist())

    def step(self, state, image, *, inplace):
        return state, SimpleNamespace(box=state)


@pytest.fixture
def tracker() -> Still:
    return Still()


def expected_auc(shifts) -> float:
    overlaps = [(24 - 2 * s) / (24 + 2 * s) if s < 12 else 0 for s in shifts]
    return float(np.mean([[overlap > t / 20 for t in range(21)] for overlap in overlaps]))


def test_a_track_that_stays_is_scored_as_by_hand(tracker):
    assert track_auc(tracker, HeldOut(Square(), 0, 8)) == pytest.approx(expected_auc(range(8)))


def test_a_track_begins_at_a_later_frame_and_is_cut(tracker):
    assert track_auc(tracker, HeldOut(Square(), 3, 4)) == pytest.approx(expected_auc(range(4)))


def test_frames_without_box_or_picture_do_not_count(tracker):
    square = Square(hidden=[2], unreadable=[4])
    assert track_auc(tracker, HeldOut(square, 0, 8)) == pytest.approx(expected_auc([0, 1, 3, 5, 6, 7]))


def test_a_track_that_cannot_start_has_no_score(tracker):
    assert track_auc(tracker, HeldOut(Square(unreadable=[0]), 0, 8)) is None
    outside = Square()
    outside.boxes[0] = (500, 500, 10, 10)
    assert track_auc(tracker, HeldOut(outside, 0, 8)) is None


def test_sequences_are_chosen_all_over_the_data_from_their_first_visible_frame():
    sequences = [Square(f"{number}", length=20, hidden=range(number % 3)) for number in range(10)]
    chosen = hold_out([Squares(sequences)], ValidationConfig(sequences=4, frames=15))
    assert [each.sequence.name for each in chosen] == ["0", "3", "6", "9"]
    assert [(each.first, each.length) for each in chosen] == [(0, 15)] * 4
    later = hold_out([Squares(sequences[2:3])], ValidationConfig(sequences=4, frames=100))
    assert [(each.first, each.length) for each in later] == [(2, 18)]
    assert hold_out([Squares(sequences)], ValidationConfig(samples=5)) == []


@pytest.mark.parametrize(
    "data",
    [[], [Squares([])], [Squares([Square()], is_video=False)], [Squares([Square(length=4, hidden=[0, 1, 2])])]],
)
def test_nothing_to_track_is_an_error(data):
    with pytest.raises(DataError, match=r"validation\.sequences=0"):
        hold_out(data, ValidationConfig(sequences=2))


def toy_batches():
    samples = ToySamples()
    for first in (0, 4):
        yield collate([samples[number] for number in range(first, first + 4)])


def test_losses_are_means_over_batches_and_leave_the_task_as_it_was():
    task = ToyTask()
    task.net[1].eval()  # frozen, in a task that trains
    before = {name: value.clone() for name, value in task.state_dict().items()}
    state = torch.get_rng_state()
    figures = Validation(toy_batches, [], PRESETS["lockon_s"], "lockon_s")(task, task, CPU)
    with torch.no_grad():
        task.eval()
        expected = np.mean([task(batch).total.item() for batch in toy_batches()])
    assert figures == {"loss": pytest.approx(expected), "square": pytest.approx(expected)}
    for name, value in task.state_dict().items():
        assert torch.equal(value, before[name])
    assert torch.equal(torch.get_rng_state(), state)


def test_modes_come_back():
    task = ToyTask()
    task.net[1].eval()
    Validation(toy_batches, [], PRESETS["lockon_s"], "lockon_s")(task, task, CPU)
    assert task.training
    assert task.net[3].training
    assert not task.net[1].training


def test_held_out_sequences_are_tracked_with_the_weights_at_hand():
    class Tracking(ToyTask):
        def __init__(self):
            super().__init__()
            self.net = lockon_s(generator=torch.Generator().manual_seed(0))

    task = Tracking()
    held_out = [HeldOut(Square(), 0, 4), HeldOut(Square(unreadable=[0]), 0, 4)]
    validation = Validation(lambda: iter(()), held_out, PRESETS["lockon_s"], "lockon_s")
    figures = validation(task, task, CPU)
    own = Tracker(task.net.eval(), PRESETS["lockon_s"], name="lockon_s")
    assert figures == {"auc": pytest.approx(track_auc(own, held_out[0]))}
