"""The synthetic guitar is in tune, never the same twice, and measures like real ones played dry."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from tubetwin import guitar, passages
from tubetwin.instrument import OPEN_HZ, STIFFNESS, Guitar, Note, play

RATE = 48000
SILENT = Guitar(hiss_dbfs=-200, hum_dbfs=-200)


def one(note: Note, seconds: float = 2.5, rate: int = RATE) -> np.ndarray:
    return play([note], seconds, SILENT, np.random.default_rng(0), rate).astype(float)


def pitch_hz(wave: np.ndarray, near_hz: float, rate: int) -> float:
    """The strongest partial within a semitone, interpolated between bins of a long spectrum."""
    size = 1 << 19
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), size))
    hz = np.fft.rfftfreq(size, 1 / rate)
    k = int(np.argmax(np.where(np.abs(np.log2(np.maximum(hz, 1) / near_hz)) < 1 / 12, spectrum, 0)))
    low, mid, high = np.log(spectrum[k - 1 : k + 2])
    return float(hz[k] + (low - high) / (low - 2 * mid + high) / 2 * hz[1])


def share_db(wave: np.ndarray, low_hz: float, high_hz: float) -> float:
    """Energy in a band, re the whole."""
    power = np.abs(np.fft.rfft(wave)) ** 2
    hz = np.fft.rfftfreq(len(wave), 1 / RATE)
    return float(10 * np.log10(power[(hz >= low_hz) & (hz < high_hz)].sum() / power.sum()))


def level_db(wave: np.ndarray) -> float:
    return 10 * math.log10(float(np.mean(np.square(wave, dtype=float))) + 1e-30)


@pytest.fixture(scope="module")
def pieces() -> list[np.ndarray]:
    return [guitar.playing(12, seed).astype(float) for seed in range(12)]


@pytest.mark.parametrize("rate", [44100, 48000, 96000])
@pytest.mark.parametrize("string", range(6))
def test_every_string_is_in_tune(string: int, rate: int) -> None:
    for fret in (0, 7, 12):  # E2 to E5
        wave = one(Note(string, fret, 0.05, 3), rate=rate)[int(0.7 * rate) : int(2.2 * rate)]
        wanted = OPEN_HZ[string] * 2 ** (fret / 12)
        assert abs(1200 * math.log2(pitch_hz(wave, wanted, rate) / wanted)) < 2


def test_a_bend_arrives_where_it_should() -> None:
    wave = one(Note(3, 7, 0.05, 3, moves=((0.1, 0.0), (0.4, 2.0))))[RATE:]
    wanted = OPEN_HZ[3] * 2 ** (9 / 12)
    assert abs(1200 * math.log2(pitch_hz(wave, wanted, RATE) / wanted)) < 2


def test_partials_are_sharp_as_on_a_stiff_string() -> None:
    wave = one(Note(0, 0, 0.05, 3))[int(0.3 * RATE) : int(1.5 * RATE)]
    f1 = pitch_hz(wave, OPEN_HZ[0], RATE)
    for n in (5, 8):  # where an all-pass of first order still follows the law
        wanted = n * f1 * math.sqrt(1 + STIFFNESS[0] * n**2)
        assert abs(1200 * math.log2(pitch_hz(wave, wanted, RATE) / wanted)) < 3


def test_notes_die_away_and_a_hand_or_palm_stops_them_sooner() -> None:
    ringing, muted = one(Note(0, 3, 0.05, 9)), one(Note(0, 3, 0.05, 9, muted=True))
    stopped = one(Note(0, 3, 0.05, 0.5))
    early, late = slice(RATE // 10, RATE // 4), slice(RATE, 2 * RATE)
    assert -40 < level_db(ringing[late]) - level_db(ringing[early]) < -8
    assert level_db(muted[late]) - level_db(ringing[late]) < -20
    assert level_db(stopped[late]) - level_db(ringing[late]) < -30


def test_soft_notes_are_softer_and_darker() -> None:
    hard, soft = one(Note(2, 4, 0.05, 3, 0.0)), one(Note(2, 4, 0.05, 3, -20.0))
    ratio_db = 20 * math.log10(np.abs(soft).max() / np.abs(hard).max())
    assert -25 < ratio_db < -18  # real guitars: 18 to 22 dB
    assert share_db(soft, 3000, 6000) < share_db(hard, 3000, 6000) - 5


def test_hard_chords_nearly_fill_the_scale() -> None:
    for shape in guitar.SHAPES:
        chord = play(guitar.strum(shape, 0.05, 2), 1, Guitar(), np.random.default_rng(0))
        assert 0.5 < np.abs(chord).max() <= 1


@pytest.mark.parametrize("make", [guitar.playing, passages.passage, guitar.demo])
def test_same_seed_same_sound_other_seed_other_sound(
    make: Callable[[float, int, int], np.ndarray],
) -> None:
    first = make(4.0, 3, RATE)
    np.testing.assert_array_equal(first, make(4.0, 3, RATE))
    other = make(4.0, 4, RATE)
    assert level_db(first - other) > level_db(first) - 20


@pytest.mark.parametrize("make", [guitar.playing, passages.passage, guitar.demo])
@pytest.mark.parametrize(
    ("seconds", "rate"), [(0.05, 48000), (1.23456, 48000), (4, 44100), (2, 96000)]
)
def test_lengths_are_exact_and_samples_stay_in_range(
    make: Callable[[float, int, int], np.ndarray], seconds: float, rate: int
) -> None:
    wave = make(seconds, 1, rate)
    assert wave.shape == (round(seconds * rate),)
    assert wave.dtype == np.float32
    assert np.isfinite(wave).all()
    assert np.abs(wave).max() < 1
    assert max(abs(wave[0]), abs(wave[-1])) < 1e-4  # soft ends


def test_playing_measures_like_real_guitars_played_dry(pieces: list[np.ndarray]) -> None:
    # Real takes: crest 18-26 dB, 3-6 kHz -18 to -26 dB of the energy, 6-12 kHz -28 to -44 dB.
    crest = [20 * math.log10(np.abs(x).max()) - level_db(x) for x in pieces]
    assert 18 < np.median(crest) < 26
    assert min(crest) > 14
    assert max(crest) < 30
    assert -26 < np.median([share_db(x, 3000, 6000) for x in pieces]) < -18
    assert -44 < np.median([share_db(x, 6000, 12000) for x in pieces]) < -28
    assert max(share_db(x, 0, 60) for x in pieces) < -20


def test_playing_is_soft_and_hard_and_pauses(pieces: list[np.ndarray]) -> None:
    levels = np.array([level_db(w) for x in pieces for w in x.reshape(-1, RATE // 4)])
    assert np.percentile(levels, 95) - np.percentile(levels, 25) > 15
    assert levels.min() < -65  # real takes have floors of -68 to -90 dBFS
    assert max(np.abs(x).max() for x in pieces) > 0.5


def test_nothing_clicks(pieces: list[np.ndarray]) -> None:
    # A jump in the wave would fill the top octave, which a pickup hardly passes.
    for piece in pieces:
        steps = np.abs(np.diff(piece))
        assert steps.max() < 0.5 * np.abs(piece).max()
        assert share_db(piece, 12000, 24000) < -35


@pytest.mark.parametrize("seed", range(4))
def test_passages_differ_from_playing_by_what_playing_lacks(seed: int) -> None:
    wave = passages.passage(20, seed).astype(float)
    windows = wave.reshape(-1, RATE // 10)
    levels = np.array([level_db(w) for w in windows])
    assert levels.min() < -60
    # Tests are a quarter at most: the median window is still a guitar, with little above 8 kHz.
    highs = [share_db(w, 8000, 20000) for w in windows[levels > -50]]
    assert np.median(highs) < -25
    assert max(levels) > -30


def test_a_sweep_covers_the_band_and_a_burst_leaves_a_soft_tail() -> None:
    t = np.arange(RATE) / RATE
    rng = np.random.default_rng(0)
    sweep = passages._sweep(t, rng)
    early, late = sweep[: RATE // 10], sweep[-RATE // 50 :]
    assert share_db(early, 0, 60) > -0.5
    assert share_db(late, 10000, 20000) > -0.5
    for _ in range(20):
        burst = passages._burst(t, rng)
        assert level_db(burst[-RATE // 4 :]) < level_db(burst[: RATE // 8]) - 10
