import os
import socket

import pytest
import torch
import torch.multiprocessing as mp
from torch import nn

from lockon.training import peers


def work(rank, port, folder):
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    peers.join()
    model = nn.Linear(2, 1)
    nn.init.constant_(model.weight, rank + 1.0)
    peers.copy_state(model)
    (model.weight * (10.0 * rank)).sum().backward()
    peers.average_gradients(model.parameters())
    told = (peers.rank(), peers.count(), peers.agree(rank + 0.25), model.weight.tolist(), model.weight.grad.tolist())
    peers.leave()
    torch.save(told, folder / f"{rank}.pt")


@pytest.mark.slow
def test_two_processes_share_weights_gradients_and_decisions(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mp.spawn(work, (port, tmp_path), nprocs=2)
    for rank in range(2):
        told = torch.load(tmp_path / f"{rank}.pt")
        assert told == (rank, 2, 0.25, [[1.0, 1.0]], [[5.0, 5.0]])


def test_a_process_on_its_own_is_its_only_peer():
    model = nn.Linear(2, 1)
    model.weight.sum().backward()
    peers.copy_state(model)
    peers.average_gradients(model.parameters())
    assert (peers.rank(), peers.count(), peers.agree(0.75)) == (0, 1, 0.75)
    assert model.weight.grad.tolist() == [[1.0, 1.0]]
