"""The engine: plays a twin, block by block, with no latency.

The only Python that talks to the native library, through the C door of engine/tubetwin.h. It needs
no trainer: numpy is enough.
"""

import ctypes
import json
import os
import weakref
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

import tubetwin
from tubetwin.files import BadInput
from tubetwin.knobs import Knob, Setting, normalise

Samples = npt.NDArray[np.float32]

MOVE_SAMPLES = 64  # how often `render` looks where a moving knob stands
_MESSAGE_BYTES = 1000

_HANDLE, _TEXT, _SIZE = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
_FLOATS, _INT, _LONG, _DOUBLE = ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_double
_SIGNATURES: dict[str, tuple[Any, ...]] = {  # engine/tubetwin.h: result, then arguments
    "open": (_HANDLE, _TEXT, _TEXT, _SIZE),
    "open_bytes": (_HANDLE, _TEXT, _SIZE, _TEXT, _TEXT, _SIZE),
    "close": (None, _HANDLE),
    "description": (_TEXT, _HANDLE),
    "set_knob": (None, _HANDLE, _INT, ctypes.c_float),
    "set_ramp": (None, _HANDLE, _INT),
    "set_input_db": (None, _HANDLE, ctypes.c_float),
    "set_output_db": (None, _HANDLE, ctypes.c_float),
    "prepare": (_INT, _HANDLE, _DOUBLE, _INT, _TEXT, _SIZE),
    "load_twin": (_INT, _HANDLE, _TEXT, _TEXT, _SIZE),
    "load_cabinet": (_INT, _HANDLE, _FLOATS, _LONG, _TEXT, _SIZE),
    "process": (None, _HANDLE, _FLOATS, _FLOATS, _LONG),
    "reset": (None, _HANDLE),
    "latency": (_INT, _HANDLE),
    "check_error": (_DOUBLE, _HANDLE),
    "measure": (_INT, _HANDLE, _FLOATS, _FLOATS, _TEXT, _SIZE),
    "memory_part": (_TEXT, _INT),
    "memory_bytes": (_SIZE, _HANDLE, _INT),
    "instruction_set": (_TEXT,),
    "instruction_sets": (_TEXT, _INT),
}


@cache
def library() -> ctypes.CDLL:
    """The native library: the file in TUBETWIN_LIBRARY, or the one installed with the package.

    Raises:
        BadInput: there is none.
    """
    wish = os.environ.get("TUBETWIN_LIBRARY")
    folders = [Path(folder) for folder in tubetwin.__path__]
    found = [Path(wish)] if wish else [p for f in folders for p in sorted(f.glob("libtubetwin.*"))]
    if not found:
        raise BadInput(
            f"no libtubetwin in {folders[0]}: install the package, or set TUBETWIN_LIBRARY"
        )
    try:
        native = ctypes.CDLL(str(found[0]))
    except OSError as error:
        raise BadInput(f"the engine {found[0]} does not load ({error}): build it again") from error
    for name, (result, *arguments) in _SIGNATURES.items():
        function = getattr(native, f"tubetwin_{name}")
        function.restype, function.argtypes = result, arguments
    return native


def instruction_set() -> str:
    """What players opened now use: "avx512", "avx2" or "baseline"; TUBETWIN_ISA narrows it."""
    return str(library().tubetwin_instruction_set().decode())


def instruction_sets() -> list[str]:
    """What this machine has, the narrowest first."""
    return _until_none(library().tubetwin_instruction_sets)


