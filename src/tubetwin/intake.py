"""Take in recordings that were made elsewhere: a folder of sound files becomes a session.

Files may be of any rate and kind, late, early, upside down, and each may have a DI of its own. Each
is checked and laid against its DI; what cannot be trusted is kept aside and named. NAM's reamp
file, version 3, is recognised: its first nine seconds and its last are alike, and the last are kept
for judging.
"""

import csv
import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tubetwin import audio, naming
from tubetwin.alignment import TAPS, straightened
from tubetwin.checks import REFUSED, Finding, Heard, judge, listen
from tubetwin.files import BadInput
from tubetwin.knobs import Knob
from tubetwin.session import SPLITS, Samples, Session, Take

SUFFIXES = (".wav", ".flac", ".aif", ".aiff", ".ogg", ".mp3", ".w64", ".caf")
ONE_CHAIN_SAMPLES = 2.0  # lags that differ by less are one chain's; what differs is the amp's phase
CUTS = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}  # of a long DI
LONG_SECONDS = 30.0  # a DI so long is cut: each split then has passages of its own
NAM_SECONDS, NAM_TWICE_SECONDS = 190.0, 9.0
NAM_CUTS = {"train": (10.0, 150.0), "test": (150.0, 180.5), "validation": (181.0, 190.0)}


@dataclass(frozen=True)
class Source:
    """One recording to take in."""

    path: Path
    di: Path
    setting: Mapping[str, float]
    split: str = ""  # "": to be chosen


# ---- What there is -------------------------------------------------------------------------------


def _sounds(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise BadInput(f"{folder} is neither a folder nor a sound file")
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())


def _di_of(path: Path, di: Path) -> Path:
    """The DI of a recording: the one there is, or that of the same name in a folder of DIs."""
    if not di.is_dir():
        return di
    same = [p for p in _sounds(di) if p.stem == path.stem]
    if not same:
        raise BadInput(f"{di} holds no DI called {path.stem}, as {path.name} is")
    return same[0]


def from_names(folder: Path, di: Path, pattern: str | None) -> list[Source]:
    """Sources whose file names tell the knobs; `di` is a file, or a folder of files so named."""
    if not di.exists():
        raise BadInput(f"{di} is missing: --di names what was played into the amp")
    paths = [p for p in _sounds(folder) if not (di.is_file() and p.samefile(di))]
    if not paths:
        raise BadInput(f"{folder} holds no recordings: {', '.join(SUFFIXES)} are looked for")
    names = [p.name for p in paths]
    settings = naming.by_pattern(names, pattern) if pattern else naming.guessed(names)
    return [Source(p, _di_of(p, di), settings[p.name]) for p in paths if p.name in settings]


def from_csv(folder: Path, di: Path | None, table: Path) -> list[Source]:
    """Sources out of a table with a column `file`, perhaps `di` and `split`, and one per knob."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"cannot read {table}: {error}") from error
    sources = []
    for number, row in enumerate(rows, start=2):
        where, row = f"{table} line {number}", {str(k).strip(): v for k, v in row.items()}
        if not row.get("file"):
            raise BadInput(f"{where} has no value in a column called file")
        own_di = row.get("di") or ""
        if not own_di and di is None:
            raise BadInput(f"{where} names no DI: add a column di, or give --di")
        path = folder / str(row["file"])
        split = (row.get("split") or "").strip()
        if split and split not in SPLITS:
            raise BadInput(f"{where}: split {split!r} must be one of {', '.join(SPLITS)}")
        try:
            knobs = {
                k: float(v.replace(",", "."))
                for k, v in row.items()
                if k not in ("file", "di", "split")
            }
        except (ValueError, AttributeError) as error:
            raise BadInput(f"{where}: every knob needs a number ({error})") from error
        sources.append(
            Source(path, folder / own_di if own_di else _di_of(path, di or path), knobs, split)
        )
    if not sources:
        raise BadInput(f"{table} lists no recordings")
    return sources


def panel(sources: Sequence[Source], wished: Mapping[str, tuple[float, float]]) -> list[Knob]:
    """The knobs: as wide as they were turned, unless a printed range is wished.

    A twin shall not offer what nobody recorded. A knob that was never turned is left out.
    """
    knobs = []
    names = list(dict.fromkeys(name for source in sources for name in source.setting))
    if unknown := set(wished) - set(names):
        raise BadInput(
            f"--knob {sorted(unknown)[0]}: the recordings know {', '.join(names) or 'none'}"
        )
    for name in names:
        values = sorted(source.setting[name] for source in sources)
        low, high = wished.get(name, (values[0], values[-1]))
        if low < high:
            knobs.append(Knob(name, low, high, values[len(values) // 2]))
    return knobs


# ---- Splits --------------------------------------------------------------------------------------


def choose_splits(sources: Sequence[Source], knobs: Sequence[Knob]) -> list[str]:
    """Hold out whole settings, from inside the panel where there are any; recordings may say."""
    if any(source.split for source in sources):
        return [source.split or "train" for source in sources]
    values = [tuple(source.setting[k.name] for k in knobs) for source in sources]
    settings = sorted(set(values))
    if len(settings) < 3:
        raise BadInput(
            f"{len(settings)} settings are too few to hold any out: record three or more, "
            "or import one alone as an amp without knobs"
        )
    ends = [(min(v[i] for v in settings), max(v[i] for v in settings)) for i in range(len(knobs))]
    inside = [v for v in settings if all(a < x < b for x, (a, b) in zip(v, ends, strict=True))]
    tests, validations = max(1, len(settings) // 6), max(1, len(settings) // 8)
    if len(inside) < tests + validations:
        inside = settings[1:-1] if len(settings) > 3 else settings[1:]
    wanted = min(tests + validations, len(inside))
    # Each in the middle of its own share: two neighbours held out would leave a hole of both.
    held = [inside[int((i + 0.5) * len(inside) / wanted)] for i in range(wanted)]
    verdict = {v: "test" if (len(held) - i) % 2 else "validation" for i, v in enumerate(held)}
    return [verdict.get(v, "train") for v in values]


def is_nam_v3(di: Samples, sample_rate_hz: int) -> bool:
    """NAM's reamp file, version 3: 190 seconds that begin and end with the same nine."""
    if abs(len(di) / sample_rate_hz - NAM_SECONDS) > 0.01:
        return False
    twice = round(NAM_TWICE_SECONDS * sample_rate_hz)
    first, last = di[:twice].astype(float), di[-twice:].astype(float)
    return bool(np.sum((first - last) ** 2) <= 1e-4 * np.sum(first**2) > 0)


