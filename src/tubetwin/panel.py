"""The amp's panel in a terminal: knobs that arrow keys turn, meters, tuner, the card's state."""

import os
import select
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tubetwin.desk import Desk
from tubetwin.tuner import Pitch

try:
    import termios
    import tty
except ImportError:  # Windows: knobs turn by MIDI and by presets, there are no keys
    termios = None  # type: ignore[assignment]

HELP = """\
↑↓ choose · ←→ turn · PgUp PgDn turn further · 0-9 set
t twin · c cabinet · l learn MIDI · s save preset · x clear counts · q quit"""


# ---- Keys --------------------------------------------------------------------------------------

SEQUENCES = {  # ECMA-48, and what xterm, the Linux console and rxvt send
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1b[C": "right",
    "\x1b[D": "left",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1bOC": "right",
    "\x1bOD": "left",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
}


def keys(typed: str) -> list[str]:
    """What was typed, key by key: letters as they are, "up", "page down"; unknown ones left out."""
    found = []
    while typed:
        name = next((s for s in SEQUENCES if typed.startswith(s)), "")
        if name:
            found.append(SEQUENCES[name])
        elif typed[0] == "\x1b":  # a sequence that means nothing here, up to its final letter
            name = typed[0]
            for letter in typed[1:]:
                name += letter
                if letter.isalpha() or letter == "~":
                    break
        else:
            name = typed[0]
            found.append(name)
        typed = typed[len(name) :]
    return found


class Keyboard:
    """Keys as they are pressed, unechoed, until the `with` block ends, however it ends.

    Ctrl-C stays what it is; without a terminal there are no keys.
    """

    def __init__(self) -> None:
        self._terminal: int | None = None
        self._before: Any = None

    def __enter__(self) -> Self:
        """Take the terminal."""
        if termios and sys.stdin.isatty():
            self._terminal = sys.stdin.fileno()
            self._before = termios.tcgetattr(self._terminal)
            tty.setcbreak(self._terminal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back as it was."""
        if self._terminal is not None:
            termios.tcsetattr(self._terminal, termios.TCSAFLUSH, self._before)

    def pressed(self, seconds: float) -> list[str]:
        """Keys pressed within so many seconds; returns at the first."""
        if self._terminal is None:
            time.sleep(seconds)
            return []
        ready, _, _ = select.select([self._terminal], [], [], seconds)
        return keys(os.read(self._terminal, 1024).decode(errors="ignore")) if ready else []


# ---- The picture -------------------------------------------------------------------------------

QUIETEST_DB, LOUD_DB = -60.0, -6.0
FALL_DB = 0.5  # per look: 25 dB a second
BAR = 24  # columns; the whole panel fits into 80


@dataclass
class Meter:
    """The level of one way: falls slowly, as a needle does, and counts what was cut off."""

    name: str
    peak_db: float = QUIETEST_DB
    clipped: int = 0

    def see(self, peak_db: float, clipped: int) -> None:
        """Take the peak since the last look, and the samples at or over full scale in it."""
        self.peak_db = max(peak_db, self.peak_db - FALL_DB, QUIETEST_DB)
        self.clipped += clipped

    def row(self) -> tuple[str, Text, str, Text]:
        """Its name, a bar, the level, and a lamp that stays lit after clipping."""
        full = round(BAR * min(1 - self.peak_db / QUIETEST_DB, 1))
        colour = "red" if self.peak_db >= 0 else "yellow" if self.peak_db > LOUD_DB else "green"
        bar = Text.assemble(("█" * full, colour), ("·" * (BAR - full), "dim"))
        lamp = f"CLIPPED {self.clipped}: turn {self.name} down" if self.clipped else ""
        return self.name, bar, f"{self.peak_db:6.1f} dBFS", Text(lamp, "bold red")


def tuner(pitch: Pitch | None) -> tuple[Text, str]:
    """A needle from -50 to 50 cents, and the note."""
    if pitch is None:
        return Text("·" * BAR, "dim"), ""
    at = min(max(round((pitch.cents + 50) / 100 * BAR), 0), BAR - 1)
    colour = "green" if abs(pitch.cents) < 3 else "yellow"
    needle = Text.assemble(("·" * at, "dim"), ("▲", colour), ("·" * (BAR - 1 - at), "dim"))
    return needle, f"{pitch.note} {pitch.cents:+.0f} cents"


def picture(
    title: str, desk: Desk, meters: Sequence[Meter], pitch: Pitch | None, lines: Sequence[str]
) -> RenderableType:
    """The whole panel.

    Args:
        title: twin and cabinet.
        desk: what can be turned.
        meters: what comes in, what goes out.
        pitch: what the tuner hears.
        lines: the state of the card and the last message.
    """
    table = Table.grid(padding=(0, 1))
    by_name = {name: controller for controller, name in desk.controllers.items()}
    for number, knob in enumerate(desk.controls):
        chosen = number == desk.selected
        value = desk.values[knob.name]
        left = round((BAR - 1) * knob.normalise(value))
        note = f"MIDI {by_name[knob.name]}" if knob.name in by_name else ""
        if chosen and desk.learning:
            note = "move a MIDI controller…"
        travel = Text.assemble("━" * left, ("●", "bold yellow"), ("─" * (BAR - 1 - left), "dim"))
        style = "reverse" if chosen else ""
        table.add_row("▸" if chosen else " ", Text(knob.name, style), travel, f"{value:6.2f}", note)
    for meter in meters:
        table.add_row("", *meter.row())
    table.add_row("", "tuner", *tuner(pitch))
    return Group(Text(title, "bold"), "", table, "", *map(Text, lines), Text(HELP, "dim"))
