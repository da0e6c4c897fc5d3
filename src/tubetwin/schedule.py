"""An evening with an amp, written down before it begins: each take's setting, in a good order.

A schedule names the amp's knobs and switches as they are printed, spreads its settings over the
panel with half of all corners, keeps others to judge by, and orders them so that few knobs turn
between takes. The first setting is recorded again at the end: how well the amp repeats itself is
the least error that any twin of it can have.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import floor, log10
from pathlib import Path
from typing import Any

import numpy as np

from tubetwin.files import BadInput, replacing, typed
from tubetwin.knobs import Knob, Setting, normalise
from tubetwin.planning import plan
from tubetwin.session import SPLITS

FORMAT = 1
FILE = "plan.json"
OVERHEAD_SECONDS, TURN_SECONDS = 4.0, 6.0  # to read and to press Enter; to set one knob well
CALIBRATION_SECONDS = 6.0  # of every take, around its passage: see reamp.py


@dataclass(frozen=True)
class Control:
    """A knob or a switch: its name and range, and its positions if it clicks.

    Attributes:
        knob: name and range; a switch of n positions goes from 0 to n - 1.
        positions: printed words or numbers of a stepped control, in order; () turns freely.
        values: the number each position stands for.
    """

    knob: Knob
    positions: tuple[str, ...] = ()
    values: tuple[float, ...] = ()

    def snapped(self, value: float) -> float:
        """The nearest value that the control can have, or that a hand can set: a tenth of 10."""
        if self.values:
            return min(self.values, key=lambda v: abs(v - value))
        decimals = -floor(log10((self.knob.maximum - self.knob.minimum) / 50))
        return min(max(round(value, decimals), self.knob.minimum), self.knob.maximum)

    def printed(self, value: float) -> str:
        """As the player reads it: "Volume 7.3", "Bright on"."""
        if self.values:
            return f"{self.knob.name} {self.positions[self.values.index(value)]}"
        return f"{self.knob.name} {value:g}"


def control(words: str) -> Control:
    """From words: "Volume" (0 to 10), "Drive=1:12", "Bright=off,on", "Voice=1,2,3".

    Raises:
        BadInput: another form, or a range that makes no sense.
    """
    name, _, rest = (part.strip() for part in words.partition("="))
    try:
        if "," in rest:
            positions = tuple(p.strip() for p in rest.split(","))
            try:
                values = tuple(float(p) for p in positions)
            except ValueError:
                values = tuple(map(float, range(len(positions))))
            if list(values) != sorted(set(values)):
                raise BadInput(f"positions must rise and differ, not {rest!r}")
            return Control(Knob(name, values[0], values[-1], values[0]), positions, values)
        low, high = (float(end) for end in (rest or "0:10").split(":"))
    except ValueError as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"a knob goes as in Drive=1:12 or Bright=off,on, not {words!r}") from error
    return Control(Knob(name, low, high, (low + high) / 2))


@dataclass(frozen=True)
class Schedule:
    """What is to be recorded.

    Attributes:
        rig: the amp in words.
        controls: its panel.
        takes: (setting, split), in the order of recording.
        repeats: the last take repeats the first one.
        seconds: of each passage.
        sample_rate_hz: of the session.
        seed: of settings and passages.
        di: a file of your own to play, or "" for the synthetic guitar.
        added: chosen when all of `takes` were recorded and heard: to train on, or, where a setting
            is one of `takes`, to record that take again.
    """

    rig: str
    controls: tuple[Control, ...]
    takes: tuple[tuple[Setting, str], ...]
    repeats: bool
    seconds: float
    sample_rate_hz: int
    seed: int
    di: str = ""
    added: tuple[Setting, ...] = ()

    @property
    def knobs(self) -> tuple[Knob, ...]:
        """The panel as a session names it."""
        return tuple(control.knob for control in self.controls)

    def printed(self, setting: Setting) -> str:
        """A setting in the words of the panel."""
        printed = [c.printed(setting[c.knob.name]) for c in self.controls]
        return ", ".join(printed) or "its one setting"

    @property
    def minutes(self) -> float:
        """How long it takes, as people work."""
        turned = sum(len(turns(a, b)) for (a, _), (b, _) in pairwise(self.takes))
        turned += len(self.controls)
        each = self.seconds + CALIBRATION_SECONDS + OVERHEAD_SECONDS
        return (len(self.takes) * each + turned * TURN_SECONDS) / 60


def turns(one: Setting, other: Setting) -> list[str]:
    """Knobs that must be turned between two settings."""
    return [name for name, value in other.items() if one.get(name) != value]


# ---- Making one ----------------------------------------------------------------------------------


def half_of_the_corners(controls: Sequence[Control], most: int) -> list[dict[str, float]]:
    """Settings with every knob at an end: those with an even number of them turned up.

    That is 2^(k-1) corners, in which each pair of knobs takes all four combinations of its ends
    (from three knobs on): the half fraction of G. Box and W. Hunter, "The 2^(k-p) fractional
    factorial designs", 1961.
    """
    k = len(controls)
    if k == 0 or most < 1:
        return []
    even = (i for i in range(2 ** min(k, 20)) if i.bit_count() % 2 == 0)
    corners = [
        {
            c.knob.name: c.knob.maximum if i >> j & 1 else c.knob.minimum
            for j, c in enumerate(controls)
        }
        for i in even
    ]
    step = max(1, -(-len(corners) // most))
    return corners[::step]


def _order(takes: list[tuple[Setting, str]], knobs: Sequence[Knob]) -> list[tuple[Setting, str]]:
    """Few turns: always the nearest take next, then pairs of links are swapped while that helps."""
    if len(takes) < 3:
        return takes
    at = np.array([normalise(knobs, s) for s, _ in takes]).reshape(len(takes), len(knobs))
    cost = (at[:, None] != at[None]).sum(axis=2) + 0.1 * np.abs(at[:, None] - at[None]).sum(axis=2)
    way, left = [0], set(range(1, len(takes)))
    while left:
        way.append(min(left, key=lambda i: cost[way[-1], i]))
        left.remove(way[-1])
    better = True
    while better:
        better = False
        for i in range(1, len(way) - 1):
            for j in range(i + 1, len(way)):
                end = cost[way[j], way[j + 1]] if j + 1 < len(way) else 0.0
                new_end = cost[way[i], way[j + 1]] if j + 1 < len(way) else 0.0
                gain = cost[way[i - 1], way[i]] + end - cost[way[i - 1], way[j]] - new_end
                if gain > 1e-9:
                    way[i : j + 1] = way[i : j + 1][::-1]
                    better = True
    return [takes[i] for i in way]


def schedule(
    rig: str,
    controls: Sequence[Control],
    settings: int,
    *,
    seconds: float,
    seed: int,
    sample_rate_hz: int = 48000,
    floors: Mapping[str, float] | None = None,
    di: str = "",
) -> Schedule:
    """Plan a session.

    Args:
        rig: the amp in words.
        controls: its panel; may be empty.
        settings: to train on; those to judge by come on top, and one repeat.
        seconds: of each passage.
        seed: of all that is random.
        sample_rate_hz: of the session.
        floors: lowest values of knobs that mute the amp, for those to judge by.
        di: a file of your own.
    Raises:
        BadInput: names occur twice, or the panel has too few positions.
    """
    knobs = [c.knob for c in controls]
    if len({k.name.lower() for k in knobs}) < len(knobs):
        raise BadInput("two knobs have one name: call them apart, such as Volume I and Volume II")
    takes: list[tuple[Setting, str]]
    if not controls:
        takes = [(dict(s), split) for s, split in plan(knobs, settings, seed)]
    else:
        takes = _spread(controls, settings, seed, floors or {})
    ordered = _order(takes, knobs)
    repeats = (
        ordered[0] if ordered[0][1] == "train" else next(t for t in ordered if t[1] == "train")
    )
    ordered = [repeats, *[t for t in ordered if t is not repeats], repeats]
    return Schedule(rig, tuple(controls), tuple(ordered), True, seconds, sample_rate_hz, seed, di)


def _spread(
    controls: Sequence[Control], settings: int, seed: int, floors: Mapping[str, float]
) -> list[tuple[Setting, str]]:
    """Judges, half of the corners, and the inside of the panel; clicks make no setting twice."""
    knobs = [c.knob for c in controls]

    def snapped(setting: Setting) -> tuple[float, ...]:
        return tuple(c.snapped(setting[c.knob.name]) for c in controls)

    def is_corner(values: tuple[float, ...]) -> bool:
        ends = [(k.minimum, k.maximum, floors.get(k.name)) for k in knobs]
        return all(value in end for value, end in zip(values, ends, strict=True))

    splits: dict[tuple[float, ...], str] = {}
    for setting, split in plan(knobs, settings, seed, floors):
        if split != "train":
            splits.setdefault(snapped(setting), split)
    for corner in half_of_the_corners(controls, settings // 3):
        lifted = {name: max(value, floors.get(name, value)) for name, value in corner.items()}
        splits.setdefault(snapped(lifted), "train")
    many = (snapped(s) for s, of in plan(knobs, 4 * settings + 64, seed, floors) if of == "train")
    inside = [values for values in many if not is_corner(values) or len(knobs) < 2]
    for values in inside:
        if sum(split == "train" for split in splits.values()) >= settings:
            break
        splits.setdefault(values, "train")
    for split in SPLITS:
        if split not in splits.values():
            raise BadInput(f"the panel has too few positions for {split} settings: name more knobs")
    names = [k.name for k in knobs]
    return [(dict(zip(names, v, strict=True)), split) for v, split in splits.items()]


# ---- On disk ------------------------------------------------------------------------------------


def copied_name(di: str | None) -> str:
    """What a DI of your own is called inside a session folder."""
    return f"own-di{Path(di).suffix.lower()}" if di else ""


def save(schedule: Schedule, folder: Path, di: str | None = None) -> Path:
    """Write plan.json, and a copy of the DI, into a session folder, which is made.

    Raises:
        BadInput: the folder holds something, or the DI cannot be read.
    """
    if di and not Path(di).is_file():
        raise BadInput(f"{di} is missing: --di names your own dry guitar")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} already holds something: choose a new or empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    if di:
        with replacing(folder / schedule.di) as temporary:
            shutil.copyfile(di, temporary)
    return _write(schedule, folder / FILE)


def extend(folder: Path, settings: Sequence[Setting]) -> Schedule:
    """Add settings to a plan, few turns apart: `tubetwin capture` asks for them next.

    One that is planned already is recorded again, over the same passage.

    Raises:
        BadInput: the folder has no plan, or a broken one.
    """
    old = load(folder)
    snapped = [{c.knob.name: c.snapped(s[c.knob.name]) for c in old.controls} for s in settings]
    ordered = _order([(setting, "train") for setting in snapped], [c.knob for c in old.controls])
    longer = replace(old, added=(*old.added, *(setting for setting, _ in ordered)))
    _write(longer, folder / FILE)
    return longer


def _write(schedule: Schedule, path: Path) -> Path:
    description = {
        "format": FORMAT,
        "rig": schedule.rig,
        "sample_rate_hz": schedule.sample_rate_hz,
        "seed": schedule.seed,
        "seconds": schedule.seconds,
        "di": schedule.di,
        "repeats": schedule.repeats,
        "controls": [
            {
                "name": c.knob.name,
                "minimum": c.knob.minimum,
                "maximum": c.knob.maximum,
                "default": c.knob.default,
                "positions": list(c.positions),
                "values": list(c.values),
            }
            for c in schedule.controls
        ],
        "takes": [{"setting": dict(s), "split": split} for s, split in schedule.takes],
        "added": [dict(setting) for setting in schedule.added],
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(description, indent=1, ensure_ascii=False), "utf-8")
    return path


def load(folder: Path) -> Schedule:
    """Read plan.json. Raises BadInput, naming the file, if it is missing or no plan."""
    path = folder / FILE
    try:
        data: Any = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise BadInput(
            f"{folder} has no {FILE}: make one with tubetwin plan -o {folder}"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"cannot read {path} as JSON: {error}") from error
    where = str(path)
    if typed(data, "format", int, where) != FORMAT:
        raise BadInput(f"{where} has another format than {FORMAT}: plan again with this version")
    controls = tuple(
        Control(
            Knob.read(c, f"{where} control {i}"),
            tuple(map(str, typed(c, "positions", list, where))),
            tuple(float(v) for v in typed(c, "values", list, where)),
        )
        for i, c in enumerate(typed(data, "controls", list, where))
    )
    takes = []
    for i, take in enumerate(typed(data, "takes", list, where)):
        split = typed(take, "split", str, where)
        if split not in SPLITS:
            raise BadInput(f"{where} take {i}: no split is called {split!r}")
        setting = _setting(typed(take, "setting", dict, where), controls, f"{where} take {i}")
        takes.append((setting, split))
    if not takes:
        raise BadInput(f"{where} plans no takes")
    added = typed(data, "added", list, where) if "added" in data else []
    return Schedule(
        rig=typed(data, "rig", str, where),
        controls=controls,
        takes=tuple(takes),
        repeats=typed(data, "repeats", bool, where),
        seconds=typed(data, "seconds", float, where),
        sample_rate_hz=typed(data, "sample_rate_hz", int, where),
        seed=typed(data, "seed", int, where),
        di=typed(data, "di", str, where),
        added=tuple(_setting(s, controls, f"{where} added {i}") for i, s in enumerate(added)),
    )


def _setting(data: Any, controls: Sequence[Control], where: str) -> dict[str, float]:
    if not isinstance(data, dict) or set(data) != {c.knob.name for c in controls}:
        raise BadInput(f"{where}: its knobs are not those of this plan")
    try:
        normalise([c.knob for c in controls], data)
    except (BadInput, TypeError, ValueError) as error:
        raise BadInput(f"{where}: {error}") from error
    return {name: float(value) for name, value in data.items()}
