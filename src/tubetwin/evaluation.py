"""How close a twin comes to its amp: a session's takes, played again through the engine.

What is judged is what is heard: the DI of each take goes from silence through the native engine at
the setting of the take, and the answer is held against the recording, by the definitions of
`metrics`. The headline is the takes of split `test`: neither their settings nor, unless the session
says otherwise, their passages were ever trained on. Some takes that training did hear stand beside
them, apart, for the gap between both is what the knobs cost.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tubetwin import engine, metrics, twin
from tubetwin.files import BadInput
from tubetwin.knobs import Knob, Setting
from tubetwin.session import SPLITS, Session, Take

FORMAT = 1
QUIETEST = 1e-8  # of the loudest take's power, -80 dB: below it a rig's own noise is all there is
SHORTEST_SECONDS = 0.1  # of audio behind the warm-up: five periods of the lowest third octave
EXCERPT_SECONDS = 10  # MR-STFT holds whole spectrograms, 0.5 GB for 10 s
RESAMPLES = 2000  # of the bootstrap: its 95 % interval then holds still to 1 or 2 %

Samples = npt.NDArray[np.float64]


# ---- One take ----------------------------------------------------------------------------------


def _mr_stft(amp: Samples, answer: Samples, sample_rate_hz: float) -> float:
    pieces = math.ceil(len(amp) / (EXCERPT_SECONDS * sample_rate_hz))
    excerpts = zip(np.array_split(amp, pieces), np.array_split(answer, pieces), strict=True)
    return float(np.mean([metrics.mr_stft(a, b) for a, b in excerpts]))


FIGURES: Mapping[str, Callable[[Samples, Samples, float], Any]] = {
    "esr": lambda amp, answer, _: metrics.esr(amp, answer),
    "esr_pre": lambda amp, answer, _: metrics.esr_pre(amp, answer, 0.95),
    "esr_above_4khz": lambda amp, answer, rate: metrics.band_esr(amp, answer, rate, 4000),
    "mr_stft": _mr_stft,
    "gain_error_db": lambda amp, answer, _: metrics.gain_error_db(amp, answer),
    "spectrum_error_db": metrics.spectrum_error_db,
    "dc_error": lambda amp, answer, _: metrics.dc_error(amp, answer),
}


def _figures(amp: Samples, answer: Samples, sample_rate_hz: float) -> dict[str, float | None]:
    """All `FIGURES`; None where one does not exist: above 4 kHz of an amp mute there."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {key: float(f(amp, answer, sample_rate_hz)) for key, f in FIGURES.items()}
    return {key: value if math.isfinite(value) else None for key, value in found.items()}


class _Judge:
    """Plays the takes of one session through one twin."""

    def __init__(self, player: engine.Player, session: Session, warm_up_samples: int) -> None:
        self.player, self.session, self.warm_up_samples = player, session, warm_up_samples
        self.trained = session.of("train")
        self.trained_at = np.array([session.setting(take) for take in self.trained])

    def heard(self, take: Take) -> Samples:
        """The recording, from where the twin's history is whole."""
        recording: Samples = self.session.recording(take).astype(np.float64)
        return recording[self.warm_up_samples :]

    def answer(self, take: Take, setting: Setting) -> Samples:
        """The twin's answer to a take's DI, as long as `heard`."""
        self.player.set(setting, jump=True)
        self.player.reset()  # after the knobs: the silence before the take is at its setting
        answer: Samples = self.player.process(self.session.di(take)).astype(np.float64)
        if not np.isfinite(answer).all():
            file = self.session.folder / take.file
            raise BadInput(f"the twin's answer to the DI of {file} is not finite: train it again")
        return answer[self.warm_up_samples :]

    def row(self, take: Take, silent: bool) -> dict[str, Any]:
        """One line of the report; a silent take has no figures."""
        row: dict[str, Any] = {"file": take.file, "split": take.split, "silent": silent}
        row |= {"setting": dict(take.setting)} | dict.fromkeys(FIGURES)
        nearest = self._nearest(take)
        row |= self._distance(take, nearest) | {"nearest_setting_esr": None}
        if silent:
            return row
        amp = self.heard(take)
        row |= _figures(amp, self.answer(take, take.setting), self.session.sample_rate_hz)
        if nearest and take.split != "train":
            row["nearest_setting_esr"] = float(metrics.esr(amp, self.answer(take, nearest.setting)))
        return row

    def _nearest(self, take: Take) -> Take | None:
        if not self.trained:
            return None
        apart = np.linalg.norm(self.trained_at - self.session.setting(take), axis=1)
        return self.trained[int(apart.argmin())]

    def _distance(self, take: Take, nearest: Take | None) -> dict[str, Any]:
        if nearest is None:
            return dict.fromkeys(("nearest_setting", "distance", "distance_max"))
        apart = np.abs(self.session.setting(nearest) - self.session.setting(take))
        return {
            "nearest_setting": dict(nearest.setting),
            "distance": float(np.linalg.norm(apart)),
            "distance_max": float(apart.max(initial=0)),
        }


