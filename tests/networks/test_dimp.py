import pytest
import torch
import torch.nn.functional as F

from lockon.networks.dimp import DimpClassifier, FilterInitializer, classification_head, dimp_classifier
from lockon.networks.filter_optimizers import DimpOptimizer, PrDimpOptimizer, SimpleOptimizer
from lockon.nn.distance_map import gaussian_map
from lockon.nn.prpool import prroi_pool

OPTIMIZERS = {"dimp": DimpOptimizer, "prdimp": PrDimpOptimizer, "simple": SimpleOptimizer}
OPTIMIZER = pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())


def sine(*shape, rate, amplitude):
    """The spec's deterministic fill: amplitude · sin(rate · n), n counted in row-major order."""
    count = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    return (amplitude * torch.sin(rate * count)).float().reshape(shape)


def classifier(optimizer, *, in_channels=6, channels=8, blocks=0):
    generator = torch.Generator().manual_seed(0)
    model = dimp_classifier(optimizer, in_channels=in_channels, channels=channels, blocks=blocks, generator=generator)
    return model.eval().requires_grad_(False)


def support_set():
    features = sine(1, 3, 8, 6, 6, rate=0.37, amplitude=0.1)
    boxes = torch.tensor([[[20.0, 24, 40, 32], [30, 18, 36, 44], [16, 30, 50, 30]]])
    return features, boxes, sine(1, 8, 4, 4, rate=0.11, amplitude=0.05)


GAMMA = torch.tensor([[0.5, 0.3, 0.2]])
CHECK_VALUES = [
    # optimiser, iterations, sample weights, sum, norm, first three, losses
    (
        DimpOptimizer(),
        3,
        GAMMA,
        (0.3106562, 0.4847605),
        (0.0548767, 0.0630528, 0.0663687),
        (2.5278099, 2.3924816, 2.3632944, 2.3444571),
    ),
    (DimpOptimizer(), 1, None, (0.3669784, 0.4387409), (0.0248003, 0.0343674, 0.0382255), (2.5286453, 2.3969557)),
    (
        PrDimpOptimizer(),
        3,
        GAMMA,
        (-0.1403312, 1.3173454),
        (0.157808, 0.1575213, 0.1390531),
        (3.8899133, 3.8492944, 3.8363717, 3.8226671),
    ),
    (
        PrDimpOptimizer(softmax_reg=0.0, label_shrink=0.1, uniform_weight=0.05),
        3,
        GAMMA,
        (-0.0755747, 1.1906837),
        (0.1245418, 0.1236891, 0.1067898),
        (3.910383, 3.8799739, 3.8694334, 3.8586693),
    ),
    (
        SimpleOptimizer(gauss_sigma=0.9),
        3,
        GAMMA,
        (0.3396048, 0.4463302),
        (0.0446504, 0.0526805, 0.0556017),
        (0.0091927, 0.0089952, 0.0089056, 0.0088366),
    ),
    (
        SimpleOptimizer(gauss_sigma=0.9),
        1,
        None,
        (0.3760807, 0.4169278),
        (0.0198937, 0.0277361, 0.0313826),
        (0.0091922, 0.0090002),
    ),
]


@pytest.mark.parametrize(("optimizer", "iterations", "weights", "sums", "first", "losses"), CHECK_VALUES)
def test_optimiser_check_values(optimizer, iterations, weights, sums, first, losses):
    features, boxes, filters = support_set()

    trace = classifier(optimizer).optimise(
        filters, features, boxes, iterations=iterations, sample_weights=weights, keep_losses=True
    )

    assert (trace.filters.sum().item(), trace.filters.norm().item()) == pytest.approx(sums, rel=2e-5)
    assert trace.filters.flatten()[:3].tolist() == pytest.approx(first, rel=2e-5)
    # The check values of the simple optimiser are means over the residuals.
    residuals = 3 * 7 * 7 + filters.numel() if isinstance(optimizer, SimpleOptimizer) else 1
    assert (trace.losses[:, 0] / residuals).tolist() == pytest.approx(losses, rel=1e-5, abs=1e-7)


