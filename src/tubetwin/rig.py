"""A guitarist at the amp: what keys and controllers do, and what there is to see.

The sound itself is the keeper's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from rich.console import RenderableType

from tubetwin import panel, preset, tuner
from tubetwin.audio import peak_dbfs
from tubetwin.booth import Order, Started
from tubetwin.chain import Report
from tubetwin.desk import Desk
from tubetwin.device import Ports
from tubetwin.engine import Player
from tubetwin.files import BadInput
from tubetwin.keeper import Keeper
from tubetwin.knobs import Knob
from tubetwin.panel import Meter
from tubetwin.preset import Preset
from tubetwin.recorder import Recorder

FULL_SCALE = 1 - 2**-15  # the highest value of a 16-bit converter, and of none that is not cut off
TUNER_SECONDS = 4096 / 48000  # seven periods of the lowest string
LOAD_SMOOTHING = 0.05  # per report: half a second

Name = TypeVar("Name")


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


class Rig:
    """A guitarist at the amp: what keys and controllers do, and what there is to see.

    Args:
        ports: card and channels.
        sound: the sound to begin with.
        shelf: what can be chosen.
        wishes: the rest.
        keep: as `keeper.Keeper`.
    Attributes:
        quit: set it to end `run`.
    Raises:
        BadInput: the card, a file or a name is wrong.
    """

    def __init__(
        self,
        ports: Ports,
        sound: Preset,
        shelf: Shelf,
        wishes: Wishes,
        keep: Callable[[Order], Keeper] = Keeper,
    ) -> None:
        self._shelf, self.wishes = shelf, wishes
        self._twin, self._cabinet = sound.twin, sound.cabinet
        path, twin_hz, knobs = self._opened(sound.twin)
        response = shelf.find_cabinet(sound.cabinet, twin_hz)
        self.desk = Desk(knobs, wishes.controllers)
        self.desk.call_up(sound)
        where = self.desk.setting, self.desk.gains_db
        self.keeper = keep(Order(ports, path, twin_hz, response, *where, wishes.midi))
        try:
            self.recorder = wishes.record and Recorder(wishes.record, self.started.sample_rate_hz)
        except BadInput:
            self.keeper.close()
            raise
        self.meters = Meter("input"), Meter("output")
        self.message = ""
        self.quit = False
        self._recent = np.zeros(0, np.float32)
        self._played_samples = 0
        self._missed = 0  # by this sound process, and by those before it
        self._missed_before = 0
        self._load = self._worst_load = 0.0

    @property
    def started(self) -> Started:
        """The card's rate and latency."""
        assert self.keeper.started
        return self.keeper.started

    # ---- What the player does ----

    def look(self, keys: Sequence[str]) -> None:
        """Do what keys and controllers say, and take in what was played since."""
        before = self.desk.setting, self.desk.gains_db
        for key in keys:
            if not self.desk.press(key) and key in (actions := self._actions()):
                actions[key]()
        for report in self.keeper.collect():
            for controller, value in report.moved:
                self.desk.move(controller, value)
            self._hear(report)
        if (self.desk.setting, self.desk.gains_db) != before:
            self._tell()

    def _actions(self) -> dict[str, Callable[[], None]]:
        shelf = self._shelf
        return {
            "t": lambda: self.choose(_after(self._twin, shelf.twins), self._cabinet),
            "c": lambda: self.choose(self._twin, _after(self._cabinet, shelf.cabinets)),
            "s": self.save,
            "x": self.clear,
            "q": lambda: setattr(self, "quit", True),
        }

    def _opened(self, name: str) -> tuple[str, int, Sequence[Knob]]:
        """A twin's file, rate and knobs; a broken one is refused here, before anybody hears it."""
        path = str(self._shelf.find_twin(name))
        with Player(path) as player:
            return path, player.sample_rate_hz, player.knobs

    def choose(self, twin: str, cabinet: str | None) -> None:
        """Play through others; if they are broken, say so and go on with the old ones."""
        try:
            path, twin_hz, knobs = self._opened(twin)
            response = self._shelf.find_cabinet(cabinet, twin_hz)
        except BadInput as error:
            self.message = str(error)
            return
        self._twin, self._cabinet = twin, cabinet
        self.desk.fit(knobs)
        self._tell(twin=path, twin_hz=twin_hz, cabinet=response)
        self.message = f"now: {self.title}"

    def _tell(self, **changes: Any) -> None:
        setting, gains_db = self.desk.setting, self.desk.gains_db
        self.keeper.tell(replace(self.keeper.order, setting=setting, gains_db=gains_db, **changes))

    def save(self) -> None:
        """Keep the sound as a preset."""
        gains = self.desk.gains_db
        sound = Preset(self._twin, self._cabinet, self.desk.setting, *gains)
        try:
            preset.save(sound, self.wishes.save_as)
            self.message = f"saved as {self.wishes.save_as}"
        except BadInput as error:
            self.message = str(error)

    def clear(self) -> None:
        """Forget what was counted."""
        self.meters = Meter("input"), Meter("output")
        self._missed_before -= self.missed
        self._worst_load = 0.0

    # ---- What the player sees and hears ----

    def _hear(self, report: Report) -> None:
        di, amp = report.heard.T
        self.meters[0].see(peak_dbfs(di), int((np.abs(di) >= FULL_SCALE).sum()))
        self.meters[1].see(peak_dbfs(amp), int((np.abs(amp) > 1).sum()))
        self._recent = np.concatenate([self._recent, di])[-self._tuner_samples :]
        self._played_samples += len(di)
        if report.missed < self._missed:  # another process counts from nothing
            self._missed_before += self._missed
        self._missed = report.missed
        self._load += LOAD_SMOOTHING * (report.load[0] - self._load)
        self._worst_load = max(self._worst_load, report.load[1])
        if self.recorder and self.recorder.sample_rate_hz != self.started.sample_rate_hz:
            self.message = "the card came back at another sample rate: the recording has ended"
            self.recorder.close()
            self.recorder = None
        if self.recorder:
            self.recorder.write(report.heard)

    @property
    def missed(self) -> int:
        """How often the card lost samples: xruns."""
        return self._missed_before + self._missed

    @property
    def _tuner_samples(self) -> int:
        return round(TUNER_SECONDS * self.started.sample_rate_hz)

    @property
    def title(self) -> str:
        """Twin and cabinet."""
        return f"{self._twin}, {self._cabinet or 'no cabinet'}"

    def lines(self) -> list[str]:
        """The state of the card, and the last message."""
        card = self.started
        ways = [1e3 * s for s in (*card.latency_seconds, card.resampling_seconds)]
        state = [
            f"{card.sample_rate_hz} Hz, latency {sum(ways):.1f} ms says the driver"
            " (in {:.1f}, out {:.1f}, resampling {:.1f})".format(*ways),
            f"played {self._played_samples // card.sample_rate_hz} s,"
            f" load {self._load:.0%}, worst block {self._worst_load:.0%},"
            f" {self.missed} xruns, {self.keeper.restarts} restarts",
            self.message,
        ]
        if self.keeper.trouble:
            state[2] = f"NO SOUND: {self.keeper.trouble}; trying again every second"
        return state

    def picture(self) -> RenderableType:
        """The panel."""
        pitch = tuner.pitch(self._recent, self.started.sample_rate_hz)
        return panel.picture(self.title, self.desk, self.meters, pitch, self.lines())

    def summary(self) -> dict[str, Any]:
        """What was played, for scripts."""
        card = self.started
        return {
            "twin": self._twin,
            "cabinet": self._cabinet,
            "setting": self.desk.setting,
            "controllers": self.desk.controllers,
            "sample_rate_hz": card.sample_rate_hz,
            "seconds": self._played_samples / card.sample_rate_hz,
            "xruns": self.missed,
            "restarts": self.keeper.restarts,
            "load": self._load,
            "worst_load": self._worst_load,
            "clipped_samples": {meter.name: meter.clipped for meter in self.meters},
            "driver_latency_seconds": card.latency_seconds,
            "resampling_seconds": card.resampling_seconds,
        }

    def close(self) -> None:
        """End the sound and the recording."""
        self.keeper.close()
        if self.recorder:
            self.recorder.close()


def _after(now: Name, choices: Sequence[Name]) -> Name:
    """The one that follows in a list, round and round."""
    return choices[(list(choices).index(now) + 1) % len(choices)] if now in choices else now
