"""How late a recording is against the DI it answers, to a fraction of a sample, and how to mend it.

An amp bends phases, so "late" needs a word of definition: the lag is where the whitened
cross-correlation of DI and recording peaks (C. Knapp and G. Carter, "The generalized correlation
method for estimation of time delay", 1976; their phase transform). A rig's pure delay moves that
peak by exactly itself; what the amp's own phase adds, a fraction of a sample in a circuit and a
few samples in front of a loudspeaker, stays alike from take to take.

Two clocks never agree: the lag is measured again in many short stretches, against what a linear
model of the whole take predicts there, and a line through them is the drift. A step in them is a
gap: samples that the card lost or played twice.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]  # (samples,)
Spectrum = NDArray[np.complex128]

BAND_HZ = (90.0, 6000.0)  # where guitars, amps and loudspeakers all have something to say
WHITENED = 1e-3  # of the largest cross-power: what lies far below it is noise and counts less
MODEL_SAMPLES = 4096  # of the linear model: 85 ms at 48 kHz
STRETCH_SECONDS = 0.75  # in which the lag is measured again
LOUD = 0.1  # stretches with less than so much of the typical RMS have no say
STEP_SPREAD = 1.5  # samples by which neighbouring stretches may differ and still agree
ROUNDS = 4  # of straightening a drift and looking again
CLOCKS = 150e-6  # by which two crystals may differ, and some
STEADY_SAMPLES = 0.02  # a drift over the whole take that is not worth another round
MARK_DOUBT = 0.03  # samples by which two marks' distance may be mistaken, as measured
WANDER_SAMPLES = 4096  # how far a lag may move within one take
TAPS, PHASES, KAISER = 64, 1024, 10.0  # of the interpolator: -90 dB up to 20 kHz at 48 kHz


@dataclass(frozen=True)
class Alignment:
    """How a recording lies against its DI.

    Attributes:
        lag_samples: at the recording's middle of what both share; its sample n + lag hears the
            DI's sample n. Negative if the recording began later than the DI.
        drift_ppm: how many millionths longer the recording is than the DI.
        drift_doubt_ppm: the standard error of `drift_ppm`.
        polarity: 1, or -1 if the recording is upside down against the DI.
        gain: RMS of the recording over RMS of the DI, both where they overlap.
        clarity: the peak of the correlation over its RMS; a recording of something else has
            hardly more than 6.
        explained: share of the recording's energy that a linear filter of the DI explains.
        centre_samples: of the DI, where `lag_samples` holds.
        stretches: (2, stretches): where in the DI, in samples, and the lag there; drift and all.
    """

    lag_samples: float
    drift_ppm: float
    drift_doubt_ppm: float
    polarity: int
    gain: float
    clarity: float
    explained: float
    centre_samples: float
    stretches: NDArray[np.float64]

    def lag_at(self, di_samples: float) -> float:
        """The lag where the DI's sample `di_samples` is heard."""
        return self.lag_samples + 1e-6 * self.drift_ppm * (di_samples - self.centre_samples)

    @property
    def step(self) -> tuple[float, float]:
        """The largest jump of the lag that stays, in samples, and where in the DI it is."""
        return _step(self.stretches)


def _step(stretches: NDArray[np.float64]) -> tuple[float, float]:
    """Three stretches before and three behind must agree, and the jump must stay: see `step`."""
    at, lags = stretches
    if len(at) < 6:
        return 0.0, 0.0
    of_three = np.sort(np.lib.stride_tricks.sliding_window_view(lags, 3), axis=1)
    spread = of_three[:, 2] - of_three[:, 0]
    jumps = of_three[3:, 1] - of_three[:-3, 1]
    drift = np.median(np.diff(lags) / np.diff(at)) * (at[4:-1] - at[1:-4])
    alike = np.maximum(spread[3:], spread[:-3]) < np.maximum(STEP_SPREAD, 0.1 * np.abs(jumps))
    jumps = np.where(alike, jumps - drift, 0.0)
    worst = int(np.abs(jumps).argmax())
    level = lags - np.median(np.diff(lags) / np.diff(at)) * at
    stays = np.median(level[worst + 3 :]) - np.median(level[: worst + 3])
    if abs(stays - jumps[worst]) > 0.5 * abs(jumps[worst]):
        return 0.0, 0.0
    return float(jumps[worst]), float(at[2 + worst] + at[3 + worst]) / 2


# ---- Correlation -------------------------------------------------------------------------------


