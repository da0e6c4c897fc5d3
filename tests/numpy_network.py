"""The equations of docs/twin-file.md, written out in numpy and double precision, for the tests."""

import json
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise

import numpy as np
from safetensors.numpy import save as to_safetensors

STACKS = tuple(2**i for i in range(10)) * 3
UNEVEN = (1, 3, 63, 64, 65, 7, 100, 129, 31, 500)  # no power of two: rings wrap anywhere
ARCHITECTURES = {
    "standard": (16, 3, STACKS, "depthwise", "full"),
    "lite": (8, 3, STACKS, "dense", "scale"),
    "nano": (4, 3, STACKS, "dense", "scale"),
    "standard, uneven": (16, 3, UNEVEN, "depthwise", "full"),
    "lite, uneven": (8, 3, UNEVEN, "dense", "scale"),
    "nano, uneven": (4, 3, UNEVEN, "dense", "scale"),
    "five channels": (5, 2, (1, 2, 4, 8, 16) * 2, "dense", "full"),
    "wide kernel": (3, 6, (1, 5, 11), "depthwise", "scale"),
    "one layer": (2, 3, (4,), "dense", "scale"),
    "no memory": (16, 1, (1, 1), "depthwise", "full"),
}
KNOBS = (
    {"name": "Volume", "minimum": 0, "maximum": 10, "default": 5},
    {"name": "Bräss", "minimum": -1, "maximum": 1, "default": 0},
)


@dataclass(frozen=True)
class Network:
    """Random weights of any architecture, and what they compute."""

    channels: int
    kernel: int
    dilations: tuple[int, ...]
    taps: str
    mix: str
    knobs: tuple[dict[str, object], ...] = KNOBS
    tensors: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def receptive_field(self) -> int:
        return 1 + (self.kernel - 1) * sum(self.dilations)

    @classmethod
    def random(cls, name: str, knobs: tuple[dict[str, object], ...] = KNOBS) -> "Network":
        self = cls(*ARCHITECTURES[name], knobs)
        rng = np.random.default_rng(self.receptive_field + self.channels)
        C, L, n = self.channels, len(self.dilations), self.kernel  # noqa: N806
        dense, full = self.taps == "dense", self.mix == "full"
        normal = lambda scale, *shape: rng.normal(0, scale, shape).astype(np.float32)  # noqa: E731
        tensors = {
            "lift.weight": normal(1, C),
            "lift.bias": normal(0.1, C),
            "taps.weight": normal(0.15, L, n, C, C) if dense else normal(0.5, L, n, C),
            "taps.bias": normal(0.1, L, C),
            "snake.alpha": rng.uniform(0.5, 2, (L, C)).astype(np.float32),
            "mix.weight": normal(0.05, L - 1, C, C) if full else normal(0.2, L - 1, C),
            "mix.bias": normal(0.05, L - 1, C),
            "head.weight": normal(0.3 / np.sqrt(L * C), L, C),
            "head.bias": normal(0.01, 1),
        }
        widths = [len(knobs), 6, 6, 2 * L * C]
        for i, (a, b) in enumerate(pairwise(widths)):
            if knobs:
                tensors[f"film.{i}.weight"] = normal((1 if i < 2 else 0.4) / np.sqrt(a), b, a)
                tensors[f"film.{i}.bias"] = normal(0.1, b)
        self = replace(self, tensors=tensors)
        settings = rng.random((2, len(knobs))).astype(np.float32)
        di = guitar(self.receptive_field + 500)
        answers = np.array([self.play(di, setting) for setting in settings])
        checks = {"check.input": di, "check.settings": settings, "check.output": answers}
        return replace(self, tensors=tensors | {k: v.astype(np.float32) for k, v in checks.items()})

    def film(self, setting: np.ndarray) -> np.ndarray:
        """(knobs,) in 0…1 -> Δγ and β, (2, layers, channels)."""
        if not self.knobs:
            return np.zeros((2, len(self.dilations), self.channels))
        h = 2 * setting.astype(float) - 1
        for i in range(3):
            h = self.tensors[f"film.{i}.weight"].astype(float) @ h + self.tensors[f"film.{i}.bias"]
            h = np.tanh(h) if i < 2 else h
        return h.reshape(2, len(self.dilations), self.channels)

    def play(self, di: np.ndarray, setting: np.ndarray) -> np.ndarray:
        """What docs/twin-file.md says, in double precision."""
        w = {name: tensor.astype(float) for name, tensor in self.tensors.items()}
        scale, shift = self.film(setting)
        silence = np.zeros(self.receptive_field - 1)
        x = np.concatenate([silence, di])[:, None] * w["lift.weight"] + w["lift.bias"]
        out = np.full(len(di), w["head.bias"][0])
        for layer, dilation in enumerate(self.dilations):
            taps, length = w["taps.weight"][layer], len(x) - (self.kernel - 1) * dilation
            u = w["taps.bias"][layer] + np.zeros((length, self.channels))
            for j in range(self.kernel):
                past = x[j * dilation : j * dilation + length]  # (time, channels)
                u += past @ taps[j].T if self.taps == "dense" else past * taps[j]
            v = (1 + scale[layer]) * u + shift[layer]
            alpha = w["snake.alpha"][layer]
            s = v + np.sin(alpha * v) ** 2 / alpha
            out += (s @ w["head.weight"][layer])[-len(di) :]
            if layer + 1 < len(self.dilations):
                mix = w["mix.weight"][layer]
                mixed = s @ mix.T if self.mix == "full" else s * mix
                x = x[-length:] + mixed + w["mix.bias"][layer]
        return out

    def description(self) -> dict[str, object]:
        architecture = {
            "channels": self.channels,
            "kernel_size": self.kernel,
            "dilations": self.dilations,
            "taps": self.taps,
            "mix": self.mix,
        }
        return {
            "format": 1,
            "name": "test",
            "sample_rate_hz": 48000,
            "knobs": self.knobs,
            "architecture": architecture,
        }

    def file(self, description: dict[str, object] | None = None) -> bytes:
        text = json.dumps(description or self.description())
        return to_safetensors(self.tensors, {"format": "tubetwin", "tubetwin": text})


def guitar(samples: int, seed: int = 1) -> np.ndarray:
    """Noise bursts and a sine, full scale."""
    rng, t = np.random.default_rng(seed), np.arange(samples)
    burst = rng.normal(0, 0.3, samples) * (np.sin(t / 700) > 0)
    return np.clip(burst + 0.4 * np.sin(t * 0.03), -1, 1).astype(np.float32)


def panel(network: Network, setting: np.ndarray) -> dict[str, float]:
    return {
        k["name"]: k["minimum"] + float(v) * (k["maximum"] - k["minimum"])
        for k, v in zip(network.knobs, setting, strict=True)
    }


@cache
def make(name: str) -> tuple[Network, bytes]:
    """A network of ARCHITECTURES, and its file."""
    network = Network.random(name)
    return network, network.file()
