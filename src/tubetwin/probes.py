"""Test signals for an amp and its twin alike, and what their answers say.

Full scale is 1.0, time runs in samples at `sample_rate_hz`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Real = NDArray[np.float64]

TONE_HZ = 220.0  # the open A string's second harmonic: in the middle of what a guitar plays
STEPS_DB = np.arange(-45.0, 1.0, 3.0)  # peak of the tone: from a soft touch to a full-scale strum
STEP_SECONDS = 0.3
SETTLING = 0.5  # the first half of a step is left out: longer than a receptive field
LOW_HZ, HIGH_HZ = 50.0, 16000.0
CHIRP_SECONDS, CHIRP_TAIL_SECONDS = 1.0, 0.15
CHIRP_PEAK = 0.02  # -34 dB: soft enough for a clean setting to stay linear
BANDS_PER_OCTAVE = 12


def stepped_tone(sample_rate_hz: int) -> Samples:
    """A tone that grows in the steps of `STEPS_DB`; it only grows, so that nothing must recover."""
    step = round(STEP_SECONDS * sample_rate_hz)
    n = np.arange(step * len(STEPS_DB))
    peak = np.repeat(10 ** (STEPS_DB / 20), step)
    return np.asarray(peak * np.sin(2 * np.pi * TONE_HZ / sample_rate_hz * n), np.float32)


def steady_tone(steps: int, sample_rate_hz: int) -> Samples:
    """The same tone at -20 dB for a number of steps, while a knob does the stepping."""
    n = np.arange(round(STEP_SECONDS * sample_rate_hz) * steps)
    return np.asarray(0.1 * np.sin(2 * np.pi * TONE_HZ / sample_rate_hz * n), np.float32)


def staircase(values: Sequence[float], sample_rate_hz: int) -> Real:
    """A knob that rests at each value for one step."""
    return np.repeat(np.asarray(values, float), round(STEP_SECONDS * sample_rate_hz))


def settled(answer: Samples, sample_rate_hz: int) -> Real:
    """The settled part of every step of an answer: (steps, samples)."""
    step = round(STEP_SECONDS * sample_rate_hz)
    return np.asarray(answer, float).reshape(-1, step)[:, round(SETTLING * step) :]


def chirp(sample_rate_hz: int) -> Samples:
    """A soft sine that glides up past all that `response_db` shows, as long in every octave."""
    seconds = np.arange(round(CHIRP_SECONDS * sample_rate_hz)) / sample_rate_hz
    start_hz, stop_hz = LOW_HZ / 1.5, min(1.2 * HIGH_HZ, 0.49 * sample_rate_hz)
    octaves = np.log(stop_hz / start_hz)
    glide = CHIRP_SECONDS / octaves * (np.exp(seconds / CHIRP_SECONDS * octaves) - 1)
    tail = round(CHIRP_TAIL_SECONDS * sample_rate_hz)
    wave = np.pad(CHIRP_PEAK * np.sin(2 * np.pi * start_hz * glide), (0, tail))
    return np.asarray(wave, np.float32)


def response_db(answer: Samples, sample_rate_hz: int) -> tuple[Real, Real]:
    """The gain that an answer to `chirp` shows: frequencies in Hz, and dB at each."""
    hz, played = spectrum_db(chirp(sample_rate_hz), sample_rate_hz)
    return hz, spectrum_db(answer, sample_rate_hz)[1] - played


def spectrum_db(x: Samples | Real, sample_rate_hz: int) -> tuple[Real, Real]:
    """Mean square in each twelfth of an octave: centres in Hz, and dB re 1 at each.

    Bands narrower than the resolution of `x` share the energy of the bins around them.
    """
    top_hz = min(HIGH_HZ, 0.45 * sample_rate_hz)
    bands = int(BANDS_PER_OCTAVE * np.log2(top_hz / LOW_HZ))
    edges_hz = LOW_HZ * 2 ** (np.arange(bands + 1) / BANDS_PER_OCTAVE)
    energy = 2 * np.abs(np.fft.rfft(np.asarray(x, float))) ** 2 / len(x) ** 2
    bins = edges_hz * len(x) / sample_rate_hz + 0.5  # bin k reaches from k to k + 1
    below = np.interp(bins, np.arange(len(energy) + 1), np.append(0.0, np.cumsum(energy)))
    centres_hz = np.sqrt(edges_hz[1:] * edges_hz[:-1])
    return centres_hz, 10 * np.log10(np.maximum(np.diff(below), 1e-12))


def levels_db(x: Samples | Real, window_samples: int) -> Real:
    """RMS of one window after the other, in dB re 1; what is left over at the end is not heard."""
    whole = len(x) // window_samples * window_samples
    power = np.mean(np.asarray(x[:whole], float).reshape(-1, window_samples) ** 2, axis=1)
    return np.asarray(10 * np.log10(np.maximum(power, 1e-12)))


def plainest(x: Samples, window_samples: int) -> int:
    """Where the smoothest of the loud windows starts: there a waveform can be read.

    Loud is what lies within 12 dB of the loudest; smooth, what changes least from sample to sample.
    """
    loudness = levels_db(x, window_samples)
    rough = levels_db(np.diff(x, append=x[-1:]), window_samples) - loudness
    rough[loudness < loudness.max() - 12] = np.inf
    return int(rough.argmin()) * window_samples
