"""What each ingredient of a twin and its training is worth: the same steps with one thing changed.

Every variant starts from the same seed and hears the same windows; after equal steps, each with its
own cosine, its ESR at new settings is printed as JSON, and its aliasing (ASR over tones, levels and
settings). New settings: the unseen interior ones of a session to judge by, playing never heard, or
else the session's validation takes. Budgets in steps mean the same on a busy machine; the CPU
seconds stand beside them. All networks have equal MACs: what knobs do is folded, and activations
are not MACs.

    .venv/bin/python benchmarks/ablation.py SESSION [--judge JUDGE] [--size nano] [--steps 4000] \\
        [--seeds 3] [--variants reference tanh film-after ...] [--log build/ablation.json]

What is done is kept in the log, one line a result: interrupted, the same command goes on.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tubetwin import fused, metrics, training
from tubetwin.loss import Loss, Validation
from tubetwin.network import Snake, WaveNet
from tubetwin.roles import INTERIOR, PLAYING, Role
from tubetwin.session import Session
from tubetwin.training import Config, Run

TONES, LEVELS = (997, 1249, 4999), (0.05, 0.2, 0.5)  # bins of the probe; full scale is 1 V
CORNERS = ((0.3, 0.5, 0.5, 0.5), (0.6, 0.5, 0.5, 0.5), (1.0, 1.0, 0.5, 1.0))

CONFIGS: dict[str, dict[str, float]] = {
    "adamw": {"learning_rate": 4e-3, "final_learning_rate": 4e-5},
    "no-patience": {"patience": 1e9},
    "no-pre-emphasis": {"pre_emphasis": 0.0},
    "pre-emphasis-0.95": {"pre_emphasis": 0.95},
    "more-plain": {"plain_esr": 1.0},
    "batch-4": {"batch": 4},
    "batch-16": {"batch": 16},
    "windows-2048": {"target_samples": 2048, "batch": 16},
    "windows-8192": {"target_samples": 8192, "batch": 4},
    "windows-16384": {"target_samples": 16384, "batch": 2},
    "no-averaging": {"averaging": 0.0},
    "constant-rate": {"learning_rate": 1e-3, "final_learning_rate": 1e-3},
    "no-warm-up": {"warm_up": 0.0},
}


class Activation(Snake):
    """Another curve in Snake's place; only plain PyTorch plays it."""

    curve: Callable[[Tensor], Tensor] = torch.tanh

    def forward(self, x: Tensor, layer: int) -> Tensor:
        """(batch, channels, time) -> the same."""
        return type(self).curve(x)


class Tanh(Activation):
    """What most networks of amps have."""


class Leaky(Activation):
    """What NAM's A2 has."""

    curve = nn.functional.leaky_relu


class Variant(nn.Module):
    """The network natively, with the knobs folded in another way than FiLM before Snake."""

    native = True

    def __init__(self, net: WaveNet, threads: int) -> None:
        super().__init__()
        self.network, self.threads = net, threads

    def forward(self, di: Tensor, settings: Tensor) -> Tensor:
        """(batch, history + time) and (batch, knobs) -> (batch, time)."""
        return fused.play(self.flat(settings), di, self.network.shape, self.threads)

    def flat(self, settings: Tensor) -> Tensor:
        """(batch, parameters), by default as `fused.flat`."""
        return fused.flat(self.network, settings)


class FilmAfter(Variant):
    """FiLM scales and shifts what Snake gives; it is folded into the mix and the head."""

    def flat(self, settings: Tensor) -> Tensor:
        """s becomes γ s + β."""
        net = self.network
        scale, shift = net.film(settings)  # (batch, layers, channels)
        mix, inner, outer = net.mix.weight[None], scale[:, :-1], shift[:, :-1]
        if net.shape.mix == "full":
            mixed, moved = mix * inner[:, :, None, :], torch.einsum("loi,bli->blo", mix[0], outer)
        else:
            mixed, moved = mix * inner, mix * outer
        head = net.head.weight[None]
        level = net.head.bias + (head * shift).sum((1, 2))[:, None]
        lift, taps = (
            (net.lift.weight[None], net.lift.bias[None]),
            (net.taps.weight[None], net.taps.bias[None]),
        )
        alpha = net.snake.alpha[None]
        return fused.joined(*lift, *taps, alpha, mixed, net.mix.bias + moved, head * scale, level)


