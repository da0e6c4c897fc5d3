"""Go through a whole session and say which takes can be trusted, and what to do about the others.

Each take is checked by itself, then against all others: takes that are upside down, late, the same
twice, or that do not sound as their knobs say. A setting that was recorded twice with the same
passage tells how well the amp repeats itself: no twin can be closer than that.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from tubetwin import audio, neighbours, reamp, schedule
from tubetwin.alignment import Alignment, moved, place
from tubetwin.checks import DOUBTFUL, MENDS, REFUSED, Finding, Heard, judge, listen
from tubetwin.files import BadInput, replacing
from tubetwin.metrics import esr
from tubetwin.session import Samples, Session, Take

RAW, ASIDE = "raw", "aside"  # folders: what the card heard, and takes that were refused
LATE_SAMPLES = 2.5  # an amp's knobs move its phase by up to one sample
LEAST_SURE = 5  # takes, of which a verdict speaks
STEADY_ESR = 0.01  # NAM's own limit of what two takes of one setting may differ


@dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        session: that was looked at.
        heard: file -> what was measured; without the files that could not be read.
        findings: take by take.
        floor_esr: between two takes of one setting and passage; None if there are none.
        unsure: takes whose knobs are worth a second look, the least sure first: those that differ
            from another take of their setting, then those that fit all others least. A setting
            whose takes agree is sure. Empty if there are too few takes to say.
    """

    session: Session
    heard: Mapping[str, Heard]
    findings: tuple[Finding, ...]
    floor_esr: float | None
    unsure: tuple[Take, ...] = ()

    @property
    def refused(self) -> tuple[Take, ...]:
        """Takes that must not be trained on."""
        bad = {f.take for f in self.findings if f.verdict == REFUSED}
        return tuple(take for take in self.session.takes if take.file in bad)

    def as_json(self) -> dict[str, Any]:
        """For a script to read."""
        return {
            "session": str(self.session.folder),
            "takes": [self._row(take) for take in self.session.takes],
            "refused": [take.file for take in self.refused],
            "floor_esr": self.floor_esr,
            "least_sure": [take.file for take in self.unsure],
        }

    def _row(self, take: Take) -> dict[str, Any]:
        found = [f for f in self.findings if f.take == take.file]
        worst = min((f.verdict for f in found), key=[REFUSED, DOUBTFUL].index, default="good")
        row: dict[str, Any] = {
            "file": take.file,
            "setting": dict(take.setting),
            "split": take.split,
            "verdict": worst,
            "findings": [
                {"kind": f.kind, "verdict": f.verdict, "what": f.what, "mend": MENDS[f.kind]}
                for f in found
            ],
        }
        if heard := self.heard.get(take.file):
            a = heard.alignment
            row |= {
                "lag_samples": round(a.lag_samples, 3),
                "drift_ppm": round(a.drift_ppm, 3),
                "polarity": a.polarity,
                "gain_db": round(audio.db(a.gain), 2),
                "peak_dbfs": round(heard.peak_dbfs, 2) if heard.peak_dbfs > -300 else None,
                "noise_db": heard.noise_db and round(heard.noise_db, 1),
                "hum_db": heard.hum_db and round(heard.hum_db, 1),
                "explained": round(a.explained, 4),
            }
        return row


# ---- One take ----------------------------------------------------------------------------------


def _recording(session: Session, take: Take) -> Samples:
    """A take's file, if it is what the session says. Raises BadInput."""
    sound = audio.read(session.folder / take.file)
    if sound.samples.shape[1] != 1 or sound.sample_rate_hz != session.sample_rate_hz:
        raise BadInput(
            f"it has {sound.samples.shape[1]} channels at {sound.sample_rate_hz} Hz, the session "
            f"one at {session.sample_rate_hz} Hz"
        )
    return sound.samples[:, 0]


def _listen(session: Session, take: Take) -> tuple[Heard, list[Finding], Samples]:
    """Measure one take, by what the card heard if that was kept."""
    di, recording = session.di(take), _recording(session, take)
    raw_path = session.folder / RAW / Path(take.file).name
    if not raw_path.is_file():
        heard = listen(di, recording, session.sample_rate_hz)
        return heard, list(judge(take.file, heard, session.sample_rate_hz)), recording
    play = reamp.play(di, session.sample_rate_hz)
    own = slice(play.start_samples, play.start_samples + play.length_samples)
    raw = audio.read(raw_path).samples[:, 0]
    by_card = listen(play.samples, raw, session.sample_rate_hz, own, play.marks)
    found = list(judge(take.file, by_card, session.sample_rate_hz))
    return (
        replace(by_card, alignment=_as_cut(by_card.alignment, recording, raw, play)),
        found,
        recording,
    )


