"""Hosts for the tests of the plugin: a CLAP host of our own; jalv (LV2) on JACK without a card."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from jack_server import Server

# Plays a WAV through a client once, faster than real time, where nothing can come too late.
PLAY = """
import sys, threading, jack, numpy, soundfile
di = soundfile.read(sys.argv[1], dtype="float32")[0]
client = jack.Client("guitarist", no_start_server=True)
cable, ear = client.outports.register("cable"), client.inports.register("ear")
heard, done, at = [], threading.Event(), 0

@client.set_process_callback
def play(frames):
    global at
    block = numpy.zeros(frames, numpy.float32)
    if playing and at < len(di) + 9600:
        part = di[at : at + frames]
        block[: len(part)] = part
        heard.append(ear.get_array().copy())
        at += frames
    elif playing:
        done.set()
    cable.get_array()[:] = block

playing = False
with client:
    for port in client.get_ports(sys.argv[3] + ":", is_audio=True):
        client.connect(cable, port) if port.is_input else client.connect(port, ear)
    client.set_freewheel(True)
    playing = True
    assert done.wait(60)
    client.set_freewheel(False)
soundfile.write(sys.argv[2], numpy.concatenate(heard), 48000, "FLOAT")
"""


LV2_SEARCH = "/usr/lib/lv2:/usr/lib/x86_64-linux-gnu/lv2"


class ClapHost:
    """plugin/tests/clap_host.cpp with one instance; `program` may be more words than one."""

    def __init__(
        self,
        program: Path | tuple[str | Path, ...],
        plugin: Path,
        folder: Path,
        rate: int = 48000,
        block: int = 64,
    ) -> None:
        self.folder = folder
        words = program if isinstance(program, tuple) else (program,)
        self.process = subprocess.Popen(
            [*words, plugin, str(rate), str(block)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> "ClapHost":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()
        assert self.process.returncode == 0

    def say(self, command: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def ask(self, command: str) -> str:
        self.say(command)
        assert self.process.stdout
        return self.process.stdout.readline().rstrip("\n")

    def parameters(self) -> dict[str, tuple[float, ...]]:
        """Name -> minimum, maximum, value."""
        count = int(self.ask("parameters"))
        assert self.process.stdout
        rows = [self.process.stdout.readline().rstrip("\n").split("\t") for _ in range(count)]
        return {name: tuple(map(float, numbers)) for name, *numbers in rows}

    def play(self, *sides: np.ndarray) -> np.ndarray:
        di, out = self.folder / "di.f32", self.folder / "out.f32"
        np.concatenate(sides).astype(np.float32).tofile(di)
        assert self.ask(f"play {di} {out}") == "played"
        sound = np.fromfile(out, np.float32)
        return sound.reshape(len(sides), -1) if len(sides) > 1 else sound

    def memory_kb(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])


def play_through(client: str, di: Path, out: Path, server: str) -> None:
    """Play `di` through a client of a JACK server; writes what came out, 0.2 s more."""
    words = [sys.executable, "-c", PLAY, di, out, client]
    environment = {**os.environ, "JACK_DEFAULT_SERVER": server}
    subprocess.run(words, env=environment, check=True, timeout=120)


def through_jalv(
    uri: str, place: Path | str, di: Path, out: Path, name: str, preset: str = ""
) -> None:
    """Play `di` through an LV2 plugin in jalv; writes what came out, and a fifth of a second more.

    Args:
        uri: the plugin's.
        place: the folder that holds its bundle; several with colons between.
        di: a WAV at 48 kHz.
        out: the WAV to write.
        name: of the JACK server, unique on this machine.
        preset: the URI of one to load first.
    """
    environment = {
        **os.environ,
        "JACK_DEFAULT_SERVER": name,
        "JACK_NO_AUDIO_RESERVATION": "1",
        "LV2_PATH": f"{place}:{LV2_SEARCH}",
    }
    server = Server(name)
    jalv = subprocess.Popen(
        ["stdbuf", "-oL", "jalv", "-x", "-n", "amp", uri],
        env=environment,
        stdin=subprocess.PIPE,  # jalv reads commands, and ends when it is closed
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert jalv.stdin
    assert jalv.stdout
    patience = threading.Timer(60, jalv.kill)  # ends its output, and so the waiting
    patience.start()
    try:
        until = time.monotonic() + 30
        while len(server.ports("amp:")) < 2 and time.monotonic() < until:
            time.sleep(0.1)
        if preset:
            jalv.stdin.write(f"presets\npreset {preset}\n")  # it knows those that it listed
            jalv.stdin.flush()
            for _ in range(2):  # it prints the controls at the start, and again behind a preset
                next(line for line in jalv.stdout if line.startswith("lv2_enabled"))
            time.sleep(0.2)  # for the ports to get there
        play_through("amp", di, out, name)
    finally:
        patience.cancel()
        jalv.terminate()
        jalv.wait()
        server.stop()
