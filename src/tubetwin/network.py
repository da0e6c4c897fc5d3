"""The network that becomes a twin: dilated causal convolutions, FiLM for knobs, Snake for tubes.

A function of (samples, knobs), nothing else: no files, no data. Shapes are (batch, channels, time);
samples are full scale ±1.0, knobs are normalised 0…1. The equations and the names of the tensors
are those of docs/twin-file.md.

Sources: WaveNet (van den Oord et al. 2016), FiLM (Perez et al. 2018), Snake (Ziyin et al. 2020).
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

STACKS_OF_TEN = tuple(2**i for i in range(10)) * 3  # 1…512 three times: 6,139 samples


@dataclass(frozen=True)
class Shape:
    """What decides the size of a network, and what follows from it."""

    channels: int
    taps: str  # "depthwise": a filter per channel | "dense": every channel hears every other
    mix: str  # "full": a matrix behind each Snake | "scale": one factor per channel
    dilations: tuple[int, ...] = STACKS_OF_TEN
    kernel_size: int = 3
    knobs: int = 4
    film_hidden: int = 32

    @property
    def layers(self) -> int:
        """How many convolutions stand one behind the other."""
        return len(self.dilations)

    @property
    def receptive_field_samples(self) -> int:
        """How many samples of input, the current one included, decide one sample of output."""
        return 1 + (self.kernel_size - 1) * sum(self.dilations)

    @property
    def delay_line_bytes(self) -> int:
        """Float32 samples of the past that the engine must keep between blocks."""
        return 4 * self.channels * (self.receptive_field_samples - 1)

    def macs(self) -> dict[str, int]:
        """Multiply-accumulates per sample, by part: one for each weight used.

        FiLM costs none while the knobs rest: it is folded into the taps. Snakes are evaluations
        of an activation, not MACs, and stand apart from the total.
        """
        wide = self.channels if self.taps == "dense" else 1
        mixed = self.channels if self.mix == "full" else 1
        ledger = {
            "lift": self.channels,
            "taps": self.layers * self.kernel_size * self.channels * wide,
            "film": 0,
            "mix": (self.layers - 1) * self.channels * mixed,
            "head": self.layers * self.channels,
        }
        return ledger | {"total": sum(ledger.values()), "snakes": self.layers * self.channels}


SIZES = {
    "standard": Shape(channels=16, taps="depthwise", mix="full"),
    "lite": Shape(channels=8, taps="dense", mix="scale"),
    "nano": Shape(channels=4, taps="dense", mix="scale"),
}


class Linear(nn.Module):
    """A weight and a bias under one name; what they multiply is written where it is used."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(bias)


class Snake(nn.Module):
    """x + sin²(αx)/α, one α > 0 per layer and channel, learned as its logarithm."""

    def __init__(self, layers: int, channels: int) -> None:
        super().__init__()
        self.log_alpha = nn.Parameter(torch.zeros(layers, channels))

    @property
    def alpha(self) -> Tensor:
        """(layers, channels), all > 0."""
        return self.log_alpha.exp()

    def forward(self, x: Tensor, layer: int) -> Tensor:
        """(batch, channels, time) of one layer, through its curves."""
        alpha = self.alpha[layer, :, None]
        return x + torch.sin(alpha * x) ** 2 / alpha


class FiLM(nn.Module):
    """A small MLP from the knobs to a scale and a shift for every channel of every layer.

    Its last layer starts at zero, so that training starts from an amp whose knobs do nothing.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.size = (2, shape.layers, shape.channels)
        widths = [shape.knobs, shape.film_hidden, shape.film_hidden, math.prod(self.size)]
        linears = [nn.Linear(a, b) for a, b in pairwise(widths)]
        nn.init.zeros_(linears[-1].weight)
        nn.init.zeros_(linears[-1].bias)
        self.mlp = nn.ModuleList(linears)

    def forward(self, knobs: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, knobs) in 0…1 -> 1+Δγ and β, each (batch, layers, channels)."""
        h = 2 * knobs - 1
        for linear in self.mlp[:-1]:
            h = torch.tanh(linear(h))
        scale, shift = self.mlp[-1](h).unflatten(1, self.size).unbind(1)
        return 1 + scale, shift


