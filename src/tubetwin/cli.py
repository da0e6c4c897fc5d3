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
    In a DAW:        tubetwin export-plugin my.twin --format vst3 -o ~/.vst3
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


@cli.command("export-plugin")
@click.argument("twin_name", metavar="TWIN")
@click.option("--cabinet", "--ir", help="As in render; hosts can switch it off.")
@click.option("--name", help="[default: the twin's] What hosts call the plugin.")
@click.option("--format", "formats", default="vst3,clap,lv2", show_default=True)
@click.option(
    "-o", "--output", required=True, help="Where the plugins go, a folder for each format."
)
def export_plugin(
    twin_name: str, cabinet: str | None, name: str | None, formats: str, output: str
) -> None:
    """Make a plugin of a twin, with the amp's own knobs, for a host on this kind of machine.

    Each comes for one channel, and as "stereo" with an amp for each of two. docs/plugin.md tells
    where hosts look for them.
    """
    from tubetwin import bundle, twin

    path = twin.bundled(twin_name)
    ir = impulse_response(cabinet, twin.load(path).sample_rate_hz)
    for place in bundle.export(path, output, name=name, cabinet=ir, formats=formats.split(",")):
        console.print(place, soft_wrap=True, markup=False, highlight=False)


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
@click.argument("session", required=False)
@click.option("--amp", "rig", type=click.Choice(["reference"]), help="Record a simulated amp.")
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
@click.option("-o", "--output", help="The session folder of a simulated amp.")
@click.option("--device", multiple=True, help="Card, by name or number; twice: input, then output.")
@click.option("--channels", help="[default: 1] Input:outputs, counted from 1, such as 2:1,2.")
@click.option("--block", type=click.IntRange(16, 8192), default=1024, show_default=True)
@click.option("--loopback/--no-loopback", default=True, help="First measure the card by a cable.")
@click.option("--output-dbu", type=float, help="A full-scale sine at the amp's jack, measured.")
@click.option("--input-dbu", type=float, help="A sine that just fills the recording, measured.")
@click.option("--finish", is_flag=True, help="Make a session of what is recorded so far.")
def capture(
    session: str | None,
    rig: str | None,
    settings: int,
    seconds: float,
    seed: int,
    di_path: str | None,
    processes: int,
    output: str | None,
    **card: Any,
) -> None:
    """Record a session: a real amp as planned, or a simulated one at many settings.

    \b
    tubetwin plan --knob Volume=1:10 --knob Treble -o SESSION, then
    tubetwin capture SESSION                                   through a sound card, take by take
    tubetwin capture --amp reference -o SESSION                a simulated amp, by itself

    Interrupted, the same command goes on where it stopped.
    """
    from tubetwin import amp, audio, capture, guitar

    if session:
        guided_capture(Path(session), card)
        return
    rig = rig or "reference"
    if not output:
        raise BadInput("give the folder of a planned session, or -o for a simulated amp's")
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


def guided_capture(folder: Path, card: Mapping[str, Any]) -> None:
    """Through a sound card, with the player's keys on standard input."""
    from rich.live import Live

    from tubetwin import audio, device, studio

    ports = device.ports(card["device"], card["channels"], card["block"], None)
    wishes = studio.Wishes(card["loopback"], card["output_dbu"], card["input_dbu"])

    def ask(prompt: str) -> str:
        console.print(prompt, markup=False, highlight=False, soft_wrap=True)
        if not (line := sys.stdin.readline()):
            raise EOFError
        return line.strip()

    with Live(console=console, transient=True, auto_refresh=False) as screen:

        def look(share: float, peak: float) -> None:
            bar = "▮" * round(30 * max(0.0, 1 + audio.db(peak) / 60)) if peak else ""
            screen.update(f"{share:4.0%} {bar:30} {audio.db(peak):6.1f} dBFS", refresh=True)

        def say(line: str) -> None:
            console.print(line, markup=False, highlight=False, soft_wrap=True)

        studio.evening(folder, ports, wishes, card["finish"], ask, say, look)


