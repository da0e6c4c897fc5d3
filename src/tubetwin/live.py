"""Play live: guitar in, amp out, knobs under the fingers."""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from rich.console import Console
from rich.live import Live as Screen

from tubetwin import device, loopback, midi, panel, preset
from tubetwin.desk import GAINS
from tubetwin.engine import Player
from tubetwin.files import BadInput
from tubetwin.knobs import Knob, Setting
from tubetwin.preset import Preset
from tubetwin.rig import Rig, Shelf, Wishes

LOOK_SECONDS = 0.02  # how often keys and MIDI are read: a block or two
DRAW_SECONDS = 0.07


@contextmanager
def _ended_by_signals(rig: Rig) -> Iterator[None]:
    """Ctrl-C, a closed window and `kill` end the playing in order, not in the middle of a line."""

    def end(*_: object) -> None:
        rig.quit = True

    names = [s for s in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, s)]
    before = {name: signal.signal(getattr(signal, name), end) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def run(rig: Rig, console: Console) -> dict[str, Any]:
    """Play until the player or the clock ends it; the terminal is left as it was found.

    Returns:
        `Rig.summary`.
    """
    end = monotonic() + rig.wishes.seconds if rig.wishes.seconds else inf
    drawn = 0.0
    with ExitStack() as stack:
        stack.callback(rig.close)
        stack.enter_context(_ended_by_signals(rig))
        keyboard = stack.enter_context(panel.Keyboard())
        screen = None
        if console.is_terminal:
            screen = stack.enter_context(Screen(console=console, screen=True, auto_refresh=False))
        while not rig.quit and (now := monotonic()) < end:
            rig.look(keyboard.pressed(LOOK_SECONDS))
            if screen and now > drawn + DRAW_SECONDS:
                screen.update(rig.picture(), refresh=True)
                drawn = now
    return rig.summary()


# ---- The command -------------------------------------------------------------------------------


def command(
    options: Mapping[str, Any],
    shelf: Shelf,
    read_knobs: Callable[[Sequence[Knob]], Setting],
    console: Console,
) -> dict[str, Any]:
    """What `tubetwin live` does.

    Args:
        options: as on the command line.
        shelf: the bundled twins and cabinets.
        read_knobs: a twin's knobs -> those that the command line sets.
        console: where the panel is drawn.
    Returns:
        cards and MIDI inputs, a measured latency, or what was played.
    Raises:
        BadInput: anything that the user can mend.
    """
    ports = device.ports(options["device"], options["channels"], options["block"], options["rate"])
    if options["only_list"]:
        with device.hushed():
            return {"cards": device.listing(), "midi": midi.inputs()}
    if options["measure_latency"]:
        with device.hushed():
            return loopback.measure_latency(ports, options["rate"] or 48000, sleep)
    path = options["preset_path"]
    sound = preset.load(path) if path else Preset("standard")
    twins, cabinets = options["twins"] or [sound.twin], options["cabinets"] or [sound.cabinet]
    with Player(shelf.find_twin(twins[0])) as player:
        knobs = player.knobs
    turned = read_knobs(knobs)
    sound = replace(sound, twin=twins[0], cabinet=cabinets[0], knobs={**sound.knobs, **turned})
    shelf = replace(
        shelf,
        twins=[*dict.fromkeys([*twins, *shelf.twins])],
        cabinets=[*dict.fromkeys([*cabinets, *shelf.cabinets])],
    )
    wishes = Wishes(
        midi=options["midi"],
        controllers=_controllers(options["cc"], knobs),
        record=options["record"] and Path(options["record"]),
        save_as=Path(options["save_as"] or path or "live.json"),
        seconds=options["seconds"],
    )
    return run(Rig(ports, sound, shelf, wishes), console)


def _controllers(words: Sequence[str], knobs: Sequence[Knob]) -> dict[int, str]:
    """MIDI controller -> knob, from words such as "20=volume"."""
    names = {knob.option: knob.name for knob in (*knobs, *GAINS)}
    found = {}
    for word in words:
        number, _, name = word.partition("=")
        if not number.isdecimal() or int(number) > 127 or name.lower() not in names:
            known = ", ".join(names)
            raise BadInput(f"--cc goes as in 20=volume, 0 to 127 and one of {known}, not {word!r}")
        found[int(number)] = names[name.lower()]
    return found


def words(found: Mapping[str, Any]) -> str:
    """The outcome of `command`, in words."""
    if "cards" in found:
        cards = [
            "{number}: {name} ({system}), {inputs} in, {outputs} out, {sample_rate_hz} Hz".format(
                **c
            )
            for c in found["cards"]
        ]
        ports = ", ".join(found["midi"]) or "none"
        return "\n".join(
            [*(cards or [f"No sound card: {device.NO_CARD}"]), f"MIDI inputs: {ports}"]
        )
    if "samples" in found:
        rate = found["sample_rate_hz"]
        return (
            f"Round trip: {found['samples']:g} samples, {1e3 * found['samples'] / rate:.1f} ms"
            f" ({found['least_samples']} to {found['largest_samples']} at {rate:g} Hz);"
            f" the driver says {1e3 * found['claimed_seconds']:.1f} ms."
        )
    clipped = ", ".join(f"{n} samples at the {way}" for way, n in found["clipped_samples"].items())
    learned = " ".join(f"--cc {number}={name}" for number, name in found["controllers"].items())
    return (
        f"Played {found['seconds']:.1f} s: {found['xruns']} xruns, {found['restarts']} restarts,"
        f" load {found['load']:.0%}, clipped {clipped}."
        + (f"\nMIDI, for the next time: {learned}" if learned else "")
    )
