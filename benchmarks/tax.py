"""What the knobs cost: a twin against snapshots of equal MACs at settings that it never heard.

A snapshot learns at its setting alone, from two minutes of playing, and is judged, as the twin is,
by the engine on playing of its own. The parametric tax is the twin's ESR over the snapshot's. What
people record is a snapshot from scratch. With --from-twin it begins as the twin itself, frozen at
the setting (FiLM folded into the taps): what it gains then is what one network for all settings had
to leave. The amp is simulated. --worst takes the settings where a report by `tubetwin evaluate`
found the twin worst, to tell what the network cannot do at all from what the knobs cost it.

    .venv/bin/python benchmarks/tax.py [--twins standard nano] [--settings 8] [--minutes 6]
    .venv/bin/python benchmarks/tax.py --from-twin --minutes 3
    .venv/bin/python benchmarks/tax.py --from-twin --minutes 3 --twins standard --settings 6 \\
        --worst build/twins/standard.json

Minutes are of one thread's CPU. Takes and snapshots are kept in build/tax: interrupted, the same
command goes on with what is missing, and snapshots from scratch serve another twin too.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from hashlib import sha256
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
    twin,
)
from tubetwin.knobs import Setting
from tubetwin.session import Session
from tubetwin.training import Config, Run

RATE, TRAIN_SECONDS, JUDGE_SECONDS = 48000, 120.0, 24.0
SEED = 2**20 + 5  # of settings and playing: no twin was trained on these
GENTLE = 1e-3  # learning rate of weights that know the amp already


def settings(number: int) -> list[Setting]:
    """Inside the panel, Volume from 1."""
    lows = [1.0 if knob.name == "Volume" else knob.minimum for knob in amp.KNOBS]
    return list(islice(planning.spread(amp.KNOBS, lows, 1.0, np.random.default_rng(SEED)), number))


def worst(report: Path, number: int) -> list[Setting]:
    """The unseen settings inside the panel that a report found worst, with playing."""
    rows = json.loads(report.read_text())["settings"]
    rows = [row for row in rows if (row["family"], row["audio"]) == ("interior", "playing")]
    return [row["setting"] for row in sorted(rows, key=lambda row: -row["esr"])[:number]]


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


def snapshot(session: Session, path: str, setting: Setting, minutes: float, from_twin: bool) -> Run:
    """Train at that setting alone, from the frozen twin or from scratch."""
    size, net = frozen(path, setting)
    config = Config(size, minutes=minutes, threads=1)
    if from_twin:
        config = replace(config, learning_rate=GENTLE)
    run = Run(session, config, Path("none"))
    if from_twin:
        export.fold_levels(net, 1 / run.loss.input_gain, 1 / run.loss.output_gain)
        run.network.load_state_dict(net.state_dict())
        run.average = {k: v.detach().clone() for k, v in net.state_dict().items()}
    while run.spent < 1.0:
        began = time.process_time()
        run._learn()
        run.seconds += time.process_time() - began
    return run


def esr(path: Path | str, session: Session, setting: Setting) -> float:
    """Of a twin on the playing to judge by, through the engine."""
    take = session.of("test")[0]
    history = network.SIZES["standard"].receptive_field_samples - 1
    answer = engine.render(path, session.di(take), setting)
    return float(metrics.esr(session.recording(take)[history:], answer[history:]))


def main() -> None:
    """Train the snapshots that are missing, print all results and their medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--twins", nargs="+", default=["standard", "nano"])
    parser.add_argument("--settings", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--from-twin", action="store_true")
    parser.add_argument("--worst", type=Path, help="a report: its worst settings")
    parser.add_argument("--folder", type=Path, default=Path("build/tax"))
    a = parser.parse_args()
    chosen = worst(a.worst, a.settings) if a.worst else settings(a.settings)
    folder = a.folder / "worst" if a.worst else a.folder
    results, summary = [], {}
    for path in a.twins:
        whole = twin.bundled(path)
        start = sha256(whole.read_bytes()).hexdigest()[:8] if a.from_twin else "scratch"
        for number, setting in enumerate(chosen):
            session = recorded(folder / f"{number}", setting, number)
            made = folder / f"{number}-{Path(path).stem}-{start}-{a.minutes:g}.twin"
            if not made.exists():
                run = snapshot(session, path, setting, a.minutes, a.from_twin)
                twin.save(run.twin(), made)
            both = esr(whole, session, setting), esr(made, session, {})
            result = {"twin": path, "setting": setting, "esr": both[0], "snapshot_esr": both[1]}
            results.append({**result, "tax": both[0] / both[1]})
            print(json.dumps(results[-1]), file=sys.stderr)
        taxes = [r["tax"] for r in results if r["twin"] == path]
        summary[path] = {
            "settings": len(taxes),
            "median": float(np.median(taxes)),
            "p90": float(np.percentile(taxes, 90)),
        }
    print(json.dumps({"results": results, "tax": summary}, indent=1))


if __name__ == "__main__":
    main()