class BiasOnly(Variant):
    """Knobs shift, and scale nothing."""

    def flat(self, settings: Tensor) -> Tensor:
        """γ stays 1."""
        net = self.network
        bias = net.taps.bias + net.film(settings)[1]
        return flat_with(net, net.lift.bias[None], bias)


class Concatenated(Variant):
    """Knobs are further inputs of the network, as in most published amps with knobs."""

    def __init__(self, net: WaveNet, threads: int) -> None:
        super().__init__(net, threads)
        self.network.film = None
        self.network.inputs = nn.Parameter(0.5 * torch.randn(net.shape.channels, net.shape.knobs))

    def flat(self, settings: Tensor) -> Tensor:
        """They stand still, so they are a bias of the lift."""
        net = self.network
        return flat_with(
            net, net.lift.bias + (2 * settings - 1) @ net.inputs.T, net.taps.bias[None]
        )


class Squared(Variant):
    """Knobs with a taper before FiLM hears them."""

    def flat(self, settings: Tensor) -> Tensor:
        """A quadratic one."""
        return fused.flat(self.network, settings**2)


def flat_with(net: WaveNet, lift_bias: Tensor, taps_bias: Tensor) -> Tensor:
    """Unscaled taps, with these biases, (batch, ...) each."""
    mix, head = (
        (net.mix.weight[None], net.mix.bias[None]),
        (net.head.weight[None], net.head.bias[None]),
    )
    taps, lift = net.taps.weight[None], net.lift.weight[None]
    return fused.joined(lift, lift_bias, taps, taps_bias, net.snake.alpha[None], *mix, *head)


def adamw(run: Run) -> None:
    """The optimiser that everybody else uses, at the rate that suited it best."""
    config = run.config
    run.optimiser = torch.optim.AdamW(
        run.network.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4
    )


def curve(kind: type[Activation]) -> Callable[[Run], None]:
    """Another activation, which only plain PyTorch plays."""

    def change(run: Run) -> None:
        run.network.snake = kind(run.network.shape.layers, run.network.shape.channels)
        run.network.snake.requires_grad_(False)
        run.play.native = False
        begin(run)

    return change


def played(kind: type[Variant]) -> Callable[[Run], None]:
    """The knobs folded in another way."""

    def change(run: Run) -> None:
        run.play = run.learner = kind(run.network, run.play.threads)
        begin(run)

    return change


def fixed_alpha(run: Run) -> None:
    """Snake's α stays 1."""
    run.network.snake.log_alpha.requires_grad_(False)
    begin(run)


def fixed_patience(run: Run) -> None:
    """Patience does not follow the losses."""
    run.loss.typical = math.inf


def mr_stft_at_the_end(run: Run) -> None:
    """In the last fifth of the steps the loss also hears spectra."""
    plain = run.loss

    def loss(target: Tensor, prediction: Tensor, take_index: np.ndarray) -> Tensor:
        found = plain(target, prediction, take_index)
        return found + 0.02 * spectra(target, prediction) if run.spent > 0.8 else found

    loss.input_gain, loss.output_gain, loss.floor = plain.input_gain, plain.output_gain, plain.floor
    run.loss = loss


