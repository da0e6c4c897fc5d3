"""A synthetic guitar plugged straight in: plucked strings, chords, riffs, and a short piece.

A string is a loop that a pluck travels round: one trip takes one period and loses a little, most
of all at high frequencies. Six such loops, a pickup, and a player who is never twice the same.
Full scale (1.0) is a peak of 1 V at the jack; hard chords on a hot pickup come near it.

Sources: K. Karplus and A. Strong, "Digital synthesis of plucked-string and drum timbres", 1983;
D. Jaffe and J. Smith, "Extensions of the Karplus-Strong plucked-string algorithm", 1983.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numba import njit
from scipy.signal import lfilter

Rng = np.random.Generator
Thing = TypeVar("Thing")

OPEN_HZ = 82.407 * 2 ** (np.array([0, 5, 10, 15, 19, 24]) / 12)  # E2 A2 D3 G3 B3 E4
STIFFNESS = (1.2e-4, 9e-5, 7e-5, 6e-5, 4e-5, 2e-5)  # B of the stiff-string equation, per string
HARD_VELOCITY = 0.24  # of one string plucked hard: six of them strummed hard peak at 0.6 to 1.1
STEP_SECONDS = 0.001  # hands are slow: pitch and damping are set once a millisecond
DAMPED, TOUCHED = (0.09, 0.04), (0.04, 0.015)  # seconds to -60 dB, low and at 3 kHz: by hand, pick
PALM_MUTED = (0.3, 0.07)
POLARISATIONS = ((0.8, 1.0), (0.2, 3.5))  # (share of the pluck, decay): a quick one, a slow one


# ---- Strings ------------------------------------------------------------------------------------


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


# ---- The player ---------------------------------------------------------------------------------

# Chords as guitarists write them: frets from the low E up, x not played. The movable ones are
# played anywhere on the neck, the rest only with open strings.
MOVABLE = ("022100", "022000", "020100", "x02220", "x02210")
SHAPES = (*MOVABLE, "320003", "x32010", "xx0232")
POWER = ("022xxx", "x022xx")
BOX = ("03", "02", "02", "02", "03", "03")  # minor pentatonic, string by string
PENTATONIC = [(string, int(fret)) for string, frets in enumerate(BOX) for fret in frets]


def strum(
    shape: str,
    start: float,
    length: float,
    level_db: float = 0.0,
    fret: int = 0,
    spread: float = 0.012,
    up: bool = False,
) -> list[Note]:
    """A chord such as "x02210", `fret` frets up; the pick takes `spread` seconds to cross it."""
    played = [(string, int(f) + fret) for string, f in enumerate(shape) if f != "x"]
    times = start + np.linspace(0, spread, len(played))[:: -1 if up else 1]
    return [Note(s, f, t, length, level_db) for (s, f), t in zip(played, times, strict=True)]


def _chords(rng: Rng, start: float, level_db: float) -> list[Note]:
    """A few strummed bars, down and up."""
    notes: list[Note] = []
    beat, spread = rng.uniform(0.22, 0.5), rng.uniform(0.005, 0.03)
    for _ in range(rng.integers(2, 5)):
        shape = rng.choice(SHAPES)
        fret = int(rng.integers(0, 8)) if shape in MOVABLE else 0
        for i in range(rng.choice([1, 2, 4])):
            level = level_db + rng.normal(-1.5 * (i % 2), 1.5)
            notes += strum(shape, start, beat * 1.05, level, fret, spread, up=i % 2 == 1)
            start += beat
    return notes


def _riff(rng: Rng, start: float, level_db: float) -> list[Note]:
    """Palm-muted low string, power chords between."""
    notes: list[Note] = []
    step, fret = rng.uniform(0.1, 0.2), int(rng.integers(0, 6))
    for _ in range(rng.integers(8, 20)):
        level, length = level_db + rng.normal(0, 1.5), step
        if rng.random() < 0.65:
            notes.append(Note(0, fret, start, step * 0.95, level, muted=True))
        else:
            length, higher = step * rng.choice([1, 2, 4]), fret + int(rng.choice([0, 3, 5]))
            notes += strum(rng.choice(POWER), start, length * 0.95, level, higher, 0.006)
        start += length
    return notes


def _line(rng: Rng, start: float, level_db: float) -> list[Note]:
    """Single notes through the pentatonic box: plucked, hammered, slid, bent."""
    notes: list[Note] = []
    position, step = int(rng.integers(2, 13)), rng.uniform(0.09, 0.3)
    place = int(rng.integers(len(PENTATONIC)))
    for _ in range(rng.integers(5, 16)):
        string, fret = PENTATONIC[place]
        length, how = step * rng.choice([1, 1, 1, 2, 3]), rng.random()
        moves: tuple[tuple[float, float], ...] = ()
        if how < 0.15 and string >= 3:
            moves = (0.05, 0.0), (0.05 + length / 3, rng.choice([1.0, 2.0]))
        elif how > 0.85:
            moves = (
                (length / 2, 0.0),
                (length / 2 + rng.uniform(0.006, 0.06), rng.choice([-2.0, 2.0])),
            )
        held, level = length * rng.choice([1.0, 1.0, 0.9, 0.4]), level_db + rng.normal(0, 2.0)
        notes.append(Note(string, position + fret, start, held, level, False, moves, 25.0))
        place = int(np.clip(place + rng.choice([-2, -1, -1, 1, 1, 2]), 0, len(PENTATONIC) - 1))
        start += length
    return notes


def _arpeggio(rng: Rng, start: float, level_db: float) -> list[Note]:
    """A held chord, string by string, up and down; every note rings on."""
    chord = strum(rng.choice(SHAPES), start, 1.0)
    step, count = rng.uniform(0.13, 0.35), int(rng.integers(6, 13))
    walk = [*chord, *chord[-2:0:-1]] * 3
    return [
        Note(
            n.string,
            n.fret,
            start + i * step,
            (count - i) * step + 0.5,
            level_db + rng.normal(0, 1.5),
        )
        for i, n in enumerate(walk[:count])
    ]


def _long(rng: Rng, start: float, level_db: float) -> list[Note]:
    """One note or one chord left to ring."""
    length = rng.uniform(1.5, 4.0)
    if rng.random() < 0.5:
        fret, spread = int(rng.integers(0, 8)), rng.uniform(0.01, 0.06)
        return strum(rng.choice(MOVABLE), start, length, level_db, fret, spread)
    there_and_back = (0.1, 0.0), (0.35, 2.0), (length * 0.6, 2.0), (length * 0.8, 0.0)
    moves = there_and_back if rng.random() < 0.4 else ()
    string, fret = int(rng.integers(6)), int(rng.integers(0, 15))
    return [Note(string, fret, start, length, level_db, False, moves, rng.uniform(0, 40))]


PHRASES: dict[Callable[[Rng, float, float], list[Note]], float] = {
    _line: 0.3,
    _chords: 0.27,
    _riff: 0.18,
    _arpeggio: 0.13,
    _long: 0.12,
}


def one_of(shares: dict[Thing, float], rng: Rng) -> Thing:
    """One of several things, drawn by their shares."""
    return list(shares)[rng.choice(len(shares), p=list(shares.values()))]


def playing(seconds: float, seed: int, sample_rate_hz: int = 48000) -> np.ndarray:
    """Varied playing, phrase after phrase: soft and hard, dense and sparse.

    Args:
        seconds: length; the result has exactly round(seconds * sample_rate_hz) samples.
        seed: same seed, same playing; another seed is another guitar and another piece.
        sample_rate_hz: of the result.
    Returns:
        (samples,) float32, full scale = 1 V peak at the jack.
    """
    rng = np.random.default_rng(seed)
    guitar, notes, now = any_guitar(rng), list[Note](), 0.05
    while now < seconds:
        part = one_of(PHRASES, rng)(rng, now, rng.uniform(-26, 0))
        notes += part
        now = max(note.start_seconds + note.length_seconds for note in part)
        now += rng.uniform(0.1, 0.8) if rng.random() < 0.3 else 0.02
    return play(notes, seconds, guitar, rng, sample_rate_hz)


def demo(seconds: float = 12.0, seed: int = 7, sample_rate_hz: int = 48000) -> np.ndarray:
    """A short piece: arpeggio, power chords, palm-muted riff, a lick with a bend, a last chord.

    Args:
        seconds: the piece takes 12; a shorter demo is cut off, a longer one rings on.
        seed: the player's small unevenness; the notes stay the same.
        sample_rate_hz: of the result.
    Returns:
        (samples,) float32, full scale = 1 V peak at the jack.
    """
    rng = np.random.default_rng(seed)
    eighth, walk = 0.22, (1, 2, 3, 4, 5, 4, 3, 2)  # seconds: 136 beats a minute
    bend = (0.08, 0.0), (0.3, 2.0)
    score = [  # times in eighths
        *(Note(s, int("x02210"[s]), i, 8 - i, -11) for i, s in enumerate(walk)),
        *(Note(s, int("x33211"[s]), 8 + i, 8 - i, -11) for i, s in enumerate(walk)),
        *strum("022xxx", 16, 2.9, -2, fret=5, spread=0.06),
        *strum("022xxx", 19, 2.9, -2, fret=3, spread=0.06),
        *strum("022xxx", 22, 1.9, -2, fret=1, spread=0.06),
        *(Note(0, f, 24 + i, 0.9, -2, f == 0) for i, f in enumerate((0, 0, 3, 0, 0, 5, 0, 3))),
        *(Note(4, f, 32 + i, 1, -5) for i, f in enumerate((8, 5))),
        *(Note(3, f, 34 + i, 1, -5) for i, f in enumerate((7, 5))),
        Note(2, 7, 36, 1, -5),
        Note(3, 7, 37, 3, -1, False, bend, vibrato_cents=30),
        *strum("x02210", 40, math.inf, 0, spread=0.12),
    ]
    notes = [
        replace(
            note,
            start_seconds=0.1 + eighth * note.start_seconds + rng.uniform(0, 0.006),
            length_seconds=min(eighth * note.length_seconds, seconds),
            level_db=note.level_db + rng.normal(0, 0.8),
        )
        for note in score
    ]
    return play(notes, seconds, Guitar(ring_seconds=3.0), rng, sample_rate_hz)
