"""Capture a rig: play a guitar through it at planned settings, keep what comes out.

Every take plays a passage of its own, so that neither the settings nor the passages of validation
and test are ever trained on. Where the knobs stand is planned in `planning.py`.

The amp is any function of samples: (DI, setting) -> recording. `record` writes a session folder,
described in `session.py`; a capture that was interrupted goes on where it stopped.
"""

import fcntl
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from tubetwin import audio
from tubetwin.files import BadInput, replacing
from tubetwin.knobs import Knob, Setting, normalise
from tubetwin.planning import STRETCH, Plan, plan
from tubetwin.roles import Role

__all__ = ["STRETCH", "Amp", "Plan", "alone", "apart", "plan", "record", "windows"]

LOUD = 1e-3  # -60 dBFS: a DI with such a peak must be answered by something
PARTS, JUDGES = 8, {"validation": 6, "test": 7}  # of a DI; training has the parts before
PARTIAL = "session.json.partial"  # what session.json will say; it has its name with the last take

Amp = Callable[[np.ndarray, Setting], np.ndarray]
"""A rig: DI (samples,) and a setting -> the recording (samples,), sample for sample."""


# ---- What is played ----------------------------------------------------------------------------


def passage_seeds(plan: Plan, seed: int) -> list[int]:
    """One number for each take; its remainder by `PARTS` is the part of a DI that it may play."""
    drawn = np.random.SeedSequence(seed).generate_state(len(plan)).tolist()
    return [
        n - n % PARTS + JUDGES.get(split, n % min(JUDGES.values()))
        for n, (_, split) in zip(drawn, plan, strict=True)
    ]


def apart(
    training: Callable[[int], np.ndarray], judging: Callable[[int], np.ndarray]
) -> Callable[[int], np.ndarray]:
    """Passages of one kind to train on and of another to judge by, for `record`.

    Test signals teach a network what plain playing hardly excites, but a verdict on a guitar amp
    is about guitars: cranked, an amp answers noise with chaos that no model repeats.
    """

    def passage(seed: int) -> np.ndarray:
        return (judging if seed % PARTS in JUDGES.values() else training)(seed)

    return passage


def windows(di: np.ndarray, length_samples: int) -> Callable[[int], np.ndarray]:
    """Passages out of one long DI of your own, for `record`.

    The last two eighths of the DI are kept for validation and test, one each. Within its part a
    window lies anywhere, so windows of one split may overlap, and those of two splits never do.

    Args:
        di: (samples,) float32.
        length_samples: of every passage; at most an eighth of the DI.
    Returns:
        seed -> (length_samples,) float32.
    Raises:
        BadInput: the DI is too short for that.
    """
    part_samples = len(di) // PARTS
    if not 0 < length_samples <= part_samples:
        raise BadInput(
            f"a DI of {len(di)} samples is too short for takes of {length_samples}: it must be "
            f"{PARTS} times as long, so play longer or make the takes shorter"
        )

    def passage(seed: int) -> np.ndarray:
        part = seed % PARTS
        judge = part in JUDGES.values()
        first, parts = (part, 1) if judge else (0, min(JUDGES.values()))
        room = parts * part_samples - length_samples
        start = first * part_samples + np.random.default_rng(seed).integers(room + 1)
        return di[start : start + length_samples]

    return passage


# ---- One take ----------------------------------------------------------------------------------


def _play(amp: Amp, di: np.ndarray, setting: Setting, path: Path, sample_rate_hz: int) -> None:
    """Play one passage at one setting and keep the take, unless it cannot be right."""
    recording = np.asarray(amp(di, setting), np.float32)
    panel = ", ".join(f"{name} {value:g}" for name, value in setting.items()) or "its one setting"
    if recording.shape != di.shape:
        raise BadInput(f"the amp at {panel} answers {di.shape} samples with {recording.shape}")
    if not np.isfinite(recording).all():
        raise BadInput(f"the amp at {panel} answers with samples that are not finite numbers")
    if not recording.any() and np.abs(di).max() > LOUD:  # a knob at 0 still leaks a little
        raise BadInput(f"the amp at {panel} is silent: is it switched on and connected?")
    audio.write(path, recording, sample_rate_hz)


