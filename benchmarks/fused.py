"""How fast a training step is: native against plain PyTorch, one thread and two, in turn.

A step is forward and backward over a batch of four windows (8,192 samples that count, behind a
receptive field), as training takes it. Rounds are interleaved; a ratio is the median of theirs.

    .venv/bin/python benchmarks/fused.py [--rounds 7] [--sizes standard nano]

JSON on standard output. Two threads want an otherwise idle machine with two cores.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from tubetwin import engine, fused, network

BATCH, TARGET = 4, 8192


def step(play: Callable[[Tensor, Tensor], Tensor], net: network.WaveNet, threads: int) -> float:
    """Seconds of one forward and backward pass."""
    torch.set_num_threads(threads)
    di = torch.randn(BATCH, net.history_samples + TARGET)
    knobs, target = torch.rand(BATCH, net.shape.knobs), torch.randn(BATCH, TARGET)
    net.zero_grad()
    start = time.perf_counter()
    (play(di, knobs) - target).square().mean().backward()
    return time.perf_counter() - start


def measure(size: str, rounds: int) -> dict[str, object]:
    """All ways of one size."""
    torch.manual_seed(0)
    net = network.WaveNet(network.SIZES[size])
    ways = {
        "fused": (lambda di, knobs: fused.forward(net, di, knobs, 1), 1),
        "fused, two threads": (lambda di, knobs: fused.forward(net, di, knobs, 2), 1),
        "PyTorch eager": (net, 1),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for i in range(rounds + 1):
        print(f"\r{size}: round {i} of {rounds}", end="", file=sys.stderr)
        for name, (play, threads) in ways.items():
            repeats = 1 if name == "PyTorch eager" else 5  # short ones are disturbed more
            seconds = min(step(play, net, threads) for _ in range(repeats))
            if i:  # the first warms up
                took[name].append(seconds)
    print(file=sys.stderr)

    def ratio(slow: str, fast: str) -> float:
        return round(
            statistics.median(a / b for a, b in zip(took[slow], took[fast], strict=True)), 2
        )

    best = {name: min(seconds) for name, seconds in took.items()}
    return {
        "size": size,
        "milliseconds": {name: round(1000 * seconds, 1) for name, seconds in best.items()},
        "target samples a second": {n: round(BATCH * TARGET / s) for n, s in best.items()},
        "eager over fused": ratio("PyTorch eager", "fused"),
        "one thread over two": ratio("fused", "fused, two threads"),
    }


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--sizes", nargs="+", choices=list(network.SIZES), default=["standard", "nano"]
    )
    arguments = parser.parse_args()
    found = [measure(size, arguments.rounds) for size in arguments.sizes]
    print(json.dumps({"instruction set": engine.instruction_set(), "sizes": found}, indent=1))


if __name__ == "__main__":
    main()
