"""Play live: guitar in, amp out, knobs under the fingers.

The sound is the keeper's; here are the panel, the recording, and what joins them.
"""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import soundfile
from rich.console import Console
from rich.live import Live as Screen

from tubetwin import keeper, panel, preset, tuner
from tubetwin.audio import peak_dbfs
from tubetwin.chain import Report
from tubetwin.desk import Desk
from tubetwin.device import Ports
from tubetwin.engine import Player
from tubetwin.files import BadInput, replacing
from tubetwin.preset import Preset

LOOK_SECONDS = 0.02  # how often keys and MIDI are read: a block or two
DRAW_SECONDS = 0.07
FULL_SCALE = 1 - 2**-15  # the highest value of a 16-bit converter, and of none that is not cut off
TUNER_SAMPLES = 4096  # at 48 kHz: seven periods of the lowest string


@dataclass(frozen=True)
class Shelf:
    """What can be chosen while playing, by name.

    Attributes:
        twins: names or paths, in the order that a key goes through them.
        cabinets: the same; None is no cabinet.
        find_twin: name -> file.
        find_cabinet: (name, sample rate in Hz) -> (taps,) response or None.
    """

    twins: Sequence[str]
    cabinets: Sequence[str | None]
    find_twin: Callable[[str], Path]
    find_cabinet: Callable[[str | None, int], np.ndarray | None]


@dataclass(frozen=True)
class Wishes:
    """Everything that a command may ask for besides the sound itself.

    Attributes:
        midi: a part of the MIDI input's name; None: no MIDI.
        controllers: MIDI controller -> knob, from an earlier evening.
        record: a WAV to write; the dry guitar goes beside it, for another amp another day.
        save_as: where a key saves the preset.
        seconds: when to stop; None: when told.
    """

    midi: str | None = None
    controllers: dict[int, str] = field(default_factory=dict)
    record: Path | None = None
    save_as: Path = Path("live.json")
    seconds: float | None = None


class Recorder:
    """Writes what is heard while it is heard: the amp, and beside it the DI as NAME-di.wav."""

    def __init__(self, path: Path, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._files = ExitStack()
        with self._files as opening:  # closes the first if the second cannot be opened
            self._di, self._amp = (
                opening.enter_context(self._file(opening.enter_context(replacing(name))))
                for name in (path.with_stem(f"{path.stem}-di"), path)
            )
            self._files = opening.pop_all()

    def _file(self, path: Path) -> soundfile.SoundFile:
        return soundfile.SoundFile(path, "w", self.sample_rate_hz, 1, "FLOAT", format="WAV")

    def write(self, heard: np.ndarray) -> None:
        """Append (samples, 2): DI and amp."""
        self._di.write(heard[:, 0])
        self._amp.write(heard[:, 1])

    def close(self) -> None:
        """Both files are whole from now on."""
        self._files.close()


class Live:
    """A guitarist at the amp: what keys and controllers do, and what there is to see.

    Args:
        ports: card and channels.
        start: the sound to begin with.
        shelf: what can be chosen.
        wishes: the rest.
        keep: as `keeper.Keeper`.
    Raises:
        BadInput: the card, a file or a name is wrong.
    """

    def __init__(
        self,
        ports: Ports,
        start: Preset,
        shelf: Shelf,
        wishes: Wishes,
        keep: Callable[[keeper.Order], Any] = keeper.Keeper,
    ) -> None:
        self._shelf, self._wishes = shelf, wishes
        self._twin, self._cabinet = start.twin, start.cabinet
        path, player_hz, knobs = self._opened(start.twin)
        self.desk = Desk(knobs, wishes.controllers)
        self.desk.call_up(start)
        ir = shelf.find_cabinet(start.cabinet, player_hz)
        setting, gains = self.desk.setting, self.desk.gains_db
        order = keeper.Order(ports, path, player_hz, ir, setting, gains, wishes.midi)
        self.keeper = keep(order)
        self.meters = panel.Meter("input"), panel.Meter("output")
        self.message = ""
        self.quit = False
        self._recent = np.zeros(0, np.float32)
        self._latest: Report | None = None
        self._totals = {"blocks": 0, "missed": 0, "worst_load": 0.0}
        self._loads: list[float] = []
        self._recorder = self._new_recorder()

    def _opened(self, name: str) -> tuple[str, int, tuple[Any, ...]]:
        """A twin's file, rate and knobs; a broken one is refused here, while the old one plays."""
        path = self._shelf.find_twin(name)
        with Player(path) as player:
            return str(path), player.sample_rate_hz, player.knobs