class Player:
    """A twin, playing: knobs turn while samples pass.

    Args:
        twin: the file, or its bytes.
        cabinet: (taps,) impulse response at the twin's sample rate, up to 2 s; None: no cabinet.
        ramp_seconds: how long the sound takes to follow a knob.
    Attributes:
        knobs: the amp's panel, in order.
        sample_rate_hz: the twin's; of everything that goes in and out, until `prepare`.
        description: what the twin says of itself (docs/twin-file.md).
    Raises:
        BadInput: not a twin, a broken one, or one that fails its own check signal.
    """

    def __init__(
        self,
        twin: str | Path | bytes,
        *,
        cabinet: npt.ArrayLike | None = None,
        ramp_seconds: float = 0.02,
    ) -> None:
        self._library = library()
        self._handle = self._open(twin)
        self._finalizer = weakref.finalize(self, self._library.tubetwin_close, self._handle)
        self._ramp_seconds = ramp_seconds
        self._read()
        if cabinet is not None:
            self.load_cabinet(cabinet)

    def _read(self) -> None:
        """What the twin that was loaded last says of itself; its knobs stand at their defaults."""
        self.description: dict[str, Any] = json.loads(
            self._library.tubetwin_description(self._handle)
        )
        self.sample_rate_hz: int = int(self.description["sample_rate_hz"])
        self.knobs: tuple[Knob, ...] = tuple(
            Knob(k["name"], k["minimum"], k["maximum"], k["default"])
            for k in self.description["knobs"]
        )
        self._ramp_samples = round(self._ramp_seconds * self.sample_rate_hz)
        self._setting = {knob.name: knob.default for knob in self.knobs}

    @property
    def latency_samples(self) -> int:
        """Samples that the engine adds: 0 at the twin's own rate."""
        return int(self._library.tubetwin_latency(self._open_handle))

    def prepare(self, rate_hz: int) -> None:
        """Play at another rate from now on, while nothing plays; then as after `reset`.

        Raises:
            BadInput: no rate that a player can have.
        """
        self._check(self._library.tubetwin_prepare, rate_hz, 1)

    def gain(self, input_db: float, output_db: float) -> None:
        """Set the gains before the twin and behind the cabinet; the sound glides there."""
        self._library.tubetwin_set_input_db(self._open_handle, input_db)
        self._library.tubetwin_set_output_db(self._open_handle, output_db)

    def load_twin(self, twin: str | Path) -> None:
        """Let another twin take over, without a gap where one plays; its knobs are the knobs now.

        Raises:
            BadInput: as `Player`; everything is as before.
        """
        self._check(self._library.tubetwin_load_twin, os.fsencode(twin))
        self._read()

    @property
    def setting(self) -> Setting:
        """Where the knobs stand: printed name -> printed value."""
        return dict(self._setting)

    def set(self, setting: Setting, *, jump: bool = False) -> None:
        """Turn knobs; those left out stay where they are.

        Args:
            setting: printed name -> printed value; names match whatever their case.
            jump: at once at the next sample, instead of gliding there.
        Raises:
            BadInput: an unknown knob, or a value outside its printed range.
        """
        normalise(self.knobs, setting)
        given = {name.lower(): float(value) for name, value in setting.items()}
        self._setting = {name: given.get(name.lower(), old) for name, old in self._setting.items()}
        ramp = 0 if jump else self._ramp_samples
        self._library.tubetwin_set_ramp(self._open_handle, ramp)
        for k, value in enumerate(normalise(self.knobs, self._setting)):
            self._library.tubetwin_set_knob(self._open_handle, k, value)

    def load_cabinet(self, response: npt.ArrayLike | None) -> None:
        """Play through another cabinet.

        Args:
            response: (taps,) impulse response at the twin's sample rate, up to 2 s; None: none.
        Raises:
            BadInput: an impulse response that is empty, too long, or not finite.
        """
        taps = _row([] if response is None else response, "an impulse response")
        if response is not None and not len(taps):
            raise BadInput("an impulse response of zero length: leave the cabinet out instead")
        self._check(self._library.tubetwin_load_cabinet, taps.ctypes.data, len(taps))

    def process(self, block: npt.ArrayLike) -> Samples:
        """Play any number of samples; what was played before is remembered.

        Args:
            block: (samples,) DI at the twin's sample rate, full scale ±1.0; what is not finite
                counts as 0.
        Returns:
            (samples,) float32, the amp's answer to just these samples.
        """
        samples = _row(block, "a block")
        out = np.empty_like(samples)
        self._library.tubetwin_process(
            self._open_handle, samples.ctypes.data, out.ctypes.data, len(samples)
        )
        return out

    def reset(self) -> None:
        """Forget all that was played: silence was for ever, knobs always stood where they stand."""
        self._library.tubetwin_reset(self._open_handle)

    def memory(self) -> dict[str, int]:
        """Bytes that this player allocated, by part."""
        parts = _until_none(self._library.tubetwin_memory_part)
        count = self._library.tubetwin_memory_bytes
        return {part: int(count(self._open_handle, i)) for i, part in enumerate(parts)}

    def measure(self) -> tuple[int, int]:
        """Latency and receptive field in samples, measured by an impulse.

        The impulse goes through a network of this twin's shape and kernel, with weights that let
        it pass: through trained ones its last trace is too faint for any float.
        """
        latency, receptive_field = _LONG(), _LONG()
        self._check(
            self._library.tubetwin_measure,
            ctypes.addressof(latency),
            ctypes.addressof(receptive_field),
        )
        return latency.value, receptive_field.value

    def check(self) -> float:
        """The largest error on the twin's own check signal, relative to its peak."""
        return float(self._library.tubetwin_check_error(self._open_handle))

    def close(self) -> None:
        """Free the player; it cannot be used afterwards."""
        self._finalizer()

    def __enter__(self) -> Self:
        """Return the player itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    @property
    def _open_handle(self) -> int:
        if not self._finalizer.alive:
            raise ValueError("this player is closed")
        return self._handle

    def _check(self, function: Callable[..., int], *arguments: object) -> None:
        """Call what may fail and says why."""
        message = ctypes.create_string_buffer(_MESSAGE_BYTES)
        if function(self._open_handle, *arguments, message, _MESSAGE_BYTES):
            raise BadInput(message.value.decode(errors="replace"))

    def _open(self, twin: str | Path | bytes) -> int:
        message = ctypes.create_string_buffer(_MESSAGE_BYTES)
        if isinstance(twin, bytes):
            handle = self._library.tubetwin_open_bytes(
                twin, len(twin), b"twin", message, _MESSAGE_BYTES
            )
        else:
            handle = self._library.tubetwin_open(os.fsencode(twin), message, _MESSAGE_BYTES)
        if not handle:
            raise BadInput(message.value.decode(errors="replace"))
        return int(handle)


def render(
    twin: str | Path | bytes,
    di: npt.ArrayLike,
    setting: Mapping[str, float | npt.ArrayLike],
    cabinet: npt.ArrayLike | None = None,
    progress: Callable[[float], None] | None = None,
) -> Samples:
    """Play a whole DI from silence, knobs standing or moving.

    Args:
        twin: the file, or its bytes.
        di: (samples,) at the twin's sample rate.
        setting: printed name -> printed value, or (samples,) values of a knob that moves; knobs
            left out stand at their default.
        cabinet: (taps,) impulse response at the twin's sample rate.
        progress: is called now and then with the finished share, 0…1.
    Returns:
        (samples,) float32.
    Raises:
        BadInput: as `Player`, or a moving knob with fewer values than samples.
    """
    samples = _row(di, "a DI")
    moving = {name: np.asarray(v, float) for name, v in setting.items() if np.ndim(v)}
    for name, values in moving.items():
        if values.shape != samples.shape:
            raise BadInput(f"knob {name} moves over {values.shape}, but the DI is {samples.shape}")
    still = {name: float(v) for name, v in setting.items() if name not in moving}  # type: ignore[arg-type]
    with Player(twin, cabinet=cabinet) as player:
        start = {name: float(values[0]) for name, values in moving.items() if len(values)}
        player.set(still | start, jump=True)
        player.reset()
        step = MOVE_SAMPLES if moving else player.sample_rate_hz
        player._ramp_samples = step  # each glide ends where the next begins
        out = np.empty_like(samples)
        for t in range(0, len(samples), step):
            block = slice(t, t + step)
            if moving:  # a glide, even to where the knobs stand, rounds otherwise than rest
                player.set({name: float(values[block][-1]) for name, values in moving.items()})
            out[block] = player.process(samples[block])
            if progress and t % player.sample_rate_hz < step:
                progress((t + step) / len(samples))
        return out


def _row(values: npt.ArrayLike, what: str) -> Samples:
    row = np.ascontiguousarray(values, np.float32)
    if row.ndim != 1:
        raise BadInput(f"{what} must be one channel of samples, not of shape {row.shape}")
    return row


def _until_none(name: Callable[[int], bytes | None]) -> list[str]:
    names: list[str] = []
    while (found := name(len(names))) is not None:
        names.append(found.decode())
    return names
