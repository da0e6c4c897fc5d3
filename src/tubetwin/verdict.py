"""The verdict on a twin as one page: how close it comes, where it is worst, and both to listen to.

First what a guitarist wants to know, with players; then, for whoever doubts it, the table with
every kind of setting and audio apart, the baselines, and what test signals showed.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tubetwin import findings, plots, roles, tables
from tubetwin.report import Page
from tubetwin.stage import Stage, player

Row = Mapping[str, Any]
FAR = ("How far from a recording", "distance to the nearest trained setting (1 = a knob's travel)")
AUDIO = {
    roles.PLAYING: "playing: a guitar at full volume, louder than most of what training hears",
    roles.PRACTICE: "practice: playing as training hears it, the guitar mostly turned down",
    roles.SIGNALS: "signals: bursts, sweeps and noise, which training hears in between",
    roles.RECORDED: "as recorded: whatever the session played",
}
COLUMNS = {  # of the engineer's table: how a figure is written
    "esr_pre": ("pre-emphasised", "{:.4f}"),
    "esr_above_4khz": ("above 4 kHz", "{:.4f}"),
    "mr_stft": ("MR-STFT", "{:.2f}"),
    "gain_error_db": ("level (dB)", "{:.2f}"),
    "spectrum_error_db": ("spectrum (dB)", "{:.2f}"),
}


# ---- To listen to ------------------------------------------------------------------------------


def _listen(page: Page, report: Row, stage: Stage) -> None:
    rows = {row["file"]: row for row in report["settings"]}
    known = [row for row in _headline(report) if row["esr"] is not None]
    name = "The worst" if len(known) > 1 else "The only one"
    chosen = {name: rows[report["worst"][0]]} if report["worst"] else {}
    if len(known) > 1:
        ranked = sorted(known, key=lambda row: float(row["esr"]))
        chosen = {"An ordinary setting": ranked[(len(ranked) - 1) // 2]} | chosen
    players = [
        player(page, stage, name, stage.pair(row["file"]), row["setting"], _below(row["esr"]))
        for name, row in chosen.items()
    ]
    for family, swept in _sweeps(report).items():
        turned = family.removeprefix(roles.SWEEP)
        setting = dict(swept[0]["setting"])
        setting[turned] = np.array([swept[0]["setting"][turned], swept[-1]["setting"][turned]])
        pair = stage.sweep([row["file"] for row in swept])
        players.append(player(page, stage, f"{turned}, step by step", pair, setting, ""))
    if players:
        page.section(
            "Hear it",
            "Press play, then switch between amp and twin: it changes at once and keeps its place. "
            "What is wrong is the twin minus the amp, at the same gain. "
            + ("All through one cabinet." if stage.bare else "As it was recorded."),
        )
        page.rack(*players)


# ---- To look at --------------------------------------------------------------------------------


def _below(esr: float | None) -> str:
    """An ESR as a guitarist may read it."""
    return "" if esr is None else f"error {-10 * np.log10(max(esr, 1e-12)):.0f} dB below"


def _headline(report: Row) -> list[Row]:
    seen, unseen = tables.headline(report["settings"])
    return unseen or seen


def _sweeps(report: Row) -> dict[str, list[Row]]:
    """The rows of each sweep, from the knob's low end to its high one."""
    found: dict[str, list[Row]] = {}
    for row in report["settings"]:
        if row["family"].startswith(roles.SWEEP) and not row["silent"]:
            found.setdefault(row["family"], []).append(row)
    for family, rows in found.items():
        rows.sort(key=lambda row: float(row["setting"][family.removeprefix(roles.SWEEP)]))
    return found


def _column(rows: Sequence[Row], key: str) -> npt.NDArray[np.float64]:
    return np.array([row[key] for row in rows], float)


def _tiles(page: Page, report: Row) -> None:
    found = report["unseen"] if report["unseen"]["count"] else report["seen"]
    if not found["count"]:
        return
    many = found["count"] > 1
    half = f"or lower, at half of {found['count']} settings" if many else "at the one setting"
    tiles = [
        (
            _decibels(found["median"]),
            f"below the sound lies the error, {half} ({found['what']}): ESR {found['median']:.4f}",
        ),
        (_decibels(found["p90"]), f"or lower at nine of ten: ESR {found['p90']:.4f}"),
        (_decibels(found["worst"]), f"at the worst of them: ESR {found['worst']:.4f}"),
    ]
    page.tiles(*tiles[: 3 if many else 1])


