"""What to record next: takes where quick twins disagree, against takes spread evenly (Sobol).

A simulated amp is recorded at a few settings; then, round by round, a few more are added, once by
`tubetwin plan --next` and once by going on in the Sobol sequence. After each round both sessions
train one `nano` twin in the same number of steps, and the engine is judged at settings that neither
heard. How many takes does it take to a median ESR of 0.02?

    .venv/bin/python benchmarks/next_takes.py [--start 16] [--add 8] [--rounds 4] [--steps 3000]

Resumable: rounds that are done are kept in build/next-takes.json, and takes in build/next-takes/.
"""

import argparse
import json
import sys
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tubetwin import (
    amp,
    capture,
    engine,
    guitar,
    metrics,
    passages,
    planning,
    scout,
    training,
    twin,
)
from tubetwin.knobs import Setting
from tubetwin.session import Session

RATE, SECONDS, HISTORY = 48000, 6.0, 6138
JUDGES = 24


class Steps(training.Run):
    """A run whose budget is a number of steps, so that a busy machine changes nothing."""

    most = 1

    @property
    def spent(self) -> float:
        """Share of the budget."""
        return min(1.0, self.step / self.most)


def trained(session: Session, path: Path, steps: int, seed: int) -> Path:
    """A nano twin after so many steps."""
    config = training.Config(size="nano", seed=seed, threads=1, validations=1)
    run = Steps(session, config, path.with_suffix(".none"))
    run.most = steps
    while run.spent < 1:
        run._learn()
    twin.save(run.twin(), path)
    return path


ANSWERS: dict[tuple[bytes, tuple[float, ...]], np.ndarray] = {}


def answer(di: np.ndarray, setting: Setting) -> np.ndarray:
    """The amp; what it played in an earlier round it need not play again."""
    key = di.tobytes(), tuple(setting.values())
    if key not in ANSWERS:
        ANSWERS[key] = amp.render(di, setting)
    return ANSWERS[key]


def recorded(folder: Path, settings: list[Setting], seed: int) -> Session:
    """The simulated amp at these settings; takes that are there already are not played again."""
    plan = [(dict(s), "train") for s in settings]
    plan += [(s, "validation") for s in islice(planning.inside(amp.KNOBS, 77), 2)]
    plan += [(s, "test") for s in islice(planning.inside(amp.KNOBS, 78), 2)]
    if not (folder / "session.json").exists():
        capture.record(
            folder, rig="tubetwin reference amp (simulated)", knobs=amp.KNOBS, plan=plan,
            passage=capture.apart(
                partial(passages.passage, SECONDS), partial(guitar.playing, SECONDS)
            ),
            amp=answer, sample_rate_hz=RATE, seed=seed, processes=1,
        )  # fmt: skip
    return Session.load(folder)


def judges(seed: int) -> list[tuple[Setting, np.ndarray, np.ndarray]]:
    """Settings with Volume from 1 up, each with a passage of its own and the amp's answer."""
    found = []
    spread = planning.inside(amp.KNOBS, 1000 + seed)
    for i, setting in enumerate(islice((s for s in spread if s["Volume"] >= 1), JUDGES)):
        di = guitar.playing(4.0, 990_000 + 100 * seed + i)
        found.append((setting, di, amp.render(di, setting).astype(np.float64)))
    return found


def errors(path: Path, held_out: list[tuple[Setting, np.ndarray, np.ndarray]]) -> list[float]:
    """ESR of the engine at each setting held out."""
    return [
        float(
            metrics.esr(target[HISTORY:], engine.render(path, di, s).astype(np.float64)[HISTORY:])
        )
        for s, di, target in held_out
    ]


def added(session: Session, count: int, steps: int, seed: int) -> list[Setting]:
    """What `tubetwin plan --next` would propose, its twins trained by steps."""
    with TemporaryDirectory() as folder:
        parts = enumerate(scout.halves(session, scout.MEMBERS, seed))
        twins = [trained(part, Path(folder) / f"{i}.twin", steps, seed + i) for i, part in parts]
        return [p.setting for p in scout.propose(session, twins, count, seed)]


def main() -> None:
    """Run what is missing, print all rounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--start", type=int, default=16)
    parser.add_argument("--add", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--place", default="build/next-takes")
    a = parser.parse_args()
    place = Path(a.place)
    place.mkdir(parents=True, exist_ok=True)
    log = place / "rounds.json"
    rounds = json.loads(log.read_text()) if log.exists() else []
    for seed in range(a.seeds):
        held_out = judges(seed)
        even = list(islice(planning.inside(amp.KNOBS, seed), a.start + a.add * a.rounds))
        for strategy in ("sobol", "next"):
            settings: list[Setting] = even[: a.start]
            for step in range(a.rounds):
                key = {"seed": seed, "strategy": strategy, "takes": len(settings)}
                done = next((r for r in rounds if all(r[k] == v for k, v in key.items())), None)
                if not done:
                    name = f"{seed}-{strategy}-{step}"
                    session = recorded(place / name, settings, 10 + seed)
                    esrs = errors(trained(session, place / f"{name}.twin", a.steps, seed), held_out)
                    more = even[len(settings) :][: a.add]
                    if strategy == "next" and step + 1 < a.rounds:
                        more = added(session, a.add, a.steps // 2, seed)
                    score = {"median": float(np.median(esrs)), "p90": float(np.quantile(esrs, 0.9))}
                    done = key | score | {"worst": max(esrs), "added": [dict(s) for s in more]}
                    rounds.append(done)
                    log.write_text(json.dumps(rounds, indent=1))
                    print(key | score, file=sys.stderr)
                settings = [*settings, *done["added"]]
    print(json.dumps(rounds, indent=1))


if __name__ == "__main__":
    main()
