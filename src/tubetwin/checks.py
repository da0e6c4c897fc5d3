"""What can be wrong with a recording, how it is found, and what to do about it.

A check measures; a finding names what is wrong with one take, says how bad it is and how to mend
it. A take with a `refused` finding must not be trained on; a `doubtful` one may be, by somebody who
has read why.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tubetwin import audio
from tubetwin.alignment import Alignment, align, predicted, response, straightened
from tubetwin.audio import db

Samples = NDArray[np.float32]  # (samples,)

REFUSED, DOUBTFUL = "refused", "doubtful"

SILENT_DBFS = -60.0  # a take that peaks below it and does not follow its DI heard no amp
CLEAR = 16.0  # of `Alignment.clarity`: another passage reaches 6 to 13, the true one 47 and more
CLEAR_HERE = 10.0  # where the lag is known already
EXPLAINED = 0.05  # of a take's energy, at the very least, by a linear filter of its own DI
NEAR_SECONDS = 0.005  # that a passage may lie off where the whole was found
ENOUGH = 0.9  # of the DI must be answered
FULL_SCALE = 0.997  # a converter's end, by the word of most
FULL_SAMPLES = 8  # so many equal ones at the end of the scale are no accident
FLAT_RUNS = 2  # of three equal samples at the very top: clipping, as a wave's own top has none
STILL_SAMPLES = 12  # equal samples while music plays: nothing was recorded
BLOCKS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)  # of sound cards
STEP_SAMPLES = 3.0  # by which the lag may change within a take
DRIFT_SAMPLES = 1.0  # over a whole take; less is taken out without a word
MOST_DRIFT_PPM = 120.0  # of two crystals of 50 ppm each, and some: beyond it, it is no clock
QUIET_DBFS = -95.0  # of a DI that rests: below any pickup's own hiss
DECAY_SECONDS, REST_SECONDS = 0.25, 0.1  # that a chord takes to leave amp and room; of a rest
HARMONICS = 6  # of the mains, in a hum
LOUD_NOISE_DB, LOUD_HUM_DB = -30.0, -30.0  # re the take's RMS
HUMS_HZ = (50.0, 60.0)
RATES = ((44100, 48000), (48000, 44100), (48000, 96000), (96000, 48000))

MENDS = {
    "unreadable": "record or copy the file again",
    "silent": "switch the amp on, check cables and input gain, and record it again",
    "wrong rate": "set program and interface to one sample rate and record it again",
    "wrong file": "it answers another DI: find the file that belongs here, or record it again",
    "cut off": "let the recording run until the DI has ended, and record it again",
    "clipped": "turn the input gain down by 6 dB and record it again",
    "dropout": "close other programs or use longer blocks, and record it again",
    "drift": "play and record with one interface, or link the clocks of both",
    "noise": "check cables and the amp's distance from computers, or lower what hisses",
    "hum": "break the ground loop (a reamp box with its lift, one socket for all)",
    "polarity": "swap it back in the mixer, or import the session again",
    "latency": "the card's latency changed: import the session again, or record it again",
    "duplicate": "two settings cannot sound the same to the last bit: record the later one again",
    "misfit": "its sound does not fit its knobs or the gain moved: look, and record it again "
    "(tubetwin plan --again)",
    "unsteady": "let the amp warm up for 20 minutes and see that nothing is turned between takes; "
    "a third take of the setting decides (tubetwin plan --again)",
    "odd": "its knobs stood elsewhere: nothing is lost, as the others have this setting",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: a key of `MENDS`.
        verdict: REFUSED or DOUBTFUL.
        take: the file.
        what: what was measured, in words.
    """

    kind: str
    verdict: str
    take: str
    what: str

    @property
    def words(self) -> str:
        """The whole sentence."""
        return f"{self.take}: {self.kind}: {self.what}; {MENDS[self.kind]}"


