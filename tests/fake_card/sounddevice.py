"""A sound card that is not there: the part of sounddevice that tubetwin uses, round a real circuit.

Put this folder on PYTHONPATH and the whole command runs, without a card, a driver or a wait: a
thread calls the callback block after block, as fast as the machine can. What is played goes through
the reference amp (or a cable), the fake interface's faults, and back in, late.

The folder FAKE_CARD holds rig.json: latency_samples, gain, noise, hum, amp (false: a cable), and
knobs.json: the setting, as a hand left it; fault.json: what goes wrong in the next take
only.
"""

import json
import os
import signal
import threading
from pathlib import Path

import numpy as np

RATE_HZ = 48000


class PortAudioError(Exception):
    """As sounddevice has it."""


def query_hostapis():
    return [{"name": "fake"}]


def query_devices(device=None, kind=None):
    card = {
        "name": "fake card",
        "hostapi": 0,
        "max_input_channels": 2,
        "max_output_channels": 2,
        "default_samplerate": float(RATE_HZ),
    }
    return [card] if kind is None else card


class Rig:
    """Amp and converters for one stream; keeps its state from block to block."""

    def __init__(self):
        folder = Path(os.environ["FAKE_CARD"])
        self.rig = json.loads((folder / "rig.json").read_text())
        with (folder / "streams").open("ab") as streams:  # no hiss is heard twice
            streams.write(b".")
            self.rng = np.random.default_rng([self.rig.get("seed", 0), streams.tell()])
        self.cable = not self.rig.get("amp", True) or (folder / "cable").exists()
        once = folder / "fault.json"
        self.fault = json.loads(once.read_text()) if once.exists() else {}
        once.unlink(missing_ok=True)
        if not self.cable:
            from tubetwin import amp
            from tubetwin.solver import Solver

            setting = json.loads((folder / "knobs.json").read_text())
            self.solver = Solver(amp.circuit(), amp.pots_at(setting), 1 / RATE_HZ, ("out",))
            self.scale = self.rig.get("amp_gain", 1.0) / amp.FULL_SCALE_VOLTS
        self.queue = np.zeros(round(self.rig["latency_samples"]))
        self.at = 0

    def block(self, out):
        """What comes in while `out` goes out: (frames,) each."""
        if self.cable:
            sound = out.astype(float)
        else:
            sound = self.scale * self.solver.run(out.astype(float))[:, 0]
        self.queue = np.concatenate([self.queue, sound])
        heard, self.queue = self.queue[: len(out)], self.queue[len(out) :]
        t = (self.at + np.arange(len(out))) / RATE_HZ
        self.at += len(out)
        if self.fault.get("kind") == "killed" and self.at > RATE_HZ:
            os.kill(os.getpid(), signal.SIGKILL)
        heard = heard + self.rig.get("noise", 1e-5) * self.rng.standard_normal(len(out))
        heard += self.rig.get("hum", 1e-4) * np.sin(2 * np.pi * 50 * t)
        heard = np.clip(self.rig.get("gain", 1.0) * self.fault.get("gain", 1.0) * heard, -1, 1)
        if self.fault.get("kind") == "silent":
            heard = np.zeros(len(out))
        if self.fault.get("kind") == "zeros" and 6 * RATE_HZ < self.at < 6.02 * RATE_HZ:
            heard = np.zeros(len(out))
        return heard.astype(np.float32)


class Stream:
    """A stream whose clock is the processor."""

    def __init__(self, samplerate, blocksize, device, channels, dtype, latency, callback):
        self.samplerate, self.latency = float(samplerate), (0.01, 0.01)
        self._block, self._channels, self._callback = blocksize or 1024, channels, callback
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()

    def close(self):
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self):
        # A card answers what it was given some time ago: a whole latency of blocks is ahead.
        rig, frames = Rig(), self._block
        heard = np.zeros(frames, np.float32)
        while not self._ended.is_set():
            out = np.zeros((frames, self._channels[1]), np.float32)
            sound = np.repeat(heard[:, None], self._channels[0], axis=1)
            self._callback(sound, out, frames, None, False)
            heard = rig.block(out[:, 0])  # heard one block later: so much is the driver's latency