@cli.command()
@click.option("--rig", default="my amp", show_default=True, help="What is recorded, in words.")
@click.option("--knob", "knobs", multiple=True, help="Volume, Drive=1:12, or Bright=off,on.")
@click.option("--floor", "floors", multiple=True, help="Where a knob mutes the amp: Volume=1.")
@click.option("--settings", type=click.IntRange(1, 10_000), help="[default: 15 a knob] To train.")
@click.option("--seconds", type=click.FloatRange(1, 600), default=20.0, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--rate", type=click.IntRange(8000, 384000), default=48000, show_default=True)
@click.option("--di", "di_path", help="Your own dry guitar, 8 times as long as a take or longer.")
@click.option("--sheet", "page", help="Also write a page to print.")
@click.option("-o", "--output", required=True, help="The session folder.")
def plan(
    knobs: Sequence[str], floors: Sequence[str], di_path: str | None, page: str | None, **rest: Any
) -> None:
    """Plan an evening with a real amp: which knobs stand where in each take, and how long it takes.

    Knobs turn from 0 to 10 unless you give their printed range; switches list their positions.
    """
    from tubetwin import schedule
    from tubetwin.files import replacing

    controls = [schedule.control(word) for word in knobs]
    try:
        lows = {name: float(low) for name, low in (word.split("=") for word in floors)}
    except ValueError as error:
        raise BadInput("--floor goes as in Volume=1") from error
    folder = Path(rest["output"])
    made = schedule.schedule(
        rest["rig"],
        controls,
        rest["settings"] or max(15 * len(controls), 1),
        seconds=rest["seconds"],
        seed=rest["seed"],
        sample_rate_hz=rest["rate"],
        floors=lows,
        di=schedule.copied_name(di_path),
    )
    schedule.save(made, folder, di_path)
    if page:
        with replacing(page) as temporary:
            temporary.write_text(schedule.sheet(made), "utf-8")
    click.echo("\n".join(schedule.checklist(made)))
    click.echo(
        f"{len(made.takes)} takes, about {made.minutes:.0f} minutes. tubetwin capture {folder}"
    )


@cli.command()
@click.argument("session")
@click.option("--set-aside", is_flag=True, help="Take refused takes out; they are kept beside.")
@click.option("--json", "as_json", is_flag=True, help="The whole report on standard output.")
def check(session: str, set_aside: bool, as_json: bool) -> None:
    """Check every take of a session, and say what to do about those that cannot be trusted.

    Ends with exit code 1 if a take must not be trained on and was not set aside.
    """
    from tubetwin import inspection

    with progress("Listening") as tell:
        report = inspection.inspect(session, tell)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=1, ensure_ascii=False))
    for finding in report.findings:
        console.print(f"{finding.verdict}: {finding.words}", markup=False)
    console.print(inspection.words(report), markup=False)
    if report.refused and set_aside:
        console.print(f"Kept aside in {inspection.set_aside(report)}", markup=False)
    elif report.refused:
        raise click.exceptions.Exit(1)


@cli.command("import")
@click.argument("folder")
@click.option("--di", help="What was played: a file, or a folder of files named as the takes.")
@click.option("--pattern", help="Where knobs stand in names: 'Drive {Drive} Master {Master}.wav'.")
@click.option("--csv", "table", help="A table instead: file, a column per knob, perhaps di, split.")
@click.option("--knob", "knobs", multiple=True, help="A printed range, such as Drive=1:12.")
@click.option("--rate", type=click.IntRange(8000, 384000), default=48000, show_default=True)
@click.option("--keep-polarity", is_flag=True, help="Else every take is turned as its DI.")
@click.option("--rig", help="[default: the folder's name] What was recorded, in words.")
@click.option(
    "--json", "as_json", is_flag=True, help="What became of each file, on standard output."
)
@click.option("-o", "--output", required=True, help="The session folder.")
def import_(
    folder: str, di: str | None, pattern: str | None, table: str | None, output: str, **rest: Any
) -> None:
    """Make a session of recordings: a folder of sound files, or one, and the DI they answer.

    Files are checked, aligned to a fraction of a sample and turned upright. The knobs are read from
    a table, a pattern, or names such as 'Drive 7 Master 2.wav'; one file alone needs no knobs.
    """
    from tubetwin import intake

    place = Path(folder)
    if table:
        sources = intake.from_csv(place, Path(di) if di else None, Path(table))
    elif di:
        sources = intake.from_names(place, Path(di), pattern)
    else:
        raise BadInput("--di is needed: the dry guitar that was played into the amp")
    with progress(f"Listening to {len(sources)} recordings") as tell:
        taken = intake.take_in(
            sources,
            Path(output),
            rig=rest["rig"] or place.resolve().stem,
            ranges=dict(knob_range(word) for word in rest["knobs"]),
            sample_rate_hz=rest["rate"],
            turn=not rest["keep_polarity"],
            progress=tell,
        )
    if rest["as_json"]:
        click.echo(json.dumps(intake.as_json(taken), indent=1, ensure_ascii=False))
    for finding in (finding for one in taken for finding in one.findings):
        console.print(f"{finding.verdict}: {finding.words}", markup=False)
    console.print(intake.words(taken, output), markup=False)


def knob_range(word: str) -> tuple[str, tuple[float, float]]:
    """ "Drive=1:12" -> its name and range."""
    name, _, ends = word.partition("=")
    try:
        low, high = (float(end) for end in ends.split(":"))
    except ValueError as error:
        raise BadInput(f"--knob goes as in Drive=1:12, not {word!r}") from error
    return name, (low, high)


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
    """Run one command.

    Returns the exit code: 0, 1 for a check that refuses, 2 for what the user can mend, 130 for
    Ctrl-C.
    """
    try:
        code = cli.main(arguments, prog_name="tubetwin", standalone_mode=False)
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
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
