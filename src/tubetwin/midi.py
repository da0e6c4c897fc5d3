"""Foot controllers and knob boxes: MIDI control changes, by way of the optional python-rtmidi."""

import importlib
from collections.abc import Iterator
from time import monotonic
from types import ModuleType
from typing import Any

from tubetwin.files import BadInput

CONTROL_CHANGE = 0xB0  # the status byte, its lower half is the channel: MIDI 1.0, table 1
CLIENT = "tubetwin"
LOOK_SECONDS = 2.0  # how often an unplugged one is looked for


def _rtmidi() -> ModuleType:
    try:
        return importlib.import_module("rtmidi")
    except ImportError as error:
        raise BadInput("MIDI needs python-rtmidi: pip install 'tubetwin[live]'") from error


def _systems() -> Iterator[Any]:
    """An input of each MIDI system that runs here: ALSA and JACK on Linux, one elsewhere."""
    rtmidi = _rtmidi()
    for system in rtmidi.get_compiled_api():
        try:
            yield rtmidi.MidiIn(system, name=CLIENT)
        except Exception:  # rtmidi's own errors differ by version; a system that is not there
            continue


def inputs() -> list[str]:
    """The names of all MIDI inputs."""
    return [name for system in _systems() for name in system.get_ports() if CLIENT not in name]


class Controller:
    """A MIDI input that is being listened to, on all channels; unplugged, it is waited for.

    Args:
        name: a part of its name, whatever the case; "" takes the first there is.
        wait: do not mind if it is not there yet.
    Raises:
        BadInput: there is none of that name; the message lists those there are.
    """

    def __init__(self, name: str, wait: bool = False) -> None:
        self._wanted = name
        self._input: Any = None
        self._port = ""
        self._look_at = monotonic() + LOOK_SECONDS
        if not self._found() and not wait:
            known = ", ".join(inputs()) or "none is plugged in"
            raise BadInput(
                f"no MIDI input is called {name!r}: choose from those there are ({known})"
            )

    def _found(self) -> bool:
        """Whether it is open now; opens it if it has come back."""
        if self._input and self._port in self._input.get_ports():
            return True
        self._input = None
        for system in _systems():
            for number, port in enumerate(system.get_ports()):
                if self._wanted.lower() in port.lower() and CLIENT not in port:
                    system.open_port(number)
                    self._input, self._port = system, port
                    return True
        return False

    def changes(self) -> list[tuple[int, int]]:
        """What was moved since the last call: (controller 0…127, value 0…127), oldest first."""
        if monotonic() > self._look_at:
            self._look_at = monotonic() + LOOK_SECONDS
            self._found()
        moved = []
        while self._input and (event := self._input.get_message()) is not None:
            message, _ = event
            if len(message) == 3 and message[0] & 0xF0 == CONTROL_CHANGE:
                moved.append((message[1], message[2]))
        return moved