def _as_cut(by_card: Alignment, recording: Samples, raw: Samples, play: reamp.Play) -> Alignment:
    """How a take lies to its DI: its marks tell where the DI lies in what the card heard, and the
    take was cut out of that. Plain playing alone would not tell: with a scooped amp its correlation
    may peak five samples off."""
    start, sign = place(recording, raw)
    middle = play.start_samples + len(recording) / 2
    late = by_card.lag_at(middle) - (start - play.start_samples)
    return replace(by_card, lag_samples=late, polarity=sign * by_card.polarity)


def _wrong(take: Take, recording_or_error: str) -> Finding:
    kind = "wrong rate" if "Hz" in recording_or_error else "unreadable"
    return Finding(kind, REFUSED, take.file, recording_or_error)


# ---- All takes ---------------------------------------------------------------------------------


def _upside_down(takes: Sequence[Take], heard: Mapping[str, Heard]) -> list[Finding]:
    signs = {t.file: heard[t.file].alignment.polarity for t in takes}
    usual = 1 if sum(signs.values()) >= 0 else -1
    what = "it is upside down against most takes"
    return [Finding("polarity", REFUSED, file, what) for file, s in signs.items() if s != usual]


def _late(takes: Sequence[Take], heard: Mapping[str, Heard]) -> list[Finding]:
    lags = {t.file: heard[t.file].alignment.lag_samples for t in takes}
    usual = float(np.median(list(lags.values())))
    return [
        Finding("latency", REFUSED, file, f"it lies {lag - usual:+.2f} samples off the others")
        for file, lag in lags.items()
        if abs(lag - usual) > LATE_SAMPLES
    ]


def _twice(takes: Sequence[Take], recordings: Mapping[str, Samples]) -> list[Finding]:
    seen: dict[bytes, Take] = {}
    found = []
    for take in takes:
        other = seen.setdefault(sha256(recordings[take.file].tobytes()).digest(), take)
        if other is not take:
            what = f"it is {other.file} once more"
            found.append(Finding("duplicate", REFUSED, take.file, what))
    return found


def _misfits(
    session: Session, takes: Sequence[Take], rows: Mapping[str, Any]
) -> tuple[list[Finding], list[Take]]:
    """Takes that do not sound as their knobs say, and all takes, those that fit least first."""
    if not session.knobs or not takes:
        return [], []
    settings = np.stack([session.setting(take) for take in takes]).astype(float)
    described = np.stack([rows[t.file] for t in takes])
    found = []
    for misfit in neighbours.misfits(settings, described):
        rather = ", ".join(
            f"{knob.name} {knob.panel(float(at)):.1f}"
            for knob, at in zip(session.knobs, misfit.rather, strict=True)
        )
        what = f"its sound fits far better to {rather}"
        found.append(Finding("misfit", DOUBTFUL, takes[misfit.take].file, what))
    return found, [takes[doubt.take] for doubt in neighbours.doubts(settings, described)]


@dataclass
class _Repeats:
    """What settings tell that were recorded twice or more with one passage."""

    floor_esr: float | None = None  # the largest between two takes, but for an odd one out
    findings: list[Finding] = field(default_factory=list)
    disputed: list[Take] = field(default_factory=list)  # one of each setting
    files: set[str] = field(default_factory=set)


def _repeats(
    session: Session, takes: Sequence[Take], recordings: Mapping[str, Samples]
) -> _Repeats:
    groups: dict[tuple[Any, ...], list[Take]] = {}
    for take in takes:
        key = (*sorted(take.setting.items()), take.length_samples, session.di(take).tobytes())
        groups.setdefault(key, []).append(take)
    told = _Repeats()
    for group in groups.values():
        if len(group) > 1:
            _compare(group, [recordings[t.file][: t.length_samples] for t in group], told)
    return told


def _compare(group: Sequence[Take], sounds: Sequence[Samples], told: _Repeats) -> None:
    """Takes of one setting and passage: those that agree with at least half of the others outvote
    the rest, so of three takes two outvote one."""
    apart = np.array([[float(esr(one, two)) for two in sounds] for one in sounds])
    steady = (apart <= STEADY_ESR) & ~np.eye(len(group), dtype=bool)
    agree = 2 * steady.sum(axis=1) >= len(group) - 1
    told.files.update(take.file for take in group)
    if not agree.any():
        told.disputed.append(group[0])
    for i in map(int, np.flatnonzero(~agree)):
        if agree.any():
            j = int(np.argmin(np.where(agree, apart[i], np.inf)))
            what = f"ESR {apart[i, j]:.4f} against {group[j].file} and another, which agree"
            told.findings.append(Finding("odd", REFUSED, group[i].file, what))
        elif i > 0:
            j = int(np.argmin(apart[i, :i]))
            what = f"ESR {apart[i, j]:.4f} against {group[j].file}, which has its setting"
            told.findings.append(Finding("unsteady", DOUBTFUL, group[i].file, what))
    counted = agree if agree.any() else ~agree
    told.floor_esr = max(told.floor_esr or 0.0, float(apart[np.ix_(counted, counted)].max()))