def _parts(
    split: str, di: Samples, sample_rate_hz: int, knobs: Sequence[Knob], alone: bool
) -> list[tuple[str, int, int]]:
    """(split, begin, end) of the passages that a take at `split` gives, in samples of its DI."""
    if is_nam_v3(di, sample_rate_hz):
        cuts = {s: tuple(round(t * sample_rate_hz) for t in cut) for s, cut in NAM_CUTS.items()}
    elif knobs and (alone or len(di) < LONG_SECONDS * sample_rate_hz):
        return [(split, 0, len(di))]
    else:
        cuts = {s: tuple(round(t * len(di)) for t in cut) for s, cut in CUTS.items()}
    return [(s, a, b) for s, (a, b) in cuts.items() if not knobs or s == split]


# ---- The whole -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taken:
    """What became of one recording: what was measured, and what is wrong with it."""

    source: Source
    heard: Heard
    findings: tuple[Finding, ...]

    @property
    def refused(self) -> bool:
        """Kept aside."""
        return any(f.verdict == REFUSED for f in self.findings)


def _lags(taken: Sequence[Taken]) -> list[float]:
    """One lag for all where they agree but for the amp's own phase, else each its own."""
    lags = [t.heard.alignment.lag_samples for t in taken]
    middle = float(np.median(lags)) if lags else 0.0
    alike = all(abs(lag - middle) < ONE_CHAIN_SAMPLES for lag in lags)
    return [middle] * len(lags) if alike else lags


