"""A preset: which twin, which cabinet, and where the knobs stand, as a file you can read.

Terminal, page and plugin share the format; docs/presets.md describes it.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tubetwin.files import BadInput, replacing, typed
from tubetwin.knobs import Setting

FORMAT = 1
MOST_DB = 40.0  # either way; a hotter guitar than that is a fault in the cabling
MOST_BYTES = 100_000  # of a file; ours have 300


@dataclass(frozen=True)
class Preset:
    """A sound, ready to be called up.

    Attributes:
        twin: a bundled twin's name, or the path of a twin file.
        cabinet: a bundled cabinet's name, the path of an impulse response, or None: none.
        knobs: printed name -> panel value; knobs left out stand at their default.
        input_db: gain in front of the twin.
        output_db: gain behind the cabinet.
    """

    twin: str
    cabinet: str | None = None
    knobs: Setting = field(default_factory=dict)
    input_db: float = 0.0
    output_db: float = 0.0

    def __post_init__(self) -> None:
        if not self.twin or self.cabinet == "":
            raise BadInput("a preset names its twin and its cabinet; no cabinet is null")
        for name, value in self.knobs.items():
            if not name or not math.isfinite(value):
                raise BadInput(f"knob {name!r} needs a finite number, not {value}")
        for name, gain_db in (("input_db", self.input_db), ("output_db", self.output_db)):
            if not -MOST_DB <= gain_db <= MOST_DB:
                raise BadInput(f"{name!r} goes from {-MOST_DB:g} to {MOST_DB:g}, not {gain_db:g}")


def save(preset: Preset, path: Path | str) -> None:
    """Write a preset, whole or not at all.

    Raises:
        BadInput: the file cannot be written.
    """
    path = Path(path)
    described = {"format": FORMAT, **asdict(preset), "knobs": dict(preset.knobs)}
    described["twin"] = _to(path, preset.twin)
    described["cabinet"] = preset.cabinet and _to(path, preset.cabinet)
    with replacing(path) as temporary:
        text = json.dumps(described, indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def load(path: Path | str) -> Preset:
    """Read a preset; a twin or cabinet that lies beside it is found from anywhere.

    Returns:
        the preset, relative paths of existing files made to start at the preset's folder.
    Raises:
        BadInput: the file is missing, no JSON, of another format, or a value makes no sense; the
            message names the file and the key.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadInput(f"{path} is too large for a preset: give a file that tubetwin saved")
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"cannot read preset {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is no preset, as it is not JSON ({error}): save it anew") from error
    return _described(data, path)


def _described(data: object, path: Path) -> Preset:
    """The preset that JSON describes, every key known and of its type."""
    where = str(path)
    if typed(data, "format", int, where) != FORMAT or not isinstance(data, Mapping):
        raise BadInput(f"{path}: 'format' must be {FORMAT}: save the preset with this version")
    known = {"format", *Preset.__dataclass_fields__}
    for key in data:
        if key not in known:
            raise BadInput(f"{path}: no preset has a {key!r}: remove it")
    knobs = typed(data, "knobs", dict, where) if "knobs" in data else {}
    gains = {
        key: typed(data, key, float, where) for key in ("input_db", "output_db") if key in data
    }
    twin = _from(path, typed(data, "twin", str, where))
    cabinet = None
    if data.get("cabinet") is not None:
        cabinet = _from(path, typed(data, "cabinet", str, where))
    values = {name: typed(knobs, name, float, f"{where}, 'knobs'") for name in knobs}
    try:
        return Preset(twin, cabinet, values, **gains)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def _from(preset: Path, name: str) -> str:
    """A file in the preset's folder by its path; any other name as it is."""
    return str(preset.parent / name) if name and (preset.parent / name).is_file() else name


def _to(preset: Path, name: str) -> str:
    """A file as the preset shall name it: by itself in the same folder, else by its whole path."""
    file, folder = Path(name).resolve(), preset.parent.resolve()
    if not file.is_file():
        return name
    return str(file.relative_to(folder) if file.is_relative_to(folder) else file)
