"""What a reamp box is fed for one take: a calibration, the passage, and a rest.

The calibration is the same in every take, so that takes can be compared whatever they play: a
mark (a blip and some noise), noise in four loudnesses, a sweep, and a loud chord with a soft tail,
behind which the power supply recovers. The rest lets the amp's own hiss and hum be heard, and the
mark is played again: between its two answers the amp is out of the sum, and only the clocks are
left. Only the passage is trained on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]  # (samples,), full scale 1 V at the jack

BLIP, BLIP_SECONDS = 0.5, 0.1
MARK_DB, MARK_SECONDS = -20.0, 0.3
STEPS_DB, STEP_SECONDS = (-40.0, -30.0, -20.0, -10.0), 0.2
SWEEP_DB, SWEEP_SECONDS, SWEEP_HZ = -20.0, 0.8, (20.0, 18000.0)
BURST_SECONDS, TAIL_SECONDS, TAIL_DB = 0.3, 0.5, -40.0
REST_SECONDS = 0.6
FADE_SECONDS = 0.005
LOUDEST = 0.9  # of full scale


def _faded(wave: NDArray[np.float64], sample_rate_hz: int) -> NDArray[np.float64]:
    ramp = np.linspace(0, 1, round(FADE_SECONDS * sample_rate_hz))
    out = wave.copy()
    out[: len(ramp)] *= ramp
    out[-len(ramp) :] *= ramp[::-1]
    return out


def _blip(sample_rate_hz: int) -> NDArray[np.float64]:
    """A click of 0.3 ms, as short as a guitar's path lets through."""
    out = np.zeros(round(BLIP_SECONDS * sample_rate_hz))
    width = max(4, round(0.0003 * sample_rate_hz))
    out[:width] = BLIP * np.hanning(width + 2)[1:-1]
    return out


def _noise(sample_rate_hz: int, seconds: float, level_db: float, seed: int) -> NDArray[np.float64]:
    """Flat noise between 60 Hz and 9 kHz; `level_db` is its RMS, before peaks are rounded off."""
    size = round(seconds * sample_rate_hz)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(size))
    hz = np.fft.rfftfreq(size, 1 / sample_rate_hz)
    wave = np.fft.irfft(spectrum * ((hz > 60) & (hz < 9000)), size)
    wave *= 10 ** (level_db / 20) / np.sqrt(np.mean(wave**2))
    return _faded(LOUDEST * np.tanh(wave / LOUDEST), sample_rate_hz)  # a card would cut them off


def _sweep(sample_rate_hz: int) -> NDArray[np.float64]:
    t = np.arange(round(SWEEP_SECONDS * sample_rate_hz)) / sample_rate_hz
    low, high = SWEEP_HZ[0], min(SWEEP_HZ[1], 0.4 * sample_rate_hz)
    growth = np.log(high / low) / SWEEP_SECONDS
    wave = np.sin(2 * np.pi * low * np.expm1(growth * t) / growth)
    return _faded(10 ** (SWEEP_DB / 20) * wave, sample_rate_hz)


def _burst(sample_rate_hz: int) -> NDArray[np.float64]:
    """A power chord, loud and then suddenly soft: what sags a supply, and lets it come back."""
    t = np.arange(round((BURST_SECONDS + TAIL_SECONDS) * sample_rate_hz)) / sample_rate_hz
    partials = np.outer((82.4, 123.5), (1, 2, 3, 4)).ravel()
    wave = np.sum(
        [np.sin(2 * np.pi * hz * t + i) / (1 + i % 4) for i, hz in enumerate(partials)], 0
    )
    level = np.where(t < BURST_SECONDS, LOUDEST, 10 ** (TAIL_DB / 20))
    return _faded(level * wave / np.abs(wave).max(), sample_rate_hz)


def _mark(sample_rate_hz: int) -> NDArray[np.float64]:
    noise = _noise(sample_rate_hz, MARK_SECONDS, MARK_DB, seed=0)
    return np.concatenate([_blip(sample_rate_hz), noise, np.zeros(round(0.05 * sample_rate_hz))])


def calibration(sample_rate_hz: int) -> Samples:
    """What every take begins with, rest and mark first; the same for every take."""
    pause = np.zeros(round(0.1 * sample_rate_hz))
    steps = [
        _noise(sample_rate_hz, STEP_SECONDS, db, seed) for seed, db in enumerate(STEPS_DB, start=1)
    ]
    rest = np.zeros(round(REST_SECONDS * sample_rate_hz))
    parts = [_mark(sample_rate_hz), *steps, pause, _sweep(sample_rate_hz), pause]
    return np.concatenate([rest, *parts, _burst(sample_rate_hz), rest]).astype(np.float32)


def steps(sample_rate_hz: int) -> list[slice]:
    """Where in a calibration each loudness of the noise is played, the softest first."""
    begin = round(REST_SECONDS * sample_rate_hz) + len(_mark(sample_rate_hz))
    length = round(STEP_SECONDS * sample_rate_hz)
    return [slice(begin + i * length, begin + (i + 1) * length) for i in range(len(STEPS_DB))]


@dataclass(frozen=True)
class Play:
    """All that is played for one take.

    Attributes:
        samples: (samples,) float32.
        start_samples, length_samples: where the passage lies in it.
        marks: where its two marks begin, and how long one is.
    """

    samples: Samples
    start_samples: int
    length_samples: int
    marks: tuple[int, int, int]


def play(passage: Samples, sample_rate_hz: int) -> Play:
    """Put a passage between calibration and rest."""
    head, mark = calibration(sample_rate_hz), _mark(sample_rate_hz).astype(np.float32)
    rest = np.zeros(round(REST_SECONDS * sample_rate_hz), np.float32)
    whole = np.concatenate([head, np.asarray(passage, np.float32), rest, mark])
    marks = len(rest), len(whole) - len(mark), len(mark)
    return Play(whole, len(head), len(passage), marks)
