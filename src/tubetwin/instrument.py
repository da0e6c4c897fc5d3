"""One synthetic guitar: plucked strings, a pickup, and what hands do to them.

A string is a loop that a pluck travels round: one trip takes one period and loses a little, most
of all at high frequencies. Six such loops and a pickup with its cable. Full scale (1.0) is a peak
of 1 V at the jack; hard chords on a hot pickup come near it.

Sources: K. Karplus and A. Strong, "Digital synthesis of plucked-string and drum timbres", 1983;
D. Jaffe and J. Smith, "Extensions of the Karplus-Strong plucked-string algorithm", 1983.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.signal import lfilter

Rng = np.random.Generator

OPEN_HZ = 82.407 * 2 ** (np.array([0, 5, 10, 15, 19, 24]) / 12)  # E2 A2 D3 G3 B3 E4
STIFFNESS = (1.2e-4, 9e-5, 7e-5, 6e-5, 4e-5, 2e-5)  # B of the stiff-string equation, per string
HARD_VELOCITY = 0.24  # of one string plucked hard: six of them strummed hard peak at 0.6 to 1.1
STEP_SECONDS = 0.001  # hands are slow: pitch and damping are set once a millisecond
DAMPED, TOUCHED = (0.09, 0.04), (0.04, 0.015)  # seconds to -60 dB, low and at 3 kHz: by hand, pick
PALM_MUTED = (0.3, 0.07)
POLARISATIONS = ((0.8, 1.0), (0.2, 3.5))  # (share of the pluck, decay): a quick one, a slow one


@dataclass(frozen=True)
class Note:
    """One pluck: where, when, how hard, and what the left hand does to its pitch afterwards."""

    string: int  # 0 is the low E
    fret: float
    start_seconds: float
    length_seconds: float
    level_db: float = 0.0  # re a hard pluck; soft playing lies near -20
    muted: bool = False  # palm on the bridge
    moves: Sequence[tuple[float, float]] = ()  # (seconds after the pluck, semitones): bend, slide
    vibrato_cents: float = 0.0


@dataclass(frozen=True)
class Guitar:
    """One instrument. Positions are fractions of the open string, measured from the bridge."""

    pick: float = 0.13
    pickup: float = 0.17
    pickup_hz: float = 3800.0  # resonance of the pickup's coil with its cable
    pickup_q: float = 1.6
    ring_seconds: float = 2.2  # to -60 dB at the fundamental, quick polarisation, open string
    bright_seconds: float = 1.1  # to -60 dB at 3 kHz: new strings take longer
    hiss_dbfs: float = -84.0
    hum_dbfs: float = -78.0
    mains_hz: float = 50.0


def any_guitar(rng: Rng) -> Guitar:
    """Some guitar out of the shop."""
    return Guitar(
        pick=rng.uniform(0.06, 0.22),
        pickup=rng.uniform(0.08, 0.25),
        pickup_hz=rng.uniform(2800, 5000),
        pickup_q=rng.uniform(1.0, 2.2),
        ring_seconds=rng.uniform(1.4, 3.5),
        bright_seconds=rng.uniform(0.6, 1.5),
        hiss_dbfs=rng.uniform(-92, -78),
        hum_dbfs=rng.uniform(-90, -72),
        mains_hz=rng.choice([50.0, 60.0]),
    )


@njit(cache=True)
def _vibrate(pluck, delay, gain, pole, stretch, hop):  # type: ignore[no-untyped-def]
    """The loop: read one period back, stretch, lose highs, lose level, add the pluck.

    Controls come every `hop` samples and glide between. `stretch` is the coefficient of the
    all-pass that lets high partials travel faster, as on a stiff string.
    """
    wave = np.zeros(len(pluck))
    read = stiff = soft = 0.0
    for n in range(len(pluck)):
        k = n // hop
        glide = n / hop - k
        period = delay[k] + glide * (delay[k + 1] - delay[k])
        whole = int(period) - 1
        x = period - whole  # 1…2: the middle of a cubic Lagrange interpolator's four points
        last_read, read = read, 0.0
        i = n - whole - 3
        if i >= 0:
            outer, inner = (x - 1) * (x - 2), x * (x - 3)
            read = outer * (x * wave[i] - (x - 3) * wave[i + 3]) / 6
            read += inner * ((x - 2) * wave[i + 2] - (x - 1) * wave[i + 1]) / 2
        stiff = stretch * (read - stiff) + last_read
        soft = stiff + (pole[k] + glide * (pole[k + 1] - pole[k])) * (soft - stiff)
        value = pluck[n] + (gain[k] + glide * (gain[k + 1] - gain[k])) * soft
        wave[n] = value if abs(value) > 1e-20 else 0.0  # a dying string must not turn denormal
    return wave


def _loop(
    hz: np.ndarray, ring: np.ndarray, bright: np.ndarray, stiff: float, rate: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The delay, gain and pole that give a pitch, a decay there and a decay at 3 kHz.

    The one-pole has |H|^2 = 1 / (1 + 2c (1 - cos w)) with c = pole / (1 - pole)^2: solved for c,
    then for the pole. Both filters take time, which the delay line gives back.
    """
    high = 2 * math.pi * min(3000.0, 0.4 * rate) / rate
    nepers = math.log(1000) * (1 / np.minimum(bright, 0.95 * ring) - 1 / ring) / hz
    c = np.expm1(2 * np.minimum(nepers, 5.0)) / (2 * (1 - math.cos(high)))
    pole = (2 * c + 1 - np.sqrt(4 * c + 1)) / (2 * c)
    w = 2 * math.pi * hz / rate
    gain = 10 ** (-3 / (hz * ring)) * np.sqrt(1 + 2 * c * (1 - np.cos(w)))
    soft_delay = np.arctan2(pole * np.sin(w), 1 - pole * np.cos(w)) / w
    stiff_delay = 2 / w * np.arctan(stiff * np.tan(w / 2))
    delay = np.maximum(rate / hz - soft_delay - stiff_delay, 2.0)
    return delay, np.minimum(gain, 0.99999), pole


