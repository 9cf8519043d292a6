"""Check the annotated shapes and types of every tensor function while the tests run; and a disk that is full."""

import os
import resource
import signal
from collections.abc import Callable, Iterator

import pytest
from jaxtyping import install_import_hook

# Side by side, threads wait for each other; before anything imports PyTorch.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOMS = ("lockon.boxes", "lockon.nn", "lockon.networks", "lockon.tracking")

# The hook holds only for modules that are imported after it, so this comes before any test.
install_import_hook(ROOMS, "shape_checks.check")


@pytest.fixture
def full_disk() -> Iterator[Callable[[], None]]:
    """From the call of it on, no file may grow beyond 4 kB."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One thread here and in processes that are started: sums of several parts are rounded in another order."""
    import torch

    threads = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
