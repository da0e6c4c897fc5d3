"""The command line: from a circuit or a recording to a twin, and from a twin to the ear.

Every command says what it does with `--help`. What a script wants to read comes with `--json` on
standard output; progress goes to standard error. What a user can mend ends with one line on it and
exit code 2.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from tubetwin import __version__
from tubetwin.files import BadInput
from tubetwin.knobs import Knob

# Rooms that need numba, torch or matplotlib are imported where they are used: playing starts at
# once, and does without the extras.

KNOB_HELP = """\
Knobs are options too, named as on the amp's panel, with panel values: --volume 7 --treble 4.5.
Those left out stay at their default. A range, --mid-bite 0:10, sweeps the knob over the whole file.
"""
WITH_KNOBS = {"ignore_unknown_options": True, "allow_extra_args": True}

console = Console(stderr=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def cli() -> None:
    """Twins of guitar tube amplifiers: one small file each that plays at every knob position.

    \b
    Hear one:        tubetwin demo
    Use one:         tubetwin render guitar.wav --volume 7 --cabinet 1x12 -o out.wav
    Make one:        tubetwin capture --amp reference -o session
                     tubetwin train session -o my.twin
    Judge one:       tubetwin evaluate my.twin session
    """


# ---- Playing -----------------------------------------------------------------------------------


@cli.command(context_settings=WITH_KNOBS, epilog=KNOB_HELP)
@click.argument("di", metavar="IN.wav")
@click.option(
    "--twin",
    "twin_name",
    default="standard",
    show_default=True,
    help="A bundled twin's name, or a file.",
)
@click.option(
    "--cabinet", help="An impulse response (WAV, up to 2 s), or 1x12 for the one that ships."
)
@click.option(
    "-o", "--output", required=True, help="Written as float WAV (or FLAC, by its ending)."
)
@click.pass_context
def render(
    context: click.Context, di: str, twin_name: str, cabinet: str | None, output: str
) -> None:
    """Play a recording of a dry guitar through a twin.

    Any file that libsndfile reads is fine: any rate, any number of channels (they become one).
    """
    from tubetwin import audio, engine, twin

    path = twin.bundled(twin_name)
    with engine.Player(path) as player:
        samples = audio.read_mono(di, player.sample_rate_hz)
        setting = knob_options(context.args, player.knobs, len(samples))
        ir = impulse_response(cabinet, player.sample_rate_hz)
        with progress("Rendering") as report:
            out = engine.render(path, samples, setting, cabinet=ir, progress=report)
        audio.write(output, out, player.sample_rate_hz)
    console.print(f"{output}: {len(out) / player.sample_rate_hz:.1f} s, {levels(out)}")


@cli.command(context_settings=WITH_KNOBS, epilog=KNOB_HELP)
@click.option("--twin", "twins", multiple=True, help="[default: standard] The key t goes on.")
@click.option("--cabinet", "cabinets", multiple=True, help="As in render. The key c goes on.")
@click.option("--preset", "preset_path", help="A sound saved before; other options overrule it.")
@click.option("--save-as", help="[default: the preset, or live.json] Where the key s saves.")
@click.option("--list", "only_list", is_flag=True, help="Print sound cards and MIDI inputs.")
@click.option("--device", multiple=True, help="Name or number; twice: input, then output.")
@click.option("--channels", help="[default: 1] Input:outputs, counted from 1, such as 2:1,2.")
@click.option("--block", type=click.IntRange(16, 8192), default=256, show_default=True)
@click.option("--rate", type=click.IntRange(8000, 384000), help="[default: the twin's] Hz.")
@click.option("--midi", help="Listen to this MIDI input; a part of its name will do.")
@click.option("--cc", multiple=True, help="A MIDI controller turns a knob: --cc 20=volume.")
@click.option("--record", help="Write what you play to this WAV, and the dry guitar beside it.")
@click.option("--seconds", type=click.FloatRange(0.1), help="Stop by itself.")
@click.option("--measure-latency", is_flag=True, help="Through a cable from output to input.")
@click.option("--json", "as_json", is_flag=True, help="The outcome on standard output.")
@click.pass_context
def live(context: click.Context, /, as_json: bool, **options: Any) -> None:
    """Play your guitar through a twin, now.

    Arrow keys turn the knobs, other keys change twin and cabinet; q or Ctrl-C ends.
    """
    from tubetwin import live, rig, twin

    bundled = sorted(path.stem for path in twin.BUNDLED.glob("*.twin"))
    shelf = rig.Shelf(bundled, [None, "1x12"], twin.bundled, impulse_response)
    read_knobs = partial(knob_options, context.args, samples=0)
    found = live.command(options, shelf, read_knobs, console)
    click.echo(json.dumps(found, indent=1)) if as_json else console.print(live.words(found))


@cli.command(context_settings=WITH_KNOBS, epilog=KNOB_HELP)
@click.argument("di", metavar="DI.wav")
@click.option("--oversampling", type=click.IntRange(1, 16), default=4, show_default=True)
@click.option("-o", "--output", required=True)
@click.pass_context
def amp(context: click.Context, di: str, oversampling: int, output: str) -> None:
    """Play a DI through the reference amplifier itself: the circuit, not a twin of it.

    An EL84 amp of our own in the family of the AC20 and AC30, with Volume, Treble, Bass and
    Mid-Bite from 0 to 10. Full scale of the DI is 1 V at the jack, of the output 40 V at the
    speaker.
    """
    from tubetwin import amp, audio

    samples = audio.read_mono(di, 48000)
    setting = knob_options(context.args, amp.KNOBS, len(samples))
    with progress("Solving the circuit") as report:
        out = amp.render(samples, setting, 48000, oversampling, report)
    audio.write(output, out, 48000)
    console.print(f"{output}: {len(out) / 48000:.1f} s, {levels(out)}")


@cli.command()
@click.option("--di", help="Your own dry guitar; otherwise a synthetic one plays.")
@click.option("--twin", "twin_name", default="standard", show_default=True)
@click.option("-o", "--output", default="demo", show_default=True, help="The folder to write.")
def demo(di: str | None, twin_name: str, output: str) -> None:
    """Hear a twin at five settings and one knob sweep, beside the amp it was made from.

    Writes WAV files and one page with players, plots and the table of numbers.
    """
    from tubetwin import demo

    with progress("Playing") as report:
        page = demo.run(Path(output), Path(di) if di else None, twin_name, progress=report)
    console.print(f"Open {page}")


@cli.command()
@click.option("--seconds", type=click.FloatRange(1, 3600), default=12.0, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=7, show_default=True)
@click.option(
    "--kind",
    type=click.Choice(["demo", "playing", "passage"]),
    default="demo",
    show_default=True,
    help="A phrase to listen to, varied playing, or playing with test signals to train on.",
)
@click.option("-o", "--output", required=True)
def di(seconds: float, seed: int, kind: str, output: str) -> None:
    """Write a synthetic DI: a dry electric guitar, straight from the pickup."""
    from tubetwin import audio, guitar

    make: Callable[..., np.ndarray] = getattr(guitar, kind)
    out = make(seconds, seed)
    audio.write(output, out, 48000)
    console.print(f"{output}: {seconds:g} s, {levels(out)}")


@cli.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8017, show_default=True, help="0: any."
)
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open the page.")
def web(port: int, browser: bool) -> None:
    """Play a twin in the browser: its knobs, your guitar, and what the tubes do to it.

    The page is served to this machine only, and nothing you play leaves it. Ctrl-C ends it.
    """
    from tubetwin import web

    with web.served(web.folder(), port) as address:
        click.echo(f"The page is at {address}; Ctrl-C ends it.")
        if browser:
            click.launch(address)
        web.wait()


# ---- Making ------------------------------------------------------------------------------------


@cli.command()
@click.option(
    "--amp", "rig", type=click.Choice(["reference"]), default="reference", show_default=True
)
@click.option(
    "--settings",
    type=click.IntRange(1, 100_000),
    default=256,
    show_default=True,
    help="Training settings; validation and test settings come on top.",
)
@click.option(
    "--seconds", type=click.FloatRange(0.5, 600), default=6.0, show_default=True, help="Per take."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--di", "di_path", help="Your own dry guitar; otherwise a synthetic one plays.")
@click.option("--processes", type=click.IntRange(1, 256), default=2, show_default=True)
@click.option("-o", "--output", required=True, help="The session folder.")
def capture(
    rig: str,
    settings: int,
    seconds: float,
    seed: int,
    di_path: str | None,
    processes: int,
    output: str,
) -> None:
    """Record a session: an amp at many settings, each with a passage of its own.

    Interrupted, the same command goes on where it stopped.
    """
    from tubetwin import amp, audio, capture, guitar

    passage = capture.apart(partial(guitar.passage, seconds), partial(guitar.playing, seconds))
    if di_path:
        passage = capture.windows(audio.read_mono(di_path, 48000), round(seconds * 48000))
    plan = capture.plan(amp.KNOBS, settings, seed, floors={"Volume": 1.0})
    with progress(f"Recording {len(plan)} takes") as report:
        capture.record(
            output,
            rig=f"tubetwin {rig} amp (simulated)",
            knobs=amp.KNOBS,
            plan=plan,
            passage=passage,
            amp=amp.render,
            sample_rate_hz=48000,
            seed=seed,
            levels={"input_full_scale_volts": 1.0, "output_full_scale_volts": amp.FULL_SCALE_VOLTS},
            processes=processes,
            progress=lambda done, takes: report(done / takes),
        )
    console.print(f"{output}: {len(plan)} takes of {seconds:g} s")


@cli.command()
@click.argument("session")
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
    session: str,
    output: str,
    licence: str,
    effort: str | None,
    minutes: float | None,
    **options: Any,
) -> None:
    """Train a twin of a session's rig.

    Ctrl-C keeps the best twin so far, and a checkpoint from which the same command goes on.
    """
    from tubetwin import training
    from tubetwin.session import Session

    recorded = Session.load(session)
    if minutes is None:
        minutes = training.EFFORTS_MINUTES[effort or "default"]
    config = training.Config(minutes=minutes, **options)
    command = " ".join(["tubetwin", *sys.argv[1:]])
    with training_progress() as report:
        path = training.train(recorded, output, config, report, command, licence)
    score(path, recorded)


def score(path: Path, recorded: Any) -> None:
    """Judge a new twin with the engine, and write the verdict into it."""
    from tubetwin import evaluation, twin

    with progress("Evaluating") as report:
        found = evaluation.evaluate(path, recorded, progress=report)
    twin.save(replace(twin.load(path), scores=evaluation.scores(found)), path)
    console.print(summary_table(found))


@cli.command()
@click.argument("twin_name", metavar="TWIN")
@click.argument("session")
@click.option("--json", "as_json", is_flag=True, help="The whole report on standard output.")
@click.option("--report", "page", help="Also write a page with plots.")
def evaluate(twin_name: str, session: str, as_json: bool, page: str | None) -> None:
    """Compare a twin with recordings, at settings it has seen and at settings it has not.

    The twin plays through the native engine: what is measured is what is heard.
    """
    from tubetwin import evaluation, twin
    from tubetwin.files import replacing
    from tubetwin.session import Session

    path = twin.bundled(twin_name)
    with progress("Evaluating") as tell:
        found = evaluation.evaluate(path, Session.load(session), progress=tell)
    if page:
        from tubetwin import report

        with replacing(page) as temporary:
            temporary.write_text(report.evaluation_page(found), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        console.print(summary_table(found))


@cli.command()
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


# ---- What the commands share -------------------------------------------------------------------


def knob_options(
    arguments: Sequence[str], knobs: Sequence[Knob], samples: int
) -> dict[str, float | np.ndarray]:
    """Options left over by click, as a setting.

    Args:
        arguments: such as ["--volume", "7", "--mid-bite=0:10"].
        knobs: the amp's panel.
        samples: over which a range sweeps.
    Returns:
        printed name -> panel value, or (samples,) panel values.
    Raises:
        BadInput: no knob of that name, no number, or a value outside the printed range.
    """
    by_option = {f"--{knob.option}": knob for knob in knobs}
    setting: dict[str, float | np.ndarray] = {}
    pending = list(arguments)
    while pending:
        option, equals, value = pending.pop(0).partition("=")
        if option not in by_option:
            raise BadInput(
                f"no option or knob {option}: this amp has {', '.join(by_option) or 'no knobs'}"
            )
        if not equals:
            if not pending:
                raise BadInput(f"{option} needs a value, such as {option} 5")
            value = pending.pop(0)
        knob = by_option[option]
        try:
            ends = [float(end) for end in value.split(":")]
        except ValueError:
            ends = []
        if len(ends) not in (1, 2):
            raise BadInput(f"{option} takes a number or a range such as 2:8, not {value!r}")
        for end in ends:
            knob.normalise(end)
        setting[knob.name] = ends[0] if len(ends) == 1 else np.linspace(ends[0], ends[1], samples)
    return setting


def impulse_response(cabinet: str | None, sample_rate_hz: int) -> np.ndarray | None:
    """What `--cabinet` names: nothing, the cabinet that ships, or a file."""
    from tubetwin import cabinet as room

    if cabinet is None:
        return None
    return room.design(sample_rate_hz) if cabinet == "1x12" else room.load(cabinet, sample_rate_hz)


def levels(samples: np.ndarray) -> str:
    """Peak and RMS in words."""
    from tubetwin import audio

    return f"peak {audio.peak_dbfs(samples):.1f} dBFS, RMS {audio.rms_dbfs(samples):.1f} dBFS"


@contextmanager
def progress(what: str) -> Iterator[Callable[[float], None]]:
    """A bar on standard error; yields what takes the finished share, 0…1."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share: bar.update(task, completed=share)


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


def summary_table(found: Mapping[str, Any]) -> Table:
    """ESR on seen and on unseen settings, apart."""
    table = Table(
        title=f"{found['name']}: ESR, engine against {found['rig']}", title_justify="left"
    )
    for heading in ("settings", "count", "median", "90 %", "worst"):
        table.add_column(heading, justify="left" if heading == "settings" else "right")
    for which in ("seen", "unseen"):
        s = found[which]
        row = [f"{s[key]:.5f}" if s[key] is not None else "-" for key in ("median", "p90", "worst")]
        table.add_row(which, str(s["count"]), *row)
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, 2 for what the user can mend, 130 for Ctrl-C."""
    try:
        cli.main(arguments, prog_name="tubetwin", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except BadInput as error:
        click.echo(f"Error: {error}", err=True)
        return 2
    except ModuleNotFoundError as error:
        extra = {"torch": "train", "numba": "amp", "scipy": "amp", "matplotlib": "report"}.get(
            error.name or ""
        )
        if not extra:
            raise
        click.echo(f"Error: this needs {error.name}: pip install 'tubetwin[{extra}]'", err=True)
        return 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
