"""A take through a real audio server: JACK with its dummy driver, a cable where the amp would be.

Left out where jackd, PortAudio or sounddevice are not installed. What an amp does to an evening is
in test_studio.py; here the card is real, with its callbacks and its latency.
"""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tubetwin import audio, cli, schedule, studio

try:
    import sounddevice  # noqa: F401
except (ImportError, OSError) as error:
    pytest.skip(f"{error}", allow_module_level=True)
if not shutil.which("jackd") or not shutil.which("jack_connect"):
    pytest.skip("jackd and its tools are not installed", allow_module_level=True)

QUIET = subprocess.DEVNULL
PATIENCE_SECONDS = 120.0


@pytest.fixture
def cable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server of our own, whose every PortAudio client is wired out to in at once."""
    name = f"tubetwin-studio-{os.getpid()}"
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    monkeypatch.setenv("JACK_NO_AUDIO_RESERVATION", "1")
    words = f"jackd -n {name} --no-realtime -d dummy -r 48000 -p 2048"
    server = subprocess.Popen(words.split(), stdout=QUIET, stderr=QUIET)
    ended = threading.Event()

    def wire() -> None:
        while not ended.wait(0.05):
            ports = subprocess.run(["jack_lsp", "-s", name], capture_output=True, text=True).stdout
            ways = [
                sorted(re.findall(f"^PortAudio:{way}_.*", ports, re.M)) for way in ("out", "in")
            ]
            for plug in zip(*ways, strict=False):  # the first of each; they are numbered anew
                subprocess.run(["jack_connect", "-s", name, *plug], stdout=QUIET, stderr=QUIET)

    thread = threading.Thread(target=wire)
    time.sleep(2.0)
    thread.start()
    yield
    ended.set()
    thread.join()
    server.terminate()
    server.wait()


def test_a_take_through_jack_is_what_was_played(cable: None, tmp_path: Path) -> None:
    folder = tmp_path / "session"
    words = ["plan", "--settings", "1", "--seconds", "1", "-o", str(folder)]
    assert cli.main(words) == 0
    capture = subprocess.run(
        [sys.executable, "-m", "tubetwin.cli", "capture", str(folder), "--block", "2048"],
        input="\n\n\nq\n",  # measure, go on, record a take, stop
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert capture.returncode == 0, capture.stderr
    if "missed" in capture.stderr:
        pytest.skip("this machine is too busy for sound: the server missed blocks")
    assert "Round trip" in capture.stderr, capture.stderr
    assert "is good" in capture.stderr, capture.stderr
    (take, *_), _ = studio._takes(schedule.load(folder))
    di = audio.read(folder / "di.wav").samples[: take.length_samples, 0]
    sound = audio.read(folder / take.file).samples[:, 0]
    assert np.sum((sound - di) ** 2) < 1e-6 * np.sum(di**2)
