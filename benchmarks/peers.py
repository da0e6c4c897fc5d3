"""What a user would run instead: the same twin in PyTorch and ONNX Runtime, block by block.

Interleaved rounds on one core: every player is timed once a round, so that a busy machine hurts all
alike; a ratio is the median of the rounds' ratios to the engine. All of them are first held
against each other: a player that gives other samples is not timed but refused.

    make bench-peers      # both twins; or
    .venv/bin/python benchmarks/peers.py [--twin standard] [--block 64] [--rounds 100]
"""

import argparse
import io
import json
import os
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from tubetwin import engine, network, training, twin
from tubetwin.knobs import normalise, setting_at

Process = Callable[[np.ndarray], np.ndarray]


class Streaming(nn.Module):
    """A twin's network at one setting, FiLM folded, its histories handed in and out as tensors."""

    def __init__(self, net: network.WaveNet, knobs: Tensor) -> None:
        """Fold the knobs in and keep plain weights."""
        super().__init__()
        self.shape = net.shape
        taps, bias = (part[0].detach() for part in net.folded(knobs))
        dense = self.shape.taps == "dense"
        for layer in range(self.shape.layers):
            kernel = taps[layer].permute(1, 2, 0) if dense else taps[layer].T[:, None]
            convolution = nn.Conv1d(
                self.shape.channels, self.shape.channels, self.shape.kernel_size,
                dilation=self.shape.dilations[layer], groups=1 if dense else self.shape.channels,
            )  # fmt: skip
            convolution.weight.data, convolution.bias.data = kernel.contiguous(), bias[layer]
            self.add_module(f"convolution{layer}", convolution)
        for name in ("lift", "mix", "head"):
            part = getattr(net, name)
            self.register_buffer(f"{name}_weight", part.weight.detach())
            self.register_buffer(f"{name}_bias", part.bias.detach())
        self.register_buffer("alpha", net.snake.alpha.detach())

    def settled(self) -> list[Tensor]:
        """Histories as silence for ever leaves them."""
        reach = [(self.shape.kernel_size - 1) * d for d in self.shape.dilations]
        past = [torch.zeros(1, self.shape.channels, r) for r in reach]
        with torch.no_grad():
            for _ in range(sum(reach) // 512 + 2):
                _, *past = self(torch.zeros(1, 512), *past)
        return past

    def forward(self, block: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        """(1, samples) and one history a layer -> (1, samples) and the next histories."""
        x = self.lift_weight[:, None] * block[:, None] + self.lift_bias[:, None]
        out, kept = self.head_bias, []
        for layer in range(self.shape.layers):
            whole = torch.cat([past[layer], x], -1)
            kept.append(whole[..., -past[layer].shape[-1] :])
            u = getattr(self, f"convolution{layer}")(whole)
            alpha = self.alpha[layer, :, None]
            s = u + torch.sin(alpha * u) ** 2 / alpha
            out = out + (self.head_weight[layer, :, None] * s).sum(1)
            if layer + 1 < self.shape.layers:
                mix = self.mix_weight[layer]
                mixed = mix @ s if self.shape.mix == "full" else mix[:, None] * s
                x = x + mixed + self.mix_bias[layer, :, None]
        return out, *kept


def loaded(path: str, setting: np.ndarray) -> Streaming:
    """The network of a twin file, in PyTorch."""
    made = twin.load(path)
    size = made.architecture
    shape = network.Shape(
        size.channels, size.taps, size.mix, size.dilations, size.kernel_size, len(made.knobs),
        film_hidden=made.tensors["film.0.bias"].size,
    )  # fmt: skip
    net = network.WaveNet(shape)
    training.load_tensors(net, made.tensors)
    return Streaming(net, torch.from_numpy(setting)[None])


def in_torch(streaming: Streaming, call: Callable[..., tuple[Tensor, ...]]) -> Process:
    """Play through `call`, which is the module or something compiled from it."""
    past = streaming.settled()

    def process(block: np.ndarray) -> np.ndarray:
        nonlocal past
        with torch.inference_mode():
            out, *past = call(torch.from_numpy(block)[None], *past)
        return out[0].numpy()

    return process


def in_onnx(streaming: Streaming, block: int) -> Process:
    """Play through ONNX Runtime, one thread."""
    import onnxruntime

    past = streaming.settled()
    names = [f"past{i}" for i in range(len(past))]
    model = io.BytesIO()
    torch.onnx.export(
        streaming, (torch.zeros(1, block), *past), model, dynamo=False, opset_version=17,
        input_names=["block", *names], output_names=["out", *(f"next_{n}" for n in names)],
    )  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.getvalue(), options)
    state = {name: value.numpy() for name, value in zip(names, past, strict=True)}

    def process(samples: np.ndarray) -> np.ndarray:
        nonlocal state
        out, *kept = session.run(None, {"block": samples[None], **state})
        state = dict(zip(names, kept, strict=True))
        return out[0]

    return process


def players(path: str, block: int) -> dict[str, Process]:
    """Every way to play this twin that is installed, by name."""
    player = engine.Player(path)
    setting = normalise(player.knobs, setting_at(player.knobs, [0.6] * len(player.knobs)))
    player.set(setting_at(player.knobs, setting))
    player.reset()
    found: dict[str, Process] = {"engine": player.process}
    module = loaded(path, setting)
    compiled = torch.compile(module)
    for name, make in {
        "pytorch eager": lambda: in_torch(module, module),
        "torch.compile": lambda: in_torch(module, compiled),
        "onnx runtime": lambda: in_onnx(module, block),
    }.items():
        try:
            make()(np.zeros(block, np.float32))  # compiles
            found[name] = make()
        except Exception as error:  # any peer may be absent or fail to compile: say so, go on
            print(f"{name}: not timed ({type(error).__name__}: {error})"[:300], file=sys.stderr)
    return found


def main() -> None:
    """Compare, time, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--twin", default="standard")
    parser.add_argument("--block", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=100)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    found = players(str(twin.bundled(arguments.twin)), arguments.block)
    block = arguments.block
    di = np.random.default_rng(0).normal(0, 0.1, (64, block)).astype(np.float32)
    answers = {name: np.concatenate([process(b) for b in di]) for name, process in found.items()}
    apart = {name: float(np.abs(a - answers["engine"]).max()) for name, a in answers.items()}
    for name, error in apart.items():
        assert error < 1e-4 * max(1.0, np.abs(answers["engine"]).max()), (
            f"{name} plays something else"
        )
    times: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(arguments.rounds):
        for name, process in found.items():
            start = time.perf_counter()
            for b in di[:16]:
                process(b)
            times[name].append((time.perf_counter() - start) / (16 * block) * 1e9)
    print(
        json.dumps(
            {
                "twin": arguments.twin,
                "block": block,
                "instruction_set": engine.instruction_set(),
                "players": {
                    name: {
                        "ns_per_sample": round(min(t), 1),
                        "ratio_to_engine": round(
                            statistics.median(
                                a / b for a, b in zip(t, times["engine"], strict=True)
                            ),
                            2,
                        ),
                        "largest_difference": apart[name],
                    }
                    for name, t in times.items()
                },
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
