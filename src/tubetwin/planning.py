"""Where the knobs stand in each take of a session: planned before anything is recorded.

A plan spreads the settings evenly over the panel (a scrambled Sobol sequence: I. M. Sobol, 1967;
A. B. Owen, "Randomly permuted (t,m,s)-nets", 1995), with corners and edges, because that is where
a twin that never heard them errs most. Validation and test have settings of their own.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from math import floor, log10

import numpy as np

from tubetwin.files import BadInput
from tubetwin.knobs import Knob, Setting

STRETCH = 1.12  # puts each knob exactly at either end in (1 - 1/1.12)/2 = 5 % of the settings

Plan = Sequence[tuple[Setting, str]]
"""What to record, in order: (setting, split)."""


# ---- Where the knobs stand ---------------------------------------------------------------------


def rounded(knob: Knob, value: float) -> float:
    """As a player would read it: to a hundredth, or a thousandth of a shorter travel."""
    decimals = max(2, 3 - floor(log10(knob.maximum - knob.minimum)))
    return min(max(round(float(value), decimals), knob.minimum), knob.maximum)


def spread(
    knobs: Sequence[Knob], lows: Sequence[float], stretch: float, rng: np.random.Generator
) -> Iterator[dict[str, float]]:
    """Endless settings from one Sobol sequence over low…maximum, stretched about the centre."""
    from scipy.stats import qmc  # a second to import, and workers never plan

    sobol = qmc.Sobol(max(len(knobs), 1), seed=rng)
    while True:
        for point in sobol.random(64):
            ends = np.clip(0.5 + stretch * (point - 0.5), 0.0, 1.0)
            yield {
                knob.name: rounded(knob, low + end * (knob.maximum - low))
                for knob, low, end in zip(knobs, lows, ends, strict=False)  # ends: one if no knobs
            }


def inside(
    knobs: Sequence[Knob], seed: int, lows: Sequence[float] | None = None
) -> Iterator[dict[str, float]]:
    """Endless settings, evenly over the panel: candidates for what to record next."""
    lows = lows or [knob.minimum for knob in knobs]
    return spread(knobs, lows, STRETCH, np.random.default_rng([seed, 2]))


def corners(
    knobs: Sequence[Knob], lows: Sequence[float], most: int, rng: np.random.Generator
) -> list[dict[str, float]]:
    """Settings with every knob at one of its ends; all of them, or `most` different ones."""
    every = 2 ** min(len(knobs), 62)
    corners = rng.choice(every, size=min(every, most), replace=False)
    return [
        {
            knob.name: knob.maximum if corner >> i & 1 else low
            for i, (knob, low) in enumerate(zip(knobs, lows, strict=True))
        }
        for corner in sorted(map(int, corners))
    ]


def held_out(
    settings: Iterator[dict[str, float]], number: int, taken: list[dict[str, float]]
) -> list[dict[str, float]]:
    """The next `number` settings that nobody has taken yet; now they are taken."""
    fresh = (s for s in islice(settings, 1000 * number) if s not in taken or not s)
    chosen = []  # an amp without knobs has one setting, {}, which every take may have
    for setting in islice(fresh, number):
        chosen.append(setting)
        taken.append(setting)
    if len(chosen) < number:
        raise BadInput(f"the knobs have too few positions to hold out {number}: widen a range")
    return chosen


def lowest(knobs: Sequence[Knob], floors: Mapping[str, float]) -> list[float]:
    """The low end of each knob: its floor or its minimum. Raises BadInput for a wrong floor."""
    unknown = set(floors) - {knob.name for knob in knobs}
    if unknown:
        raise BadInput(f"a floor is given for {sorted(unknown)[0]!r}, which is no knob of this amp")
    lows = [floors.get(knob.name, knob.minimum) for knob in knobs]
    for knob, low in zip(knobs, lows, strict=True):
        if not knob.minimum <= low < knob.maximum:
            raise BadInput(f"the floor {low:g} of knob {knob.name} must lie within its range")
    return lows


def plan(
    knobs: Sequence[Knob], settings: int, seed: int, floors: Mapping[str, float] | None = None
) -> list[tuple[Setting, str]]:
    """Choose the settings of a capture: as many as asked to train on, and others to judge by.

    Training settings are corners of the panel (at most a quarter of them) and a Sobol sequence
    over all of it, stretched so that knobs also stand exactly at their ends. Validation (an
    eighth, 2 to 24) and test (a sixth, 4 to 48) come from two other sequences.

    Args:
        knobs: the panel; may be empty.
        settings: number of training settings.
        seed: of everything random here.
        floors: knob name -> the lowest panel value in corners, validation and test, for a knob
            that mutes the amp at its minimum.
    Returns:
        (setting, split) for every take; no held-out setting occurs twice.
    Raises:
        BadInput: fewer than one setting, a negative seed, a floor out of range, or a panel with
            too few positions.
    """
    if settings < 1 or seed < 0:
        raise BadInput(f"a plan needs at least 1 setting and a seed from 0, not {settings}, {seed}")
    lows = lowest(knobs, floors or {})
    minima = [knob.minimum for knob in knobs]
    corner, train, validation, test = map(
        np.random.default_rng, np.random.SeedSequence(seed).spawn(4)
    )
    heard = corners(knobs, lows, settings // 4, corner)
    heard += islice(spread(knobs, minima, STRETCH, train), settings - len(heard))
    taken = list(heard)
    judges = min(max(2, settings // 8), 24), min(max(4, settings // 6), 48)
    chosen = {
        "train": heard,
        "validation": held_out(spread(knobs, lows, 1.0, validation), judges[0], taken),
        "test": held_out(spread(knobs, lows, 1.0, test), judges[1], taken),
    }
    return [(setting, split) for split, group in chosen.items() for setting in group]
