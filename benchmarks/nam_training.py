"""NAM's networks and ours on the same takes of one setting, at equal CPU seconds of one thread.

The simulated amp at one setting records three minutes to train on and nine seconds to judge by, as
NAM's own session has it. The contestants learn in alternation, a few CPU seconds each, so that a
busy machine hurts all alike. NAM's networks come from its package and learn as its trainer teaches
(Adam at 0.004, batches of 16 windows, MSE and 5e-4 MR-STFT on takes at -18 dBFS) in two ways: with
its own schedule, which hardly anneals in such a time, and with a cosine over the budget like ours.
Every figure is NAM's ESR: plain, over all nine seconds, silence before the first sample. Ours is
played by the engine. The bundled twins play the same setting beside them: what their knobs cost.

    .venv/bin/pip install -c constraints.txt -e '.[peers]'
    .venv/bin/python benchmarks/nam_training.py --volume 6 --minutes 2 10 30 [--models a2-full ...]

What is done is kept in build/nam-training.json, one line a result: interrupted, the same command
goes on with what is missing.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from nam.models import losses
from nam.models.wavenet import WaveNet

from tubetwin import amp, capture, engine, guitar, metrics, passages, training, twin
from tubetwin.session import Session

RATE = 48000
TRAIN_SECONDS, JUDGE_SECONDS = 171.0, 9.0
SLICE_SECONDS = 5.0
LEVEL = 10 ** (-18 / 20)  # RMS of what NAM trains on
A2_KERNELS = [6] * 14 + [15] * 2 + [6] * 7
A2_DILATIONS = [1, 3, 7, 17, 41, 101, 239] * 2 + [1, 13] + [1, 3, 7, 17, 41, 101, 239]


def a2(channels: int) -> dict[str, object]:
    """NAM's present network, after config_model_packed.json of its package."""
    layers = {
        "input_size": 1, "condition_size": 1, "channels": channels, "kernel_sizes": A2_KERNELS,
        "dilations": A2_DILATIONS, "activation": "LeakyReLU", "gated": False,
        "head": {"out_channels": 1, "kernel_size": 16, "bias": True},
    }  # fmt: skip
    return {"layers_configs": [layers], "head_scale": 0.01}


def a1() -> dict[str, object]:
    """NAM's former standard WaveNet, as its documentation gives it."""
    ten = [2**i for i in range(10)]
    shared = {"condition_size": 1, "kernel_size": 3, "dilations": ten, "activation": "Tanh"}
    head = [
        {"out_channels": n, "kernel_size": 1, "bias": bias} for n, bias in ((8, False), (1, True))
    ]
    first = {"input_size": 1, "channels": 16, "gated": False, "head": head[0], **shared}
    second = {"input_size": 16, "channels": 8, "gated": False, "head": head[1], **shared}
    return {"layers_configs": [first, second], "head_scale": 0.02}


PEERS = {"a2-full": a2(8), "a2-lite": a2(3), "a1-standard": a1()}
OURS = {"ours-standard": "standard", "ours-nano": "nano"}