class _Reader:
    """Reads sounds at one rate, each file once while it is asked for again and again."""

    def __init__(self, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._dis: dict[Path, Samples] = {}

    def di(self, path: Path) -> Samples:
        if path not in self._dis:
            self._dis[path] = self.recording(path)
        return self._dis[path]

    def recording(self, path: Path) -> Samples:
        if not path.is_file():
            raise BadInput(f"{path} is missing")
        return audio.read_mono(path, self.sample_rate_hz)


def _listen(source: Source, read: _Reader) -> Taken:
    rate = read.sample_rate_hz
    heard = listen(read.di(source.di), read.recording(source.path), rate)
    return Taken(source, heard, tuple(judge(source.path.name, heard, rate)))


def _write(
    folder: Path,
    taken: Sequence[Taken],
    splits: Sequence[str],
    knobs: Sequence[Knob],
    read: _Reader,
    turn: bool,
    rig: str,
) -> Session:
    """The session's files, into an empty folder."""
    (folder / "takes").mkdir()
    dis = list(dict.fromkeys(t.source.di for t in taken))
    starts = dict(zip(dis, np.cumsum([0, *[len(read.di(d)) for d in dis]]).tolist(), strict=False))
    alone = len(dis) == len(taken) > 1
    takes: list[Take] = []
    for one, lag, split in zip(taken, _lags(taken), splits, strict=True):
        di, a = read.di(one.source.di), one.heard.alignment
        recording = read.recording(one.source.path)
        sure = abs(a.drift_ppm) > 6 * a.drift_doubt_ppm
        a = replace(a, lag_samples=lag, drift_ppm=a.drift_ppm if sure else 0.0)
        straight = straightened(recording, a, len(di), turn)
        edge = TAPS // 2
        begin = max(0, math.ceil(-lag) + edge)
        end = min(len(di), math.floor(len(recording) - lag) - edge)
        for part, first, last in _parts(split, di, read.sample_rate_hz, knobs, alone):
            first, last = max(first, begin), min(last, end)
            if last - first < 0.5 * read.sample_rate_hz:
                raise BadInput(f"{one.source.path} is too short: {part} needs half a second of it")
            file = f"takes/{len(takes) + 1:04}.wav"
            audio.write(folder / file, straight[first:last], read.sample_rate_hz)
            setting = {k.name: one.source.setting[k.name] for k in knobs}
            start = starts[one.source.di] + first
            takes.append(Take(file, setting, part, start, last - first))
    audio.write(folder / "di.wav", np.concatenate([read.di(d) for d in dis]), read.sample_rate_hz)
    session = Session(folder, rig, read.sample_rate_hz, tuple(knobs), tuple(takes))
    return replace(session, shared_passages=_share(takes))


def _share(takes: Iterable[Take]) -> bool:
    """Whether takes of two splits play the same part of the DI."""
    by_split: dict[str, list[Take]] = {}
    for take in takes:
        by_split.setdefault(take.split, []).append(take)
    return any(
        one.start_samples < other.end_samples and other.start_samples < one.end_samples
        for split, ones in by_split.items()
        for rest, others in by_split.items()
        if split < rest
        for one in ones
        for other in others
    )


def _keep_aside(folder: Path, taken: Sequence[Taken]) -> None:
    aside = folder / "aside"
    aside.mkdir()
    for one in taken:
        shutil.copyfile(one.source.path, aside / one.source.path.name)
    reasons = [f.words for one in taken for f in one.findings]
    (aside / "reasons.json").write_text(json.dumps(reasons, indent=1, ensure_ascii=False), "utf-8")


def take_in(
    sources: Sequence[Source],
    output: Path,
    *,
    rig: str,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    sample_rate_hz: int = 48000,
    turn: bool = True,
    progress: Callable[[float], None] | None = None,
) -> list[Taken]:
    """Make a session of recordings.

    Args:
        sources: as from `from_names` or `from_csv`.
        output: the session folder; must not exist, or be empty.
        rig: what was recorded, in words.
        ranges: knob -> printed minimum and maximum, where they are known.
        sample_rate_hz: of the session.
        turn: make every take's polarity its DI's.
        progress: called with the finished share, 0…1.
    Returns:
        what became of each recording, in order.
    Raises:
        BadInput: a file is missing or broken, the knobs make no sense, or no recording is good.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise BadInput(f"{output} already holds something: choose a new or empty folder")
    read, taken = _Reader(sample_rate_hz), list[Taken]()
    for i, source in enumerate(sources, start=1):
        taken.append(_listen(source, read))
        if progress:
            progress(0.8 * i / len(sources))
    good = [one for one in taken if not one.refused]
    bad = [one for one in taken if one.refused]
    if not good:
        raise BadInput(f"none of the recordings can be used. {taken[0].findings[0].words}")
    kept = [one.source for one in good]
    knobs = panel(kept, ranges or {})
    splits = choose_splits(kept, knobs) if knobs else ["train"] * len(kept)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as place:
        folder = Path(place) / output.name
        folder.mkdir()
        session = _write(folder, good, splits, knobs, read, turn, rig)
        if bad:
            _keep_aside(folder, bad)
        session.save()
        Session.load(folder)
        folder.replace(output)  # onto an empty folder or nothing
    return taken


def as_json(taken: Sequence[Taken]) -> list[dict[str, Any]]:
    """For a script to read."""
    return [
        {
            "file": one.source.path.name,
            "setting": dict(one.source.setting),
            "refused": one.refused,
            "lag_samples": round(one.heard.alignment.lag_samples, 3),
            "drift_ppm": round(one.heard.alignment.drift_ppm, 3),
            "polarity": one.heard.alignment.polarity,
            "findings": [f.words for f in one.findings],
        }
        for one in taken
    ]


def words(taken: Sequence[Taken], output: str) -> str:
    """The outcome in a few lines."""
    lines = [
        f"{one.source.path.name}: {one.heard.alignment.lag_samples:+.2f} samples"
        + (", upside down" if one.heard.alignment.polarity < 0 else "")
        for one in taken
        if not one.refused
    ]
    refused = sum(one.refused for one in taken)
    aside = f"; {refused} kept in {output}/aside" if refused else ""
    return "\n".join([*lines, f"{output}: {len(taken) - refused} recordings{aside}"])