def _decibels(esr: float) -> str:
    return f"{-10 * np.log10(max(esr, 1e-12)):.0f} dB"


def _where(page: Page, report: Row) -> None:
    """The error over the position of every knob, and over the distance to what was trained."""
    seen, unseen = tables.headline(report["settings"])
    corners = [row for row in report["settings"] if row["family"] == roles.CORNERS]
    named = {"seen": seen, "unseen": unseen, "corners": [] if unseen == corners else corners}
    groups = {
        name: known
        for name, rows in named.items()
        if (known := [row for row in rows if row["esr"] is not None])
    }
    if not groups:
        return
    drawings = []
    for knob in next(iter(groups.values()))[0]["setting"]:
        over = {
            name: (np.array([row["setting"][knob] for row in rows], float), _column(rows, "esr"))
            for name, rows in groups.items()
        }
        drawings.append(plots.esr_over(knob, f"{knob} on the panel", over))
    new = groups.get("unseen", [])
    distances = _column(new, "distance")
    if new and np.isfinite(distances).all():
        drawings.append(
            plots.esr_over(FAR[0], FAR[1], {"unseen": (distances, _column(new, "esr"))})
        )
    page.section(
        "Where on the panel it is worst",
        "Each mark is one position of all knobs; the higher, the worse. A cloud that rises with a "
        "knob says where the twin struggles. Corners are settings with every knob at an end.",
    )
    page.plots(*drawings)
    _worst(page, report)


def _worst(page: Page, report: Row) -> None:
    rows = {row["file"]: row for row in report["settings"]}
    page.table(
        ("the five worst", "ESR", "pre-emphasised", "above 4 kHz", "level (dB)", "spectrum (dB)"),
        [
            (
                ", ".join(f"{k} {v:g}" for k, v in row["setting"].items()) or "its one setting",
                *(_short(row[key]) for key in ("esr", "esr_pre", "esr_above_4khz")),
                _written(row["gain_error_db"], "{:+.2f}"),
                _written(row["spectrum_error_db"], "{:.2f}"),
            )
            for row in (rows[file] for file in report["worst"])
        ],
    )


def _turning(page: Page, report: Row) -> None:
    drawings = []
    for family, rows in _sweeps(report).items():
        knob = family.removeprefix(roles.SWEEP)
        amp = _column(rows, "amp_dbfs")
        levels = {
            "amp": amp,
            "twin": amp + _column(rows, "gain_error_db"),
            "error": amp + 10 * np.log10(np.maximum(_column(rows, "esr"), 1e-12)),
        }
        positions = [row["setting"][knob] for row in rows]
        drawings.append(plots.levels(knob, f"{knob} on the panel", positions, levels))
    if drawings:
        page.section(
            "One knob at a time",
            "How loud amp and twin are while one knob goes from end to end, and how loud the error "
            "is: the gap between the lines is how far below the sound it lies.",
        )
        page.plots(*drawings)


# ---- To check ----------------------------------------------------------------------------------


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}" if value < 0.01 else f"{value:.3f}"


