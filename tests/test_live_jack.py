"""Playing live through a real audio server: JACK with its dummy driver, which needs no card.

Left out where jackd, PortAudio, sounddevice or JACK-Client are not installed.
"""

import fcntl
import json
import os
import re
import select
import shutil
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tubetwin import guitar
from tubetwin.engine import render

try:
    import jack  # noqa: F401
    import rtmidi  # noqa: F401
    import sounddevice  # noqa: F401
except (ImportError, OSError) as error:
    pytest.skip(f"{error}", allow_module_level=True)
if not shutil.which("jackd"):
    pytest.skip("jackd is not installed", allow_module_level=True)

from jack_server import BLOCK, Server
from live_stage import make_twin

SECONDS = float(os.environ.get("TUBETWIN_LIVE_SECONDS", "4"))
PATIENCE_SECONDS = 90.0  # for processes to start on a machine that is busy


@pytest.fixture(params=[48000])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    name = f"tubetwin-{os.getpid()}"
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    monkeypatch.setenv("JACK_NO_AUDIO_RESERVATION", "1")
    server = Server(name, request.param)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("jack")
    di = folder / "di.wav"
    soundfile.write(di, 0.3 * guitar.demo(3.0, 7), 48000, subtype="FLOAT")
    return make_twin(folder / "small.twin", 1), di


class Terminal:
    """`tubetwin live` in a terminal of its own: keys go in, the screen and the outcome come out."""

    def __init__(self, *words: object) -> None:
        self.fingers, self._program = os.openpty()
        self.before = termios.tcgetattr(self.fingers)
        self.screen = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tubetwin.cli", "live", "--json", *map(str, words)],
            stdin=self._program,
            stdout=subprocess.PIPE,
            stderr=self._program,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "TERM": "xterm", "COLUMNS": "110", "LINES": "40"},
        )

    def look(self, seconds: float = 0.05) -> bytes:
        """The screen so far."""
        while select.select([self.fingers], [], [], seconds)[0]:
            self.screen += os.read(self.fingers, 65536)
            seconds = 0.0
        return self.screen

    def press(self, keys: bytes) -> None:
        os.write(self.fingers, keys)

    def until(self, done: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not done():
            assert self.process.poll() is None, self.look().decode()
            assert time.monotonic() < end, self.look().decode()
            self.look(0.1)

    def played_seconds(self) -> int:
        """Of sound, as the panel says: a busy machine takes longer for them."""
        said = re.findall(rb"played (\d+) s", self.look())
        return int(said[-1]) if said else 0

    def outcome(self) -> dict[str, Any]:
        assert self.process.stdout
        while self.process.poll() is None:
            self.look(0.1)
        self.look()
        assert self.process.returncode == 0, self.screen.decode()
        found: dict[str, Any] = json.loads(self.process.stdout.read())
        return found

    def assert_clean(self) -> None:
        """The terminal is as it was: modes, screen, cursor."""
        assert termios.tcgetattr(self.fingers) == self.before
        for on, off in ((b"\x1b[?1049h", b"\x1b[?1049l"), (b"\x1b[?25l", b"\x1b[?25h")):
            assert self.screen.count(on) > 0
            assert self.screen.rindex(off) > self.screen.rindex(on)


def test_what_is_recorded_is_what_the_engine_renders(
    server: Server, sounds: tuple[Path, Path], tmp_path: Path
) -> None:
    twin, di = sounds
    server.play(di)
    record = tmp_path / "out.wav"
    live = Terminal("--twin", twin, "--volume", 7, "--block", BLOCK, "--record", record)
    live.until(lambda: live.played_seconds() >= SECONDS)
    live.press(b"\x03")
    found = live.outcome()
    live.assert_clean()
    amp, rate = soundfile.read(record, dtype="float32")
    dry, _ = soundfile.read(tmp_path / "out-di.wav", dtype="float32")
    assert rate == found["sample_rate_hz"] == 48000
    assert len(amp) == round(found["seconds"] * rate) > SECONDS * rate
    played, _ = soundfile.read(di, dtype="float32")
    assert np.isin(dry, np.append(played, 0)).all()  # bit by bit
    assert np.abs(dry).max() > 0.5 * np.abs(played).max()
    assert np.abs(amp - render(twin, dry, {"Volume": 7})).max() < 1e-6


def test_a_killed_server_is_waited_for_and_midi_turns_a_knob(
    server: Server, sounds: tuple[Path, Path]
) -> None:
    twin, di = sounds
    server.play(di)
    live = Terminal("--twin", twin, "--midi", "pedal")
    live.until(lambda: live.played_seconds() >= 1)
    live.press(b"l")
    live.until(lambda: b"MIDI 20" in live.look())
    server.kill()
    live.until(lambda: b"NO SOUND" in live.look())
    server.start()
    live.until(lambda: b"1 restarts" in live.look())
    before = live.played_seconds()
    live.until(lambda: live.played_seconds() > before + 1)
    live.press(b"q")
    found = live.outcome()
    live.assert_clean()
    assert found["restarts"] == 1
    assert found["controllers"] == {"20": "Volume"}
    assert found["setting"] == {"Volume": 10.0, "Treble": 4.0}


def test_latency_is_measured_through_a_loopback(server: Server) -> None:
    words = [sys.executable, "-m", "tubetwin.cli", "live", "--measure-latency", "--json"]
    measuring = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    end = time.monotonic() + PATIENCE_SECONDS
    while len(server.ports("PortAudio:")) < 3 and time.monotonic() < end:
        time.sleep(0.02)
    subprocess.run(
        ["jack_connect", "-s", server.name, "PortAudio:out_0", "PortAudio:in_0"], check=True
    )
    out, _ = measuring.communicate(timeout=PATIENCE_SECONDS)
    found = json.loads(out)
    assert found["samples"] % BLOCK == 0
    assert 0 < found["samples"] <= 4 * BLOCK


@pytest.mark.parametrize("server", [44100], indirect=True)
def test_a_server_at_another_rate_is_bridged(
    server: Server, sounds: tuple[Path, Path], tmp_path: Path
) -> None:
    live = Terminal("--twin", sounds[0], "--seconds", 1, "--record", tmp_path / "out.wav")
    found = live.outcome()
    assert found["sample_rate_hz"] == 44100
    assert 0.001 < found["resampling_seconds"] < 0.002
    assert soundfile.info(tmp_path / "out.wav").samplerate == 44100
