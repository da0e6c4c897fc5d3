"""The C door of engine/tubetwin.h, as a plugin goes through it: rates, channels, swaps, gains."""

import ctypes
from collections.abc import Iterator
from ctypes import c_char_p, c_double, c_float, c_int, c_long, c_size_t, c_void_p
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from numpy_network import guitar, make
from tubetwin import engine
from tubetwin.engine import render

ERROR = (c_char_p, c_size_t)
SIGNATURES: dict[str, tuple[object, ...]] = {
    "open_bytes": (c_void_p, c_char_p, c_size_t, c_char_p, *ERROR),
    "open_compact": (c_void_p, c_char_p, *ERROR),
    "close": (None, c_void_p),
    "prepare": (c_int, c_void_p, c_double, c_int, *ERROR),
    "load_twin": (c_int, c_void_p, c_char_p, *ERROR),
    "load_twin_bytes": (c_int, c_void_p, c_char_p, c_size_t, c_char_p, *ERROR),
    "load_cabinet_at": (c_int, c_void_p, c_void_p, c_long, c_double, *ERROR),
    "load_cabinet_wav": (c_int, c_void_p, c_char_p, *ERROR),
    "collect": (None, c_void_p),
    "set_knob": (None, c_void_p, c_int, c_float),
    "set_knob_at": (c_int, c_void_p, c_int, c_float, c_int),
    "set_input_db": (None, c_void_p, c_float),
    "set_output_db": (None, c_void_p, c_float),
    "set_gate_db": (None, c_void_p, c_float),
    "set_cabinet": (None, c_void_p, c_int),
    "set_bypass": (None, c_void_p, c_int),
    "process_channels": (None, c_void_p, c_void_p, c_void_p, c_int),
    "reset": (None, c_void_p),
    "latency": (c_int, c_void_p),
    "knob_count": (c_int, c_void_p),
    "memory_bytes": (c_size_t, c_void_p, c_int),
}
LISTEN = 6139 + 960 + 1  # samples until another twin has taken over


class Door:
    """The functions themselves, on one player, without the handle."""

    def __init__(self, opener: str, *arguments: object) -> None:
        self._native = ctypes.CDLL(engine.library()._name)
        for name, (result, *types) in SIGNATURES.items():
            function = getattr(self._native, f"tubetwin_{name}")
            function.restype, function.argtypes = result, types
        self._message = ctypes.create_string_buffer(500)
        self.handle = getattr(self._native, f"tubetwin_{opener}")(*arguments, self._message, 500)

    def __call__(self, name: str, *arguments: object) -> int:
        fails = SIGNATURES[name][-2:] == ERROR
        rest = (self._message, 500) if fails else ()
        return getattr(self._native, f"tubetwin_{name}")(self.handle, *arguments, *rest)

    @property
    def message(self) -> str:
        return self._message.value.decode()

    def play(self, *rows: np.ndarray) -> list[np.ndarray]:
        ins = [np.ascontiguousarray(row, np.float32) for row in rows]
        outs = [np.empty_like(row) for row in ins]
        pointers = [
            (c_void_p * len(rows))(*(r.ctypes.data for r in group)) for group in (ins, outs)
        ]
        self("process_channels", *pointers, len(ins[0]))
        return outs


@pytest.fixture
def door() -> Iterator[Door]:
    file = make("nano")[1]
    opened = Door("open_bytes", file, len(file), b"nano")
    yield opened
    opened("close")


def test_two_channels_at_another_rate(door: Door) -> None:
    assert door("latency") == 0
    assert door("prepare", 44100, 2) == 0
    assert 0 < door("latency") < 80
    left, right = guitar(3000), guitar(3000, seed=4)
    a, b = door.play(left, right)
    assert not np.array_equal(a, b)
    door("reset")
    assert np.array_equal(door.play(right, left)[0], b)
    assert door("prepare", 44100.5, 2) == -1
    assert "whole number" in door.message
    assert door("prepare", 48000, 3) == -1
    assert "1 or 2 channels" in door.message


