"""What the knobs cost: a twin against snapshots of equal MACs at settings that it never heard.

A snapshot begins as the twin itself, frozen at the setting (FiLM folded into the taps), and learns
on at that setting alone: what it gains is what one network for all settings had to leave. Each has
two minutes of playing to learn from, and is judged, as the twin is, by the engine on playing of its
own. The parametric tax is the twin's ESR over the snapshot's. The amp is simulated.

    .venv/bin/python benchmarks/tax.py [--twins standard nano] [--settings 8] [--minutes 3]

Minutes are of one thread's CPU. What is done is kept in build/tax.json, one line a result:
interrupted, the same command goes on with what is missing.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from tubetwin import (
    amp,
    capture,
    engine,
    export,
    guitar,
    metrics,
    network,
    passages,
    planning,
    training,
    twin,
)
from tubetwin.knobs import Setting
from tubetwin.session import Session

RATE, TRAIN_SECONDS, JUDGE_SECONDS = 48000, 120.0, 24.0
SEED = 2**20 + 5  # of settings and playing: no twin was trained on these
GENTLE = 1e-3  # learning rate of weights that know the amp already


def settings(number: int) -> list[Setting]:
    """Inside the panel, Volume from 1."""
    lows = [1.0 if knob.name == "Volume" else knob.minimum for knob in amp.KNOBS]
    return list(islice(planning.spread(amp.KNOBS, lows, 1.0, np.random.default_rng(SEED)), number))


def recorded(folder: Path, setting: Setting, number: int) -> Session:
    """The amp at one setting: a take to learn from, one to be judged by, and one that training
    asks for and nothing hears."""

    def passage(seed: int) -> np.ndarray:
        judges = seed % capture.PARTS in capture.JUDGES.values()
        seconds = JUDGE_SECONDS if judges else TRAIN_SECONDS
        return guitar.playing(seconds, seed) if judges else passages.passage(seconds, seed)

    if not (folder / "session.json").exists():
        capture.record(
            folder, rig="tubetwin reference amp (simulated)", knobs=(),
            plan=[({}, "train"), ({}, "validation"), ({}, "test")], passage=passage,
            amp=lambda di, _: amp.render(di, setting), sample_rate_hz=RATE, seed=SEED + number,
            processes=1,
        )  # fmt: skip
    return Session.load(folder)


def frozen(path: str, setting: Setting) -> tuple[str, network.WaveNet]:
    """The twin's size, and its network with the knobs where they stand, and no knobs."""
    loaded = twin.load(twin.bundled(path))
    known = {export.architecture(shape): size for size, shape in network.SIZES.items()}
    size = known[loaded.architecture]
    shape = network.SIZES[size]
    net = network.WaveNet(replace(shape, knobs=len(loaded.knobs)))
    export.load_tensors(net, loaded.tensors)
    positions = [knob.normalise(setting[knob.name]) for knob in loaded.knobs]
    with torch.no_grad():
        taps, bias = net.folded(torch.tensor([positions]))
        net.taps.weight.copy_(taps[0])
        net.taps.bias.copy_(bias[0])
    net.film, net.shape = None, replace(shape, knobs=0)
    return size, net


def snapshot(session: Session, path: str, setting: Setting, minutes: float, out: Path) -> None:
    """Write what training at that setting alone makes of the frozen twin."""
    size, net = frozen(path, setting)
    config = training.Config(size, minutes=minutes, threads=1, learning_rate=GENTLE)
    run = training.Run(session, config, Path("none"))
    export.fold_levels(net, 1 / run.loss.input_gain, 1 / run.loss.output_gain)
    run.network.load_state_dict(net.state_dict())
    run.average = {k: v.detach().clone() for k, v in net.state_dict().items()}
    while run.spent < 1.0:
        start = time.process_time()
        run._learn()
        run.seconds += time.process_time() - start
    twin.save(run.twin(), out)


def main() -> None:
    """Measure what is missing, print all results and their medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--twins", nargs="+", default=["standard", "nano"])
    parser.add_argument("--settings", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--folder", type=Path, default=Path("build/tax"))
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    log = arguments.folder / "results.json"
    found = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    for number, setting in enumerate(settings(arguments.settings)):
        for path in arguments.twins:
            key = {"twin": path, "setting": setting, "minutes": arguments.minutes}
            if any(key.items() <= result.items() for result in found):
                continue
            session = recorded(arguments.folder / f"{number}", setting, number)
            take = session.of("test")[0]
            di, target = session.di(take), session.recording(take).astype(np.float64)
            out = arguments.folder / f"{number}-{Path(path).stem}.twin"
            snapshot(session, path, setting, arguments.minutes, out)
            history = network.SIZES["standard"].receptive_field_samples - 1
            both = [
                float(metrics.esr(target[history:], answer.astype(np.float64)[history:]))
                for answer in (
                    engine.render(twin.bundled(path), di, setting), engine.render(out, di, {})
                )
            ]  # fmt: skip
            result = {**key, "esr": both[0], "snapshot_esr": both[1], "tax": both[0] / both[1]}
            found.append(result)
            with log.open("a") as file:
                file.write(json.dumps(result) + "\n")
            print(json.dumps(result), file=sys.stderr)
    summary = {}
    for path in arguments.twins:
        taxes = [r["tax"] for r in found if r["twin"] == path and r["minutes"] == arguments.minutes]
        summary[path] = {
            "settings": len(taxes),
            "median": float(np.median(taxes)),
            "p90": float(np.percentile(taxes, 90)),
        }
    print(json.dumps({"results": found, "tax": summary}, indent=1))


if __name__ == "__main__":
    main()
