"""Commands that end in a session: plan it, capture it, import it, check it."""

import json
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from tubetwin.files import BadInput
from tubetwin.terminal import console, progress

QUIETEST = {"Volume": 1.0}  # below it the reference amp is all but mute

# Rooms that need numba, torch or matplotlib are imported where they are used: playing starts at
# once, and does without the extras.


@click.command()
@click.argument("session", required=False)
@click.option("--amp", "rig", type=click.Choice(["reference"]), help="Record a simulated amp.")
@click.option(
    "--settings",
    type=click.IntRange(1, 100_000),
    help="[default: 256] Training settings; validation and test settings come on top.",
)
@click.option("--seconds", type=click.FloatRange(0.5, 600), help="[default: 6] Per take.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--di", "di_path", help="Your own dry guitar; otherwise a synthetic one plays.")
@click.option("--processes", type=click.IntRange(1, 256), default=2, show_default=True)
@click.option(
    "--judge",
    help="Record what twins of this session are judged by: new settings (48), corners and sweeps, "
    "in takes of 3 seconds.",
)
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
    settings: int | None,
    seconds: float | None,
    seed: int,
    di_path: str | None,
    processes: int,
    judge: str | None,
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
    from tubetwin import amp, audio, capture, guitar, passages

    if session:
        guided_capture(Path(session), card)
        return
    rig = rig or "reference"
    if not output:
        raise BadInput("give the folder of a planned session, or -o for a simulated amp's")
    if judge:
        if di_path:
            raise BadInput("--judge plays a synthetic guitar of its own: leave --di out")
        capture_to_judge(Path(judge), output, settings or 48, seconds or 3.0, seed, processes)
        return
    settings, seconds = settings or 256, seconds or 6.0
    passage = capture.apart(partial(passages.passage, seconds), partial(guitar.playing, seconds))
    if di_path:
        passage = capture.windows(audio.read_mono(di_path, 48000), round(seconds * 48000))
    plan = capture.plan(amp.KNOBS, settings, seed, floors=QUIETEST)
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


def capture_to_judge(
    trained_on: Path, output: str, settings: int, seconds: float, seed: int, processes: int
) -> None:
    """The reference amp again, at settings and with audio that its training session lacks."""
    from tubetwin import amp, judging
    from tubetwin.session import Session

    with progress("Recording what twins are judged by") as report:
        takes = judging.record(
            output,
            Session.load(trained_on),
            settings,
            seconds,
            seed,
            amp.render,
            QUIETEST,
            processes,
            lambda done, takes: report(done / takes),
        )
    console.print(f"{output}: {takes} takes of at most {seconds:g} s, all to judge by")


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


