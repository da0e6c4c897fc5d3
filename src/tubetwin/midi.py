"""Foot controllers and knob boxes: MIDI control changes, by way of the optional python-rtmidi."""

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from tubetwin.files import BadInput

CONTROL_CHANGE = 0xB0  # the status byte, its lower half is the channel: MIDI 1.0, table 1
CLIENT = "tubetwin"


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
    """A MIDI input that is being listened to, on all channels.

    Args:
        name: a part of its name, whatever the case; "" takes the first there is.
    Raises:
        BadInput: there is none of that name; the message lists those there are.
    """

    def __init__(self, name: str) -> None:
        self._input: Any = None
        for system in _systems():
            for number, port in enumerate(system.get_ports()):
                if self._input is None and name.lower() in port.lower() and CLIENT not in port:
                    system.open_port(number)
                    self._input, self.name = system, port
        if self._input is None:
            known = ", ".join(inputs()) or "none is plugged in"
            raise BadInput(
                f"no MIDI input is called {name!r}: choose from those there are ({known})"
            )

    def changes(self) -> list[tuple[int, int]]:
        """What was moved since the last call: (controller 0…127, value 0…127), oldest first."""
        moved = []
        while (event := self._input.get_message()) is not None:
            message, _ = event
            if len(message) == 3 and message[0] & 0xF0 == CONTROL_CHANGE:
                moved.append((message[1], message[2]))
        return moved

    def close(self) -> None:
        """Stop listening."""
        self._input.close_port()
        self._input.delete()
