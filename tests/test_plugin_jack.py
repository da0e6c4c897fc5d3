"""The plugin as a program of its own, on JACK without a card. Runs with `make plugin-test`."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

if not os.environ.get("TUBETWIN_PLUGIN_TESTS"):
    pytest.skip("make plugin-test runs these", allow_module_level=True)
if not shutil.which("jackd"):
    pytest.skip("jackd is not installed", allow_module_level=True)

from jack_server import Server
from live_stage import RATE
from plugin_hosts import play_through
from plugin_stage import IR, lag_of
from tubetwin import bundle

# Turns MIDI controllers of a client, given as "20=64"; or calls programs, given as "3".
PEDAL = """
import sys, threading, jack
client = jack.Client("pedal", no_start_server=True)
port, sent, waits = client.midi_outports.register("out"), threading.Event(), 20

@client.set_process_callback
def send(frames):
    global waits
    port.clear_buffer()
    waits -= 1
    for i, word in enumerate(sys.argv[2:] if waits == 0 else []):
        number, _, value = word.partition("=")
        port.write_midi_event(i, (0xB5, int(number), int(value)) if value else (0xC2, int(number)))
    if waits < -100:  # half a second: the knobs have arrived
        sent.set()

with client:
    client.connect(port, sys.argv[1] + ":midi")
    assert sent.wait(30)
"""


@pytest.fixture(params=[RATE])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    name = f"tubetwin-alone-{os.getpid()}"
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    monkeypatch.setenv("JACK_NO_AUDIO_RESERVATION", "1")
    server = Server(name, request.param)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def folder(amps: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs")
    bundle.export(amps["Alpha"], folder, name="Alpha 1.5", cabinet=IR, formats=["jack"])
    bundle.export(amps["Beta"], folder, name="Beta", formats=["jack"])
    return folder


class Program:
    """One that runs, found on the path as a user's would be."""

    def __init__(self, folder: Path, name: str, *words: str) -> None:
        path = f"{folder}:{os.environ['PATH']}"
        self.process = subprocess.Popen(
            [name, *words],
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.said = next((line for line in self.process.stdout if " plays." in line), "")

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)


def heard(server: Server, client: str, di: np.ndarray, folder: Path) -> np.ndarray:
    soundfile.write(folder / "di.wav", di, RATE, "FLOAT")
    play_through(client, folder / "di.wav", folder / "out.wav", server.name)
    return soundfile.read(folder / "out.wav", dtype="float32")[0]


def test_two_amps_side_by_side(
    server: Server,
    folder: Path,
    di: np.ndarray,
    native: Callable[..., np.ndarray],
    tmp_path: Path,
) -> None:
    alpha = Program(folder, "Alpha 1.5", "volume=8.5", "Output level=0")
    beta = Program(folder, "Beta")
    assert "Alpha 1.5 plays. MIDI controllers: 20 Volume, 21 Treble, 7 Output" in alpha.said
    assert "programs: 0 Volume 2, 1 Volume 4" in alpha.said
    assert set(server.ports("Beta")) == {"Beta:in_1", "Beta:out_1", "Beta:midi"}
    assert lag_of(heard(server, "Beta", di, tmp_path), native("Beta", di)) is not None
    out = heard(server, "Alpha 1.5", di, tmp_path)
    assert lag_of(out, native("Alpha", di, Volume=8.5)) is not None
    assert (alpha.end(), beta.end()) == (0, 0)


def test_midi_turns_knobs_and_calls_programs(
    server: Server,
    folder: Path,
    di: np.ndarray,
    native: Callable[..., np.ndarray],
    tmp_path: Path,
) -> None:
    amp = Program(folder, "Beta")
    pedal = [sys.executable, "-c", PEDAL, "Beta"]
    subprocess.run([*pedal, "20=0", "21=127", "99=3"], check=True)
    turned = native("Beta", di, Volume=0, Treble=10)
    assert lag_of(heard(server, "Beta", di, tmp_path), turned) is not None
    subprocess.run([*pedal, "3", "77"], check=True)  # there is no program 77
    program = native("Beta", di, Volume=8)
    assert lag_of(heard(server, "Beta", di, tmp_path), program) is not None
    assert amp.end() == 0


@pytest.mark.parametrize("server", [44100], indirect=True)
def test_latency_at_another_rate_is_told(server: Server, folder: Path) -> None:
    amp = Program(folder, "Beta")
    told = subprocess.run(["jack_lsp", "-s", server.name, "-l"], capture_output=True, text=True)
    late = told.stdout.split("Beta:out_1")[1].split("capture latency = [ ")[1].split()[0]
    assert int(late) > 0
    assert amp.end() == 0


def test_two_sides(server: Server, folder: Path) -> None:
    amp = Program(folder, "Beta stereo")
    ports = {"in_1", "in_2", "out_1", "out_2", "midi"}
    assert set(server.ports("Beta")) == {f"Beta stereo:{port}" for port in ports}
    assert amp.end() == 0


@pytest.mark.parametrize("word", ["Volume=11", "Volume=", "Volume=x", "Presence=3", "Volume"])
def test_a_word_that_makes_no_sense_is_refused(server: Server, folder: Path, word: str) -> None:
    amp = Program(folder, "Beta", word)
    assert amp.process.wait(20) == 2
    assert amp.process.stderr
    assert f"{word} is no parameter" in amp.process.stderr.read()


def test_a_server_that_is_not_there_or_ends(server: Server, folder: Path) -> None:
    amp = Program(folder, "Beta")
    server.kill()
    assert amp.process.wait(20) == 2
    assert amp.process.stderr
    assert "the JACK server has ended" in amp.process.stderr.read()
    amp = Program(folder, "Beta")
    assert amp.process.wait(20) == 2
    assert amp.process.stderr
    assert "there is no JACK server" in amp.process.stderr.read()
