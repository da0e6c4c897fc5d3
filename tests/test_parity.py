"""PyTorch and the engine give the same samples from the same twin."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tubetwin import engine, network, training, twin
from tubetwin.knobs import Knob

RATE = 48000
KNOBS = tuple(Knob(name) for name in ("Volume", "Treble", "Bass", "Mid-Bite"))
SETTING = {"Volume": 8.5, "Treble": 3.0, "Bass": 10.0, "Mid-Bite": 0.0}
SHAPES = network.SIZES | {
    "odd": network.Shape(5, "dense", "full", (1, 4, 9, 33), kernel_size=2),
    "deep": network.Shape(8, "depthwise", "scale", (1, 2, 4, 8) * 4, kernel_size=4),
}


def net(shape: network.Shape) -> network.WaveNet:
    torch.manual_seed(5)
    made = network.WaveNet(shape)
    torch.nn.init.normal_(made.film.mlp[-1].weight, std=0.05)
    torch.nn.init.normal_(made.snake.log_alpha, std=0.3)
    made.snake.log_alpha.data[:, 0] = -11.0  # trained twins have such channels: nearly linear
    return made


def saved(made: network.WaveNet, path: Path) -> Path:
    s = made.shape
    size = twin.Architecture(s.channels, s.kernel_size, s.dilations, s.taps, s.mix)
    told = twin.Twin("parity", RATE, KNOBS, size, training.tensors(made))
    twin.save(told, path)
    return path


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("block", [1, 7, 64, 333, 4096, "random"])
def test_engine_equals_pytorch_at_every_block_size(
    name: str, block: int | str, tmp_path: Path
) -> None:
    made = net(SHAPES[name])
    samples = RATE // 12 if block == 1 else RATE // 4
    rng = np.random.default_rng(1)
    di = (0.5 * np.sin(np.arange(samples) * 0.03) + rng.normal(0, 0.1, samples)).astype(np.float32)
    exact = net(SHAPES[name]).double()
    knobs = torch.tensor([[0.85, 0.3, 1.0, 0.0]], dtype=torch.double)
    with torch.no_grad():
        expected = exact.play(torch.tensor(di)[None].double(), knobs)[0].numpy()
    with engine.Player(saved(made, tmp_path / "p.twin")) as player:
        player.set(SETTING)
        player.reset()  # the knobs have always stood there
        out, at = [], 0
        while at < samples:
            n = int(rng.integers(1, 700)) if block == "random" else int(block)
            out.append(player.process(di[at : at + n]))
            at += n
    full_scale = max(1.0, float(np.abs(expected).max()))
    assert np.abs(np.concatenate(out) - expected).max() <= 1e-5 * full_scale


def test_levels_folded_into_a_twin_change_no_sample() -> None:
    plain, folded = (net(replace(SHAPES["nano"], dilations=(1, 2, 4))) for _ in range(2))
    training.fold_levels(folded, 3.0, 0.25)
    samples, knobs = torch.randn(1, 200), torch.rand(1, 4)
    with torch.no_grad():
        expected = plain(samples * 3.0, knobs) / 0.25
        assert torch.allclose(folded(samples, knobs), expected, rtol=1e-4, atol=1e-4)