@click.command()
@click.option("--rig", default="my amp", show_default=True, help="What is recorded, in words.")
@click.option("--knob", "knobs", multiple=True, help="Volume, Drive=1:12, or Bright=off,on.")
@click.option("--floor", "floors", multiple=True, help="Where a knob mutes the amp: Volume=1.")
@click.option("--settings", type=click.IntRange(1, 10_000), help="[default: 15 a knob] To train.")
@click.option("--seconds", type=click.FloatRange(1, 600), default=20.0, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--rate", type=click.IntRange(8000, 384000), default=48000, show_default=True)
@click.option("--di", "di_path", help="Your own dry guitar, 8 times as long as a take or longer.")
@click.option("--sheet", "page", help="Also write a page to print.")
@click.option("-o", "--output", help="The session folder.")
@click.option("--next", "session", help="A recorded session: what to record besides?")
@click.option("--again", "doubted", help="A recorded session: which knobs to set a second time?")
@click.option("-k", "--count", type=click.IntRange(1, 100), default=8, show_default=True)
@click.option(
    "--minutes", type=click.FloatRange(0), default=0.0, help="--next: to train each of three twins."
)
@click.option("--json", "as_json", is_flag=True, help="--next, --again: what was chosen, as JSON.")
def plan(
    knobs: Sequence[str], floors: Sequence[str], di_path: str | None, page: str | None, **rest: Any
) -> None:
    """Plan an evening with a real amp: which knobs stand where in each take, and how long it takes.

    Knobs turn from 0 to 10 unless you give their printed range; switches list their positions.

    With --next, settings are added to the plan of a session that is recorded, evenly spread as
    those before: tubetwin capture SESSION then asks for those. With --minutes 2 three quick twins
    are trained, and the settings come where they disagree most; docs/capture.md compares both.

    With --again, the takes that fit their knobs least are asked for once more: where a knob stood
    elsewhere than its label says, tubetwin check then finds that the two differ. With -k 100 all
    are asked for a second time: then it names every wrong label that changes the
    sound by an ESR of 0.01.
    """
    from tubetwin import checklist, schedule
    from tubetwin.files import replacing

    if rest["session"] and rest["doubted"]:
        raise BadInput("--next or --again, one at a time: each adds its takes to the plan")
    if rest["session"]:
        plan_next(Path(rest["session"]), rest["count"], rest["minutes"], rest["as_json"])
        return
    if rest["doubted"]:
        plan_again(Path(rest["doubted"]), rest["count"], rest["as_json"])
        return
    if not rest["output"]:
        raise BadInput("-o is needed: the session folder; or --next SESSION for one that is there")
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
            temporary.write_text(checklist.page(made), "utf-8")
    click.echo("\n".join(checklist.lines(made)))
    click.echo(
        f"{len(made.takes)} takes, about {made.minutes:.0f} minutes. tubetwin capture {folder}"
    )


def plan_next(folder: Path, count: int, minutes: float, as_json: bool) -> None:
    """More settings for a session; into its plan, if it was recorded by one."""
    from tempfile import TemporaryDirectory

    from tubetwin import schedule, scout
    from tubetwin.session import Session

    session = Session.load(folder)
    if not session.knobs:
        raise BadInput(f"{folder} is of an amp without knobs: there is no other setting to record")
    planned = (folder / schedule.FILE).exists()
    asked = schedule.load(folder).added if planned else ()
    with TemporaryDirectory() as place:
        twins: list[Path] = []
        if minutes:
            with progress("Asking three twins") as tell:
                twins = scout.committee(session, Path(place), minutes, report=tell)
        proposals = scout.propose(session, twins, count, asked=asked)
    if as_json:
        rows = [{"setting": dict(p.setting), "disagreement": p.disagreement} for p in proposals]
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        for p in proposals:
            panel = ", ".join(f"{name} {value:g}" for name, value in p.setting.items())
            why = f"   (the twins differ by an ESR of {p.disagreement:.3f})" if minutes else ""
            click.echo(panel + why)
    if planned:
        schedule.extend(folder, [p.setting for p in proposals])
        console.print(f"Added to the plan: tubetwin capture {folder} records them")


def plan_again(folder: Path, count: int, as_json: bool) -> None:
    """The takes whose knobs are least sure, once more into the plan of a session that has one."""
    from tubetwin import inspection, schedule

    with progress("Listening") as tell:
        unsure = inspection.inspect(folder, tell).unsure[:count]
    if not unsure:
        raise BadInput(
            f"{folder} has too few takes to doubt any, or no knobs: ten, and three for each knob"
        )
    if as_json:
        rows = [{"file": take.file, "setting": dict(take.setting)} for take in unsure]
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        for take in unsure:
            panel = ", ".join(f"{name} {value:g}" for name, value in take.setting.items())
            click.echo(f"{take.file}: {panel}")
    if (folder / schedule.FILE).exists():
        schedule.extend(folder, [take.setting for take in unsure])
        console.print(f"Once more in the plan: tubetwin capture {folder}, then check it again")
    else:
        console.print("Record those once more over the same DI, and import them with the others")


@click.command()
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


@click.command("import")
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
