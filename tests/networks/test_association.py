"""The association network: descriptors at cells, batches that are padded, and how matches are read."""

import pytest
import torch

from lockon.networks.association import AssociationNet, CandidateSet, Matches, normalise_places, read_matches
from lockon.nn.folding import fold_batch_norms


def small(gnn_layers=4, **arguments):
    return AssociationNet(8, 16, (4, 8), gnn_layers, generator=torch.Generator().manual_seed(5), **arguments).eval()


def stirred(net):
    """With statistics and biases as after training, which nothing then hides behind."""
    generator = torch.Generator().manual_seed(6)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_(std=0.3, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    for parameter in net.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return net.requires_grad_(False)


def random_candidates(counts, size, seed, dim=16):
    """Candidates of several targets, padded with junk."""
    generator = torch.Generator().manual_seed(seed)
    targets = len(counts)
    return CandidateSet(
        torch.randn(targets, size, dim, generator=generator),
        torch.rand(targets, size, 2, generator=generator) - 0.5,
        torch.rand(targets, size, generator=generator),
        torch.arange(size) < torch.tensor(counts)[:, None],
    )


def alone(candidates, target, count):
    return CandidateSet(*(part[target : target + 1, :count] for part in candidates))


def test_descriptors_equal_the_whole_convolution():
    net = small()
    layer3 = torch.randn(3, 8, 5, 6, generator=torch.Generator().manual_seed(0))
    rows, cols = torch.meshgrid(torch.arange(6), torch.arange(7), indexing="ij")
    cells = torch.stack([rows, cols], dim=-1).reshape(1, -1, 2).expand(3, -1, -1)
    expected = net.descriptor_extractor.conv(layer3)
    for features in (layer3, layer3.contiguous(memory_format=torch.channels_last)):
        descriptors = net.descriptors(features, cells)
        torch.testing.assert_close(descriptors.mT.reshape(expected.shape), expected)
    assert net.descriptors(layer3.bfloat16(), cells[:, :2]).dtype == torch.float32
    assert net.descriptors(layer3, cells[:, :0]).shape == (3, 0, 16)


@pytest.mark.parametrize("gnn_layers", [0, 1, 4])
def test_targets_at_once_equal_one_by_one(gnn_layers):
    net = stirred(small(gnn_layers))
    counts = [(1, 1), (40, 7), (3, 40), (0, 5), (5, 0), (0, 0), (2, 3)]
    previous, current = (random_candidates(side, 40, seed) for seed, side in enumerate(zip(*counts, strict=True)))
    together = net.match(previous, current)
    matches = read_matches(together, previous.valid, current.valid)
    for target, (m, n) in enumerate(counts):
        before, after = alone(previous, target, m), alone(current, target, n)
        single = net.match(before, after)
        kept = together[target][[*range(m), 40]][:, [*range(n), 40]]
        torch.testing.assert_close(kept, single[0], atol=1e-4, rtol=1e-4)
        expected = read_matches(single, before.valid, after.valid)
        assert torch.equal(matches.partners[target, :n], expected.partners[0])
        torch.testing.assert_close(matches.probabilities[target, :n], expected.probabilities[0])
        assert (matches.partners[target, n:] == -1).all()
        assert (matches.probabilities[target, n:] == 0).all()


def test_the_layers_take_turns_within_and_across_frames():
    previous, current = random_candidates([3], 3, 1), random_candidates([4], 4, 2)
    other = random_candidates([4], 4, 3)
    for layers, depends in ((0, False), (1, False), (2, True)):
        matcher = stirred(small(layers)).matcher
        nodes, with_other = matcher.propagate(previous, current)[0], matcher.propagate(previous, other)[0]
        assert (nodes != with_other).any() == depends


def test_order_of_candidates_is_order_of_results():
    net = stirred(small())
    previous, current = random_candidates([3], 3, 1), random_candidates([5], 5, 2)
    order = torch.tensor([4, 0, 3, 1, 2])
    shuffled = CandidateSet(*(part[:, order] for part in current))
    expected = net.match(previous, current)[:, :, [*order.tolist(), 5]]
    torch.testing.assert_close(net.match(previous, shuffled), expected, atol=1e-5, rtol=1e-4)


def test_training_ignores_padding():
    results = []
    for size in (3, 6):
        net = small().train()
        previous, current = random_candidates([3, 2], 6, 1), random_candidates([1, 3], 6, 2)
        cut = [CandidateSet(*(part[:, :size] for part in side)) for side in (previous, current)]
        log = net.match(*cut)[:, [0, 1, 2, size]][:, :, [0, 1, 2, size]]
        log[:, :, :][log > -1e6].sum().backward()
        results.append((log.detach(), net.matcher.kenc.encoder[0].weight.grad, dict(net.named_buffers())))
    (log, gradient, buffers), (padded_log, padded_gradient, padded_buffers) = results
    real = log > -1e6
    assert torch.equal(real, padded_log > -1e6)
    torch.testing.assert_close(log[real], padded_log[real], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(gradient, padded_gradient, atol=1e-4, rtol=1e-3)
    assert gradient.abs().max() > 0
    torch.testing.assert_close(buffers, padded_buffers)


def test_sinkhorn_iterations_are_those_asked_for():
    previous, current = random_candidates([3], 3, 1), random_candidates([4], 4, 2)
    exact = stirred(small(sinkhorn_iterations=200)).match(previous, current).exp().sum(dim=2)
    rough = stirred(small(sinkhorn_iterations=1)).match(previous, current).exp().sum(dim=2)
    goal = torch.tensor([[1.0, 1, 1, 4]])
    assert (exact - goal).abs().max() < 1e-3 < (rough - goal).abs().max()


def test_transport_is_in_single_precision_at_least():
    net = small()
    valid = torch.ones(1, 2, dtype=torch.bool)
    assert net.transport(torch.ones(1, 2, 2, dtype=torch.bfloat16), valid, valid).dtype == torch.float32


def test_folded_normalisations_leave_the_result():
    net = stirred(small())
    folded = fold_batch_norms(net)
    assert not any(isinstance(module, torch.nn.BatchNorm1d) for module in folded.modules())
    previous, current = random_candidates([3], 3, 1), random_candidates([5], 5, 2)
    torch.testing.assert_close(folded.match(previous, current), net.match(previous, current), atol=1e-4, rtol=1e-4)


def test_initial_weights_come_from_the_generator_alone():
    first, second = small(), small()
    for key, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[key]), key
    projection = first.matcher.final_proj.weight[..., 0]
    torch.testing.assert_close(projection @ projection.T, torch.eye(16), atol=1e-5, rtol=0)
    assert first.matcher.bin_score == 0
    assert (first.matcher.kenc.encoder[-1].bias == 0).all()
    assert (first.matcher.gnn.layers[0].update.mlp[-1].bias == 0).all()


def test_places_are_in_units_of_the_image():
    corner = torch.zeros(1, 1, 2)
    for swapped, expected in ((True, [-0.7143, -0.4018]), (False, [-0.4018, -0.7143])):
        places = normalise_places(corner, (720, 1280), swapped_centre=swapped)
        torch.testing.assert_close(places[0, 0], torch.tensor(expected), atol=1e-4, rtol=0)
    sizes = torch.tensor([[720, 1280], [100, 50]])
    points = torch.tensor([[[360.0, 640.0]], [[50.0, 60.0]]])
    expected = torch.tensor([[[0.0, 0.0]], [[0.0, 0.5]]])
    torch.testing.assert_close(normalise_places(points, sizes, swapped_centre=False), expected)


def matches_of(probabilities, **arguments):
    """Of a matrix of probabilities without dustbins, which are made larger than everything else."""
    table = torch.nn.functional.pad(torch.tensor(probabilities), (0, 1, 0, 1), value=0.99)
    m, n = (torch.ones(1, size - 1, dtype=torch.bool) for size in table.shape)
    return read_matches(table.log()[None], m, n, **arguments)


@pytest.mark.parametrize(
    ("probabilities", "partners", "kept"),
    [
        ([[0.1, 0.7], [0.6, 0.1]], [1, 0], [0.6, 0.7]),
        ([[0.9, 0.8], [0.3, 0.2]], [0, -1], [0.9, 0.0]),  # both want the first
        ([[0.19, 0.0], [0.0, 0.21]], [-1, 1], [0.19, 0.21]),  # mutual but unlikely
        ([[0.3, 0.4, 0.5]], [-1, -1, 0], [0.0, 0.0, 0.5]),
        ([[0.3], [0.5]], [1], [0.5]),
    ],
)
def test_matches_are_mutual_and_likely(probabilities, partners, kept):
    matches = matches_of(probabilities)
    assert matches.partners.tolist() == [partners]
    assert matches.probabilities[0].tolist() == pytest.approx(kept)


def test_the_threshold_is_exclusive_and_can_be_chosen():
    assert matches_of([[0.5]], threshold=0.5).partners.tolist() == [[-1]]
    assert matches_of([[0.5]], threshold=0.49).partners.tolist() == [[0]]


def test_padding_is_never_a_partner():
    table = torch.tensor([[0.9, 0.1, 0.1], [0.2, 0.4, 0.1], [0.1, 0.1, 0.1]]).log()[None]
    whole = torch.ones(1, 2, dtype=torch.bool)
    second = torch.tensor([[False, True]])
    assert read_matches(table, second, whole).partners.tolist() == [[-1, 1]]
    assert read_matches(table, whole, second).partners.tolist() == [[-1, 1]]
    nothing = Matches(*read_matches(table, ~whole, whole))
    assert nothing.partners.tolist() == [[-1, -1]]
    assert nothing.probabilities.tolist() == [[0, 0]]