@dataclass(frozen=True)
class Heard:
    """What was measured of one take.

    Attributes:
        alignment: against the DI.
        seconds: of the recording.
        covered: share of the DI that the recording answers, 0…1.
        peak_dbfs, rms_dbfs: of the recording.
        noise_db: RMS where the DI rests, re `rms_dbfs`; None if it never rests.
        hum_db, hum_hz: mains hum re `rms_dbfs`, and the mains' frequency.
        clipped_samples: in flat tops.
        gaps_seconds: where nothing, or one block twice, was recorded.
        speed: of another sample rate at which it would fit; 1.0: its own.
    """

    alignment: Alignment
    seconds: float
    covered: float
    peak_dbfs: float
    rms_dbfs: float
    noise_db: float | None = None
    hum_db: float | None = None
    hum_hz: float = 50.0
    clipped_samples: int = 0
    gaps_seconds: tuple[float, ...] = ()
    speed: float = 1.0


# ---- Runs ---------------------------------------------------------------------------------------


def _runs(true: NDArray[np.bool_], least: int) -> NDArray[np.int64]:
    """(runs, 2): begin and end of every stretch of at least `least` Trues."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], true.astype(np.int8), [0]])))
    runs = edges.reshape(-1, 2)
    return np.asarray(runs[runs[:, 1] - runs[:, 0] >= least])


def clipped(recording: Samples) -> int:
    """Samples in flat tops: three or more equal ones at the very highest or lowest value.

    Below full scale 16 bits are too coarse to tell: there, a saturated amp's own tops are flat too.
    """
    found, steps = 0, np.abs(np.diff(recording))
    finest = float(steps[steps > 0].min(initial=1.0))
    for side in (recording, -recording):
        top = float(side.max(initial=0.0))
        if top <= 0 or (top < FULL_SCALE and finest > 1e-6 * top):
            continue
        at_top = side >= top * (1 - 2e-7)
        if top >= FULL_SCALE and at_top.sum() >= FULL_SAMPLES:
            found += int(at_top.sum())
            continue
        runs = _runs(at_top, 3)
        lengths = runs[:, 1] - runs[:, 0]
        if len(runs) >= FLAT_RUNS or (lengths > 5).any():
            found += int(lengths.sum())
    return found


def _rms(samples: Samples, window: int) -> NDArray[np.float64]:
    """RMS in a window around every sample."""
    power = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=float))])
    begin = np.clip(np.arange(len(samples)) - window // 2, 0, max(len(samples) - window, 0))
    end = np.minimum(begin + window, len(samples))
    return np.asarray(np.sqrt(np.maximum(power[end] - power[begin], 0) / (end - begin)))


def gaps(recording: Samples, model: Samples) -> list[int]:
    """Where a recording stands still though its model plays, or plays one block of a card twice."""
    rms = float(np.sqrt(np.mean(np.square(recording, dtype=float)))) or 1.0
    loud = _rms(model, 256) > 0.1 * rms
    steps = np.abs(np.diff(recording, prepend=np.nan))
    finest = float(steps[steps > 0].min(initial=1.0))
    moves = max(0.05 * rms, 10 * finest)  # 16 bits stand still by themselves where music is soft

    def plays(begin: int, end: int) -> bool:
        part = model[max(begin - 8, 0) : end + 8]
        return bool(loud[begin:end].mean() > 0.5 and np.ptp(part) > moves)

    # Hiss moves every sample of an analogue recording where the amp rests: then none may stand.
    rests = _rms(model, 256) < 0.02 * rms
    hisses = rests.sum() > 1000 and np.mean(steps[rests] <= 1e-6 * rms) < 0.01
    still = _runs(steps <= 1e-6 * rms, STILL_SAMPLES)
    found = [int(begin) for begin, end in still if hisses or plays(begin, end)]
    moving = np.abs(recording) > 0.02 * rms
    for block in BLOCKS:
        if 2 * block >= len(recording):
            break
        twice = np.zeros(len(recording), bool)
        twice[block:] = np.abs(recording[block:] - recording[:-block]) <= 1e-6 * rms
        runs = _runs(twice, max(block - 2, 24))
        found += [int(a) for a, b in runs if hisses or (moving[a:b].mean() > 0.3 and plays(a, b))]
    return sorted(found)


# ---- Noise and hum ------------------------------------------------------------------------------


def rests(di: Samples, sample_rate_hz: float) -> NDArray[np.int64]:
    """(rests, 2): where a DI is silent for so long that an amp has nothing left to say."""
    playing = _rms(di, round(0.005 * sample_rate_hz)) > 10 ** (QUIET_DBFS / 20)
    decay = round(DECAY_SECONDS * sample_rate_hz)
    count = np.concatenate([np.zeros(decay, np.int64), np.cumsum(playing)])
    still_heard = count[decay:] > count[:-decay]
    return _runs(~still_heard & ~playing, round(REST_SECONDS * sample_rate_hz))


def hiss_and_hum(rest: Samples, sample_rate_hz: float) -> tuple[float, float, float]:
    """(RMS without hum, RMS of hum, mains frequency) of a stretch in which nothing is played."""
    t = np.arange(len(rest)) / sample_rate_hz
    best = (math.inf, 0.0, HUMS_HZ[0])
    for mains_hz in HUMS_HZ:
        turns = 2 * np.pi * mains_hz * np.outer(t, np.arange(1, HARMONICS + 1))
        waves = np.concatenate([np.sin(turns), np.cos(turns), np.ones((len(t), 1))], axis=1)
        weights, *_ = np.linalg.lstsq(waves, rest, rcond=None)
        left = float(np.sqrt(np.mean((rest - waves @ weights) ** 2)))
        hum = float(np.sqrt(np.sum(weights[:-1] ** 2) / 2))
        if left < best[0]:
            best = left, hum, mains_hz
    return best


# ---- One take -----------------------------------------------------------------------------------


def _follows(
    di: Samples, straight: Samples, sample_rate_hz: int, clear: float = CLEAR_HERE
) -> bool:
    """Whether a straightened recording answers this very DI: the calibration fits any take."""
    if not di.any():
        return True
    a = align(di, straight, sample_rate_hz)
    near = abs(a.lag_samples) < NEAR_SECONDS * sample_rate_hz
    return near and a.clarity > clear and a.explained > EXPLAINED


def _speed(di: Samples, recording: Samples, sample_rate_hz: int, own: slice) -> float:
    """Of the sample rate at which the recording would answer its DI; 1.0 if at none."""
    for labelled, true in RATES:
        slower = audio.resample(recording, true, labelled)
        straight = straightened(slower, align(di, slower, sample_rate_hz), len(di))
        if _follows(di[own], straight[own], sample_rate_hz, CLEAR):
            return true / labelled
    return 1.0


def listen(
    di: Samples,
    recording: Samples,
    sample_rate_hz: int,
    passage: slice | None = None,
    marks: tuple[int, int, int] | None = None,
) -> Heard:
    """Measure a take as it was recorded.

    Args:
        di: (samples,), what was played.
        recording: (samples,) of any length, at the same rate.
        sample_rate_hz: of both.
        passage: the part of the DI that only this take plays; None: all.
        marks: as of `alignment.align`.
    """
    a = align(di, recording, sample_rate_hz, marks=marks)
    peak, rms = audio.peak_dbfs(recording), audio.rms_dbfs(recording)
    begin = math.ceil(max(0.0, -a.lag_samples))
    end = math.floor(min(len(di), len(recording) - a.lag_samples))
    seconds, covered = len(recording) / sample_rate_hz, max(0, end - begin) / len(di)
    straight = straightened(recording, a, len(di))
    own = passage or slice(0, len(di))
    here = slice(max(own.start, begin), max(own.start, min(own.stop, end)))
    enough = here.stop - here.start > 0.5 * sample_rate_hz or covered >= ENOUGH
    cut = abs(a.step[0]) > STEP_SAMPLES  # both halves follow, each with a lag of its own
    follows = cut or not enough or _follows(di[here], straight[here], sample_rate_hz)
    if a.clarity < CLEAR or not follows:
        if peak < SILENT_DBFS:
            return Heard(replace(a, gain=0.0), seconds, covered, peak, rms)
        speed = _speed(di, recording, sample_rate_hz, own)
        return Heard(replace(a, clarity=0.0), seconds, covered, peak, rms, speed=speed)
    x, y = di[begin:end], straight[begin:end]
    model = predicted(x, response(x, y)[0])
    raw = np.zeros(len(model), np.float32)  # no interpolation has touched it
    part = recording[max(0, begin + round(a.lag_samples)) :][: len(model)]
    raw[: len(part)] = part
    quiet = max(rests(x, sample_rate_hz).tolist(), key=lambda r: r[1] - r[0], default=None)
    hiss, hum, mains_hz = (
        hiss_and_hum(y[slice(*quiet)], sample_rate_hz) if quiet else (None, None, HUMS_HZ[0])
    )
    return Heard(
        alignment=a,
        seconds=seconds,
        covered=covered,
        peak_dbfs=peak,
        rms_dbfs=rms,
        noise_db=None if hiss is None else max(db(hiss) - rms, -200.0),
        hum_db=None if hum is None else max(db(hum) - rms, -200.0),
        hum_hz=mains_hz,
        clipped_samples=clipped(recording),
        gaps_seconds=tuple((begin + g) / sample_rate_hz for g in gaps(raw, model)),
    )


def judge(take: str, heard: Heard, sample_rate_hz: int) -> Iterator[Finding]:
    """What is wrong with one take, from what was measured of it."""

    def found(kind: str, what: str, verdict: str = REFUSED) -> Finding:
        return Finding(kind, verdict, take, what)

    a = heard.alignment
    if a.gain == 0.0:
        yield found("silent", f"its peak is {heard.peak_dbfs:.0f} dBFS")
        return
    if a.clarity < CLEAR:
        if heard.speed != 1.0:
            yield found("wrong rate", f"it runs at {heard.speed:.4f} times the speed of its DI")
        else:
            yield found("wrong file", "nothing in it follows its DI")
        return
    if heard.covered < ENOUGH:
        yield found("cut off", f"it answers {heard.covered:.0%} of its DI")
    if heard.clipped_samples:
        yield found("clipped", f"{heard.clipped_samples} samples at {heard.peak_dbfs:.1f} dBFS")
    step, at = a.step
    if heard.gaps_seconds:
        where = ", ".join(f"{s:.2f}" for s in heard.gaps_seconds[:3])
        yield found("dropout", f"nothing new was recorded at {where} s")
    elif abs(step) > STEP_SAMPLES:
        lost = "lost" if step < 0 else "too many"
        yield found(
            "dropout", f"{abs(step):.0f} samples {lost} at about {at / sample_rate_hz:.1f} s"
        )
    else:
        yield from _drift(take, heard, sample_rate_hz)
    if heard.noise_db is not None and heard.noise_db > LOUD_NOISE_DB:
        yield found("noise", f"{-heard.noise_db:.0f} dB below the take", DOUBTFUL)
    if heard.hum_db is not None and heard.hum_db > LOUD_HUM_DB:
        what = f"{heard.hum_hz:.0f} Hz and its harmonics, {-heard.hum_db:.0f} dB below the take"
        yield found("hum", what, DOUBTFUL)


def _drift(take: str, heard: Heard, sample_rate_hz: int) -> Iterator[Finding]:
    a = heard.alignment
    moved = abs(a.drift_ppm) * 1e-6 * heard.seconds * sample_rate_hz
    if moved > DRIFT_SAMPLES and abs(a.drift_ppm) > 6 * a.drift_doubt_ppm:
        if abs(a.drift_ppm) < MOST_DRIFT_PPM:
            what = f"the clocks differ by {a.drift_ppm:+.1f} ppm"
            yield Finding("drift", DOUBTFUL, take, what)
        else:
            what = f"{moved:.0f} samples {'lost' if a.drift_ppm < 0 else 'too many'} on the way"
            yield Finding("dropout", REFUSED, take, what)
