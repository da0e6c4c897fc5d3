"""The tuner: which note is played, and how many cents it is off.

A string's waveform repeats after one period. YIN looks for the smallest shift at which the sound
least differs from itself. Source: A. de Cheveigné and H. Kawahara, "YIN, a fundamental frequency
estimator for speech and music", JASA 111 (2002); equation numbers below are theirs.
"""

import math
from dataclasses import dataclass

import numpy as np

LOWEST_HZ, HIGHEST_HZ = 38.0, 1400.0  # a bass's E string, and the 24th fret of the top string
A4_HZ = 440.0
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
QUIETEST_RMS = 1e-3  # -60 dBFS: below, pickups mostly hum
THRESHOLD = (
    0.15  # of equation 8: how aperiodic a tone may be; their 0.1 loses strings that die away
)


@dataclass(frozen=True)
class Pitch:
    """A tone, and the note of equal temperament that is nearest to it."""

    hz: float

    @property
    def _semitones(self) -> float:
        """Above A4."""
        return 12 * math.log2(self.hz / A4_HZ)

    @property
    def note(self) -> str:
        """Such as "E2"."""
        midi = round(self._semitones) + 69
        return f"{NOTES[midi % 12]}{midi // 12 - 1}"

    @property
    def cents(self) -> float:
        """How sharp (above 0) or flat the tone is, -50 to 50."""
        return 100 * (self._semitones - round(self._semitones))


def _difference(samples: np.ndarray, longest: int) -> np.ndarray:
    """How much the sound differs from itself, shifted by 0…longest samples (equation 6)."""
    window = len(samples) - longest
    size = 1 << (len(samples) + window).bit_length()
    spectrum = np.fft.rfft(samples, size) * np.conj(np.fft.rfft(samples[:window], size))
    products = np.fft.irfft(spectrum, size)[: longest + 1]
    total = np.concatenate([[0.0], np.cumsum(samples**2)])
    energy = total[window : window + longest + 1] - total[: longest + 1]
    difference: np.ndarray = np.maximum(energy[0] + energy - 2 * products, 0)
    return difference


def pitch(samples: np.ndarray, sample_rate_hz: int) -> Pitch | None:
    """What a string sounds.

    Args:
        samples: (samples,) the latest of the DI; 4096 at 48 kHz are enough for every string.
        sample_rate_hz: theirs.
    Returns:
        the tone, within a cent for steady ones; None for silence, chords and noise.
    """
    longest = math.ceil(sample_rate_hz / LOWEST_HZ)
    if len(samples) < 2 * longest:
        return None
    centred = samples.astype(np.float64) - samples.mean()
    if not np.sqrt(np.mean(centred**2)) > QUIETEST_RMS:
        return None
    difference = _difference(centred, longest)
    shifts = np.arange(1, longest + 1)
    normed = np.ones(longest + 1)  # equation 8
    normed[1:] = difference[1:] * shifts / np.maximum(np.cumsum(difference[1:]), 1e-20)
    shortest = int(sample_rate_hz / HIGHEST_HZ)
    periodic = np.flatnonzero(normed[shortest:-1] < THRESHOLD)
    if not len(periodic):
        return None
    period = shortest + int(periodic[0])
    while period + 1 < longest and normed[period + 1] < normed[period]:
        period += 1
    before, here, after = difference[period - 1 : period + 2]
    bend = before - 2 * here + after  # the parabola through three points: where it is lowest
    return Pitch(sample_rate_hz / (period + 0.5 * (before - after) / bend if bend else period))