def test_another_twin_takes_over_while_it_plays(door: Door, tmp_path: Path) -> None:
    di = guitar(20000)
    door.play(di[:1000])
    file = make("lite")[1]
    (tmp_path / "lite.twin").write_bytes(file)
    assert door("load_twin", str(tmp_path / "lite.twin").encode()) == 0
    (sound,) = door.play(di[1000:])
    assert np.array_equal(sound[LISTEN:], render(file, di, {})[1000 + LISTEN :])


def test_a_broken_twin_changes_nothing(door: Door, tmp_path: Path) -> None:
    di = guitar(12000)
    (before,) = door.play(di)
    door("reset")
    broken = make("lite")[1][:-1000]
    assert door("load_twin_bytes", broken, len(broken), b"half a twin") == -1
    assert "half a twin" in door.message
    assert door("load_twin", str(tmp_path / "none.twin").encode()) == -1
    assert "cannot be opened" in door.message
    assert np.array_equal(door.play(di)[0], before)


def test_an_impulse_response_from_a_wav_file(door: Door, tmp_path: Path) -> None:
    response = (np.hanning(300) / 100).astype(np.float32)
    wavfile.write(tmp_path / "ir.wav", 48000, response)
    di = guitar(3000)
    assert door("load_cabinet_wav", str(tmp_path / "ir.wav").encode()) == 0
    (sound,) = door.play(di)
    assert np.array_equal(sound, render(make("nano")[1], di, {}, response))
    (tmp_path / "text.wav").write_text("hello")
    assert door("load_cabinet_wav", str(tmp_path / "text.wav").encode()) == -1
    assert "text.wav: is not a WAV file" in door.message
    long = np.zeros(96002, np.float32)
    for rate, fault in (
        (48000, "up to 2 s"),
        (0, "needs a sample rate"),
        (np.nan, "needs a sample"),
    ):
        assert door("load_cabinet_at", long.ctypes.data, len(long), rate) == -1
        assert fault in door.message
    door("reset")
    assert np.array_equal(door.play(di)[0], sound)


def test_what_is_set_is_heard(door: Door) -> None:
    di = guitar(9000)
    (plain,) = door.play(di)
    door("set_output_db", -6)
    door("reset")
    assert np.allclose(door.play(di)[0], plain * 10 ** (-6 / 20), atol=1e-7)
    door("set_bypass", 1)
    door("reset")
    assert np.array_equal(door.play(di)[0], di)
    door("set_bypass", 0)
    door("set_output_db", 0)
    response = np.array([0.5], np.float32)
    assert door("load_cabinet_at", response.ctypes.data, 1, 48000) == 0
    door("set_cabinet", 0)
    door("reset")
    assert np.array_equal(door.play(di)[0], plain)
    door("set_cabinet", 1)
    door("reset")
    assert np.allclose(door.play(di)[0], plain / 2, atol=1e-7)
    door("load_cabinet_at", None, 0, 48000)
    door("set_gate_db", 20)
    door("reset")
    assert np.ptp(door.play(di)[0]) < 1e-6
    door("set_gate_db", -np.inf)
    door("set_input_db", 6)
    door("reset")
    louder = render(make("nano")[1], di * np.float32(10 ** (6 / 20)), {})
    assert np.allclose(door.play(di)[0], louder, atol=1e-5)


def test_a_knob_turns_at_its_sample(door: Door) -> None:
    di = guitar(5000)
    assert door("set_knob_at", 0, 1.0, 1234) == 0
    (late,) = door.play(di)
    door("set_knob", 0, 0.5)
    door("reset")
    (first,) = door.play(di[:1234])
    door("set_knob", 0, 1.0)
    assert np.array_equal(late, np.concatenate([first, *door.play(di[1234:])]))
    assert [door("set_knob_at", 0, 0.5, 9) for _ in range(129)] == [0] * 128 + [-1]


def test_a_compact_player_takes_less(tmp_path: Path) -> None:
    file = make("standard")[1]
    path = tmp_path / "standard.twin"
    path.write_bytes(file)
    compact = Door("open_compact", str(path).encode())
    total = sum(compact("memory_bytes", part) for part in range(8))
    di = guitar(9000)
    whole, (small,) = render(file, di, {}), compact.play(di)
    compact("close")
    assert np.sum((small - whole) ** 2) < 1e-6 * np.sum(whole**2)
    if engine.instruction_set() != "baseline":
        assert total <= 392_832