def _is_recorded(path: Path, length_samples: int, sample_rate_hz: int) -> bool:
    """Takes are written whole or not at all, so the header tells."""
    try:
        header = soundfile.info(str(path))
    except soundfile.SoundFileError:
        return False
    return bool(header.frames == length_samples and header.samplerate == sample_rate_hz)


def _obey() -> None:
    """In a worker: stop at once on Ctrl-C, and never outlive a parent that was killed."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    def follow() -> None:
        multiprocessing.parent_process().join()  # type: ignore[union-attr]
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _play_all(jobs: Sequence[Callable[[], None]], processes: int, done: Callable[[], None]) -> None:
    """Run all jobs on `processes` cores, calling `done` after each."""
    if processes < 2:
        for job in jobs:
            job()
            done()
        return
    context = multiprocessing.get_context("forkserver")  # no threads or locks are inherited
    with ProcessPoolExecutor(processes, context, initializer=_obey) as pool:
        try:
            for future in as_completed([pool.submit(job) for job in jobs]):
                future.result()
                done()
        except BrokenProcessPool as error:
            raise BadInput(
                "a worker was killed, perhaps for want of memory: run it again to go on, with "
                "fewer processes"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


# ---- The folder --------------------------------------------------------------------------------


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder: a second capture into it is refused. The lock dies with the process.

    What a killed capture was writing is removed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise BadInput(f"cannot capture into {folder}: {error.strerror or error}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BadInput(f"another capture is writing to {folder}: wait for it to end") from error
        if (folder / PARTIAL).is_file():  # or else the folder may be anything
            for half_written in folder.rglob(".*-????????.wav"):  # as `replacing` names them
                with suppress(OSError):
                    half_written.unlink()
        yield
    finally:
        os.close(handle)


def _passages(
    passage: Callable[[int], np.ndarray], seeds: Sequence[int], plan: Plan
) -> list[np.ndarray]:
    """One passage for each take; what a held-out take plays, no other split may play."""
    passages, played = [], dict[bytes, str]()
    for seed, (_, split) in zip(seeds, plan, strict=True):
        passages.append(np.asarray(passage(seed), np.float32))
        digest = sha256(passages[-1].tobytes()).digest()
        if played.setdefault(digest, split) != split:
            raise BadInput("two splits would play the same passage: give every seed its own DI")
    return passages


def _begin(folder: Path, promise: dict[str, Any], passages: Sequence[np.ndarray]) -> np.ndarray:
    """Write di.wav and the partial description, with each take's passage; return the DI."""
    foreign = [p.name for p in folder.iterdir() if p.name[0] != "." and p.name != PARTIAL]
    if foreign:
        raise BadInput(f"{folder} already holds {foreign[0]}: choose a new or empty folder")
    places: dict[bytes, int] = {}  # a passage that several takes play is kept once
    played: list[np.ndarray] = []
    start = 0
    for take, samples in zip(promise["takes"], passages, strict=True):
        key = sha256(samples.tobytes()).digest()
        if key not in places:
            places[key] = start
            played.append(samples)
            start += len(samples)
        take |= {"start_samples": places[key], "length_samples": len(samples)}
    di = np.concatenate(played)
    with replacing(folder / PARTIAL) as temporary:
        temporary.write_text(json.dumps(promise, indent=1, ensure_ascii=False), "utf-8")
    audio.write(folder / "di.wav", di, promise["sample_rate_hz"])
    (folder / "takes").mkdir()
    return di


def _resume(folder: Path, promise: dict[str, Any], first: np.ndarray) -> np.ndarray:
    """Take up an interrupted capture if it is this one; complete `promise`, return the DI."""
    try:
        begun = json.loads((folder / PARTIAL).read_text("utf-8"))
        takes = [dict(take) for take in begun["takes"]]
        places = [(take.pop("start_samples"), take.pop("length_samples")) for take in takes]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{folder / PARTIAL} is broken: delete {folder} and start anew") from error
    di = audio.read(folder / "di.wav").samples[:, 0]
    same = begun | {"takes": takes} == promise and np.array_equal(di[: len(first)], first)
    if not same or max(map(sum, places)) != len(di):
        raise BadInput(
            f"{folder} holds an interrupted capture of something else (another rig, plan, seed or "
            "DI): repeat its own command to finish it, or choose another folder"
        )
    promise["takes"] = begun["takes"]
    (folder / "takes").mkdir(exist_ok=True)
    for stray in (folder / "takes").glob(".*"):  # of a process that was killed while writing
        stray.unlink()
    return di


