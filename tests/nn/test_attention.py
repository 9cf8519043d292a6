"""Attention against a loop over heads and vectors, and against sources that are not there."""

import math

import torch

from lockon.nn.attention import MultiHeadAttention


def attention(dim=6, heads=2):
    return MultiHeadAttention(dim, heads, torch.Generator().manual_seed(1)).requires_grad_(False)


def everything(x):
    return torch.ones(x.shape[:2], dtype=torch.bool)


def by_loops(layer, x, source):
    query, key, value = (projection(y) for projection, y in zip(layer.proj, (x, source, source), strict=True))
    messages = torch.empty_like(query)
    for head in range(layer.heads):
        channels = slice(head, None, layer.heads)
        for i, q in enumerate(query[0]):
            products = torch.stack([q[channels] @ k[channels] for k in key[0]])
            weights = torch.softmax(products / math.sqrt(q[channels].numel()), dim=0)
            messages[0, i, channels] = weights @ value[0][:, channels]
    return layer.merge(messages)


def test_heads_take_every_other_channel():
    layer = attention()
    generator = torch.Generator().manual_seed(2)
    for projection in layer.proj:
        projection.weight.normal_(generator=generator)
    x, source = torch.randn(1, 3, 6, generator=generator), torch.randn(1, 5, 6, generator=generator)
    torch.testing.assert_close(layer(x, source, everything(source)), by_loops(layer, x, source))


def test_invalid_sources_count_for_nothing():
    layer = attention()
    generator = torch.Generator().manual_seed(3)
    x, source = torch.randn(2, 3, 6, generator=generator), torch.randn(2, 5, 6, generator=generator)
    valid = everything(source)
    valid[0, 2:] = False
    result = layer(x, source, valid)
    torch.testing.assert_close(result[:1], layer(x[:1], source[:1, :2], everything(source[:1, :2])))
    torch.testing.assert_close(result[1:], layer(x[1:], source[1:], everything(source[1:])))
    valid[:] = False
    assert layer(x, source, valid).isfinite().all()


def test_sets_may_be_empty():
    layer = attention()
    nothing, some = torch.zeros(2, 0, 6), torch.zeros(2, 3, 6)
    assert layer(nothing, some, everything(some)).shape == (2, 0, 6)
    assert layer(some, nothing, everything(nothing)).isfinite().all()


def test_projections_start_as_copies_of_the_output_layer():
    layer = attention()
    for projection in layer.proj:
        assert torch.equal(projection.weight, layer.merge.weight)
        assert projection.weight is not layer.merge.weight