# ---- Many takes --------------------------------------------------------------------------------


def _summary(values: Sequence[float]) -> dict[str, Any]:
    """Median, mean, P90 and worst over settings, each counting once; None where there are none."""
    if not values:
        return {"count": 0} | dict.fromkeys(("median", "median_95", "mean", "p90", "worst"))
    again = np.random.default_rng(0).choice(values, (RESAMPLES, len(values)))
    return {
        "count": len(values),
        "median": float(np.median(values)),
        "median_95": np.percentile(np.median(again, axis=1), [2.5, 97.5]).tolist(),
        "mean": float(np.mean(values)),
        "p90": float(np.percentile(values, 90)),
        "worst": float(np.max(values)),
    }


def _summaries(rows: Sequence[Mapping[str, Any]], what: str) -> dict[str, Any]:
    """The summary of one split's ESR, with the medians of the other figures' magnitudes."""

    def of(key: str) -> list[float]:
        return [abs(row[key]) for row in rows if row[key] is not None]

    medians = {key: float(np.median(of(key))) if of(key) else None for key in FIGURES}
    silent = sum(row["silent"] for row in rows)
    return {"what": what} | _summary(of("esr")) | {"silent": silent, "medians": medians}


# ---- What can be judged ------------------------------------------------------------------------


def _panel(knobs: Sequence[Knob]) -> str:
    return ", ".join(f"{k.name} {k.minimum:g}-{k.maximum:g}" for k in knobs) or "no knobs"


def _refuse_another_amp(path: Path, loaded: twin.Twin, session: Session) -> None:
    def panel(knobs: Sequence[Knob]) -> set[tuple[str, float, float]]:
        return {(knob.name.lower(), knob.minimum, knob.maximum) for knob in knobs}

    if panel(loaded.knobs) != panel(session.knobs):
        raise BadInput(
            f"{path} has {_panel(loaded.knobs)}, but the amp of {session.folder} has "
            f"{_panel(session.knobs)}: evaluate a twin on a session of its own amp"
        )
    if loaded.sample_rate_hz != session.sample_rate_hz:
        raise BadInput(
            f"{path} plays at {loaded.sample_rate_hz} Hz, but {session.folder} was recorded at "
            f"{session.sample_rate_hz} Hz: evaluate a twin on a session of its own rate"
        )


def _chosen(session: Session, splits: Sequence[str], most_seen: int) -> list[Take]:
    """The takes to judge: all that were held out, and of those trained on an even spread."""
    unknown = [split for split in splits if split not in SPLITS]
    if unknown:
        raise BadInput(f"there is no split {unknown[0]!r}: choose from {', '.join(SPLITS)}")
    chosen: list[Take] = []
    for split in splits:
        takes = session.of(split)
        if split == "train" and len(takes) > most_seen:
            spread = np.linspace(0, len(takes) - 1, most_seen).round().astype(int)
            takes = tuple(takes[i] for i in spread)
        chosen += takes
    if not chosen:
        raise BadInput(f"{session.folder} has no {' or '.join(splits)} takes: capture some")
    return chosen


