"""A session: one rig's takes in a folder, each a passage of the DI recorded at one setting.

    session.json   the rig, its knobs and levels; every take's setting, split and passage
    di.wav         what was played into the amp
    takes/*.wav    what came out: one file a take, sample for sample against its passage

Training learns from the takes of split `train`, keeps the checkpoint that does best on
`validation`, and is judged on `test`. Whole settings and whole passages are held out: windows of
one take share their history, and a score over windows of a known take flatters.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from tubetwin import audio
from tubetwin.files import BadInput, replacing, typed
from tubetwin.knobs import Knob, Setting, normalise
from tubetwin.roles import Role

FORMAT = 1
SPLITS = ("train", "validation", "test")
LEVELS = ("input_full_scale_volts", "output_full_scale_volts")

Samples = npt.NDArray[np.float32]  # (samples,), full scale 1.0


# ---- One take, and the description on disk -----------------------------------------------------


@dataclass(frozen=True)
class Take:
    """One recording: its file, its setting, the passage of the DI it answers; its role, if any."""

    file: str
    setting: Setting
    split: str
    start_samples: int
    length_samples: int
    role: Role | None = None

    @property
    def end_samples(self) -> int:
        """The first sample of the DI after the passage."""
        return self.start_samples + self.length_samples


def _read_json(path: Path) -> dict[str, Any]:
    if path.with_name(path.name + ".partial").exists():
        raise BadInput(f"the capture of {path.parent} was interrupted: run it again to finish it")
    if not path.is_file():
        raise BadInput(f"{path.parent} is no session folder: it has no {path.name}")
    try:
        description = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"cannot read {path} as JSON: {error}") from error
    if not isinstance(description, dict):
        raise BadInput(f"{path} must hold one JSON object, not a {type(description).__name__}")
    return description


def _inside(name: str, where: str) -> str:
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise BadInput(f"{where}: {name!r} must name a file inside the session folder")
    return name


def _take(data: object, knobs: tuple[Knob, ...], where: str) -> Take:
    file = _inside(typed(data, "file", str, where), where)
    where = f"{where} ({file})"
    setting = typed(data, "setting", dict, where)
    setting = {name: typed(setting, name, float, where) for name in setting}
    strangers = set(setting) ^ {knob.name for knob in knobs}
    if strangers:
        raise BadInput(f"{where}: setting and panel disagree about a knob {sorted(strangers)[0]!r}")
    try:
        normalise(knobs, setting)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from error
    split = typed(data, "split", str, where)
    if split not in SPLITS:
        raise BadInput(f"{where}: split {split!r} must be one of {', '.join(SPLITS)}")
    start, length = (typed(data, k, int, where) for k in ("start_samples", "length_samples"))
    if start < 0 or length < 1:
        raise BadInput(f"{where}: a passage of {length} samples from {start} makes no sense")
    role = Role.read(data["role"], where) if isinstance(data, dict) and data.get("role") else None
    return Take(file, setting, split, start, length, role)


def _levels(description: dict[str, Any], where: str) -> dict[str, float] | None:
    if description.get("levels") is None:
        return None
    levels = {k: typed(description["levels"], k, float, f"{where} levels") for k in LEVELS}
    if not all(0 < volts < float("inf") for volts in levels.values()):
        raise BadInput(f"{where}: levels must be positive voltages, not {levels}")
    return levels


# ---- What would flatter the score --------------------------------------------------------------


def _refuse_shared_settings(takes: Iterable[Take], where: str) -> None:
    seen: dict[tuple[tuple[str, float], ...], Take] = {}
    for take in takes:
        other = seen.setdefault(tuple(sorted(take.setting.items())), take)
        if other.split != take.split:
            raise BadInput(
                f"{where}: {other.file} ({other.split}) and {take.file} ({take.split}) have the "
                "same setting; a setting belongs to one split"
            )


def _refuse_shared_passages(takes: Iterable[Take], where: str) -> None:
    reaches: dict[str, Take] = {}  # by split: of the takes that start earlier, the one ending last
    for take in sorted(takes, key=lambda take: take.start_samples):
        for other in reaches.values():
            if other.split != take.split and other.end_samples > take.start_samples:
                raise BadInput(
                    f"{where}: {other.file} ({other.split}) and {take.file} ({take.split}) play "
                    "the same part of the DI; give each split passages of its own, or, if there "
                    'is only one short DI, say "shared_passages": true'
                )
        last = reaches.get(take.split, take)
        reaches[take.split] = max(last, take, key=lambda take: take.end_samples)


# ---- The session -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Session:
    """A session folder, described. The audio stays on disk until a take is asked for.

    Attributes:
        folder: where session.json lies.
        rig: what was recorded, in words.
        sample_rate_hz: of the DI and of every take.
        knobs: the amp's panel, in order.
        takes: all recordings.
        di_file: the DI's name inside the folder.
        seed: that the capture was planned with, or None.
        levels: volts at full scale of the DI and of the takes (`LEVELS`), or None if unknown.
        latency_samples: of the recording chain; it is already taken out of the takes.
        shared_passages: True if held-out takes play passages that training also hears: then only
            the settings are held out, and a report must say so.
        further: sessions of the same amp whose takes stand behind the own ones; see `joined`.
    """

    folder: Path
    rig: str
    sample_rate_hz: int
    knobs: tuple[Knob, ...]
    takes: tuple[Take, ...]
    di_file: str = "di.wav"
    seed: int | None = None
    levels: Mapping[str, float] | None = None
    latency_samples: int = 0
    shared_passages: bool = False
    further: tuple["Session", ...] = ()

    @classmethod
    def load(cls, folder: Path | str) -> "Session":
        """Read a session's description and check it against its files, without reading the audio.

        Raises:
            BadInput: the folder or a file is missing; session.json is broken, of another format,
                or places a knob out of range; a file is too short, not mono or of another sample
                rate; two splits share a setting or, unless the session declares it, a passage.
        """
        session = cls.described(folder)
        session._check(str(session.folder / "session.json"))
        return session

    @classmethod
    def described(cls, folder: Path | str) -> "Session":
        """Read a session's description only: its files may be missing or anything.

        Raises:
            BadInput: as `load`, for all that concerns session.json itself.
        """
        folder = Path(folder)
        where = str(folder / "session.json")
        description = _read_json(folder / "session.json")
        if description.get("format") != FORMAT:
            found = description.get("format")
            raise BadInput(f"{where} has format {found!r}; this version reads format {FORMAT}")
        knobs = tuple(
            Knob.read(knob, f"{where} knob {i}")
            for i, knob in enumerate(typed(description, "knobs", list, where))
        )
        takes = typed(description, "takes", list, where)
        return cls(
            folder=folder,
            rig=typed(description, "rig", str, where),
            sample_rate_hz=typed(description, "sample_rate_hz", int, where),
            knobs=knobs,
            takes=tuple(_take(take, knobs, f"{where} take {i}") for i, take in enumerate(takes)),
            di_file=_inside(typed(description, "di", str, where), where),
            seed=description.get("seed"),
            levels=_levels(description, where),
            latency_samples=typed(
                {"latency_samples": 0} | description, "latency_samples", int, where
            ),
            shared_passages=typed(
                {"shared_passages": False} | description, "shared_passages", bool, where
            ),
        )

    def save(self) -> None:
        """Write session.json beside the audio, whole or not at all."""
        description = {
            "format": FORMAT,
            "rig": self.rig,
            "sample_rate_hz": self.sample_rate_hz,
            "knobs": [asdict(knob) for knob in self.knobs],
            "di": self.di_file,
            "seed": self.seed,
            "levels": self.levels,
            "latency_samples": self.latency_samples,
            "shared_passages": self.shared_passages,
            "takes": [
                asdict(take) | {"role": take.role.as_json() if take.role else None}
                for take in self.takes
            ],
        }
        with replacing(self.folder / "session.json") as temporary:
            temporary.write_text(json.dumps(description, indent=1, ensure_ascii=False), "utf-8")

    def of(self, split: str) -> tuple[Take, ...]:
        """The takes of one split, in order."""
        return tuple(take for take in self.takes if take.split == split)

    def setting(self, take: Take) -> npt.NDArray[np.float32]:
        """A take's setting as the network sees it: (knobs,), each 0…1."""
        return normalise(self.knobs, take.setting)

    @cached_property
    def whole_di(self) -> Samples:
        """All that was played, read once and kept. Raises BadInput as `audio.read` does."""
        own = audio.read(self.folder / self.di_file).samples[:, 0]
        return np.concatenate([own, *(session.whole_di for session in self.further)])

    def di(self, take: Take) -> Samples:
        """What was played into the amp for a take: (length_samples,) float32, a view.

        Raises:
            BadInput: the DI cannot be read, or holds NaN or infinity.
        """
        return self.whole_di[take.start_samples : take.end_samples]

    def recording(self, take: Take) -> Samples:
        """What came out of the amp, as long as `di(take)` and aligned with it.

        Raises:
            BadInput: the take cannot be read, holds NaN or infinity, or is silent though its DI
                is not.
        """
        path = self.folder / take.file
        recording = audio.read(path).samples[: take.length_samples, 0]
        if not recording.any() and self.di(take).any():
            raise BadInput(f"{path} is silent though its DI is not: record it again")
        return recording

    def _check(self, where: str) -> None:
        if not self.takes:
            raise BadInput(f"{where} lists no takes")
        if len({knob.name.lower() for knob in self.knobs}) < len(self.knobs):
            raise BadInput(f"{where} has two knobs of one name")
        self._check_file(self.di_file, max(take.end_samples for take in self.takes))
        for take in self.takes:
            self._check_file(take.file, take.length_samples)
        if self.knobs:
            _refuse_shared_settings(self.takes, where)
        if not self.shared_passages:
            _refuse_shared_passages(self.takes, where)

    def _check_file(self, name: str, needed_samples: int) -> None:
        path = self.folder / name
        if not path.is_file():
            raise BadInput(f"{path} is missing: the session names it")
        try:
            header = soundfile.info(str(path))
        except soundfile.SoundFileError as error:
            raise BadInput(f"{path} is no sound file: {error}") from error
        if header.channels != 1 or header.samplerate != self.sample_rate_hz:
            raise BadInput(
                f"{path} must be mono at {self.sample_rate_hz} Hz, not {header.channels} channels "
                f"at {header.samplerate} Hz"
            )
        if header.frames < needed_samples:
            raise BadInput(
                f"{path} is too short: {header.frames} samples, and the session needs "
                f"{needed_samples}"
            )


def joined(first: Session, *further: Session) -> Session:
    """Sessions of one amp as one, with the takes of all: the first one's folder, rig and levels.

    Their DIs are not compared: where two sessions play the same one, each split should play its
    own part of it in both, as `capture` plans it.

    Raises:
        BadInput: another amp's panel, sample rate or levels; or a setting of one session's training
            is held out in another.
    """
    takes, start = list(first.takes), soundfile.info(str(first.folder / first.di_file)).frames
    for session in further:
        for what in ("knobs", "sample_rate_hz", "levels"):
            if getattr(session, what) != getattr(first, what):
                raise BadInput(
                    f"{session.folder} and {first.folder} differ in their {what}: only sessions of "
                    "one amp, recorded alike, can be learned together"
                )
        for take in session.takes:
            file = str((session.folder / take.file).resolve())
            takes.append(replace(take, file=file, start_samples=start + take.start_samples))
        start += soundfile.info(str(session.folder / session.di_file)).frames
    if first.knobs:
        _refuse_shared_settings(takes, " + ".join(str(s.folder) for s in (first, *further)))
    shared = any(session.shared_passages for session in (first, *further))
    return replace(first, takes=tuple(takes), shared_passages=shared, further=further)
