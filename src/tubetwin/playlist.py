"""What the demo plays: music at named settings, and test signals that show what the knobs do.

Every piece is a job, one DI at one setting, so that a twin and its amp can be given the same list.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tubetwin import audio, guitar, probes
from tubetwin.files import BadInput
from tubetwin.knobs import Knob
from tubetwin.sounds import settings_for

SWEEP = "Sweep"
STAIRS = "Stairs"
STAIRS_STEPS = 11
SWEPT = (0.2, 0.9)  # of the first knob's travel, from the first to the last sample
SECONDS = 12.0  # of the synthetic guitar
SHORTEST_SECONDS, LONGEST_SECONDS = 0.5, 600.0  # of the user's own
COMPARED_SECONDS = 15.0  # the circuit takes about as long as the music lasts, for every setting

Samples = npt.NDArray[np.float32]
MovingSetting = Mapping[str, float | npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Job:
    """One DI at one setting, of which a knob may move."""

    di: Samples
    setting: MovingSetting

    @property
    def moves(self) -> bool:
        """Whether a knob turns while the DI plays."""
        return any(np.ndim(value) for value in self.setting.values())

    def part(self, where: slice) -> "Job":
        """The same on a part of the DI."""
        cut = {
            name: v[where] if isinstance(v, np.ndarray) else v for name, v in self.setting.items()
        }
        return Job(self.di[where], cut)


Jobs = dict[str, Job]


def music(knobs: Sequence[Knob], di: Samples) -> Jobs:
    """The DI at every setting, and once while the first knob turns."""
    jobs = {name: Job(di, setting) for name, setting in settings_for(knobs).items()}
    if knobs:
        start, end = (knobs[0].panel(turn) for turn in SWEPT)
        turning = np.linspace(start, end, len(di))
        jobs[SWEEP] = Job(di, {knobs[0].name: turning})
    return jobs


def signals(knobs: Sequence[Knob], sample_rate_hz: int) -> Jobs:
    """Growing tones at the settings of `shown`, and what each knob does to a soft sound."""
    tone, chirp = probes.stepped_tone(sample_rate_hz), probes.chirp(sample_rate_hz)
    settings = settings_for(knobs)
    jobs = {f"tone {name}": Job(tone, settings[name]) for name in shown(settings)}
    for knob in knobs[1:]:
        for value in travel(knob):
            setting = {knobs[0].name: knobs[0].panel(SWEPT[0]), knob.name: value}
            jobs[f"{knob.name} {value:g}"] = Job(chirp, setting)
    if knobs:
        steps = travel(knobs[0], STAIRS_STEPS)
        stairs = probes.staircase(steps, sample_rate_hz)
        jobs[STAIRS] = Job(probes.steady_tone(len(steps), sample_rate_hz), {knobs[0].name: stairs})
    return jobs


def shown(settings: Mapping[str, Any]) -> list[str]:
    """The first, the middle and the last setting: enough to see how distortion grows."""
    names = [name for name in settings if name != SWEEP]
    return names[:: max(1, len(names) // 2)]


def travel(knob: Knob, positions: int = 3) -> list[float]:
    """Panel values from one end of a knob to the other."""
    return [knob.panel(i / (positions - 1)) for i in range(positions)]


def read_di(path: Path | None, sample_rate_hz: int) -> Samples:
    """The user's guitar, or the synthetic one.

    Raises:
        BadInput: as `audio.read`, or the file is silent, too short or too long for a demo.
    """
    if path is None:
        return guitar.demo(SECONDS, sample_rate_hz=sample_rate_hz)
    di = audio.read_mono(path, sample_rate_hz)
    if not di.any():
        raise BadInput(f"{path} is silent: play something")
    if len(di) < SHORTEST_SECONDS * sample_rate_hz:
        raise BadInput(f"{path} is too short to hear anything: play {SHORTEST_SECONDS} s or more")
    if len(di) > LONGEST_SECONDS * sample_rate_hz:
        minutes = len(di) / sample_rate_hz / 60
        raise BadInput(
            f"{path} lasts {minutes:.0f} minutes, and a demo at most {LONGEST_SECONDS / 60:.0f}:"
            " cut it, or play it with `tubetwin render`"
        )
    return di


def excerpt(di: Samples, sample_rate_hz: int) -> slice:
    """The part that is compared: from shortly before the first sound, if that is late."""
    first = int(np.argmax(np.abs(di) > 0.01 * np.abs(di).max()))
    start = max(0, first - sample_rate_hz // 4)
    return slice(start, min(len(di), start + round(COMPARED_SECONDS * sample_rate_hz)))