def _promise(
    rig: str,
    knobs: Sequence[Knob],
    plan: Plan,
    sample_rate_hz: int,
    seed: int,
    levels: Mapping[str, float] | None,
) -> dict[str, Any]:
    """session.json as it will be, but for the places of the passages in the DI."""
    if not plan:
        raise BadInput("a plan without settings records nothing")
    for setting, _ in plan:
        normalise(knobs, setting)  # refuses what is unknown or out of range
        if len(setting) < len(knobs):
            raise BadInput(f"a setting must place all {len(knobs)} knobs, not only {dict(setting)}")
    return {
        "format": 1,
        "rig": rig,
        "sample_rate_hz": sample_rate_hz,
        "knobs": [asdict(knob) for knob in knobs],
        "di": "di.wav",
        "seed": int(seed),
        "levels": dict(levels) if levels else None,
        "latency_samples": 0,
        "takes": [
            {"file": f"takes/{i:04}.wav", "setting": dict(setting), "split": split}
            for i, (setting, split) in enumerate(plan, 1)
        ],
    }


def _record_missing(
    folder: Path,
    promise: dict[str, Any],
    di: np.ndarray,
    amp: Amp,
    processes: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Play every take that is not yet there."""
    jobs, rate = [], promise["sample_rate_hz"]
    for take in promise["takes"]:
        path, length = folder / take["file"], take["length_samples"]
        if not _is_recorded(path, length, rate):
            played = di[take["start_samples"] :][:length]
            jobs.append(partial(_play, amp, played, take["setting"], path, rate))
    takes = len(promise["takes"])
    done = count(takes - len(jobs))

    def tell() -> None:
        if progress:
            progress(next(done), takes)

    tell()
    _play_all(jobs, processes, tell)


# ---- The capture -------------------------------------------------------------------------------


def record(
    folder: Path | str,
    *,
    rig: str,
    knobs: Sequence[Knob],
    plan: Plan,
    passage: Callable[[int], np.ndarray],
    amp: Amp,
    sample_rate_hz: int,
    seed: int,
    levels: Mapping[str, float] | None = None,
    processes: int = 2,
    progress: Callable[[int, int], None] | None = None,
    roles: Sequence[Role] | None = None,
) -> None:
    """Record a session; interrupted, the same call goes on where it stopped.

    Args:
        folder: new, empty, or holding the interrupted beginning of this very session.
        rig: what is recorded, in words.
        knobs: the amp's panel.
        plan: what to record, as from `plan`.
        passage: seed -> a stretch of DI, (samples,) float32; another one for every seed. The seed's
            remainder by 8 is 6 for validation, 7 for test, less for training; see `windows`.
        amp: the rig; with more than one process it must be picklable.
        sample_rate_hz: of passages and takes.
        seed: of the passages.
        levels: `input_full_scale_volts` and `output_full_scale_volts`, or None if unknown.
        processes: takes that are played at once.
        progress: called with (takes done, takes in all).
        roles: what each take stands for, in a session to judge by: `passage` then gets the number
            of the take, from 0, and several may play the same.
    Raises:
        BadInput: the folder holds anything else or is being written to, a setting is out of
            range, or the amp answers with a wrong length, NaN or dead silence.
    """
    folder = Path(folder)
    promise = _promise(rig, knobs, plan, sample_rate_hz, seed, levels)
    if roles:
        for take, role in zip(promise["takes"], roles, strict=True):
            take["role"] = role.as_json()
    seeds = list(range(len(plan))) if roles else passage_seeds(plan, seed)
    with alone(folder):
        if (folder / "session.json").exists():
            raise BadInput(f"{folder} already holds a session: choose another folder or delete it")
        if (folder / PARTIAL).is_file() and (folder / "di.wav").is_file():
            di = _resume(folder, promise, np.asarray(passage(seeds[0]), np.float32))
        else:
            di = _begin(folder, promise, _passages(passage, seeds, plan))
        _record_missing(folder, promise, di, amp, processes, progress)
        os.replace(folder / PARTIAL, folder / "session.json")