def test_two_targets_check_values():
    _, boxes, _ = support_set()
    features = sine(3, 2, 8, 6, 6, rate=0.37, amplitude=0.1).transpose(0, 1)
    filters = sine(2, 8, 4, 4, rate=0.11, amplitude=0.05)

    trace = classifier(DimpOptimizer()).optimise(
        filters, features, torch.cat([boxes, boxes.flip(1)]), iterations=2, keep_losses=True
    )

    assert (trace.filters.sum().item(), trace.filters.norm().item()) == pytest.approx(
        (0.7703138, 0.6670839), rel=2e-5
    )
    assert trace.filters.flatten()[:3].tolist() == pytest.approx([0.0586945, 0.0663604, 0.0763217], rel=2e-5)
    assert trace.losses.mean(dim=1).tolist() == pytest.approx([2.5275095, 2.4218221, 2.3938468], rel=1e-5)


def test_dimp_optimiser_starts_from_a_gaussian_label_and_a_steep_mask():
    optimizer = DimpOptimizer()
    weights = {name: value.detach().flatten() for name, value in optimizer.named_parameters()}
    label, mask = weights["label_map_predictor.weight"], weights["target_mask_predictor.0.weight"]

    assert label[:4].tolist() == pytest.approx([1, 0.9938462, 0.9756110, 0.9459594], abs=1e-6)
    assert label[-1] == 0
    assert mask[[0, 20, 99]].tolist() == pytest.approx([2.8920827, 0, -2.9999991], abs=1e-6)
    assert (weights["spatial_weight_predictor.weight"] == 1).all()
    assert weights["log_step_length"].exp().item() == pytest.approx(0.9)
    assert weights["filter_reg"].item() == pytest.approx(0.1)


@pytest.mark.parametrize("optimizer", [DimpOptimizer, PrDimpOptimizer])
def test_regularisation_has_a_floor(optimizer):
    features, boxes, filters = support_set()

    below, at_floor, above = (
        classifier(optimizer(init_reg=reg, min_reg=0.3)).optimise(filters, features, boxes, iterations=2).filters
        for reg in (0.0, 0.3, 0.4)
    )

    torch.testing.assert_close(below, at_floor)
    assert (above - at_floor).abs().max() > 1e-3


@pytest.mark.parametrize("size", [(18, 18), (7, 11)])
def test_initial_filter_is_the_mean_of_pooled_convolved_features(size):
    generator = torch.Generator().manual_seed(1)
    initializer = FilterInitializer(5, generator=generator).double()
    torch.nn.init.normal_(initializer.filter_conv.bias, generator=generator)
    features = torch.randn(2, 3, 5, *size, generator=generator, dtype=torch.float64)
    boxes = torch.tensor(
        [
            [[30.0, 40, 60, 50], [-20, -30, 70, 80], [16 * size[1] - 30, 16 * size[0] - 20, 90, 40]],
            [[0, 0, 16 * size[1], 16 * size[0]], [33.3, 21.7, 5, 3], [-400, 10, 100, 20]],
        ],
        dtype=torch.float64,
    )
    convolved = F.conv2d(
        features.flatten(0, 1), initializer.filter_conv.weight, initializer.filter_conv.bias, padding=1
    )
    pooled = prroi_pool(convolved, boxes.flatten(0, 1)[:, None], (4, 4), 1 / 16)[:, 0]

    filters = initializer(features, boxes)

    torch.testing.assert_close(filters, pooled.unflatten(0, (2, 3)).mean(dim=1))


def test_prdimp_starts_training_from_a_filter_of_zeros():
    model = dimp_classifier(PrDimpOptimizer(), in_channels=6, channels=8, blocks=0, zero_initializer=True)
    features, boxes, _ = support_set()

    assert not model.initial_filter(features, boxes).any()


