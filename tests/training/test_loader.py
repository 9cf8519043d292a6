import multiprocessing
import os
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest
import torch
from toy_data import ToyDataset, toy_sequence

from lockon.errors import DataError
from lockon.training.crops import CropConfig
from lockon.training.loader import LoaderMeter, batches, worker_deaths_explained
from lockon.training.proposals import OverlapProposalConfig
from lockon.training.samples import SampleConfig, TrackingSamples
from lockon.training.sampling import FrameConfig, Source

CONFIG = SampleConfig(
    frames=FrameConfig(train_frames=1, test_frames=1),
    crop=CropConfig(size=32),
    proposals=OverlapProposalConfig(count=4),
)


def samples(**options):
    return TrackingSamples([Source(ToyDataset([toy_sequence(**options)]))], CONFIG, seed=5)


def take(count, **options):
    return list(islice(batches(samples(), **options), count))


def equal(a, b):
    pairs = zip((*a[:2], *a.proposals), (*b[:2], *b.proposals), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def test_batches_hold_consecutive_samples():
    drawn = samples()
    second = take(2, batch=3)[1]
    for place in range(3):
        assert torch.equal(second.images[place], drawn[3 + place].images)


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_gives_the_same_batches(workers):
    for made, expected in zip(take(5, batch=2, workers=workers), take(5, batch=2), strict=True):
        assert equal(made, expected)


def test_a_run_goes_on_where_it_stopped():
    whole = take(5, batch=2)
    for rest in (take(3, batch=2, first_step=2), take(3, batch=2, first_step=2, workers=2)):
        assert all(equal(a, b) for a, b in zip(rest, whole[2:], strict=True))


def test_ranks_share_out_the_batch_of_one_process():
    whole = take(3, batch=4)
    ranks = [take(3, batch=2, rank=rank, ranks=2) for rank in range(2)]
    for step, one in enumerate(whole):
        assert torch.equal(torch.cat([ranks[rank][step].images for rank in range(2)]), one.images)


def test_making_batches_leaves_the_global_generator_alone():
    state = torch.random.get_rng_state()
    take(2, batch=2, workers=1)
    take(2, batch=2)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_arrive_as_they_were_raised(workers):
    broken = samples(name="bad", broken=frozenset(range(40)))
    with pytest.raises(DataError, match="100 sequences in a row") as error:
        next(batches(broken, batch=1, workers=workers))
    assert "Traceback" not in str(error.value)
    assert not multiprocessing.active_children()


def test_skipped_images_come_with_the_batch():
    mixed = TrackingSamples(
        [Source(ToyDataset([toy_sequence(), toy_sequence(name="bad", broken=frozenset(range(40)))]))], CONFIG, seed=0
    )
    alone = [batch.skipped for batch in islice(batches(mixed, batch=4), 3)]
    helped = [batch.skipped for batch in islice(batches(mixed, batch=4, workers=1), 3)]
    assert alone == helped
    assert sum(map(len, alone)) > 3
    assert isinstance(alone[0], tuple)


def test_a_worker_that_dies_is_reported():
    sequence = toy_sequence()
    sequence.make = lambda index: os.kill(os.getpid(), signal.SIGKILL)
    dying = TrackingSamples([Source(ToyDataset([sequence]))], CONFIG, seed=0)
    with pytest.raises(DataError, match=r"process that makes training samples died.*fewer workers"):
        next(batches(dying, batch=1, workers=1))


@worker_deaths_explained()
def compute_while_the_worker_is_killed():
    os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
    time.sleep(30)


def test_a_worker_that_dies_while_the_main_process_computes_is_reported():
    stream = batches(TrackingSamples([Source(ToyDataset([toy_sequence()]))], CONFIG, seed=0), batch=1, workers=1)
    next(stream)
    with pytest.raises(DataError, match="process that makes training samples died"):
        compute_while_the_worker_is_killed()


@worker_deaths_explained()
def fail_otherwise():
    raise RuntimeError("another")


def test_other_errors_are_left_alone():
    with pytest.raises(RuntimeError, match="another"):
        fail_otherwise()


def test_workers_are_out_of_reach_of_the_terminal_and_use_one_thread():
    sequence = toy_sequence()
    plain, session = sequence.make, os.getsid(0)

    def make(index):
        assert os.getsid(0) != session
        assert torch.get_num_threads() == 1
        return plain(index)

    sequence.make = make
    next(batches(TrackingSamples([Source(ToyDataset([sequence]))], CONFIG, seed=0), batch=1, workers=1))


EXIT_WITH_A_LIVE_LOADER = """
import sys
sys.path[:0] = {paths!r}
from test_loader import batches, samples
stream = batches(samples(), batch=1, workers=2)
next(stream)
"""


@pytest.mark.slow
def test_a_program_ends_though_its_loader_was_never_closed():
    paths = [str(Path(__file__).parent)]
    done = subprocess.run(
        [sys.executable, "-c", EXIT_WITH_A_LIVE_LOADER.format(paths=paths)], timeout=60, check=False
    )
    assert done.returncode == 0


def test_the_meter_tells_waiting_from_work():
    meter = LoaderMeter()
    stream = batches(samples(), batch=2, workers=0, meter=meter)
    next(stream)
    assert meter.samples == 2
    assert meter.waited > 0
    meter.reset()
    time.sleep(0.2)  # the trainer computes
    next(stream)
    assert meter.samples == 2
    assert meter.wait_share < 0.5
    assert meter.samples_per_second < 10
    assert meter.elapsed > 0.2


def test_waiting_for_slow_samples_is_seen():
    sequence = toy_sequence()
    plain = sequence.make
    sequence.make = lambda index: (time.sleep(0.05), plain(index))[1]
    meter = LoaderMeter()
    stream = batches(TrackingSamples([Source(ToyDataset([sequence]))], CONFIG, seed=0), batch=2, meter=meter)
    meter.reset()
    list(islice(stream, 2))
    assert meter.wait_share > 0.9
