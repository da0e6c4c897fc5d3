"""What many judged takes come to: median, mean, 90 % and worst of every figure, kind by kind.

Every setting counts once. The intervals say how much of a figure is luck in the choice of the
settings: a bootstrap (B. Efron, "Bootstrap methods: another look at the jackknife", 1979) draws as
many settings again and again from those there are, and 95 of 100 such draws lie inside. The worst
has none: no draw is worse than the worst.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tubetwin.roles import INTERIOR, PLAYING, RECORDED, TRAINING, Role

RESAMPLES = 2000  # the 95 % interval then holds still to 1 or 2 %
PARTS: Mapping[str, Callable[..., Any]] = {
    "median": np.median,
    "mean": np.mean,
    "p90": lambda values, axis=None: np.percentile(values, 90, axis=axis),
}
WORST = 5  # settings that a report lists

Row = Mapping[str, Any]


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Of one figure over settings.

    Args:
        values: one for each setting; may be none.
    Returns:
        count, median, mean, p90, worst, and the 95 % intervals median_95, mean_95, p90_95; all but
        the count None where there are no values, the intervals also where there is only one.
    """
    found: dict[str, Any] = {"count": len(values)}
    if not values:
        return found | dict.fromkeys((*PARTS, "worst", *(f"{part}_95" for part in PARTS)))
    again = np.random.default_rng(0).choice(values, (RESAMPLES, len(values)))
    for part, of in PARTS.items():
        found[part] = float(of(values))
        interval = np.percentile(of(again, axis=1), [2.5, 97.5]).tolist()
        found[f"{part}_95"] = interval if len(values) > 1 else None
    return found | {"worst": float(np.max(values))}


def role_of(row: Row) -> Role:
    """What a row of a report stands for."""
    return Role(*(row[key] for key in Role._fields))


def _magnitudes(rows: Sequence[Row], key: str) -> list[float]:
    return [abs(row[key]) for row in rows if row[key] is not None]


def cells(rows: Sequence[Row], figures: Sequence[str]) -> list[dict[str, Any]]:
    """The table: rows of one role together, in the order in which the roles first occur.

    Args:
        rows: of a report; those of split "validation" belong to no cell.
        figures: keys of the rows; of signed ones the magnitudes count.
    Returns:
        for each role its fields, count, silent, and `figures`: key -> `summary`.
    """
    groups: dict[Role, list[Row]] = {}
    for row in rows:
        if row["split"] != "validation":
            groups.setdefault(role_of(row), []).append(row)
    return [
        role.as_json()
        | {"count": len(group), "silent": sum(row["silent"] for row in group)}
        | {"figures": {key: summary(_magnitudes(group, key)) for key in figures}}
        for role, group in groups.items()
    ]


def group(what: str, rows: Sequence[Row], figures: Sequence[str]) -> dict[str, Any]:
    """One group in short: the summary of its ESR, and the medians of all figures' magnitudes."""
    medians = {key: summary(_magnitudes(rows, key))["median"] for key in figures}
    silent = sum(row["silent"] for row in rows)
    return (
        {"what": what}
        | summary(_magnitudes(rows, "esr"))
        | {
            "silent": silent,
            "medians": medians,
        }
    )


def headline(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The two groups whose gap is what the knobs cost: settings seen, and unseen inside the panel.

    In a session to judge by, both play the same new passages. In any other, the seen are takes
    that training heard, and the unseen those of split "test", corners left out if there are others.
    """
    roles = [role_of(row) for row in rows]
    if any(role.audio == PLAYING for role in roles):
        new = [(r, row) for r, row in zip(roles, rows, strict=True) if r.audio == PLAYING]
        new = [(r, row) for r, row in new if not r.seen_audio]
        return [row for r, row in new if r.family == TRAINING], [
            row for r, row in new if r.family == INTERIOR
        ]
    seen = [row for row in rows if row["split"] == "train" and row["audio"] == RECORDED]
    held_out = [row for row in rows if row["split"] == "test"]
    return seen, [row for row in held_out if row["family"] == INTERIOR] or held_out


def worst(rows: Sequence[Row]) -> list[Row]:
    """The rows of the highest ESR, the worst first."""
    known = [row for row in rows if row["esr"] is not None]
    return sorted(known, key=lambda row: -float(row["esr"]))[:WORST]