def _whitened(
    di: Samples, recording: Samples, sample_rate_hz: float, wander: int | None = None
) -> tuple[Spectrum, int]:
    """The cross-spectrum with its size flattened inside the band, and its transform's length.

    The length is enough for lags up to `wander`; None: for all of them.
    """
    size = 1 << (len(di) + (len(recording) if wander is None else wander) - 1).bit_length()
    cross = np.fft.rfft(recording, size) * np.conj(np.fft.rfft(di, size))
    hz = np.arange(len(cross)) * sample_rate_hz / size
    cross[(hz < BAND_HZ[0]) | (hz > min(BAND_HZ[1], 0.45 * sample_rate_hz))] = 0
    power = np.abs(cross)
    floor = WHITENED * power.max() + np.finfo(float).tiny
    return cross / (power + floor), size


def _between(spectrum: Spectrum, size: int, around: int) -> float:
    """The correlation's peak near a whole lag, between samples: two rounds of a finer grid."""
    bins = np.flatnonzero(spectrum)
    turn, inside, at, step = 2j * np.pi * bins / size, spectrum[bins], float(around), 0.125
    for _ in range(2):
        near = at + step * np.arange(-8, 9)
        waves, forward = inside * np.exp(turn * near[0]), np.exp(turn * step)
        values = np.empty(len(near))
        for i in range(len(near)):
            values[i] = abs(waves.sum().real)
            waves *= forward
        best = int(np.clip(values.argmax(), 1, len(near) - 2))
        before, top, after = values[best - 1 : best + 2]
        bend = before - 2 * top + after
        at = float(near[best] + (step * 0.5 * (before - after) / bend if bend < 0 else 0.0))
        step /= 64
    return at


def _peak(spectrum: Spectrum, size: int, least: int, most: int) -> tuple[float, int, float]:
    """(lag, polarity, clarity) of the highest peak among lags from `least` to `most`."""
    correlation = np.fft.irfft(spectrum, size)
    lags = np.arange(least, most + 1)
    allowed = correlation[lags % size]
    top = int(np.abs(allowed).argmax())
    clarity = abs(allowed[top]) / (np.sqrt(np.mean(allowed**2)) + np.finfo(float).tiny)
    around = int(lags[top])
    return _between(spectrum, size, around), 1 if allowed[top] > 0 else -1, float(clarity)


def overlap(di: Samples, recording: Samples, lag: int) -> tuple[Samples, Samples, int]:
    """What DI and recording share when the recording is `lag` whole samples late.

    Returns:
        the DI's part, the recording's part of equal length, and where in the DI it begins.
    """
    start = max(0, -lag)
    length = max(0, min(len(di) - start, len(recording) - start - lag))
    return di[start : start + length], recording[start + lag :][:length], start


def place(part: Samples, whole: Samples) -> tuple[float, int]:
    """Where a piece that was cut out of a recording lies in it: samples from its start, and sign.

    Both are the same sound, so plain correlation has one sharp peak, whatever an amp did before.
    """
    size = 1 << (len(whole) + len(part) - 1).bit_length()
    spectrum = np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size))
    correlation = np.fft.irfft(spectrum, size)
    top = int(np.abs(correlation).argmax())
    sign = 1 if correlation[top] > 0 else -1
    at = np.array([top - 1, top, top + 1])
    before, peak, after = sign * correlation[at % size]
    bend = before - 2 * peak + after
    between = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return (top if top < len(whole) else top - size) + float(between), sign


# ---- A linear model, and where it fits -----------------------------------------------------------


