"""What to record next: the settings at which quick twins of the same takes disagree most.

A few small twins are trained on different halves of the session. Where the takes say enough they
play alike; where they guess, each guesses in its own way. The idea is query by committee (H. Seung,
M. Opper, H. Sompolinsky, 1992), as PANAMA uses it for amps (2025). Whether it beats settings spread
evenly is measured, not assumed: docs/capture.md.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice
from pathlib import Path

import numpy as np

from tubetwin import engine, planning, training
from tubetwin.files import BadInput
from tubetwin.knobs import Setting, normalise
from tubetwin.session import Samples, Session

MEMBERS = 3
CANDIDATES = 256
LISTEN_SECONDS = 2.0
FAINT = 0.001  # of the loudest setting's power: what is as soft as that counts half
SAME = 0.02  # of a knob's travel: as near as a hand sets it again
NEAR = 0.35  # of a knob's travel: nearer settings tell much the same


@dataclass(frozen=True)
class Proposal:
    """A setting worth recording, and the mean ESR between the twins there."""

    setting: Setting
    disagreement: float


def halves(session: Session, members: int, seed: int) -> Iterator[Session]:
    """The session with two thirds of its training takes, others each time."""
    rng = np.random.default_rng(seed)
    heard = session.of("train")
    for _ in range(members):
        kept = set(rng.permutation(len(heard))[: max(1, round(2 * len(heard) / 3))])
        left = tuple(take for i, take in enumerate(heard) if i in kept)
        judges = tuple(take for take in session.takes if take.split != "train")
        yield replace(session, takes=(*left, *judges))


def committee(
    session: Session,
    folder: Path,
    minutes: float,
    seed: int = 0,
    report: Callable[[float], None] = lambda share: None,
) -> list[Path]:
    """Train the quick twins.

    Args:
        session: at least four training takes.
        folder: where they are written.
        minutes: for each.
        seed: of which takes each hears, and of the networks.
        report: called with the finished share, 0…1.
    Raises:
        BadInput: too few takes, or as `training.train`.
    """
    if len(session.of("train")) < 4:
        raise BadInput(f"{session.folder} has too few takes to ask: record at least 4 to train on")
    made = []
    for i, part in enumerate(halves(session, MEMBERS, seed)):
        config = training.Config(size="nano", minutes=minutes, seed=seed + i, validations=1)

        def tell(progress: training.Progress, done: int = i) -> None:
            report((done + progress.spent) / MEMBERS)

        made.append(training.train(part, folder / f"{i}.twin", config, tell))
    return made


def loudest(di: Samples, length_samples: int) -> Samples:
    """The stretch of a DI with the most energy: (length_samples,) or all of it."""
    energy = np.cumsum(np.square(di, dtype=np.float64))
    if len(di) <= length_samples:
        return di
    start = int(np.argmax(energy[length_samples:] - energy[:-length_samples]))
    return di[start : start + length_samples]


def disagreement(twins: Sequence[Path], di: Samples, settings: Sequence[Setting]) -> list[float]:
    """Mean ESR between each two twins at each setting, less where the amp is faint."""
    errors, powers = [], []
    for setting in settings:
        played = [engine.render(path, di, setting).astype(np.float64) for path in twins]
        errors.append(np.mean([np.mean((a - b) ** 2) for a, b in combinations(played, 2)]))
        powers.append(np.mean([np.mean(out**2) for out in played]))
    floor = FAINT * max(powers) + 1e-12
    return [float(e / (p + floor)) for e, p in zip(errors, powers, strict=True)]


def propose(
    session: Session,
    twins: Sequence[Path],
    count: int,
    seed: int = 0,
    asked: Sequence[Setting] = (),
) -> list[Proposal]:
    """The settings to record next, the most disputed first.

    Disputed settings lie close together, so each that is chosen, and each that was recorded, takes
    away from those near it. Without twins to ask, settings are spread evenly: a Sobol sequence,
    which goes on where an earlier call left it. No knob is proposed lower than it was ever
    recorded: a plan with a floor keeps it.

    Args:
        session: whose takes the twins heard; its DI is played.
        twins: of `committee`, or none.
        count: of proposals.
        seed: of the candidates, which are spread evenly over the panel.
        asked: settings that the plan asks for already.
    Raises:
        BadInput: no take to train on, or the knobs have no other positions left.
    """
    heard = [take.setting for take in session.of("train")]
    if not heard:
        raise BadInput(f"{session.folder} has no takes to train on: record some first")
    judging = [take.setting for take in session.takes if take.split != "train"]
    lows = [min(setting[knob.name] for setting in heard) for knob in session.knobs]
    spread = planning.inside(session.knobs, seed, lows)
    candidates = list(islice(spread, max(CANDIDATES, 20 * count)))
    points = np.array([normalise(session.knobs, setting) for setting in candidates])
    known = np.array([normalise(session.knobs, s) for s in (*heard, *asked, *judging)])
    new, others = list[int](), known
    for i, point in enumerate(points):
        if np.linalg.norm(others - point, axis=1).min() > SAME:
            new.append(i)
            others = np.vstack([others, point])
    if len(new) < count:
        raise BadInput(f"the knobs have no {count} positions left that were not recorded")
    if not twins:
        return [Proposal(candidates[i], 0.0) for i in new[:count]]
    new = new[: max(CANDIDATES, 4 * count)]
    candidates, points = [candidates[i] for i in new], points[new]
    di = loudest(session.whole_di, round(LISTEN_SECONDS * session.sample_rate_hz))
    disputed = np.array(disagreement(twins, di, candidates))
    fresh = np.ones(len(points))
    for place in known[: len(heard) + len(asked)]:  # near a take to judge by is worth training on
        fresh *= _apart(points, place)
    chosen = []
    for _ in range(count):
        best = int(np.argmax(disputed * fresh))
        chosen.append(Proposal(candidates[best], float(disputed[best])))
        fresh *= _apart(points, points[best])
    return chosen


def _apart(points: np.ndarray, place: np.ndarray) -> np.ndarray:
    """0 at a place, nearly 1 from `NEAR` on."""
    distance = np.linalg.norm(points - place, axis=1)
    return np.asarray(1 - np.exp(-0.5 * (2 * distance / NEAR) ** 2))