class Peer:
    """One of NAM's networks, and its teacher."""

    def __init__(
        self, config: dict[str, object], session: Session, seconds: float, cosine: bool
    ) -> None:
        torch.manual_seed(0)
        self.net = WaveNet.init_from_config(dict(json.loads(json.dumps(config)), sample_rate=RATE))
        take = session.of("train")[0]
        self.di, recording = session.di(take), session.recording(take)
        self.gain = LEVEL / float(np.sqrt(np.mean(np.square(recording, dtype=np.float64))))
        self.target = recording * np.float32(self.gain)
        self.seconds, self.cosine, self.spent, self.seen = seconds, cosine, 0.0, 0
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=0.004, weight_decay=3.17e-7)
        self.rng = np.random.default_rng(0)

    def rate(self) -> float:
        """NAM: 0.6 % less after every pass through the takes. Ours: a cosine over the budget."""
        if self.cosine:
            return 4e-5 + (4e-3 - 4e-5) * 0.5 * (
                1 + math.cos(math.pi * min(1, self.spent / self.seconds))
            )
        return float(0.004 * 0.994 ** (self.seen * 8192 // len(self.di)))

    def learn(self) -> None:
        """One step."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        past, length = self.net.receptive_field - 1, 8192
        starts = self.rng.integers(len(self.di) - past - length + 1, size=16)
        x = torch.from_numpy(np.stack([self.di[s : s + past + length] for s in starts]))
        y = torch.from_numpy(np.stack([self.target[s + past : s + past + length] for s in starts]))
        out = self.net(x, pad_start=False)
        loss = torch.nn.functional.mse_loss(out, y)
        loss = loss + 5e-4 * losses.multi_resolution_stft_loss(out, y)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.seen += 16

    def play(self, di: np.ndarray) -> np.ndarray:
        """(samples,) -> (samples,), silence before."""
        with torch.no_grad():
            out: np.ndarray = self.net(torch.from_numpy(di)[None], pad_start=True)[0].numpy()
        return out / self.gain


class Ours:
    """A twin without knobs, and its teacher."""

    def __init__(self, size: str, session: Session, seconds: float) -> None:
        config = training.Config(size=size, minutes=seconds / 60, threads=1)
        self.run, self.spent = training.Run(session, config, Path("none")), 0.0

    def learn(self) -> None:
        """One step; the schedule follows CPU seconds, not those of the clock."""
        self.run.seconds = self.spent
        self.run._learn()

    def play(self, di: np.ndarray) -> np.ndarray:
        """(samples,) -> (samples,), by the engine."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "ours.twin"
            twin.save(self.run.twin(), path)
            return engine.render(path, di, {})


@dataclass
class Race:
    """A contestant, what to call it, and the CPU seconds at which it is judged."""

    name: str
    schedule: str
    runner: Peer | Ours
    marks: list[float]

    def go_on(self) -> Iterator[float]:
        """Learn for a slice; yield the marks that are passed."""
        end = self.runner.spent + SLICE_SECONDS
        while self.runner.spent < end and self.marks:
            start = time.process_time()
            self.runner.learn()
            self.runner.spent += time.process_time() - start
            if self.runner.spent >= self.marks[0]:
                yield self.marks.pop(0)


def recorded(folder: Path, setting: dict[str, float]) -> Session:
    """The amp at one setting: a take to train on, one to validate and one to judge by."""

    def passage(seed: int) -> np.ndarray:
        judges = seed % capture.PARTS in capture.JUDGES.values()
        return (
            guitar.playing(JUDGE_SECONDS, seed) if judges else passages.passage(TRAIN_SECONDS, seed)
        )

    if not (folder / "session.json").exists():
        capture.record(
            folder, rig="tubetwin reference amp (simulated)", knobs=(),
            plan=[({}, split) for split in ("train", "validation", "test")], passage=passage,
            amp=lambda di, _: amp.render(di, setting), sample_rate_hz=RATE, seed=1, processes=1,
        )  # fmt: skip
    return Session.load(folder)


def races(
    session: Session, models: list[str], minutes: list[float], done: set[tuple]
) -> list[Race]:
    """Everything that is still to be run: a cosine for every budget, NAM's own schedule once."""
    found = []
    for name in models:
        for budget in minutes:
            if (name, "cosine", budget) in done:
                continue
            seconds = 60 * budget
            runner = (
                Ours(OURS[name], session, seconds)
                if name in OURS
                else Peer(PEERS[name], session, seconds, True)
            )
            found.append(Race(name, "cosine", runner, [seconds]))
        left = [60 * m for m in sorted(minutes) if (name, "own", m) not in done]
        if name in PEERS and left:
            found.append(Race(name, "own", Peer(PEERS[name], session, left[-1], False), left))
    return found


def main() -> None:
    """Run what is missing, print all results."""
    names = [*OURS, *PEERS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for knob in amp.KNOBS:
        parser.add_argument(f"--{knob.option}", type=float, default=5.0)
    parser.add_argument("--minutes", type=float, nargs="+", default=[2.0, 10.0, 30.0])
    parser.add_argument("--models", nargs="+", choices=names, default=names)
    parser.add_argument("--twins", nargs="*", default=["standard", "nano"])
    parser.add_argument("--log", default="build/nam-training.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    setting = {k.name: getattr(arguments, k.option.replace("-", "_")) for k in amp.KNOBS}
    panel = ", ".join(f"{name} {value:g}" for name, value in setting.items())
    log = Path(arguments.log)
    log.parent.mkdir(parents=True, exist_ok=True)
    kept = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    done = {(r["model"], r["schedule"], r["minutes"]) for r in kept if r["setting"] == panel}
    session = recorded(
        log.with_name("nam-" + "-".join(f"{v:g}" for v in setting.values())), setting
    )
    take = session.of("test")[0]
    di, target = session.di(take), session.recording(take).astype(np.float64)
    for name in arguments.twins:  # over a snapshot at that very setting: the price of having knobs
        esr = float(
            metrics.esr(target, engine.render(twin.bundled(name), di, setting).astype(np.float64))
        )
        kept.append({"setting": panel, "model": name, "schedule": "a twin with knobs", "esr": esr})
    running = races(session, arguments.models, arguments.minutes, done)
    while any(race.marks for race in running):
        for race in running:
            for mark in race.go_on():
                esr = float(metrics.esr(target, race.runner.play(di).astype(np.float64)))
                result = {
                    "setting": panel,
                    "model": race.name,
                    "schedule": race.schedule,
                    "minutes": mark / 60,
                    "esr": esr,
                }
                kept.append(result)
                with log.open("a") as file:
                    file.write(json.dumps(result) + "\n")
                print(json.dumps(result), file=sys.stderr)
    print(json.dumps([r for r in kept if r["setting"] == panel], indent=1))


if __name__ == "__main__":
    main()