def spectra(target: Tensor, prediction: Tensor) -> Tensor:
    """Mean L1 of log magnitudes at three resolutions."""
    total = torch.zeros(())
    for size in (512, 1024, 2048):
        window = torch.hann_window(size)
        options = {"window": window, "return_complex": True}
        a, b = (torch.stft(x, size, size // 4, **options).abs().clamp_min(1e-5)
                for x in (target, prediction))  # fmt: skip
        total = total + (a.log() - b.log()).abs().mean()
    return total / 3


def begin(run: Run) -> None:
    """Optimiser and average anew, for a network that was changed."""
    weights = [p for p in run.network.parameters() if p.requires_grad]
    run.optimiser = training.Soap(weights, run.config.learning_rate)
    run.average = {k: v.detach().clone() for k, v in run.network.state_dict().items()}


CHANGES: dict[str, Callable[[Run], None]] = {
    "adamw": adamw, "tanh": curve(Tanh), "leaky-relu": curve(Leaky), "fixed-alpha": fixed_alpha,
    "film-after": played(FilmAfter), "bias-only": played(BiasOnly),
    "concatenated": played(Concatenated), "squared-knobs": played(Squared),
    "mr-stft-at-the-end": mr_stft_at_the_end, "fixed-patience": fixed_patience,
}  # fmt: skip


class Steps(Run):
    """A run whose budget is a number of steps."""

    most = 1

    @property
    def spent(self) -> float:
        """Share of the budget."""
        return min(1.0, self.step / self.most)


def aliasing(run: Run) -> list[float]:
    """ASR over tones, levels and settings, of the network itself."""
    found = []
    with torch.no_grad():
        for setting in CORNERS:
            for tone in TONES:
                for level in LEVELS:
                    probe = metrics.asr_probe(tone, level).astype(np.float32)
                    di = torch.from_numpy(probe)[None] * run.loss.input_gain
                    knobs = torch.tensor(setting)[None]
                    found.append(
                        float(metrics.asr(run.play(di, knobs)[0].double().numpy(), tone).ratio)
                    )
    return found


def new_settings(judge: Session, history: int, loss: Loss) -> Validation:
    """Those inside the panel with playing that no training hears."""
    wanted = Role(INTERIOR, PLAYING, False, False)
    takes = [replace(t, split="validation") for t in judge.takes if t.role == wanted]
    return Validation(replace(judge, takes=tuple(takes)), history, loss)


def trained(
    session: Session, judge: Session | None, config: Config, variant: str, steps: int
) -> dict[str, object]:
    """One variant's errors after its steps."""
    run = Steps(session, replace(config, **CONFIGS.get(variant, {})), Path("none"))
    run.most = steps
    if variant in CHANGES:
        CHANGES[variant](run)
    start = time.process_time()
    while run.spent < 1.0:
        run._learn()
        if run.step % 100 == 0:
            print(f"\r{variant}: {run.step} of {steps}", end="", file=sys.stderr)
    seconds = time.process_time() - start
    run.network.load_state_dict(run.average)
    if judge:
        run.held_out = new_settings(judge, run.network.history_samples, run.loss)
    with torch.no_grad():
        esrs = run.held_out.esrs(run.play)
    ratios = aliasing(run)
    print(f"\r{variant}: median {np.median(esrs):.4f}", file=sys.stderr)
    return {
        "variant": variant,
        "size": config.size,
        "seed": config.seed,
        "steps": steps,
        "cpu_seconds": round(seconds),
        "median": float(np.median(esrs)),
        "geometric_mean": float(np.exp(np.mean(np.log(esrs)))),
        "p90": float(np.percentile(esrs, 90)),
        "worst": float(np.max(esrs)),
        "asr_mean": float(np.mean(ratios)),
        "asr_worst": float(np.max(ratios)),
    }


def main() -> None:
    """Train what is missing in turn, print all as JSON."""
    names = ["reference", *dict.fromkeys([*CHANGES, *CONFIGS])]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("session")
    parser.add_argument("--judge", help="a session by `tubetwin capture --judge`")
    parser.add_argument("--size", default="nano")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--variants", nargs="+", choices=names, default=names)
    parser.add_argument("--start", default="", help="a twin to go on from; with a log of its own")
    parser.add_argument("--learning-rate", type=float, default=3e-3, help="at its highest")
    parser.add_argument("--log", default="build/ablation.json")
    arguments = parser.parse_args()
    session, log = Session.load(arguments.session), Path(arguments.log)
    judge = Session.load(arguments.judge) if arguments.judge else None
    log.parent.mkdir(parents=True, exist_ok=True)
    found = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    key = ("variant", "size", "seed", "steps")
    done = {tuple(result[k] for k in key) for result in found}
    for seed in range(arguments.seeds):
        for name in arguments.variants:
            if (name, arguments.size, seed, arguments.steps) in done:
                continue
            config = training.Config(
                size=arguments.size, seed=seed, threads=arguments.threads, start=arguments.start,
                learning_rate=arguments.learning_rate,
            )  # fmt: skip
            found.append(trained(session, judge, config, name, arguments.steps))
            with log.open("a") as file:
                file.write(json.dumps(found[-1]) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
