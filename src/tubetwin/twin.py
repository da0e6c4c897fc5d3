"""A twin: the trained amp as one file, with its knobs, its levels and a signal to check it by.

The file is safetensors; docs/twin-file.md says what is in it and what it computes. Here are only
names and numbers: what plays a twin is the engine, what trains one is the network.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from tubetwin.files import BadInput, replacing, typed
from tubetwin.knobs import Knob

FORMAT = 1
TAPS = ("depthwise", "dense")
MIXES = ("full", "scale")
KNOB_KEYS = ("name", "minimum", "maximum", "default")
MOST_CHANNELS = MOST_LAYERS = MOST_KNOBS = 64
MOST_TAPS = 16
LONGEST_FIELD = 2**20  # samples: 22 seconds at 48 kHz
BUNDLED = Path(__file__).with_name("twins")

Tensors = Mapping[str, npt.NDArray[np.float32]]
Shape = tuple[int, ...]


# ---- What a twin is made of --------------------------------------------------------------------


@dataclass(frozen=True)
class Architecture:
    """The size of the network: `taps` are "depthwise" or "dense", the `mix` "full" or "scale"."""

    channels: int
    kernel_size: int
    dilations: tuple[int, ...]
    taps: str
    mix: str

    @property
    def layers(self) -> int:
        """One layer for each dilation."""
        return len(self.dilations)

    @property
    def receptive_field_samples(self) -> int:
        """How many samples of the DI, the current one included, reach one sample of the output."""
        return 1 + (self.kernel_size - 1) * sum(self.dilations)


@dataclass(frozen=True)
class Twin:
    """All that a twin file holds.

    Attributes:
        name: what the player sees.
        sample_rate_hz: the only rate the network is valid at.
        knobs: the panel, in the order of the FiLM input; may be empty.
        architecture: the size of the network.
        tensors: name -> float32 array, as in docs/twin-file.md.
        levels: `input_full_scale_volts` and `output_full_scale_volts`, or None if unknown.
        provenance: rig, session, command, date, version.
        scores: errors on settings seen and unseen, measured with the engine.
        licence: SPDX identifier.
    """

    name: str
    sample_rate_hz: int
    knobs: tuple[Knob, ...]
    architecture: Architecture
    tensors: Tensors
    levels: Mapping[str, float] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    licence: str = ""


# ---- Which tensors there must be ---------------------------------------------------------------


def expected_shapes(
    architecture: Architecture,
    knobs: int,
    film_layers: int,
    film_units: int,
    check_samples: int,
    check_settings: int,
) -> dict[str, Shape]:
    """Every tensor of a twin and its shape.

    Args:
        architecture: the size of the network.
        knobs: how many; without any there is no FiLM generator.
        film_layers: of the FiLM generator, the linear one at its end included.
        film_units: its hidden width.
        check_samples: length of the check signal.
        check_settings: how many settings it is played at.
    Returns:
        name -> shape, in the order of docs/twin-file.md.
    """
    channels, layers = architecture.channels, architecture.layers
    matrix = (channels, channels)
    taps = (channels,) if architecture.taps == "depthwise" else matrix
    mix = matrix if architecture.mix == "full" else (channels,)
    shapes: dict[str, Shape] = {
        "lift.weight": (channels,),
        "lift.bias": (channels,),
        "taps.weight": (layers, architecture.kernel_size, *taps),
        "taps.bias": (layers, channels),
        "snake.alpha": (layers, channels),
        "mix.weight": (layers - 1, *mix),
        "mix.bias": (layers - 1, channels),
        "head.weight": (layers, channels),
        "head.bias": (1,),
    }
    widths = [knobs] + [film_units] * (film_layers - 1) + [2 * layers * channels]
    for i in range(film_layers if knobs else 0):
        shapes[f"film.{i}.weight"] = (widths[i + 1], widths[i])
        shapes[f"film.{i}.bias"] = (widths[i + 1],)
    return shapes | {
        "check.input": (check_samples,),
        "check.settings": (check_settings, knobs),
        "check.output": (check_settings, check_samples),
    }


def _shapes_for(twin: Twin) -> dict[str, Shape]:
    """The expected shapes, with the sizes that only the tensors themselves can tell."""
    tensors = twin.tensors

    def rows(name: str) -> int:
        return len(tensors[name]) if name in tensors and tensors[name].ndim else 1

    film_layers = 1
    while f"film.{film_layers}.weight" in tensors:
        film_layers += 1
    return expected_shapes(
        twin.architecture,
        len(twin.knobs),
        film_layers,
        max(rows("film.0.weight"), 1),
        max(rows("check.input"), twin.architecture.receptive_field_samples + 1),
        max(rows("check.settings"), 1),
    )


# ---- What is refused ---------------------------------------------------------------------------


def _check_architecture(size: Architecture) -> None:
    bounds = {
        "channels": (size.channels, MOST_CHANNELS),
        "layers": (size.layers, MOST_LAYERS),
        "kernel_size": (size.kernel_size, MOST_TAPS),
        "receptive field": (size.receptive_field_samples, LONGEST_FIELD),
        "dilations": (min(size.dilations, default=1), LONGEST_FIELD),
    }
    for name, (value, most) in bounds.items():
        if not 1 <= value <= most:
            raise BadInput(f"architecture: {name!r} must be 1 to {most}, not {value}")
    for key, word, known in (("taps", size.taps, TAPS), ("mix", size.mix, MIXES)):
        if word not in known:
            raise BadInput(f"architecture: {key!r} must be one of {', '.join(known)}, not {word!r}")


def _check_tensors(twin: Twin) -> None:
    shapes = _shapes_for(twin)
    for name in twin.tensors:
        if name not in shapes:
            raise BadInput(f"tensor {name!r} does not belong in a twin of this architecture")
    for name, shape in shapes.items():
        if name not in twin.tensors:
            raise BadInput(f"tensor {name!r} is missing")
        tensor = twin.tensors[name]
        if tensor.dtype != np.float32:
            raise BadInput(f"tensor {name!r} holds {tensor.dtype}, it must be float32")
        if tensor.shape != shape:
            raise BadInput(f"tensor {name!r} has shape {tensor.shape}, it must be {shape}")
        if not np.isfinite(tensor).all():
            raise BadInput(f"tensor {name!r} holds numbers that are not finite")
    if not (twin.tensors["snake.alpha"] > 0).all():
        raise BadInput("tensor 'snake.alpha' must be positive throughout")
    settings = twin.tensors["check.settings"]
    if settings.size and not 0 <= settings.min() <= settings.max() <= 1:
        raise BadInput("tensor 'check.settings' must lie within 0 to 1")


def validate(twin: Twin) -> None:
    """Check all that a reader of twin files relies on.

    Raises:
        BadInput: a name missing, a sample rate, knob, level or architecture that makes no sense,
            or a tensor that is missing, surplus, misshapen, of another type or not finite. The
            message names the key.
    """
    if not twin.name:
        raise BadInput("'name' is empty")
    if twin.sample_rate_hz < 1:
        raise BadInput(f"'sample_rate_hz' must be positive, not {twin.sample_rate_hz}")
    names = [knob.name.lower() for knob in twin.knobs]
    if len(set(names)) < len(names):
        raise BadInput(f"'knobs' has two of one name: {', '.join(names)}")
    if len(names) > MOST_KNOBS:
        raise BadInput(f"'knobs' has {len(names)}, the most is {MOST_KNOBS}")
    for key, volts in (twin.levels or {}).items():
        if not 0 < volts < float("inf"):
            raise BadInput(f"'levels' {key} must be a positive voltage, not {volts}")
    _check_architecture(twin.architecture)
    _check_tensors(twin)


# ---- Writing -----------------------------------------------------------------------------------


def _description(twin: Twin) -> str:
    described = {"format": FORMAT} | {
        key: getattr(twin, key)
        for key in ("name", "sample_rate_hz", "provenance", "scores", "licence")
    }
    knobs = [(k.name, float(k.minimum), float(k.maximum), float(k.default)) for k in twin.knobs]
    described["knobs"] = [dict(zip(KNOB_KEYS, knob, strict=True)) for knob in knobs]
    described["levels"] = twin.levels and {k: float(v) for k, v in twin.levels.items()}
    described["architecture"] = asdict(twin.architecture)
    try:
        return json.dumps(described, sort_keys=True, allow_nan=False, default=dict)
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"the description of twin {twin.name!r} is not plain JSON: {error}"
        ) from error


def _safetensors(tensors: Tensors, metadata: Mapping[str, str]) -> bytes:
    """The safetensors layout; its own library writes metadata in an order that varies by run."""
    header: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    for name in sorted(tensors):
        start, end = end, end + tensors[name].nbytes
        shape = list(tensors[name].shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)  # so that the tensors are aligned
    data = (tensors[name].astype("<f4").tobytes() for name in sorted(tensors))
    return b"".join([len(encoded).to_bytes(8, "little"), encoded, *data])


def save(twin: Twin, path: Path | str) -> None:
    """Write a twin file, whole or not at all; equal twins give equal bytes.

    Raises:
        BadInput: the twin is not valid, or the file cannot be written.
    """
    validate(twin)
    metadata = {"format": "tubetwin", "tubetwin": _description(twin)}
    with replacing(path) as temporary:
        temporary.write_bytes(_safetensors(twin.tensors, metadata))


# ---- Reading -----------------------------------------------------------------------------------


SAID = "the description"


def _architecture(data: dict[str, Any]) -> Architecture:
    dilations = typed(data, "dilations", list, SAID)
    for name, dilation in ((f"dilations[{i}]", d) for i, d in enumerate(dilations)):
        typed({name: dilation}, name, int, SAID)
    return Architecture(
        channels=typed(data, "channels", int, SAID),
        kernel_size=typed(data, "kernel_size", int, SAID),
        dilations=tuple(dilations),
        taps=typed(data, "taps", str, SAID),
        mix=typed(data, "mix", str, SAID),
    )


def _not_json(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _described(metadata: Mapping[str, str], tensors: Tensors) -> Twin:
    if metadata.get("format") != "tubetwin" or "tubetwin" not in metadata:
        raise BadInput("it is a safetensors file but not a twin: '__metadata__' does not say so")
    try:
        data = json.loads(metadata["tubetwin"], parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the description 'tubetwin' is broken: {error}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else data
        raise BadInput(f"'format' is {found!r}, and this version reads format {FORMAT}")
    data = {"provenance": {}, "scores": {}, "licence": ""} | data
    levels = None if data.get("levels") is None else typed(data, "levels", dict, SAID)
    return Twin(
        name=typed(data, "name", str, SAID),
        sample_rate_hz=typed(data, "sample_rate_hz", int, SAID),
        knobs=tuple(
            Knob.read(knob, f"{SAID} knob {i}")
            for i, knob in enumerate(typed(data, "knobs", list, SAID))
        ),
        architecture=_architecture(typed(data, "architecture", dict, SAID)),
        tensors=tensors,
        levels=levels and {key: typed(levels, key, float, SAID) for key in levels},
        provenance=typed(data, "provenance", dict, SAID),
        scores=typed(data, "scores", dict, SAID),
        licence=typed(data, "licence", str, SAID),
    )


def load(path: Path | str) -> Twin:
    """Read a twin file and check all of it.

    Raises:
        BadInput: the file is missing, cut off, no twin or not valid; the message names the file
            and the key.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"there is no file {path}: give the path of a twin")
    try:
        with safe_open(path, framework="numpy") as file:
            names = file.keys()
            for name in names:
                kind = file.get_slice(name).get_dtype()
                if kind != "F32":
                    raise BadInput(f"tensor {name!r} is of type {kind}, it must be F32")
            tensors = {name: file.get_tensor(name) for name in names}
            twin = _described(file.metadata() or {}, tensors)
        validate(twin)
    except (SafetensorError, OSError) as error:
        raise BadInput(f"{path} is not a whole twin file ({error}): copy it again") from error
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    return twin


def bundled(name_or_path: Path | str) -> Path:
    """Where a twin lies: one that comes with the package, by its name, or a file, by its path.

    Raises:
        BadInput: there is neither; the message lists the bundled twins.
    """
    names = sorted(path.stem for path in BUNDLED.glob("*.twin"))
    if str(name_or_path) in names:
        return BUNDLED / f"{name_or_path}.twin"
    if not Path(name_or_path).exists():
        known = ", ".join(names) or "none"
        raise BadInput(f"there is no twin {name_or_path}: give a file, or a bundled twin ({known})")
    return Path(name_or_path)
