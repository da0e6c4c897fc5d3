"""Commands that sound: through a twin, live or from a file, in the browser, or the amp itself."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np

from tubetwin.terminal import (
    KNOB_HELP,
    WITH_KNOBS,
    console,
    impulse_response,
    knob_options,
    levels,
    one_setting,
    progress,
)

# Rooms that need numba, torch or matplotlib are imported where they are used: playing starts at
# once, and does without the extras.


@click.command(context_settings=WITH_KNOBS, epilog=KNOB_HELP)
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


@click.command(context_settings=WITH_KNOBS, epilog=KNOB_HELP)
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
    read_knobs = partial(one_setting, context.args)
    found = live.command(options, shelf, read_knobs, console)
    click.echo(json.dumps(found, indent=1)) if as_json else console.print(live.words(found))


@click.command("export-plugin")
@click.argument("twin_name", metavar="TWIN")
@click.option("--cabinet", "--ir", help="As in render; hosts can switch it off.")
@click.option("--name", help="[default: the twin's] What hosts call the plugin.")
@click.option(
    "--format", "formats", default="vst3,clap,lv2", show_default=True, help="Also jack: a program."
)
@click.option("--system", help="[default: this one] windows or macos, where their programs are.")
@click.option(
    "--panel/--no-panel", default=None, help="[default: if it was built] With a window of its own."
)
@click.option(
    "-o", "--output", required=True, help="Where the plugins go, a folder for each format."
)
def export_plugin(
    twin_name: str,
    cabinet: str | None,
    name: str | None,
    formats: str,
    system: str | None,
    panel: bool | None,
    output: str,
) -> None:
    """Make a plugin of a twin, with the amp's own knobs.

    Each comes for one channel, and as "stereo" with an amp for each of two. docs/plugin.md tells
    where hosts look for them.
    """
    from tubetwin import bundle, elsewhere, twin

    path = twin.bundled(twin_name)
    ir = impulse_response(cabinet, twin.load(path).sample_rate_hz)
    options: dict[str, Any] = {
        "name": name,
        "cabinet": ir,
        "cabinet_name": Path(cabinet or "").stem,
        "formats": formats.split(","),
    }
    if system:
        made = elsewhere.export(path, output, system, **options)
    else:
        made = bundle.export(path, output, panel=panel, **options)
    for place in made:
        console.print(place, soft_wrap=True, markup=False, highlight=False)


@click.command(context_settings=WITH_KNOBS, epilog=KNOB_HELP)
@click.argument("source", metavar="TWIN|SOUND.json")
@click.option("--cabinet", "--ir", help="As in render. [default: the sound's, or none]")
@click.option("--program", help="Start from one of the plugin's own programs, such as Crunch.")
@click.option("--plugin", help="[default: the twin's] The plugin's name, as in export-plugin.")
@click.option("--title", help="[default: the program's, file's or twin's name] Of the preset.")
@click.option("--format", "formats", default="vst3,lv2,clap", show_default=True)
@click.option("-o", "--output", required=True, help="Where presets go, a folder for each format.")
@click.pass_context
def preset(
    context: click.Context,
    source: str,
    cabinet: str | None,
    program: str | None,
    plugin: str | None,
    title: str | None,
    formats: str,
    output: str,
) -> None:
    """Write a sound as a preset for hosts that have the amp's plugin.

    The sound is a twin with its knobs as below, or one that live or the page saved. The files carry
    the twin and the cabinet. docs/plugin.md tells where hosts look for them.
    """
    from tubetwin import snapshot, twin

    named, sound = snapshot.sound_of(source, program)
    loaded = twin.load(twin.bundled(sound.twin))
    turned = one_setting(context.args, loaded.knobs)
    ir = impulse_response(cabinet or sound.cabinet, loaded.sample_rate_hz)
    made = snapshot.export(
        twin.bundled(sound.twin),
        output,
        replace(sound, knobs={**sound.knobs, **turned}),
        title=title or named,
        plugin=plugin,
        cabinet=ir,
        cabinet_name=Path(cabinet or sound.cabinet or "").stem,
        formats=formats.split(","),
    )
    for place in made:
        console.print(place, soft_wrap=True, markup=False, highlight=False)


@click.command(context_settings=WITH_KNOBS, epilog=KNOB_HELP)
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


@click.command()
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


@click.command()
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


@click.command()
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
