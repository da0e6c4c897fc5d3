"""The network is the one in docs/twin-file.md: causal, with the declared reach and ledger."""

import math
from dataclasses import replace

import pytest
import torch

from tubetwin.network import SIZES, FiLM, Shape, Snake, WaveNet, dilated

SHAPES = [*SIZES.values(), Shape(5, "dense", "full", (1, 3, 7), kernel_size=2, knobs=2)]


def network(shape: Shape, seed: int = 1) -> WaveNet:
    """A network whose knobs do something."""
    torch.manual_seed(seed)
    net = WaveNet(shape).double()
    torch.nn.init.normal_(net.film.mlp[-1].weight, std=0.05)
    return net


def test_the_standard_ledger_is_the_seeds() -> None:
    standard = SIZES["standard"]
    assert standard.receptive_field_samples == 6139
    assert standard.macs()["taps"] == 1440
    assert standard.delay_line_bytes == 392_832
    assert standard.macs()["total"] <= 9700


def test_nano_stays_within_1700_macs_with_the_same_reach() -> None:
    nano = SIZES["nano"]
    assert nano.macs()["taps"] == 1440
    assert nano.macs()["total"] <= 1700
    assert nano.receptive_field_samples == 6139


@pytest.mark.parametrize("shape", SHAPES)
def test_the_ledger_counts_one_mac_per_weight(shape: Shape) -> None:
    net = WaveNet(shape)
    weights = sum(p.weight.numel() for p in (net.lift, net.taps, net.mix, net.head))
    assert shape.macs()["total"] == weights


@pytest.mark.parametrize("shape", SHAPES)
def test_output_ignores_the_future_and_all_beyond_the_receptive_field(shape: Shape) -> None:
    net, reach = network(shape), shape.receptive_field_samples
    samples = torch.randn(1, reach + 40, dtype=torch.double, requires_grad=True)
    knobs = torch.full((1, shape.knobs), 0.3, dtype=torch.double)
    at = 20
    net(samples, knobs)[0, at].backward()
    heard = samples.grad[0].nonzero()[:, 0]
    assert heard.min() == at  # the oldest sample of the receptive field
    assert heard.max() == at + reach - 1  # the current one


@pytest.mark.parametrize("shape", SHAPES)
def test_knobs_do_nothing_at_first_and_something_later(shape: Shape) -> None:
    torch.manual_seed(0)
    net = WaveNet(shape)
    samples = torch.randn(2, shape.receptive_field_samples + 8)
    left, right = torch.zeros(2, shape.knobs), torch.ones(2, shape.knobs)
    assert torch.equal(net(samples, left), net(samples, right))
    torch.nn.init.normal_(net.film.mlp[-1].weight, std=0.05)
    assert not torch.allclose(net(samples, left), net(samples, right))


def test_snake_is_the_formula() -> None:
    snake = Snake(1, 2).double()
    snake.log_alpha.data = torch.tensor([[math.log(0.7), math.log(3.0)]]).double()
    x = torch.linspace(-4, 4, 101).double().expand(1, 2, -1)
    expected = torch.stack([x[0, 0] + torch.sin(a * x[0, 0]) ** 2 / a for a in (0.7, 3.0)])
    assert torch.allclose(snake(x, 0)[0], expected, atol=1e-12)


def test_film_scales_and_shifts_every_channel_of_every_layer() -> None:
    shape = SIZES["standard"]
    film = FiLM(shape)
    torch.nn.init.normal_(film.mlp[-1].weight, std=0.1)
    scale, shift = film(torch.rand(3, shape.knobs))
    assert scale.shape == shift.shape == (3, 30, 16)
    assert (film(torch.zeros(1, 4))[0] != film(torch.ones(1, 4))[0]).all()
    assert (film(torch.zeros(1, 4))[1] != film(torch.ones(1, 4))[1]).all()


def test_folding_film_into_the_taps_equals_film_behind_the_convolution() -> None:
    net, knobs = network(SIZES["nano"]), torch.rand(1, 4, dtype=torch.double)
    x = torch.randn(1, 4, 100, dtype=torch.double)
    taps, bias = net.folded(knobs)
    scale, shift = net.film(knobs)
    plain = dilated(x, net.taps.weight[None, 3], net.taps.bias[None, 3], 8)
    film = scale[:, 3, :, None] * plain + shift[:, 3, :, None]
    assert torch.allclose(dilated(x, taps[:, 3], bias[:, 3], 8), film, atol=1e-12)


def test_dilated_agrees_with_conv1d() -> None:
    x = torch.randn(1, 3, 50, dtype=torch.double)
    taps, bias = torch.randn(1, 3, 5, 3, dtype=torch.double), torch.randn(1, 5, dtype=torch.double)
    expected = torch.nn.functional.conv1d(x, taps[0].permute(1, 2, 0), bias[0], dilation=4)
    assert torch.allclose(dilated(x, taps, bias, 4), expected, atol=1e-12)


def test_playing_starts_from_silence_for_ever() -> None:
    """Two seconds of silence before the music change nothing: the twin starts settled."""
    shape = replace(SIZES["nano"], dilations=(1, 2, 4, 8))
    net, knobs = network(shape), torch.rand(1, 4, dtype=torch.double)
    music = torch.randn(1, 100, dtype=torch.double)
    waited = net.play(torch.nn.functional.pad(music, (500, 0)), knobs)[:, 500:]
    assert torch.allclose(net.play(music, knobs), waited, atol=1e-12)


def test_a_network_without_knobs_is_a_network() -> None:
    net = WaveNet(replace(SIZES["nano"], knobs=0))
    samples = torch.randn(2, 6139 + 10)
    assert net(samples, torch.zeros(2, 0)).shape == (2, 11)
