import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockon.training.schedules import Cosine, Position, StepDecay


def rates(schedule, steps=100, steps_per_epoch=10):
    return [schedule.rate(Position(step, steps, steps_per_epoch)) for step in range(steps)]


def test_steps_of_the_papers():
    """× 0.2 every 15 epochs, from the first step of the 16th on (spec 12.5)."""
    schedule = StepDecay()
    at = {epoch: schedule.rate(Position(epoch * 7, 50 * 7, 7)) for epoch in range(50)}
    assert at[0] == at[14] == 1
    assert at[15] == at[29] == pytest.approx(0.2)
    assert at[30] == at[44] == pytest.approx(0.04)
    assert at[45] == at[49] == pytest.approx(0.008)
    assert schedule.rate(Position(15 * 7 - 1, 350, 7)) == 1


def test_a_cosine_with_a_warm_up():
    values = rates(Cosine(warmup_steps=10, final=0.1))
    assert values[:10] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    assert values[10] == 1
    assert values[55] == pytest.approx(0.55)  # halfway between 1 and 0.1
    assert Cosine(warmup_steps=10, final=0.1).rate(Position(100, 100, 10)) == pytest.approx(0.1)


@given(st.integers(0, 30), st.floats(0, 1), st.integers(1, 60))
def test_a_cosine_rises_then_falls(warmup, final, steps):
    values = rates(Cosine(warmup_steps=warmup, final=final), steps, 1)
    assert all(0 <= value <= 1 + 1e-9 for value in values)
    assert values[:warmup] == sorted(values[:warmup])
    assert values[warmup:] == sorted(values[warmup:], reverse=True)


def test_epochs_count_from_zero():
    assert [Position(step, 6, 2).epoch for step in range(6)] == [0, 0, 1, 1, 2, 2]
