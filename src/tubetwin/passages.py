"""Passages to train with and to judge by: mostly playing, and a little of what that seldom holds.

That is bursts with soft tails (sag), sweeps, noise, decaying bursts and silences. No steady sines:
harmonics and aliasing are judged with them later, and a twin must not train on its test.
"""

import math
from collections.abc import Callable
from itertools import zip_longest

import numpy as np
from scipy.signal import chirp, lfilter

from tubetwin.guitar import one_of, playing
from tubetwin.instrument import Rng, fitted

# ---- Test signals -------------------------------------------------------------------------------


def _tones(t: np.ndarray, rng: Rng) -> np.ndarray:
    """A steady chord of twelve partials, peak 1: what loads a power supply."""
    root_hz = 82.4 * 2 ** rng.uniform(0, 2.5)
    hz = root_hz * np.outer((1.0, 1.5, 2 ** rng.uniform(1, 1.5)), (1, 2, 3, 4)).ravel()
    phase = rng.uniform(0, 2 * math.pi, len(hz))
    wave = sum(np.sin(2 * math.pi * f * t + p) / f for f, p in zip(hz, phase, strict=True))
    return np.asarray(wave / np.abs(wave).max())


def _burst(t: np.ndarray, rng: Rng) -> np.ndarray:
    """Loud, then suddenly soft or all but silent: how the supply sags and comes back."""
    loud = t < t[-1] * rng.uniform(0.2, 0.5)
    level = np.where(loud, rng.uniform(0.5, 1.0), rng.choice([1e-4, 0.01, 0.03, 0.1]))
    return np.asarray(lfilter([0.02], [1, -0.98], level) * _tones(t, rng))


def _noise(t: np.ndarray, rng: Rng) -> np.ndarray:
    """All frequencies at once, white or dark, at some level."""
    wave = lfilter([1], [1, -rng.choice([0.0, 0.9, 0.97])], rng.standard_normal(len(t)))
    return np.asarray(10 ** (rng.uniform(-36, -6) / 20) * wave / np.abs(wave).max())


def _decaying(t: np.ndarray, rng: Rng) -> np.ndarray:
    """Bursts that die away, again and again: every level in one breath."""
    beat = rng.uniform(0.15, 0.6)
    since = t % beat
    envelope = np.exp(-since / beat * rng.uniform(3, 8)) * np.clip(since / 0.003, 0, 1)
    return np.asarray(envelope * (_tones if rng.random() < 0.5 else _noise)(t, rng))


def _sweep(t: np.ndarray, rng: Rng) -> np.ndarray:
    """All frequencies one after the other, at some level."""
    top_hz = min(18000.0, 0.45 / t[1])
    level = 10 ** (rng.uniform(-36, -6) / 20)
    return np.asarray(level * chirp(t, 20, t[-1], top_hz, "logarithmic", phi=-90))


def _silence(t: np.ndarray, rng: Rng) -> np.ndarray:
    """Nothing but hiss: where every recovery ends."""
    return 10 ** (rng.uniform(-95, -80) / 20) * rng.standard_normal(len(t))


TESTS: dict[Callable[[np.ndarray, Rng], np.ndarray], float] = {
    _burst: 0.45,
    _silence: 0.18,
    _sweep: 0.15,
    _decaying: 0.12,
    _noise: 0.1,
}


def _tests(samples: int, rng: Rng, sample_rate_hz: int) -> list[np.ndarray]:
    """Test signals one after the other, until hardly a tenth of a second is left."""
    tests, left = list[np.ndarray](), samples
    while left > 0.1 * sample_rate_hz:
        t = np.arange(min(left, round(rng.uniform(0.5, 2.0) * sample_rate_hz))) / sample_rate_hz
        tests.append(fitted(one_of(TESTS, rng)(t, rng), 0.005, sample_rate_hz))
        left -= len(t)
    return tests


# ---- Passages -----------------------------------------------------------------------------------


def pieces(
    seconds: float, seed: int, sample_rate_hz: int = 48000
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What a `passage` is made of: stretches of playing, and the test signal after each of them.

    Args:
        seconds, seed, sample_rate_hz: as of `passage`.
    Returns:
        the playing, one stretch more than there are test signals; the test signals.
    """
    rng = np.random.default_rng([seed, 1])
    total = round(seconds * sample_rate_hz)
    tests = _tests(round(total * rng.uniform(0.15, 0.25)), rng, sample_rate_hz)
    played = total - sum(len(test) for test in tests)
    di = playing(played / sample_rate_hz, int(rng.integers(2**31)), sample_rate_hz)
    stretches = np.split(di, np.sort(rng.integers(0, played + 1, len(tests))))
    # The guitar's own volume knob: mostly up, as it is played and as the amp is hardest to follow.
    gains = [10 ** (rng.triangular(-15, 3, 3) / 20) for _ in stretches]
    played_pieces = [
        fitted(stretch, 0.005, sample_rate_hz, gain)
        for stretch, gain in zip(stretches, gains, strict=True)
    ]
    return played_pieces, tests


def passage(seconds: float, seed: int, sample_rate_hz: int = 48000) -> np.ndarray:
    """A passage to train with: 75-85 % playing at random levels, and what playing lacks.

    Args:
        seconds: length; the result has exactly round(seconds * sample_rate_hz) samples.
        seed: give each take of a session its own, so that no setting is tied to a tune.
        sample_rate_hz: of the result.
    Returns:
        (samples,) float32, full scale = 1 V peak at the jack.
    """
    played, tests = pieces(seconds, seed, sample_rate_hz)
    between = zip_longest(played, tests, fillvalue=np.empty(0, np.float32))
    return np.concatenate([piece for pair in between for piece in pair])
