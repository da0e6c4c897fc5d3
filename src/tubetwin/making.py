"""Commands from a session to a twin: train it, judge it, say what it is."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from tubetwin.files import BadInput
from tubetwin.terminal import console, progress

# Rooms that need numba, torch or matplotlib are imported where they are used: playing starts at
# once, and does without the extras.


@click.command()
@click.argument("sessions", metavar="SESSION...", nargs=-1, required=True)
@click.option("-o", "--output", required=True, help="The twin to write.")
@click.option(
    "--size",
    default="standard",
    show_default=True,
    help="standard (16 channels), lite (8) or nano (4).",
)
@click.option("--quick", "effort", flag_value="quick", help="5 minutes: good enough to play.")
@click.option("--best", "effort", flag_value="best", help="8 hours: over night.")
@click.option("--minutes", type=float, help="[default: 60] Time to train for.")
@click.option("--from", "start", default="", help="Go on from this twin, say with more takes.")
@click.option(
    "--learning-rate", type=float, default=3e-3, show_default=True, help="At its highest."
)
@click.option("--licence", default="", help="Of the twin: an SPDX identifier such as CC-BY-4.0.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--threads", type=click.IntRange(0, 256), default=0, help="0: one per core.")
@click.option(
    "--device", default="cpu", show_default=True, help="cpu, or a PyTorch device such as cuda."
)
def train(
    sessions: tuple[str, ...],
    output: str,
    licence: str,
    effort: str | None,
    minutes: float | None,
    **options: Any,
) -> None:
    """Train a twin of a session's rig, or of several sessions' that recorded the same amp.

    Ctrl-C keeps the best twin so far, and a checkpoint from which the same command goes on.

    Several processes or machines train one twin under PyTorch's torchrun, here two on one machine:

    torchrun --nproc-per-node 2 --no-python tubetwin train SESSION -o my.twin
    """
    from tubetwin import together, training
    from tubetwin.session import Session, joined

    recorded = joined(*map(Session.load, sessions))
    asked = {} if minutes is None else {"minutes": minutes}
    config = training.Config(**training.EFFORTS[effort or "default"] | asked | options)
    command = " ".join(["tubetwin", *sys.argv[1:]])
    if not together.leads():
        training.train(recorded, output, config)
        together.leave()
    with training_progress() as report:
        path = training.train(recorded, output, config, report, command, licence)
    score(path, recorded)
    together.leave()


def score(path: Path, recorded: Any) -> None:
    """Judge a new twin with the engine, and write the verdict into it."""
    from tubetwin import evaluation, twin

    with progress("Evaluating") as report:
        found = evaluation.evaluate(path, recorded, progress=report)
    twin.save(replace(twin.load(path), scores=evaluation.scores(found)), path)
    console.print(summary_table(found))


PROBES = click.option(
    "--probes", is_flag=True, help="Also play test signals, if the amp can be asked (minutes)."
)


@click.command()
@click.argument("twin_name", metavar="TWIN")
@click.argument("session")
@click.option("--json", "as_json", is_flag=True, help="The whole report on standard output.")
@click.option("--report", "page", help="Also write it as a page, as `tubetwin report` does.")
@PROBES
def evaluate(twin_name: str, session: str, as_json: bool, page: str | None, probes: bool) -> None:
    """Compare a twin with recordings, at settings it has seen and at settings it has not.

    The twin plays through the native engine: what is measured is what is heard. A session made by
    `tubetwin capture --judge` has every kind of setting and audio to judge by.
    """
    found = judged(twin_name, session, probes)
    if page:
        write_page(found, page)
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        console.print(summary_table(found))


@click.command()
@click.argument("twin_name", metavar="TWIN|REPORT.json")
@click.argument("session", required=False)
@click.option("-o", "--output", required=True, help="The page to write.")
@PROBES
def report(twin_name: str, session: str | None, output: str, probes: bool) -> None:
    """One page on how close a twin comes: players, plots and the whole table.

    \b
    tubetwin report my.twin session -o page.html
    tubetwin evaluate my.twin session --json > report.json, then
    tubetwin report report.json -o page.html
    """
    found = judged(twin_name, session, probes) if session else read_report(Path(twin_name))
    write_page(found, output)
    console.print(f"{output}: open it in a browser", markup=False)


def read_report(path: Path) -> dict[str, Any]:
    """What `tubetwin evaluate --json` wrote. Raises BadInput if it is anything else."""
    from tubetwin import evaluation

    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(
            f"cannot read {path} as a report: give one of `tubetwin evaluate --json`, or a twin and"
            " a session"
        ) from error
    if not isinstance(found, dict) or found.get("format") != evaluation.FORMAT:
        raise BadInput(f"{path} is no report of this version: make it again with tubetwin evaluate")
    return found


def write_page(found: Mapping[str, Any], path: str) -> None:
    """A report as a page, with players if twin and session are still where they were."""
    from tubetwin import stage, verdict
    from tubetwin.files import replacing

    with replacing(path) as temporary:
        temporary.write_text(verdict.build(found, stage.stage_of(found)), encoding="utf-8")


def judged(twin_name: str, session: str, probes: bool) -> dict[str, Any]:
    """The report of a twin on a session; with probes if wanted and if the amp can be asked."""
    from tubetwin import evaluation, twin
    from tubetwin.session import Session

    path = twin.bundled(twin_name)
    with progress("Evaluating") as tell:
        found = evaluation.evaluate(path, Session.load(session), progress=tell)
    if probes:
        from tubetwin import probing

        with progress("Asking twin and amp") as tell:
            found["probes"] = probing.probe(path, tell) if found["simulated"] else None
        if not found["probes"]:
            console.print(f"{found['rig']} cannot be asked: its probes are left out", markup=False)
    return found


@click.command()
@click.argument("twin_name", metavar="TWIN", default="standard")
@click.option("--json", "as_json", is_flag=True)
def info(twin_name: str, as_json: bool) -> None:
    """Print what a twin is, every figure measured on the loaded twin."""
    from tubetwin import datasheet, twin

    measured = datasheet.measure(twin.bundled(twin_name))
    if as_json:
        click.echo(json.dumps(measured, indent=1))
        return
    table = Table(title=str(measured["name"]), title_justify="left")
    for heading in ("", "", "how it was measured"):
        table.add_column(heading)
    for row in datasheet.table(measured):
        table.add_row(*row)
    Console().print(table)


@contextmanager
def training_progress() -> Iterator[Callable[[Any], None]]:
    """A bar for training; each validation stays on the screen as a line of its own."""
    columns = (
        TextColumn("Training"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=1.0)

        def report(p: Any) -> None:
            left = f"{p.seconds_left / 60:.1f} min left"
            bar.update(
                task, completed=p.spent, description=f"{left}, step {p.step}, loss {p.loss:.4f}"
            )
            if p.validation_esr is not None:
                bar.console.print(
                    f"{p.spent:4.0%}  step {p.step:6}  loss {p.loss:.5f}  "
                    f"validation ESR {p.validation_esr:.5f}  best {p.best_esr:.5f}"
                )

        yield report


WIDE = 110  # characters: a narrower terminal does without the interval and the mean
FIGURES = ("count", "median", "95 %", "mean", "90 %", "worst", "> 4 kHz")
ONLY_WIDE = ("95 %", "mean")


def summary_table(found: Mapping[str, Any]) -> Table:
    """The ESR of every kind of take, each by itself, and what one would have without a twin."""
    from tubetwin import roles

    shown = [name for name in FIGURES if console.width >= WIDE or name not in ONLY_WIDE]
    table = Table(
        title=f"{found['name']}: ESR, engine against {found['rig']}",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    for heading in ("settings", "audio"):
        table.add_column(heading)
    for heading in shown:
        table.add_column(heading, justify="right", no_wrap=True)
    for cell in found["table"]:
        figures = _esr_cells(cell["figures"])
        table.add_row(*roles.words(cell), *(figures[name] for name in shown))
    table.add_section()
    for name, baseline in found["baselines"].items():
        if baseline["count"]:
            figures = _esr_cells({"esr": baseline})
            words = f"unseen, by the {name.replace('_', ' ')}"
            table.add_row(words, "", *(figures[name] for name in shown))
    return table


def _esr_cells(figures: Mapping[str, Any]) -> dict[str, str]:
    """What stands under each of `FIGURES`."""
    esr, treble = figures["esr"], figures.get("esr_above_4khz", {})

    def short(value: float | None) -> str:
        return "-" if value is None else f"{value:.2g}" if value < 0.01 else f"{value:.3f}"

    keys = {"median": "median", "mean": "mean", "90 %": "p90", "worst": "worst"}
    interval = esr["median_95"] or (None, None)
    return {
        "count": str(esr["count"]),
        "95 %": "-".join(map(short, interval)),
        "> 4 kHz": short(treble.get("median")),
    } | {name: short(esr[key]) for name, key in keys.items()}