@pytest.mark.parametrize("blocks", [0, 1])
def test_every_image_leaves_the_head_with_the_same_norm(blocks):
    head = classification_head(6, 8, blocks=blocks).eval()

    features = head(sine(2, 6, 5, 7, rate=0.3, amplitude=2.0))

    # scale · √(C H W) with scale = √(1 / (16 C))
    expected = torch.full((2,), (5 * 7 / 16) ** 0.5)
    torch.testing.assert_close(features.flatten(1).norm(dim=1), expected, rtol=1e-3, atol=0)


@OPTIMIZER
def test_labels_can_replace_those_made_from_the_boxes(optimizer):
    features, boxes, filters = support_set()
    model = classifier(optimizer())
    centres = (boxes[..., :2] + boxes[..., 2:] / 2).flip(-1) / 16
    made = model.filter_optimizer.label_map(centres, (7, 7))
    elsewhere = model.filter_optimizer.label_map(centres + 1, (7, 7))

    from_boxes = model.optimise(filters, features, boxes, iterations=2).filters
    same = model.optimise(filters, features, boxes, iterations=2, labels=made).filters
    other = model.optimise(filters, features, boxes, iterations=2, labels=elsewhere).filters

    assert torch.equal(same, from_boxes)
    assert (other - from_boxes).abs().max() > 1e-3


def test_simple_label_is_a_gaussian_at_the_box_centre():
    centres = torch.tensor([[[2.5, 3.25]]])

    label = SimpleOptimizer(gauss_sigma=0.8).label_map(centres, (7, 7))

    torch.testing.assert_close(label, gaussian_map(centres, (7, 7), sigma=0.8))


def test_an_odd_filter_sees_the_target_half_a_cell_earlier():
    """With an odd filter a score cell lies at the middle of a feature cell, so a target there is at a whole cell."""
    model = classifier(SimpleOptimizer(gauss_sigma=0.5))
    features = torch.zeros(1, 1, 1, 7, 7)
    features[..., 3, 2] = 1.0
    boxes = torch.tensor([[[2.5 * 16 - 10, 3.5 * 16 - 10, 20, 20]]])

    filters = model.optimise(torch.zeros(1, 1, 3, 3), features, boxes, iterations=1).filters

    assert filters[0, 0].argmax() == 4
    torch.testing.assert_close(filters, filters.flip(-1))
    torch.testing.assert_close(filters, filters.flip(-2))


@OPTIMIZER
def test_learned_parts_get_gradients_through_the_unrolled_optimiser(optimizer):
    features, boxes, _ = support_set()
    model = classifier(optimizer()).requires_grad_()
    layer3 = sine(3, 6, 6, 6, rate=0.2, amplitude=1.0)

    features = model.extract(layer3)[None]
    trace = model.optimise(model.initial_filter(features, boxes), features, boxes, iterations=2, keep_iterates=True)
    sum(model.score(filters, features).square().sum() for filters in trace.iterates).backward()

    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@OPTIMIZER
def test_autocast_leaves_the_solver_in_float32(optimizer):
    features, boxes, _ = support_set()
    model = classifier(optimizer())

    def run(model: DimpClassifier):
        filters = model.initial_filter(features, boxes)
        return model.score(model.optimise(filters, features, boxes, iterations=3).filters, features)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = run(model)

    assert torch.equal(inside, run(model))


@OPTIMIZER
def test_a_support_set_in_bfloat16_gives_nearly_the_same_filter(optimizer):
    features, boxes, _ = support_set()
    model = classifier(optimizer())

    exact, stored = (
        model.optimise(model.initial_filter(x, boxes), x, boxes, iterations=3).filters
        for x in (features, features.bfloat16())
    )

    assert stored.dtype == torch.float32
    assert (stored - exact).norm() < 0.02 * exact.norm()