class WaveNet(nn.Module):
    """The whole network: (batch, time) samples and (batch, knobs) -> (batch, time - history)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        c, n, layers = shape.channels, shape.kernel_size, shape.layers
        # Spread biases put each Snake on a slope of its own: unshifted, it makes even harmonics.
        # A small mix lets the residual path start nearly clean: it halved the error at equal time.
        taps = (n, c, c) if shape.taps == "dense" else (n, c)
        gain = 1 / math.sqrt(n * c) if shape.taps == "dense" else 0.8 / math.sqrt(n)
        mix = (c, c) if shape.mix == "full" else (c,)
        fan_in = c if shape.mix == "full" else 1
        self.lift = Linear(0.5 * torch.randn(c), 0.1 * torch.randn(c))
        self.taps = Linear(gain * torch.randn(layers, *taps), 0.1 * torch.randn(layers, c))
        self.snake = Snake(layers, c)
        self.film = FiLM(shape) if shape.knobs else None
        self.mix = Linear(
            0.15 / math.sqrt(fan_in) * torch.randn(layers - 1, *mix), torch.zeros(layers - 1, c)
        )
        self.head = Linear(0.5 / math.sqrt(layers * c) * torch.randn(layers, c), torch.zeros(1))

    @property
    def history_samples(self) -> int:
        """Samples of the past that must precede the first sample of output."""
        return self.shape.receptive_field_samples - 1

    def folded(self, knobs: Tensor) -> tuple[Tensor, Tensor]:
        """FiLM folded into taps and bias at given knobs: one set per item of the batch.

        Returns:
            taps (batch, layers, kernel, channels[, channels]) and bias (batch, layers, channels).
        """
        if self.film is None:
            batch = knobs.shape[0]
            return (
                self.taps.weight.expand(batch, *self.taps.weight.shape),
                self.taps.bias.expand(batch, *self.taps.bias.shape),
            )
        scale, shift = self.film(knobs)
        per_output = scale[:, :, None, :, None] if self.shape.taps == "dense" else scale[:, :, None]
        return self.taps.weight * per_output, self.taps.bias * scale + shift

    def forward(self, samples: Tensor, knobs: Tensor) -> Tensor:
        """The first `history_samples` are past only; the output starts behind them."""
        taps, bias = self.folded(knobs)
        batch, time = samples.shape
        heard = time - self.history_samples
        x = self.lift.weight[:, None] * samples[:, None] + self.lift.bias[:, None]
        out = self.head.bias.expand(batch, heard)
        for layer, dilation in enumerate(self.shape.dilations):
            u = dilated(x, taps[:, layer], bias[:, layer], dilation)  # (batch, channels, shorter)
            s = self.snake(u, layer)
            out = out + torch.einsum("c,bct->bt", self.head.weight[layer], s[..., -heard:])
            if layer + 1 < self.shape.layers:
                mix, shift = self.mix.weight[layer], self.mix.bias[layer][:, None]
                mixed = mix @ s if self.shape.mix == "full" else mix[:, None] * s
                x = x[..., -s.shape[-1] :] + mixed + shift
        return out

    def play(self, samples: Tensor, knobs: Tensor) -> Tensor:
        """(batch, time) -> (batch, time), with silence for ever before the first sample."""
        out: Tensor = self(functional.pad(samples, (self.history_samples, 0)), knobs)
        return out


def dilated(x: Tensor, taps: Tensor, bias: Tensor, dilation: int) -> Tensor:
    """A causal convolution with taps of its own for each item; shortens time by its reach.

    Args:
        x: (batch, channels, time).
        taps: (batch, kernel, channels) depthwise or (batch, kernel, out, in) dense, oldest first.
        bias: (batch, channels).
    """
    kernel = taps.shape[1]
    length = x.shape[-1] - (kernel - 1) * dilation
    out = bias[:, :, None]
    for j in range(kernel):
        past = x[..., j * dilation : j * dilation + length]
        out = out + (taps[:, j] @ past if taps.ndim == 4 else taps[:, j, :, None] * past)
    return out
