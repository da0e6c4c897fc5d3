"""Sounds for a web page: one gain for all that are compared, in a format that browsers play."""

import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import soundfile

from tubetwin import audio
from tubetwin.knobs import Knob
from tubetwin.report import Dial

PEAK = 0.9  # of what is written: just below full scale
FADE_SECONDS = 0.02
WEB_RATE_HZ = 48000  # the highest that MP3 has

Samples = npt.NDArray[np.float32]


def dials(
    knobs: Sequence[Knob], setting: Mapping[str, float | npt.NDArray[np.float64]]
) -> list[Dial]:
    """Where the knobs stand, or between which ends they turn."""
    found = []
    for knob in knobs:
        value = np.atleast_1d(setting.get(knob.name, knob.default))
        ends = [float(value[0])] if len(value) == 1 else [float(value[0]), float(value[-1])]
        printed = " to ".join(f"{end:.3g}" for end in ends)
        found.append(Dial(knob.name, printed, [knob.normalise(end) for end in ends]))
    return found


def through(ir: Samples, samples: Samples) -> Samples:
    """The same sound from a cabinet, as long as before."""
    from scipy.signal import oaconvolve  # a second to import

    return np.asarray(oaconvolve(samples, ir)[: len(samples)], np.float32)


def gain_for(sounds: Iterable[Samples]) -> float:
    """One gain for all: the loudest peaks at `PEAK`, the others stay as loud beside it."""
    return PEAK / max(1e-9, *(float(np.abs(sound).max()) for sound in sounds))


def encoded(samples: Samples, sample_rate_hz: int) -> bytes:
    """A sound for a web page: MP3, or Ogg Vorbis where libsndfile lacks it; faded at both ends."""
    samples = audio.resample(samples, sample_rate_hz, WEB_RATE_HZ)
    fade = min(round(FADE_SECONDS * WEB_RATE_HZ), len(samples) // 2)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    samples = samples.copy()
    samples[:fade] *= ramp
    samples[len(samples) - fade :] *= ramp[::-1]
    mp3 = "MP3" in soundfile.available_formats()
    kind = ("MP3", "MPEG_LAYER_III") if mp3 else ("OGG", "VORBIS")
    sound = io.BytesIO()
    quality = {"compression_level": 0.3, "bitrate_mode": "VARIABLE"} if mp3 else {}
    soundfile.write(sound, samples, WEB_RATE_HZ, format=kind[0], subtype=kind[1], **quality)
    return sound.getvalue()
