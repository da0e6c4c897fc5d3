"""What the probes found, drawn: level, timbre, sag, aliases, and knobs that turn."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tubetwin import plots
from tubetwin.report import Page

Found = Mapping[str, Any]
AFTER = "after the burst (ms)"
TONE_HZ, TONE_DB = 220.0, -12.0  # whose harmonics are shown


def _by_setting(rows: Sequence[Found]) -> dict[str, list[Found]]:
    groups: dict[str, list[Found]] = {}
    for row in rows:
        groups.setdefault(row["setting"], []).append(row)
    return groups


def _ends_and_middle(names: Sequence[str]) -> list[str]:
    return list(names)[:: max(1, len(names) // 2)]


def _level(found: Found) -> str:
    groups = _by_setting(found["level"])
    levels = [row["level_db"] for row in next(iter(groups.values()))]
    curves = {name: [row["esr"] for row in rows] for name, rows in groups.items()}
    return plots.family("Played softer and harder", "level of the guitar (dB)", levels, curves)


def _timbre(found: Found) -> list[str]:
    tones = [row for row in found["harmonics"]
             if (row["tone_hz"], row["level_db"]) == (TONE_HZ, TONE_DB)]  # fmt: skip
    shown = _ends_and_middle([row["setting"] for row in tones])
    drawings = []
    for row in tones:
        if row["setting"] in shown:
            profiles = {source: row[f"{source}_db"] for source in ("amp", "twin")}
            drawings.append(plots.harmonics(f"Harmonics, {row['setting']}", profiles))
    return drawings


def _sag(found: Found) -> list[str]:
    shown = _ends_and_middle([row["setting"] for row in found["sag"]])
    drawings = []
    for row in found["sag"]:
        if row["setting"] in shown:
            curves = {source: row[f"{source}_recovery_db"] for source in ("amp", "twin")}
            milliseconds = 1000 * np.arange(len(curves["amp"])) / row["points_hz"]
            drawings.append(plots.gains(f"Sag, {row['setting']}", AFTER, milliseconds, curves))
    return drawings


def _aliases(found: Found) -> str:
    groups = _by_setting(found["aliasing"]["points"])
    worst = {
        source: [10 * np.log10(max(max(row[f"{source}_asr_without_dc"] for row in rows), 1e-12))
                 for rows in groups.values()]
        for source in ("amp", "twin")
    }  # fmt: skip
    return plots.by_name("False tones, the worst", "alias / harmonics (dB)", list(groups), worst)


def _table(page: Page, found: Found) -> None:
    """One row a setting: what each probe says of it."""
    aliases = _by_setting(found["aliasing"]["points"])
    tones, levels = _by_setting(found["harmonics"]), _by_setting(found["level"])
    rows = []
    for sag in found["sag"]:
        name = sag["setting"]
        errors = [row["error_db"] for row in tones[name] if row["error_db"] is not None]
        worst = {s: max(row[f"{s}_asr_without_dc"] for row in aliases[name])
                 for s in ("amp", "twin")}  # fmt: skip
        rows.append(
            (
                name,
                *(_written(row["esr"], ".2g") for row in (levels[name][0], levels[name][-1])),
                _written(float(np.sqrt(np.mean(np.square(errors)))) if errors else None, ".2f"),
                _written(sag["burst_error_db"], ".2f"),
                _written(sag["recovery_error_db"], ".2f"),
                f"{_milliseconds(sag['amp_recovery_seconds'])} / "
                f"{_milliseconds(sag['twin_recovery_seconds'])}",
                f"{_db(worst['amp'])} / {_db(worst['twin'])}",
            )
        )
    softest, *_, hardest = (f"{row['level_db']:+g} dB" for row in next(iter(levels.values())))
    heads = (
        f"ESR at {softest}",
        f"ESR at {hardest}",
        "harmonics off by (dB)",
        "in a burst, level off by (dB)",
        "after it, gain off by (dB)",
        "recovery of amp / twin (ms)",
        "worst alias of amp / twin (dB)",
    )
    page.table(("", *heads), rows)


def _turns(page: Page, found: Found) -> None:
    page.table(
        ("turned up and down in 2 s", "ESR", "standing at either end or midway, median ESR"),
        [
            (row["knob"], _written(row["esr"], ".2g"), _written(row["standing_esr"], ".2g"))
            for row in found["moving"]
        ],
    )


def _written(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.0f}"


def _db(ratio: float) -> str:
    return f"{10 * np.log10(max(ratio, 1e-12)):.0f}"


def add(page: Page, found: Found) -> None:
    """The probes as a section of a page.

    Args:
        page: to add to.
        found: as from `probing.probe`.
    """
    aliasing = found["aliasing"]
    page.section(
        "Under the microscope",
        "Test signals that no training heard, through twin and amp: soft and hard playing; "
        f"the harmonics of a {TONE_HZ:g} Hz tone at {TONE_DB:g} dB; how a soft tone "
        "comes back after a loud one, when the supply has sagged; and false tones, which sampling "
        "makes and no amp has. The solved amp has some too: no twin can be asked for less.",
    )
    page.plots(_level(found), _aliases(found), *_timbre(found), *_sag(found))
    _table(page, found)
    page.items(
        "False tones over harmonics on the whole grid, DC left out: "
        + "; ".join(
            f"{source} mean {_db(aliasing[source]['mean'])} dB, worst "
            f"{_db(aliasing[source]['worst'])} dB"
            for source in ("amp", "twin")
        )
        + f". At {aliasing['same_level']} of {aliasing['count']} tones the harmonics of both are "
        "equally strong within 1 dB; at the others the ratios compare different sounds."
    )
    _turns(page, found)
