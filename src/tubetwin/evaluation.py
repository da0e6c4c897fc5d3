"""How close a twin comes to its amp: a session's takes, played again through the engine.

What is judged is what is heard: the DI of each take goes from silence through the native engine at
the setting of the take, and the answer is held against the recording, by the definitions of
`metrics`. The headline is settings inside the panel that training never saw, with passages it never
heard. Settings that it saw stand beside them, apart, for the gap between both is what the knobs
cost; and so does all else that a session to judge by has (`roles`), each kind by itself.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tubetwin import engine, metrics, roles, tables, twin
from tubetwin.files import BadInput
from tubetwin.knobs import Knob, Setting
from tubetwin.roles import STAND_IN, Role
from tubetwin.session import SPLITS, Session, Take

FORMAT = 2
QUIETEST = 1e-8  # of the loudest take's power, -80 dB: below it a rig's own noise is all there is
SHORTEST_SECONDS = 0.1  # of audio behind the warm-up: five periods of the lowest third octave
EXCERPT_SECONDS = 10  # MR-STFT holds whole spectrograms, 0.5 GB for 10 s
BLENDED = 4  # takes at most, weighted by how near they are

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


BASELINES = {
    "nearest_setting_esr": "the twin left at the nearest training setting",
    "nearest_take_esr": "the recording at the nearest training setting instead of a twin",
    "blend_esr": f"the nearest recordings, at most {BLENDED}, mixed by their distance",
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
        self.to_judge_by = any(take.role for take in session.takes)
        self.trained = [take for take in session.takes if self.role(take).seen_setting]

    def role(self, take: Take) -> Role:
        """What a take stands for."""
        shared = self.session.shared_passages
        return take.role or roles.usual(self.session.knobs, take.setting, take.split, shared)

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
        row |= self.role(take).as_json() | {"setting": dict(take.setting)}
        row |= dict.fromkeys((*FIGURES, *BASELINES, "amp_dbfs"))
        near = self._neighbours(take)
        row |= self._distance(take, near[0] if near else None)
        if silent:
            return row
        amp = self.heard(take)
        row["amp_dbfs"] = float(10 * np.log10(np.mean(amp**2)))
        row |= _figures(amp, self.answer(take, take.setting), self.session.sample_rate_hz)
        if near and not self.role(take).seen_setting:
            row["nearest_setting_esr"] = float(metrics.esr(amp, self.answer(take, near[0].setting)))
            row |= self._takes_instead(take, near)
        return row

    def _neighbours(self, take: Take) -> list[Take]:
        """Training's settings around a take, the nearest first; of a judge's, those it brought."""
        near = self.trained
        if self.to_judge_by:
            near = [other for other in near if _same_passage(other, take)]
        return sorted(near, key=lambda other: self._apart(take, other))

    def _apart(self, take: Take, other: Take) -> float:
        return float(np.linalg.norm(self.session.setting(take) - self.session.setting(other)))

    def _takes_instead(self, take: Take, near: Sequence[Take]) -> dict[str, float]:
        """The ESR of the nearest recordings in the twin's place, if they play the same passage."""
        amp, found = self.heard(take), {}
        same = [other for other in near[:BLENDED] if _same_passage(other, take)]
        if same and same[0] is near[0]:
            found["nearest_take_esr"] = float(metrics.esr(amp, self.heard(same[0])))
        if len(same) > 1:
            weights = np.array([1 / max(self._apart(take, other), 1e-6) for other in same])
            blend = weights / weights.sum() @ np.stack([self.heard(other) for other in same])
            found["blend_esr"] = float(metrics.esr(amp, blend))
        return found

    def _distance(self, take: Take, nearest: Take | None) -> dict[str, Any]:
        if nearest is None:
            return dict.fromkeys(("nearest_setting", "distance", "distance_max"))
        apart = np.abs(self.session.setting(nearest) - self.session.setting(take))
        return {
            "nearest_setting": dict(nearest.setting),
            "distance": float(np.linalg.norm(apart)),
            "distance_max": float(apart.max(initial=0)),
        }


def _same_passage(one: Take, other: Take) -> bool:
    places = [(take.start_samples, take.length_samples) for take in (one, other)]
    return places[0] == places[1]


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
        takes = tuple(t for t in session.of(split) if not t.role or t.role.family != STAND_IN)
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
        `FIGURES`; its role; the distance to the nearest training setting in normalised knobs,
        Euclidean and largest; the ESR of the `BASELINES`); `table`, the figures of each role;
        `seen` and `unseen`, the headline of `tables.headline`; `summary`, the short form of
        `unseen`; `worst`, the files of its five worst; `baselines`, their summaries, to which a
        benchmark may add its own.
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
        "session": str(session.folder),
        "name": loaded.name,
        "rig": session.rig,
        "simulated": "simulated" in session.rig.lower(),
        "sample_rate_hz": session.sample_rate_hz,
        "engine": engine.instruction_set(),
        "shared_passages": session.shared_passages,
    }


def _totals(rows: Sequence[Mapping[str, Any]], session: Session) -> dict[str, Any]:
    """The table, the headline, and what one would have without a twin or without its knobs."""
    passages = "passages that training heard" if session.shared_passages else "passages unseen"
    settings = "settings unseen" if session.knobs else "one setting, no knobs"
    seen_rows, unseen_rows = tables.headline(rows)
    validation_rows = [row for row in rows if row["split"] == "validation"]
    heard = all(row["seen_audio"] for row in seen_rows)
    seen = f"settings seen, {'audio that training heard' if heard else passages}"
    chosen_by = f"{settings}, {passages}, used to choose the weights"
    unseen = tables.group(f"{settings}, {passages}", unseen_rows, list(FIGURES))
    return {
        "summary": {key: unseen[key] for key in ("median", "p90", "worst", "mean", "count")},
        "seen": tables.group(seen, seen_rows, list(FIGURES)),
        "unseen": unseen,
        "validation": tables.group(chosen_by, validation_rows, list(FIGURES)),
        "table": tables.cells(rows, list(FIGURES)),
        "worst": [row["file"] for row in tables.worst(unseen_rows or seen_rows)],
        "baselines": {
            key.removesuffix("_esr"): {"what": what}
            | tables.summary([row[key] for row in unseen_rows if row[key] is not None])
            for key, what in BASELINES.items()
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
