"""Test signals through the amp and its twin, side by side: what plain playing does not show.

How the error goes with the level, which harmonics a tone gets, how the sound sags under a burst and
comes back, which tones are there that no harmonic accounts for, and whether a knob may turn. The
amp answers every question itself, so whatever it cannot do either stands beside the twin's figure.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tubetwin import duet, guitar, metrics
from tubetwin.duet import Answers
from tubetwin.knobs import Knob, Setting
from tubetwin.playlist import Job, Jobs
from tubetwin.sounds import settings_for
from tubetwin.twin import load

MUSIC_SECONDS, MUSIC_SEED = 2.0, 2**41  # playing that no training heard
LEVELS_DB = (-18.0, -12.0, -6.0, 0.0, 6.0)  # re the guitar at its loudest
TONES_HZ = (110.0, 220.0, 440.0, 880.0)
TONE_LEVELS_DB = (-48.0, -36.0, -24.0, -12.0, -6.0, 0.0)  # peak, re full scale
TONE_SECONDS = 0.3  # for each level; the first half settles
SAG_HZ = 440.0
SAG_POINTS_HZ = 100.0  # of a recovery kept for drawing
RECOVERY_SECONDS = 1.0  # over which the two recoveries are compared
SHALLOW_DB = 3.0  # what never falls by as much has nothing to recover from
SAME_LEVEL_DB = 1.0  # of harmonics: a twin that is softer than its amp aliases less for nothing
ALIAS_BINS = (1249, 2503, 5003)  # prime: 1.25, 2.5 and 5 kHz at 48 kHz
ALIAS_LEVELS_DB = (-24.0, -12.0, -6.0, 0.0)
ALL_UP = "All up"
STANDS = (0.0, 0.5, 1.0)  # of its travel, where a knob stands for comparison with it turning

Real = npt.NDArray[np.float64]


class Questions:
    """The jobs of one kind of twin, and what to make of the answers.

    Args:
        knobs: the panel.
        sample_rate_hz: of all signals.
        warm_up_samples: behind which the twin's history is whole.
    """

    def __init__(self, knobs: Sequence[Knob], sample_rate_hz: int, warm_up_samples: int) -> None:
        self.knobs, self.rate, self.warm_up = knobs, sample_rate_hz, warm_up_samples
        self.settings: dict[str, Setting] = dict(settings_for(knobs))
        self.hot = self.settings | {ALL_UP: {knob.name: knob.maximum for knob in knobs}}
        self.music = guitar.playing(MUSIC_SECONDS, MUSIC_SEED, sample_rate_hz)

    def jobs(self) -> Jobs:
        """Everything that is played."""
        jobs: Jobs = {}
        for name, setting in self.settings.items():
            for db in LEVELS_DB:
                jobs[f"level {name} {db:g}"] = Job(_gained(self.music, db), setting)
            for hz in TONES_HZ:
                jobs[f"tone {name} {hz:g}"] = Job(self._tone(hz), setting)
            probe = metrics.recovery_probe(SAG_HZ, self.rate).astype(np.float32)
            jobs[f"sag {name}"] = Job(probe, setting)
        for name, setting in self.hot.items():
            for k0 in ALIAS_BINS:
                for db in ALIAS_LEVELS_DB:
                    probe = metrics.asr_probe(k0, 10 ** (db / 20)).astype(np.float32)
                    jobs[f"alias {name} {k0} {db:g}"] = Job(probe, setting)
        return jobs | self._moving()

    def _tone(self, hz: float) -> npt.NDArray[np.float32]:
        step = round(TONE_SECONDS * self.rate)
        peak = np.repeat(10 ** (np.array(TONE_LEVELS_DB) / 20), step)
        tone = peak * np.sin(2 * np.pi * hz / self.rate * np.arange(len(peak)))
        return np.asarray(tone, np.float32)

    def _moving(self) -> Jobs:
        """Each knob up and down again in the middle setting, then all at once; and standing."""
        middle = dict(list(self.settings.values())[len(self.settings) // 2])
        turn = np.interp(np.linspace(0, 2, len(self.music)), (0, 1, 2), (0, 1, 0))
        jobs: Jobs = {}
        for knob in self.knobs:
            jobs[f"turn {knob.name}"] = Job(self.music, middle | {knob.name: _turned(knob, turn)})
            for at in STANDS:
                standing = middle | {knob.name: knob.panel(at)}
                jobs[f"stand {knob.name} {at:g}"] = Job(self.music, standing)
        if self.knobs:
            every = {k.name: _turned(k, np.roll(turn, i * len(turn) // 7))
                     for i, k in enumerate(self.knobs)}  # fmt: skip
            jobs["turn all"] = Job(self.music, every)
        return jobs

    # ---- What the answers say

    def verdict(self, amp: Answers, twin: Answers) -> dict[str, Any]:
        """All figures, as JSON can hold them.

        Args:
            amp, twin: the answers to `jobs`, by name.
        """
        return {
            "level": list(self._levels(amp, twin)),
            "harmonics": list(self._harmonics(amp, twin)),
            "sag": list(self._sags(amp, twin)),
            "aliasing": self._aliasing(amp, twin),
            "moving": list(self._turns(amp, twin)),
        }

    def _esr(self, amp: Answers, twin: Answers, name: str) -> float | None:
        y, p = (answers[name].astype(float)[self.warm_up :] for answers in (amp, twin))
        return _number(metrics.esr(y, p))

    def _levels(self, amp: Answers, twin: Answers) -> Iterator[dict[str, Any]]:
        for name in self.settings:
            for db in LEVELS_DB:
                esr = self._esr(amp, twin, f"level {name} {db:g}")
                yield {"setting": name, "level_db": db, "esr": esr}

    def _harmonics(self, amp: Answers, twin: Answers) -> Iterator[dict[str, Any]]:
        step = round(TONE_SECONDS * self.rate)
        for name in self.settings:
            for hz in TONES_HZ:
                y, p = (
                    answers[f"tone {name} {hz:g}"].astype(float).reshape(-1, step)[:, step // 2 :]
                    for answers in (amp, twin)
                )
                errors = metrics.harmonic_error_db(y, p, hz, self.rate)
                profiles = [metrics.harmonics(tones, hz, self.rate) for tones in (y, p)]
                for i, db in enumerate(TONE_LEVELS_DB):
                    heard = [[_number(h) for h in profile[i]] for profile in profiles]
                    yield {"setting": name, "tone_hz": hz, "level_db": db,
                           "error_db": _number(errors[i]),
                           "amp_db": heard[0], "twin_db": heard[1]}  # fmt: skip

    def _sags(self, amp: Answers, twin: Answers) -> Iterator[dict[str, Any]]:
        every = round(self.rate / SAG_POINTS_HZ)
        compared = round(RECOVERY_SECONDS * self.rate)
        for name in self.settings:
            y, p = (answers[f"sag {name}"].astype(float) for answers in (amp, twin))
            curves = [metrics.recovery(answer, SAG_HZ, self.rate) for answer in (y, p)]
            burst = slice(*(round(s * self.rate) for s in
                            (metrics.BURST_FROM_SECONDS, metrics.BURST_TO_SECONDS)))  # fmt: skip
            yield {
                "setting": name,
                "points_hz": self.rate / every,
                "envelope_error_db": _number(metrics.envelope_error_db(y, p, self.rate)),
                "burst_error_db": _number(metrics.envelope_error_db(y[burst], p[burst], self.rate)),
                "recovery_error_db": float(
                    np.sqrt(np.mean((curves[0] - curves[1])[:compared] ** 2))
                ),
            } | {
                f"{source}_{key}": value
                for source, curve in zip(("amp", "twin"), curves, strict=True)
                for key, value in (
                    ("recovery_seconds", _recovery_seconds(curve, self.rate)),
                    ("deepest_db", float(curve[np.abs(curve).argmax()])),
                    ("recovery_db", curve[:compared:every].round(3).tolist()),
                )
            }

    def _aliasing(self, amp: Answers, twin: Answers) -> dict[str, Any]:
        points = []
        for name in self.hot:
            for k0 in ALIAS_BINS:
                for db in ALIAS_LEVELS_DB:
                    job = f"alias {name} {k0} {db:g}"
                    found = [metrics.asr(answers[job].astype(float), k0) for answers in (amp, twin)]
                    energies = [float(aliasing.harmonic_energy) for aliasing in found]
                    point: dict[str, Any] = {"setting": name, "level_db": db}
                    point["tone_hz"] = k0 * self.rate / metrics.ASR_SAMPLES
                    point["level_error_db"] = _number(10 * np.log10(energies[1] / energies[0]))
                    for source, aliasing in zip(("amp", "twin"), found, strict=True):
                        point[f"{source}_asr"] = float(aliasing.ratio)
                        point[f"{source}_asr_without_dc"] = float(aliasing.ratio_without_dc)
                    points.append(point)
        same = [p for p in points if abs(p["level_error_db"] or 0.0) <= SAME_LEVEL_DB]
        counted = {"points": points, "same_level": len(same), "count": len(points)}
        return counted | {source: _worst_and_mean(points, source) for source in ("amp", "twin")}

    def _turns(self, amp: Answers, twin: Answers) -> Iterator[dict[str, Any]]:
        for name in [knob.name for knob in self.knobs]:
            standing = [self._esr(amp, twin, f"stand {name} {at:g}") for at in STANDS]
            known = [esr for esr in standing if esr is not None]
            yield {"knob": name, "esr": self._esr(amp, twin, f"turn {name}"),
                   "standing_esr": float(np.median(known)) if known else None}  # fmt: skip
        if self.knobs:
            esr = self._esr(amp, twin, "turn all")
            yield {"knob": "all at once", "esr": esr, "standing_esr": None}


def _worst_and_mean(points: Sequence[Mapping[str, Any]], source: str) -> dict[str, float]:
    """Of the ASR without DC, and of the ASR as published."""
    found: dict[str, float] = {}
    for key, tail in ((f"{source}_asr_without_dc", ""), (f"{source}_asr", "_as_published")):
        ratios = [point[key] for point in points]
        found |= {f"worst{tail}": float(max(ratios)), f"mean{tail}": float(np.mean(ratios))}
    return found


def _gained(di: npt.NDArray[np.float32], db: float) -> npt.NDArray[np.float32]:
    """Louder or softer, never beyond what a guitar gives by much: 6 dB over full scale at most."""
    return (10 ** (db / 20) * di).astype(np.float32)


def _turned(knob: Knob, turn: Real) -> Real:
    return knob.minimum + turn * (knob.maximum - knob.minimum)


def _recovery_seconds(gain_db: metrics.Array, sample_rate_hz: int) -> float | None:
    if np.abs(gain_db).max() < SHALLOW_DB:
        return None
    return _number(metrics.recovery_seconds(gain_db, sample_rate_hz))


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def probe(
    twin_path: Path, progress: Callable[[float], None] | None = None
) -> Mapping[str, Any] | None:
    """Ask a twin and its amp all questions.

    Args:
        twin_path: the twin file.
        progress: called now and then with the finished share, 0…1.
    Returns:
        the verdict; None if its amp cannot be asked, being a real one.
    Raises:
        BadInput: the twin cannot be read.
    """
    loaded = load(twin_path)
    if not duet.is_reference(loaded):
        return None
    field = loaded.architecture.receptive_field_samples
    questions = Questions(loaded.knobs, loaded.sample_rate_hz, field)
    jobs = questions.jobs()
    twin, amp = duet.play(twin_path, jobs, jobs, loaded.sample_rate_hz, progress)
    return questions.verdict(amp, twin)
