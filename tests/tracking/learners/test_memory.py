"""The support set by hand: how weights age, what makes room, what is stored (ATOM, Sec. 3.3 and reference)."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from lockon.tracking.learners import Memory, aged_weights_


def fresh(initial=2, capacity=4):
    weights = torch.zeros(capacity)
    weights[:initial] = 1 / initial
    return weights


def age(weights, rates, *, initial=2, share=0.0, latest=-1):
    """Slots that a sequence of new samples takes."""
    slots = []
    for rate in rates:
        latest = aged_weights_(weights, rate, latest, initial, share)
        slots.append(latest)
    return slots


def assert_weights(weights, expected):
    assert weights.tolist() == pytest.approx([float(Fraction(value)) for value in expected], abs=1e-6)


def test_the_first_new_sample_weighs_its_learning_rate():
    """0.5, 0.5 are divided by 1 - 0.2, and the sum of 1.25 + 0.2 becomes 1."""
    weights = fresh()

    assert age(weights, [0.2]) == [2]
    assert_weights(weights, ["25/58", "25/58", "4/29", 0])


def test_each_further_sample_outweighs_the_latest():
    """At a rate of 1/2 by a factor of two; the sums are 5/2, 7/5 and 10/7."""
    weights = fresh()

    assert age(weights, [0.5]) == [2]
    assert_weights(weights, ["2/5", "2/5", "1/5", 0])
    assert age(weights, [0.5], latest=2) == [3]
    assert_weights(weights, ["2/7", "2/7", "1/7", "2/7"])
    assert age(weights, [0.5], latest=3) == [2]  # the lightest
    assert_weights(weights, ["1/5", "1/5", "2/5", "1/5"])


def test_without_a_share_the_first_frame_is_replaced_like_all_else():
    """The three others weigh the same: the first of them goes."""
    weights = torch.tensor([0.2, 0.2, 0.4, 0.2])

    assert age(weights, [0.5], latest=2) == [0]
    assert_weights(weights, ["1/2", "1/8", "1/4", "1/8"])


def test_with_a_share_the_first_frame_stays():
    """Slot 3 is the lightest of the others; the first two keep 1/8 each, just not less than their share."""
    weights = torch.tensor([0.2, 0.2, 0.4, 0.2])

    assert age(weights, [0.5], share=0.2, latest=2) == [3]
    assert_weights(weights, ["1/8", "1/8", "1/4", "1/2"])


def test_a_first_frame_below_its_share_is_lifted_to_it():
    """As above, but 1/4 is below 0.3: the others are divided by 0.3 + 3/4, and the sum is not made 1 again."""
    weights = torch.tensor([0.2, 0.2, 0.4, 0.2])

    assert age(weights, [0.5], share=0.3, latest=2) == [3]
    assert_weights(weights, ["3/20", "3/20", "5/21", "10/21"])
    assert float(weights.sum()) == pytest.approx(0.3 + 5 / 7)


def test_a_distractor_changes_the_ratio_to_the_sample_before_it():
    """1 / (1 - 0.02) in place of 1 / (1 - 0.01): not twice the weight (reference behaviour)."""
    weights = fresh(capacity=8)

    first, plain, hard, after = age(weights, [0.01, 0.01, 0.02, 0.01])

    assert [first, plain, hard, after] == [2, 3, 4, 5]
    ratios = weights[[plain, hard, after]] / weights[[first, plain, hard]]
    assert ratios.tolist() == pytest.approx([1 / 0.99, 1 / 0.98, 1 / 0.99])


def test_at_a_rate_of_one_only_the_new_sample_counts():
    weights = fresh()

    assert age(weights, [0.5, 1.0]) == [2, 0]
    assert_weights(weights, [1, 0, 0, 0])
    assert age(weights, [0.5], latest=0) == [1]
    assert_weights(weights, ["1/3", "2/3", 0, 0])


@pytest.mark.parametrize(
    ("initial", "capacity", "additions", "slot", "weight", "initial_sum"),
    [
        (15, 50, 1, 15, 0.009803, 0.990197),
        (15, 50, 2, 16, 0.009805, 0.980488),
        (15, 50, 36, 15, 0.009929, 0.70554),
        (15, 50, 300, None, 0.025308, 0.25),
        (30, 250, 1, 30, 0.009803, 0.990197),
        (30, 250, 221, 30, 0.008429, 0.25),
        (30, 250, 400, None, 0.008429, 0.25),
    ],
)
def test_check_values_of_the_reference(initial, capacity, additions, slot, weight, initial_sum):
    """The memories of DiMP and ATOM at learning rate 0.01 and a share of 0.25."""
    weights = fresh(initial, capacity)

    slots = age(weights, [0.01] * additions, initial=initial, share=0.25)

    assert slot in (None, slots[-1])
    assert float(weights[slots[-1]]) == pytest.approx(weight, abs=1e-6)
    assert float(weights[:initial].sum()) == pytest.approx(initial_sum, abs=1e-5)


def sample(value, targets=1):
    return torch.full((targets, 2, 1, 1), float(value))


def box(value, targets=1):
    return torch.full((targets, 4), float(value))


def memory(targets=1, capacity=4):
    """Two first-frame samples of each target: 1 and 2, in boxes 1 and 2."""
    values = torch.tensor([1.0, 2.0])
    samples = values[None, :, None, None, None].expand(targets, -1, 2, 1, 1)
    return Memory.of_first_frame(samples, values[None, :, None].expand(targets, -1, 4), capacity)


def contents(kept, target=0):
    """Samples and boxes of the filled slots, which hold one number each."""
    filled = int(kept.stored[target])
    samples, boxes = kept.samples[target, :filled].flatten(1), kept.boxes[target, :filled]
    assert (samples == samples[:, :1]).all()
    assert (boxes == boxes[:, :1]).all()
    assert torch.equal(samples[:, 0], boxes[:, 0])
    return samples[:, 0].tolist()


def test_the_first_samples_weigh_the_same():
    kept = memory(targets=2)

    assert kept.samples.shape == (2, 4, 2, 1, 1)
    assert kept.weights.tolist() == [[0.5, 0.5, 0, 0]] * 2
    assert (kept.stored.tolist(), kept.latest.tolist(), kept.initial) == ([2, 2], [-1, -1], 2)
    assert contents(kept) == [1, 2]
    assert not kept.samples[:, 2:].any()


@pytest.mark.parametrize("capacity", [1, 2])
@pytest.mark.parametrize("share", [0.0, 0.25])
def test_there_is_room_for_a_new_sample_however_small_the_memory(capacity, share):
    kept = memory(capacity=capacity).add(torch.tensor([0]), sample(3), box(3), torch.tensor([0.5]), share)

    assert contents(kept) == [1, 2, 3]


def test_a_full_memory_replaces_its_lightest_sample():
    kept = memory()
    expected = [[1, 2, 3], [1, 2, 3, 4], [1, 2, 5, 4], [6, 2, 5, 4]]
    for value, filled in zip([3, 4, 5, 6], expected, strict=True):
        kept = kept.add(torch.tensor([0]), sample(value), box(value), torch.tensor([0.5]), 0.0)
        assert contents(kept) == filled
    assert kept.stored.tolist() == [4]
    assert_weights(kept.weights[0], ["1/2", "1/8", "1/4", "1/8"])


def test_each_target_has_its_own_slots_and_rates():
    kept = memory(targets=3)
    rates = torch.tensor([0.5, 0.2])

    kept = kept.add(torch.tensor([2, 0]), torch.cat([sample(7), sample(8)]), torch.cat([box(7), box(8)]), rates, 0.0)

    assert [contents(kept, target) for target in range(3)] == [[1, 2, 8], [1, 2], [1, 2, 7]]
    assert (kept.stored.tolist(), kept.latest.tolist()) == ([3, 2, 3], [2, -1, 2])
    assert_weights(kept.weights[2], ["2/5", "2/5", "1/5", 0])
    assert_weights(kept.weights[1], ["1/2", "1/2", 0, 0])
    assert_weights(kept.weights[0], ["25/58", "25/58", "4/29", 0])


def test_the_share_of_the_first_frame_reaches_the_weights():
    kept = memory().add(torch.tensor([0]), sample(3), box(3), torch.tensor([0.5]), 0.9)

    assert float(kept.weights[0, :2].sum()) == pytest.approx(0.9)


@pytest.mark.parametrize("inplace", [False, True])
def test_an_old_memory_is_left_alone_unless_in_place(inplace):
    before = memory()
    buffers = [before.samples, before.boxes, before.weights, before.stored, before.latest]
    copies = [buffer.clone() for buffer in buffers]

    after = before.add(torch.tensor([0]), sample(3), box(3), torch.tensor([0.5]), 0.0, inplace=inplace)

    assert contents(after) == [1, 2, 3]
    kept = [torch.equal(buffer, copy) for buffer, copy in zip(buffers, copies, strict=True)]
    assert kept == [not inplace] * 5


def test_adding_nothing_changes_nothing():
    kept = memory(targets=2)
    none = torch.zeros(0, dtype=torch.long)

    assert kept.add(none, sample(3, 0), box(3, 0), torch.zeros(0), 0.25) is kept


def test_a_view_leaves_out_slots_that_none_of_the_targets_has_filled():
    kept = memory(targets=3)
    kept = kept.add(torch.tensor([1]), sample(3), box(3), torch.tensor([0.5]), 0.0)

    for chosen, filled in [([0, 1, 2], 3), ([1, 2], 3), ([0], 2), ([2, 0], 2)]:
        samples, boxes, weights = kept.view(torch.tensor(chosen))
        assert torch.equal(samples, kept.samples[chosen, :filled])
        assert torch.equal(boxes, kept.boxes[chosen, :filled])
        assert torch.equal(weights, kept.weights[chosen, :filled])