def _written(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _with_interval(figure: Row, part: str) -> str:
    low, high = figure[f"{part}_95"] or (None, None)
    interval = "" if low is None else f"\n{_short(low)} to {_short(high)}"
    return _short(figure[part]) + interval


def _two_by_two(page: Page, report: Row) -> None:
    """Settings seen and unseen, by audio heard and new."""
    cells = {tables.role_of(cell): cell for cell in report["table"]}
    columns = list(dict.fromkeys((r.audio, r.seen_audio) for r in cells
                                 if r.family in (roles.TRAINING, roles.INTERIOR)))  # fmt: skip
    if len(columns) < 2:
        return

    def text(family: str, seen: bool, column: tuple[str, bool]) -> str:
        cell = cells.get(roles.Role(family, column[0], seen, column[1]))
        if cell is None:
            return "-"
        esr = cell["figures"]["esr"]
        return f"{_short(esr['median'])} / {_short(esr['p90'])}"

    page.table(
        ("ESR, median / 90 %", *(f"{a}, {'heard' if heard else 'new'}" for a, heard in columns)),
        [
            (name, *(text(family, seen, column) for column in columns))
            for name, family, seen in (
                ("settings that training saw", roles.TRAINING, True),
                ("settings it never saw", roles.INTERIOR, False),
            )
        ],
    )
    page.items(*(AUDIO[audio] for audio in dict.fromkeys(audio for audio, _ in columns)))


def _table(page: Page, report: Row) -> None:
    page.section(
        "The table",
        "Every kind of setting and of audio by itself, since no mean over them means anything. In "
        "small print the interval that 95 of 100 draws of as many settings fall into.",
    )
    _two_by_two(page, report)
    heads = ("settings", "audio", "count", "ESR, median", "mean", "90 %", "worst")
    page.table(
        (*heads, *(head for head, _ in COLUMNS.values())),
        [
            (
                *roles.words(cell),
                str(cell["figures"]["esr"]["count"]),
                *(_with_interval(cell["figures"]["esr"], p) for p in tables.PARTS),
                _short(cell["figures"]["esr"]["worst"]),
                *(_written(cell["figures"][key]["median"], form)
                  for key, (_, form) in COLUMNS.items()),
            )
            for cell in report["table"]
        ],
    )  # fmt: skip


def _baselines(page: Page, report: Row) -> None:
    named = {name: row for name, row in report["baselines"].items() if row["count"]}
    if not named:
        return
    page.section(
        "Against having no twin",
        "What one would hear instead at the settings never seen: a recording of another setting, "
        "the nearest there is, or a mixture of the nearest.",
    )
    rows = [row for row in _headline(report) if row["esr"] is not None]
    curves = {"twin": _column(rows, "esr")}
    for key, name in (("nearest_take_esr", "nearest take"), ("blend_esr", "blend")):
        values = _column(rows, key)
        if np.isfinite(values).any():
            curves[name] = values
    page.plots(plots.esr_by_setting("ESR by setting", curves))
    page.table(
        ("instead of the twin", "count", "ESR, median", "mean", "90 %", "worst", "over the twin's"),
        [
            (
                found["what"],
                str(found["count"]),
                *(_with_interval(found, p) for p in tables.PARTS),
                _short(found["worst"]),
                f"x {found['median'] / report['unseen']['median']:.3g}"
                if report["unseen"]["median"] else "-",
            )
            for found in named.values()
        ],
    )  # fmt: skip


# ---- The page ----------------------------------------------------------------------------------


def build(report: Row, stage: Stage | None = None) -> str:
    """What `tubetwin evaluate` found, as a page.

    Args:
        report: as from `evaluation.evaluate`.
        stage: to listen to; None: a page without players.
    """
    rig = report["rig"]
    page = Page(
        f"{Path(report['twin']).stem}: how close it comes",
        f"A twin beside {'its amp' if report['simulated'] else 'recordings of its amp'}: {rig}.",
        "tubetwin report",
    )
    _tiles(page, report)
    if stage:
        _listen(page, report, stage)
    _where(page, report)
    _turning(page, report)
    _table(page, report)
    _baselines(page, report)
    if report.get("probes"):
        findings.add(page, report["probes"])
    page.section("How it was measured")
    page.items(*_method(report))
    return page.html()


def _method(report: Row) -> list[str]:
    return [
        "ESR is the energy of the error over the energy of the recording, pooled inside a setting;"
        " 0 is perfect, 1 is what silence scores, 0.01 is an error 20 dB below the sound.",
        "No gain or delay was fitted: a twin that is too loud or too late has earned its error.",
        f"The audio comes from the native engine ({report['engine']}), the one that plays, not from"
        " the trained network.",
        "Settings are held out whole; the first receptive field of each take is not judged.",
        *(["The amp is simulated, a circuit solved numerically: it has no noise and no drift, so "
           "no figure here may stand beside one from a recorded amp."] if report["simulated"]
          else []),
        *(["Held-out takes play passages that training also heard."] if report["shared_passages"]
          else []),
    ]  # fmt: skip