def _hands(notes: Sequence[Note], guitar: Guitar, steps: int) -> np.ndarray:
    """What both hands do to one string: pitch in Hz and two decay times, (3, steps)."""
    hands = np.empty((3, steps))
    hands[0] = OPEN_HZ[notes[0].string] * 2 ** (notes[0].fret / 12)
    hands[1:] = np.array([DAMPED]).T
    plucked = [int(note.start_seconds / STEP_SECONDS) for note in notes]
    for note, begin, until in zip(notes, plucked, [*plucked[1:], steps], strict=True):
        t = np.arange(begin, until) * STEP_SECONDS - note.start_seconds
        places, semitones = np.array([(0.0, 0.0), *note.moves]).T
        swing = np.clip((t - 0.25) / 0.3, 0, 1) * np.sin(2 * math.pi * 5.3 * (t - 0.25))
        sharp = 0.08 * 10 ** (note.level_db / 20) * np.exp(-t / 0.12)  # a hard pluck pulls
        frets = note.fret + np.interp(t, places, semitones) + note.vibrato_cents / 100 * swing
        hands[0, begin:until] = OPEN_HZ[note.string] * 2 ** ((frets + sharp) / 12)
        ring = (guitar.ring_seconds * 2 ** (-note.fret / 24), guitar.bright_seconds)
        hands[1:, begin:until] = np.array([PALM_MUTED if note.muted else ring]).T
        hands[1:, begin + int(note.length_seconds / STEP_SECONDS) : until] = np.array([DAMPED]).T
        hands[1:, max(begin - 12, 0) : begin] = np.array([TOUCHED]).T
    return hands


def _pluck(note: Note, guitar: Guitar, rng: Rng, rate: int) -> np.ndarray:
    """The velocity wave a pick leaves: a box as long as the way from pick to bridge and back.

    A hard pluck has sharper edges, and some scraping of the pick.
    """
    period = rate / OPEN_HZ[note.string]
    place = guitar.pick * (0.6 if note.muted else rng.uniform(0.8, 1.25))
    edge_hz = 2000 * 5 ** (1 + max(note.level_db, -26) / 26)  # 2 kHz soft, 10 kHz hard
    edge = np.hanning(int(rate / edge_hz) + 3)
    wave = np.zeros(int(period) + len(edge))
    box = np.convolve(np.ones(int(place * period) + 1), edge / edge.sum())
    wave[: len(box)] = box
    dull = math.exp(-2 * math.pi * edge_hz / rate)
    scrape = 0.1 * 10 ** (note.level_db / 40)
    wave += lfilter([scrape * (1 - dull)], [1, -dull], rng.standard_normal(len(wave)))
    return HARD_VELOCITY * 10 ** (note.level_db / 20) * wave