def response(
    di: Samples, recording: Samples, size: int = MODEL_SAMPLES
) -> tuple[Spectrum, NDArray[np.float64]]:
    """The linear filter that explains most of an aligned recording, by Welch's method.

    Returns:
        (size/2 + 1,) complex response and, as much, coherence: the share explained per frequency.
    """
    window, hop = np.hanning(size), size // 4
    cross = np.zeros(size // 2 + 1, np.complex128)
    heard, played = np.zeros(len(cross)), np.zeros(len(cross))
    for start in range(0, max(len(di) - size, 0) + 1, hop):
        x = np.fft.rfft(window[: len(di)] * di[start : start + size], size)
        y = np.fft.rfft(window[: len(di)] * recording[start : start + size], size)
        cross += np.conj(x) * y
        played += np.abs(x) ** 2
        heard += np.abs(y) ** 2
    tiny = 1e-7 * played.max() + np.finfo(float).tiny
    return cross / (played + tiny), np.abs(cross) ** 2 / ((played + tiny) * heard + 1e-30)


def predicted(di: Samples, filter_: Spectrum) -> Samples:
    """The DI through such a response; half of its length may lie before the sound."""
    taps = np.fft.irfft(filter_)
    half = len(taps) // 2
    taps = np.roll(taps, half)
    size = 1 << (len(di) + len(taps)).bit_length()
    whole = np.fft.irfft(np.fft.rfft(di, size) * np.fft.rfft(taps, size), size)
    return np.asarray(whole[half : half + len(di)], np.float32)


def _stretches(model: Samples, recording: Samples, sample_rate_hz: float) -> NDArray[np.float64]:
    """Where and how late, (2, stretches), each loud stretch of a recording is against its model."""
    length = min(round(STRETCH_SECONDS * sample_rate_hz), len(model))
    starts = np.arange(0, len(model) - length + 1, length // 2)
    power = np.array([np.mean(np.square(model[s : s + length], dtype=float)) for s in starts])
    found, wander = [], min(WANDER_SAMPLES, length // 2)
    window = np.hanning(length).astype(np.float32)
    for start in starts[power > LOUD**2 * np.median(power)]:
        own, other = model[start : start + length], recording[start : start + length]
        spectrum, size = _whitened(window * own, window * other, sample_rate_hz, wander)
        lag, polarity, clarity = _peak(spectrum, size, -wander, wander)
        if clarity > 6 and polarity > 0:
            found.append((start + length / 2, lag))
    return np.array(found).reshape(-1, 2).T


def _fit(at: NDArray[np.float64], lag: NDArray[np.float64]) -> tuple[float, float, float]:
    """Slope, its standard error and the value at the mean of `at`, of a line by most points."""
    if len(at) < 4:
        return 0.0, np.inf, float(np.median(lag)) if len(lag) else 0.0
    i, j = np.triu_indices(len(at), 1)
    slope = float(np.median((lag[j] - lag[i]) / (at[j] - at[i])))  # P. K. Sen, 1968
    middle = at.mean()
    for _ in range(10):  # least squares on what lies near the line
        off = lag - slope * (at - middle)
        spread = 1.4826 * np.median(np.abs(off - np.median(off))) + 1e-3
        near = np.abs(off - np.median(off)) < 3 * spread
        slope, value = np.polyfit(at[near] - middle, lag[near], 1)
    left = lag[near] - slope * (at[near] - middle) - value
    spread = np.sqrt(np.sum(left**2) / max(near.sum() - 2, 1)) + 1e-4
    return float(slope), float(spread / np.sqrt(np.sum((at[near] - middle) ** 2))), float(value)


# ---- Interpolation -------------------------------------------------------------------------------


@cache
def _table() -> NDArray[np.float32]:
    """(PHASES + 1, TAPS): a windowed sinc, shifted by every phase."""
    at = np.arange(TAPS) - TAPS // 2 + 1 - np.arange(PHASES + 1)[:, None] / PHASES
    window = np.i0(KAISER * np.sqrt(np.clip(1 - (at / (TAPS // 2)) ** 2, 0, 1))) / np.i0(KAISER)
    table = np.sinc(at) * window
    return np.asarray(table / table.sum(axis=1, keepdims=True), np.float32)


def moved(samples: Samples, lag: float, drift: float, centre: float, length: int) -> Samples:
    """(length,) samples read at n + lag + drift * (n - centre), zero outside, by interpolation."""
    table, out = _table(), np.empty(length, np.float32)
    padded = np.pad(np.asarray(samples, np.float32), TAPS + 2)
    taps = np.arange(TAPS) - TAPS // 2 + 1
    for start in range(0, length, 32768):  # a chunk's windows fit in the cache
        n = np.arange(start, min(start + 32768, length))
        at = n + lag + drift * (n - centre)
        at = np.clip(at, -TAPS // 2, len(samples) + TAPS // 2)
        whole = np.floor(at).astype(np.int64)
        phase = (at - whole) * PHASES
        row = phase.astype(np.int64)
        share = (phase - row).astype(np.float32)[:, None]
        kernel = table[row] + share * (table[row + 1] - table[row])
        out[n] = np.einsum("ij,ij->i", kernel, padded[TAPS + 2 + whole[:, None] + taps])
    return out


# ---- The whole -----------------------------------------------------------------------------------


def _energy(samples: Samples) -> float:
    return float(np.sum(np.square(samples, dtype=float)))


def _between_marks(
    recording: Samples, marks: tuple[int, int, int], sample_rate_hz: float
) -> tuple[float, float] | None:
    """How much longer, per sample, the time between two marks is in a straightened recording.

    With its doubt; None where the marks are not heard clearly. Both are the amp's answer to the
    same sound out of the same rest.
    """
    first, second, length = marks
    one, other = recording[first:][:length], recording[second:][:length]
    if len(other) < length // 2 or not one.any() or not other.any():
        return None
    spectrum = _whitened(one, other, sample_rate_hz, WANDER_SAMPLES)
    late, _, clarity = _peak(*spectrum, -WANDER_SAMPLES, WANDER_SAMPLES)
    return (late / (second - first), MARK_DOUBT / (second - first)) if clarity > 12 else None


def align(
    di: Samples,
    recording: Samples,
    sample_rate_hz: float,
    most_lag_seconds: float | None = None,
    marks: tuple[int, int, int] | None = None,
) -> Alignment:
    """Find lag, drift, polarity and gain of a recording against the DI that was played.

    Args:
        di: (samples,), what was played.
        recording: (samples,) at the same rate, of any length; may begin before or after the DI.
        sample_rate_hz: of both.
        most_lag_seconds: how far to look either way; None: as far as they overlap at all.
        marks: where in the DI the same sound is played twice out of a rest: (first, second,
            length), in samples. With them a drift is measured whatever the amp does.
    """
    di, recording = np.asarray(di, np.float32), np.asarray(recording, np.float32)
    spectrum, size = _whitened(di, recording, sample_rate_hz)
    far = round((most_lag_seconds or np.inf) * sample_rate_hz) if most_lag_seconds else np.inf
    least, most = max(-far, 1 - len(di)), min(far, len(recording) - 1)
    lag, polarity, clarity = _peak(spectrum, size, int(least), int(most))
    x, y, start = overlap(di, recording, round(lag))
    centre = start + len(x) / 2
    if len(x) < 64 or not x.any() or not y.any():
        return Alignment(lag, 0.0, np.inf, polarity, 0.0, clarity, 0.0, centre, np.zeros((2, 0)))
    gain, slope, doubt, clear = np.sqrt(_energy(y) / _energy(x)), 0.0, np.inf, clarity
    for again in range(ROUNDS):
        if again:  # a drifting peak is blurred: look at what is left when it is straightened
            straight = moved(recording, lag, slope, centre, len(di))
            rest, polarity, clarity = _peak(
                *_whitened(di, straight, sample_rate_hz, WANDER_SAMPLES),
                -WANDER_SAMPLES,
                WANDER_SAMPLES,
            )
            lag += rest
            y = moved(recording, lag, slope, centre, len(di))[start : start + len(x)]
        model = predicted(x, response(x, y)[0])
        at, rests = _stretches(model, y, sample_rate_hz)
        clear = max(clear, clarity)
        # Of the last round, as a drift blurs the first one's model and its lags jump by themselves;
        # but a slope that is no clock's comes from a gap, and straightening by it would hide it.
        if not again or abs(slope) < CLOCKS:
            laid = lag if again else round(lag)
            stretches = np.stack([start + at, laid + slope * (start + at - centre) + rests])
        more, doubt, value = _fit(at, rests)
        middle = at.mean() + start if len(at) else centre
        if marks and abs(_step(stretches)[0]) < STEP_SPREAD:
            straight = moved(recording, lag, slope, centre, len(di))
            more, doubt = _between_marks(straight, marks, sample_rate_hz) or (more, doubt)
        if abs(more) * len(x) < STEADY_SAMPLES or abs(more) < 4 * doubt:
            break
        lag, slope = lag + value - more * (middle - centre), slope + more
    return Alignment(
        lag_samples=lag,
        drift_ppm=1e6 * (slope if again else more),
        drift_doubt_ppm=1e6 * doubt,
        polarity=polarity,
        gain=float(gain),
        clarity=clear,
        explained=max(0.0, 1 - _energy(y - model) / _energy(y)),
        centre_samples=centre,
        stretches=stretches,
    )


def straightened(
    recording: Samples, alignment: Alignment, length: int, turn: bool = False
) -> Samples:
    """A recording with lag and drift taken out: sample n answers the DI's sample n.

    Args:
        recording: (samples,).
        alignment: of this recording.
        length: of the DI; what was not recorded is zero.
        turn: also make its polarity the DI's.
    Returns:
        (length,) float32.
    """
    a = alignment
    out = moved(recording, a.lag_samples, 1e-6 * a.drift_ppm, a.centre_samples, length)
    return out * np.float32(a.polarity) if turn else out
