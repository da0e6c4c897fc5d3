"""A JACK server without a card, and a guitarist on it: for tests and pictures of live playing."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

BLOCK = 256

# A guitarist in a process of their own: plays a WAV round and round into PortAudio, and moves MIDI
# controller 20 all the way up, again and again.
GUITARIST = """
import sys, time, jack, soundfile
di = soundfile.read(sys.argv[1], dtype="float32")[0]
client = jack.Client("guitarist", no_start_server=True)
cable, pedal = client.outports.register("cable"), client.midi_outports.register("pedal")
at = 0

@client.set_process_callback
def play(frames):
    global at
    cable.get_array()[:] = di.take(range(at, at + frames), mode="wrap")
    pedal.clear_buffer()
    if at // 9600 != (at + frames) // 9600:
        pedal.write_midi_event(0, (0xB0, 20, 127))
    at += frames

with client:
    print("playing", flush=True)
    while True:
        for port in client.get_ports("PortAudio:in", is_audio=True, is_input=True)[:1]:
            if port not in client.get_all_connections(cable):
                cable.connect(port)
        time.sleep(0.1)
"""


class Server:
    """A JACK server that can be killed; in real time only where one may (as root)."""

    def __init__(self, name: str, rate: int = 48000, realtime: bool = False) -> None:
        self.name, self.rate = name, rate
        self.pace = "--realtime" if realtime else "--no-realtime"
        self.others: list[subprocess.Popen[str]] = []
        self.start()

    def start(self) -> None:
        words = f"jackd -n {self.name} {self.pace} -d dummy -r {self.rate} -p {BLOCK}"
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(words.split(), stdout=quiet, stderr=quiet)
        wait = ["jack_wait", "-s", self.name, "-w", "-t", "20"]
        if shutil.which("jack_wait"):
            subprocess.run(wait, stdout=quiet, stderr=quiet, check=True)
        else:
            time.sleep(2.0)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """In order, so that it frees its shared memory."""
        for process in (*self.others, self.process):
            process.terminate()
            process.wait()

    def play(self, di: Path) -> None:
        """Start the guitarist."""
        guitarist = subprocess.Popen(
            [sys.executable, "-c", GUITARIST, str(di)], stdout=subprocess.PIPE, text=True
        )
        self.others.append(guitarist)
        assert guitarist.stdout
        assert guitarist.stdout.readline() == "playing\n"

    def ports(self, name: str) -> list[str]:
        """A client's ports, asked in another process: ours must not die with a server."""
        done = subprocess.run(["jack_lsp", "-s", self.name], capture_output=True, text=True)
        return [line for line in done.stdout.splitlines() if line.startswith(name)]
