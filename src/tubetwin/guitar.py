"""A synthetic guitar plugged straight in: chords, riffs, lines, and a short piece.

The instrument is instrument.py; here is the player, who is never twice the same.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np

from tubetwin.instrument import Guitar, Note, Rng, any_guitar, play

Thing = TypeVar("Thing")

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
