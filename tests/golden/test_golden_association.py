"""The association network of KeepTrack against the official implementation."""

import functools
from collections.abc import Sequence

import numpy as np
import torch
from golden_data import GoldenArrays, formula_weights
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lockon.networks.association import AssociationNet, CandidateSet, normalise_places, read_matches
from lockon.nn.sinkhorn import sinkhorn

FEATURES = (1, 1024, 30, 30)
SIDES = (0, 1)
PLACE_TOLERANCE = 1e-5


@functools.cache
def golden() -> GoldenArrays:
    return GoldenArrays("keep_track_matching")


@functools.cache
def network() -> AssociationNet:
    net = AssociationNet()
    weights = formula_weights("keep_track_matching")
    weights = {key: value for key, value in weights.items() if not key.startswith("feature_extractor.")}
    assert list(weights) == list(net.state_dict())
    net.load_state_dict(weights)
    return net.eval().requires_grad_(False)


@functools.cache
def features() -> tuple[Tensor, Tensor]:
    """Layer3 of both frames: noise, with places of the first copied into the second."""
    rng = np.random.Generator(np.random.PCG64(int(golden()["feat_seed"])))
    first, second = (rng.standard_normal(FEATURES).astype(np.float32) for _ in SIDES)
    copies = zip(golden().arrays["copy_list"], golden().arrays["copy_factor"], strict=True)
    for (row, column, source_row, source_column), factor in copies:
        second[0, :, row, column] = first[0, :, source_row, source_column] * factor
    return torch.from_numpy(first), torch.from_numpy(second)


@functools.cache
def all_candidates(side: int) -> CandidateSet:
    scores = golden()[f"scores{side}"][None]
    height, width = golden().arrays["image_hw"].tolist()
    places = normalise_places(golden()[f"img_coords{side}"][None], (height, width), swapped_centre=True)
    descriptors = network().descriptors(features()[side], golden()[f"coords{side}"][None])
    return CandidateSet(descriptors, places, scores, torch.ones_like(scores, dtype=torch.bool))


def case_names() -> list[str]:
    names = sorted({name.split("_")[0] for name in golden().arrays if name.endswith("_matches0")})
    assert len(names) > 2
    return names


def candidates(case: str) -> list[CandidateSet]:
    """Those of both frames that a case takes, told by their recorded places; without a record, all or none."""
    sides = []
    for side in SIDES:
        whole = all_candidates(side)
        indices = torch.arange(int(case.split("x")[side]))
        if f"{case}_norm_kpts{side}" in golden():
            distances = torch.cdist(golden()[f"{case}_norm_kpts{side}"][0], whole.places[0])
            assert float(distances.amin(dim=1).max()) < PLACE_TOLERANCE
            indices = distances.argmin(dim=1)
        sides.append(CandidateSet(*(part[:, indices] for part in whole)))
    return sides


def check_nodes(case: str, what: str, nodes: Sequence[Tensor]) -> None:
    """Of both frames, which are recorded channels first; ours may be padded to one length."""
    for side in SIDES:
        size = int(case.split("x")[side])
        golden().check(f"{case}_{what}{side}", nodes[side][:, :size].mT)


def test_descriptors() -> None:
    for side in SIDES:
        golden().check(f"feat{side}_check", features()[side])
        golden().check(f"descriptors{side}", all_candidates(side).descriptors.mT)


def test_every_stage_of_the_matcher() -> None:
    matcher = network().matcher
    layers: list[Tensor] = []
    hooks = [layer.register_forward_hook(lambda *call: layers.append(call[2])) for layer in matcher.gnn.layers]
    for case in case_names():
        if "0" in case.split("x"):
            continue
        previous, current = candidates(case)
        for side, candidates_of_frame in enumerate((previous, current)):
            golden().check(f"{case}_norm_kpts{side}", candidates_of_frame.places)
        check_nodes(case, "kenc", (matcher.kenc.encoding(previous), matcher.kenc.encoding(current)))
        layers.clear()
        nodes = matcher.propagate(previous, current)
        assert len(layers) == 4
        for index, output in enumerate(layers):
            check_nodes(case, f"gnn{index}_desc", tuple(output))
        check_nodes(case, "mdesc", [matcher.final_proj(side) for side in nodes])
        golden().check(f"{case}_score_matrix", network().score_matrix(previous, current))
        golden().check(f"{case}_log_assignment", network().match(previous, current))
    for hook in hooks:
        hook.remove()


def check_matches(case: str, log_assignment: Tensor, previous_valid: Tensor, current_valid: Tensor) -> None:
    forward = read_matches(log_assignment, previous_valid, current_valid)
    backward = read_matches(log_assignment.mT, current_valid, previous_valid)
    for side, matches in enumerate((backward, forward)):
        expected = golden()[f"{case}_matches{side}"]
        size = expected.shape[1]
        assert torch.equal(matches.partners[:, :size], expected.long()), case
        assert (matches.partners[:, size:] == -1).all()
        if size:
            golden().check(f"{case}_match_scores{side}", matches.probabilities[:, :size])
        assert (matches.probabilities[:, size:] == 0).all()


def test_matches() -> None:
    for case in case_names():
        previous, current = candidates(case)
        check_matches(case, network().match(previous, current), previous.valid, current.valid)


def test_all_cases_in_one_padded_batch() -> None:
    names = case_names()
    previous, current = (
        CandidateSet(*(pad_sequence([part[0] for part in parts], True) for parts in zip(*side, strict=True)))
        for side in zip(*(candidates(case) for case in names), strict=True)
    )
    log_assignment = network().match(previous, current)
    for index, case in enumerate(names):
        one = slice(index, index + 1)
        check_matches(case, log_assignment[one], previous.valid[one], current.valid[one])


def test_sinkhorn() -> None:
    transport = GoldenArrays("keep_track_sinkhorn")
    marker = "_it"
    names = [name for name in transport.arrays if name.startswith("log_assignment") and marker in name]
    assert len(names) > 2
    for name in names:
        stem, iterations = name.split(marker)
        scores = transport[stem.replace("log_assignment", "score_matrix")]
        rows, columns = (torch.ones(1, size, dtype=torch.bool) for size in scores.shape[1:])
        transport.check(name, sinkhorn(scores, transport["bin_score"][0], rows, columns, int(iterations)))