def _string(notes: Sequence[Note], guitar: Guitar, samples: int, rng: Rng, rate: int) -> np.ndarray:
    """One string through the whole piece, as the pickup sees it."""
    hop = max(round(STEP_SECONDS * rate), 1)
    hz, ring, bright = _hands(notes, guitar, samples // hop + 2)
    plucked = np.zeros(samples)
    for note in notes:
        begin = int(note.start_seconds * rate)
        wave = _pluck(note, guitar, rng, rate)[: max(samples - begin, 0)]
        plucked[begin : begin + len(wave)] += wave
    period = rate / OPEN_HZ[notes[0].string]
    # A stiff string's partials arrive early like B n^2 / 2, those of an all-pass of D samples
    # like (D^3 - D) w^2 / 12: equal for this D.
    stiff = max(period * (1.5 * STIFFNESS[notes[0].string] / math.pi**2) ** (1 / 3), 1.0)
    moved: np.ndarray = np.zeros(samples)
    for share, longer in POLARISATIONS:
        loop = _loop(hz, ring * longer, bright * math.sqrt(longer), stiff, rate)
        moved += _vibrate(share * plucked, *loop, (1 - stiff) / (1 + stiff), hop)
        hz = hz * 2 ** (rng.uniform(0.3, 1.0) / 1200)  # the other direction is a trifle stiffer
    back = int(guitar.pickup * period) + 1
    moved[back:] -= moved[:-back].copy()  # the wave comes back from the bridge upside down
    return moved


def _electrics(wave: np.ndarray, guitar: Guitar, rng: Rng, rate: int) -> np.ndarray:
    """The coil's resonant low-pass (R. Bristow-Johnson's cookbook), hiss, and hum of the mains."""
    w = 2 * math.pi * min(guitar.pickup_hz, 0.45 * rate) / rate
    alpha, low = math.sin(w) / (2 * guitar.pickup_q), (1 - math.cos(w)) / 2
    coil = lfilter([low, 2 * low, low], [1 + alpha, -2 * math.cos(w), 1 - alpha], wave)
    hiss = 10 ** (guitar.hiss_dbfs / 20) * rng.standard_normal(len(wave))
    turns = 2 * math.pi * guitar.mains_hz / rate * np.arange(len(wave))
    hum = np.sum([np.sin(n * turns + n) / n for n in (1, 3, 5, 7)], axis=0)
    return np.asarray(coil + hiss + 10 ** (guitar.hum_dbfs / 20) * hum)


def fitted(wave: np.ndarray, fade_seconds: float, rate: int, gain: float = 1.0) -> np.ndarray:
    """Below full scale, as float32, with soft ends: such pieces follow each other unheard."""
    gain = min(gain, 0.99 / max(float(np.abs(wave).max(initial=0.0)), 1e-9))
    n = min(round(fade_seconds * rate), len(wave) // 2)
    ramp = np.sin(np.pi / 2 * (np.arange(n) + 0.5) / max(n, 1)) ** 2
    window = np.concatenate([ramp, np.ones(len(wave) - 2 * n), ramp[::-1]])
    return np.asarray(gain * window * wave, np.float32)


def play(
    notes: Sequence[Note], seconds: float, guitar: Guitar, rng: Rng, sample_rate_hz: int = 48000
) -> np.ndarray:
    """Play a score.

    Args:
        notes: in any order; a new note on a string ends the one before.
        seconds: length of the recording; what still rings then fades out in 20 ms.
        guitar: the instrument.
        rng: the small differences between one pluck and the next.
        sample_rate_hz: of the result.
    Returns:
        (samples,) float32, exactly round(seconds * sample_rate_hz) of them, within full scale.
    """
    samples = round(seconds * sample_rate_hz)
    wave = np.zeros(samples)
    in_time = sorted((n for n in notes if n.start_seconds < seconds), key=lambda n: n.start_seconds)
    for string in range(6):
        mine = [note for note in in_time if note.string == string]
        if mine:
            wave += _string(mine, guitar, samples, rng, sample_rate_hz)
    return fitted(_electrics(wave, guitar, rng, sample_rate_hz), 0.02, sample_rate_hz)