def _refuse_short(session: Session, takes: Sequence[Take], warm_up_samples: int) -> None:
    least = warm_up_samples + math.ceil(SHORTEST_SECONDS * session.sample_rate_hz)
    for take in takes:
        if take.length_samples < least:
            raise BadInput(
                f"{session.folder / take.file} is too short to judge: {take.length_samples} "
                f"samples, and with the twin's receptive field it takes {least}"
            )


# ---- The report --------------------------------------------------------------------------------


def evaluate(
    twin_path: Path | str,
    session: Session,
    splits: Sequence[str] = ("train", "test"),
    progress: Callable[[float], None] | None = None,
    most_seen: int = 24,
) -> dict[str, Any]:
    """Play a session's takes through a twin and say how far off it is, setting by setting.

    The first receptive field of each take is not judged, as its history is not whole. Takes 80 dB
    below the loudest one have no ESR: their figures are None and no summary counts them.

    Args:
        twin_path: the twin file.
        session: recordings of the twin's amp.
        splits: which takes: "train", "validation", "test".
        progress: is called with the finished share, 0…1.
        most_seen: at most so many takes of `train` are judged, spread evenly over the session.
    Returns:
        What JSON can hold: `settings`, a list with one dict for each take (the figures of
        `FIGURES`; the distance to the nearest training setting in normalised knobs, Euclidean and
        largest; the ESR of the twin left standing there); `seen` (split `train`) and `unseen`
        (split `test`), the summaries over settings; `summary`, the short form of `unseen`.
    Raises:
        BadInput: the twin has other knobs or another rate than the session; the session has no
            such takes, or one too short; a file cannot be read.
    """
    path = Path(twin_path)
    loaded = twin.load(path)
    _refuse_another_amp(path, loaded, session)
    takes = _chosen(session, splits, most_seen)
    warm_up_samples = loaded.architecture.receptive_field_samples
    _refuse_short(session, takes, warm_up_samples)
    rows = []
    with engine.Player(path) as player:
        judge = _Judge(player, session, warm_up_samples)
        powers = [np.mean(judge.heard(take) ** 2) for take in takes]
        for take, power in zip(takes, powers, strict=True):
            rows.append(judge.row(take, silent=bool(power <= QUIETEST * max(powers))))
            if progress:
                progress(len(rows) / len(takes))
    return _about(path, loaded, session) | {"settings": rows} | _totals(rows, session)


def _about(path: Path, loaded: twin.Twin, session: Session) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "twin": str(path),
        "name": loaded.name,
        "rig": session.rig,
        "simulated": "simulated" in session.rig.lower(),
        "sample_rate_hz": session.sample_rate_hz,
        "engine": engine.instruction_set(),
        "shared_passages": session.shared_passages,
    }


def _totals(rows: Sequence[Mapping[str, Any]], session: Session) -> dict[str, Any]:
    """The summaries by split, and what the same twin gives if nobody turns its knobs."""
    passages = "passages that training heard" if session.shared_passages else "passages unseen"
    settings = "settings unseen" if session.knobs else "one setting, no knobs"
    what = {
        "train": "settings seen, audio that training heard",
        "validation": f"{settings}, {passages}, used to choose the weights",
        "test": f"{settings}, {passages}",
    }
    seen, chosen_by, unseen = (
        _summaries([row for row in rows if row["split"] == split], what[split]) for split in SPLITS
    )
    frozen = [row["nearest_setting_esr"] for row in rows if row["split"] == "test"]
    return {
        "summary": {key: unseen[key] for key in ("median", "p90", "worst", "mean", "count")},
        "seen": seen,
        "unseen": unseen,
        "validation": chosen_by,
        "baseline": {
            "nearest_setting": {"what": "the twin left at the nearest training setting"}
            | _summary([esr for esr in frozen if esr is not None])
        },
    }


def scores(report: Mapping[str, Any]) -> dict[str, Any]:
    """What a twin keeps of its evaluation: its `scores`."""
    kept = ("median", "p90", "worst", "count")
    return {
        "figure": "ESR, pooled inside a setting",
        "measured": "with the engine",
        "rig": report["rig"],
        "simulated": report["simulated"],
        "shared_passages": report["shared_passages"],
        **{group: {key: report[group][key] for key in kept} for group in ("seen", "unseen")},
    }
