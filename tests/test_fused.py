"""The native training kernels give PyTorch's samples and gradients, on every instruction set."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from tubetwin import engine, fused
from tubetwin.network import SIZES, WaveNet

SAMPLES = 700  # no multiple of anything


def trained_looking(size: str, seed: int = 3) -> WaveNet:
    """Far from the initial values, where all gradients are alive."""
    torch.manual_seed(seed)
    net = WaveNet(SIZES[size])
    torch.nn.init.normal_(net.film.mlp[-1].weight, std=0.05)
    torch.nn.init.normal_(net.film.mlp[-1].bias, std=0.05)
    torch.nn.init.normal_(net.snake.log_alpha, std=0.4)
    torch.nn.init.normal_(net.mix.bias, std=0.1)
    return net


def worst_disagreement(size: str) -> tuple[float, float]:
    """Of samples and of gradients with autograd in double, relative to the largest value."""
    net, exact = trained_looking(size), WaveNet(SIZES[size]).double()
    exact.load_state_dict(net.state_dict())
    samples = 0.5 * torch.randn(3, net.history_samples + SAMPLES)
    knobs, target = torch.rand(3, 4), torch.randn(3, SAMPLES)
    out = fused.forward(net, samples, knobs, threads=2)
    (out - target).square().mean().backward()
    reference = exact(samples.double(), knobs.double())
    (reference - target).square().mean().backward()
    apart = [(out - reference).detach().abs().max() / reference.detach().abs().max()]
    pairs = zip(net.parameters(), exact.parameters(), strict=True)
    apart += [(p.grad - q.grad).abs().max() / q.grad.abs().max() for p, q in pairs]
    return float(apart[0]), float(max(apart[1:]))


@pytest.mark.parametrize("size", SIZES)
def test_samples_and_gradients_are_autograds(size: str) -> None:
    samples, gradients = worst_disagreement(size)
    assert samples < 5e-6
    assert gradients < 1e-5


@pytest.mark.parametrize("isa", engine.instruction_sets())
def test_every_instruction_set_agrees(isa: str) -> None:
    code = "import test_fused as t; a, b = t.worst_disagreement('standard'); "
    code += "assert a < 5e-6 and b < 1e-5, (a, b)"
    path = os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"TUBETWIN_ISA": isa, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_threads_do_not_change_the_result() -> None:
    net = trained_looking("nano")
    samples, knobs = torch.randn(5, net.history_samples + 64), torch.rand(5, 4)
    one, four = (fused.forward(net, samples, knobs, threads) for threads in (1, 4))
    assert torch.equal(one, four)


def test_a_shape_without_kernels_says_so() -> None:
    odd = replace(SIZES["nano"], channels=5)
    assert not fused.available(odd)
    with pytest.raises(ValueError, match="no native training kernel"):
        fused.forward(WaveNet(odd), torch.zeros(1, 6138 + 32), torch.zeros(1, 4))