def _described(session: Session, take: Take, recording: Samples) -> Any:
    """Features of a take; if the card's sound was kept, at each loudness of the calibration."""
    raw = session.folder / RAW / Path(take.file).name
    if not raw.is_file():
        return neighbours.features(session.di(take), recording, session.sample_rate_hz)
    play = reamp.play(session.di(take), session.sample_rate_hz)
    sound = audio.read(raw).samples[:, 0]
    heard = listen(play.samples, sound, session.sample_rate_hz, marks=play.marks).alignment
    head = moved(sound, heard.lag_samples, 0.0, 0.0, play.start_samples)
    each = [(play.samples[at], head[at]) for at in reamp.steps(session.sample_rate_hz)]
    return np.concatenate([neighbours.features(*pair, session.sample_rate_hz) for pair in each])


def inspect(folder: Path | str, progress: Callable[[float], None] | None = None) -> Report:
    """Check every take of a session.

    Args:
        folder: of the session; nothing in it is changed.
        progress: called with the finished share, 0…1.
    Raises:
        BadInput: session.json or di.wav cannot be read at all.
    """
    session = Session.described(folder)
    heard: dict[str, Heard] = {}
    recordings: dict[str, Samples] = {}
    findings: list[Finding] = []
    for i, take in enumerate(session.takes):
        if take.end_samples > len(session.whole_di):
            raise BadInput(f"{session.folder / session.di_file} is too short for {take.file}")
        try:
            heard[take.file], found, recordings[take.file] = _listen(session, take)
            findings += found
        except BadInput as error:
            findings.append(_wrong(take, str(error)))
        if progress:
            progress((i + 1) / len(session.takes))
    readable = [take for take in session.takes if take.file in heard]
    findings += _twice(readable, recordings)
    bad = {f.take for f in findings if f.verdict == REFUSED}
    ranked: list[Take] = []
    good = [take for take in readable if take.file not in bad and heard[take.file].alignment.gain]
    if good:
        findings += _upside_down(good, heard) + _late(good, heard)
        rows = {t.file: _described(session, t, recordings[t.file]) for t in good}
        misfits, ranked = _misfits(session, good, rows)
        findings += misfits
    repeats = _repeats(session, good, recordings)
    order = {take.file: i for i, take in enumerate(session.takes)}
    findings = sorted([*findings, *repeats.findings], key=lambda f: order[f.take])
    unsure = (*repeats.disputed, *(take for take in ranked if take.file not in repeats.files))
    return Report(session, heard, tuple(findings), repeats.floor_esr, unsure)


def words(report: Report) -> str:
    """The verdict on the whole session."""
    takes, refused = len(report.session.takes), len(report.refused)
    doubtful = len({f.take for f in report.findings if f.verdict == DOUBTFUL})
    floor = (
        "No setting was recorded twice: how well the amp repeats itself is not known."
        if report.floor_esr is None
        else f"The amp repeats itself to an ESR of {report.floor_esr:.2g}: no twin can be closer."
    )
    unsure = ", ".join(take.file for take in report.unsure[:LEAST_SURE])
    least = (
        f" Least sure of their knobs: {unsure}; tubetwin plan --again asks for such takes anew."
        if unsure and (report.session.folder / schedule.FILE).is_file()
        else ""
    )
    return f"{takes} takes: {refused} refused, {doubtful} doubtful. {floor}{least}"


def set_aside(report: Report) -> Path:
    """Take refused takes out of a session; they are kept in a folder beside, with the reasons.

    Returns:
        that folder.
    Raises:
        BadInput: no take would be left, or the folder cannot be written.
    """
    session, bad = report.session, {take.file for take in report.refused}
    aside = session.folder / ASIDE
    left = tuple(take for take in session.takes if take.file not in bad)
    if not left:
        raise BadInput(f"no take of {session.folder} can be trusted: record the session again")
    aside.mkdir(exist_ok=True)
    reasons = [f.words for f in report.findings if f.take in bad]
    replace(session, takes=left).save()  # first: a take that is named must be there
    with replacing(aside / "reasons.json") as temporary:
        temporary.write_text(json.dumps(reasons, indent=1, ensure_ascii=False), "utf-8")
    for take in report.refused:
        if (session.folder / take.file).is_file():
            os.replace(session.folder / take.file, aside / Path(take.file).name)
    return aside
