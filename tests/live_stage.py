"""What the tests of live playing share: small twins, and cards, ports and servers made of air."""

import sys
import threading
import time
import types
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tubetwin import booth, device, keeper, twin
from tubetwin.files import BadInput
from tubetwin.keeper import Keeper
from tubetwin.knobs import Knob
from tubetwin.preset import Preset
from tubetwin.rig import Rig, Shelf, Wishes

RATE, BLOCK = 48000, 128
PANEL = (Knob("Volume"), Knob("Treble", 0, 10, 4))
BRIGHT = np.array([1.0, -0.6, 0.2], np.float32)


def make_twin(path: Path, seed: int, knobs: tuple[Knob, ...] = PANEL, rate: int = RATE) -> Path:
    """A twin of two layers that answers its check signal rightly (docs/twin-file.md)."""
    shape = twin.Architecture(2, 3, (1, 700), "depthwise", "scale")
    rng, samples = np.random.default_rng(seed), shape.receptive_field_samples + 200
    tensors = {
        name: rng.normal(0, 0.4, size).astype(np.float32)
        for name, size in twin.expected_shapes(shape, len(knobs), 1, 1, samples, 1).items()
    }
    tensors["snake.alpha"] = np.abs(tensors["snake.alpha"]) + 0.5
    tensors["check.input"] = np.clip(tensors["check.input"], -1, 1)
    tensors["check.settings"] = rng.random((1, len(knobs))).astype(np.float32)
    w = {name: tensor.astype(float) for name, tensor in tensors.items()}
    film = w["film.0.weight"] @ (2 * w["check.settings"][0] - 1) + w["film.0.bias"]
    scale, shift = film.reshape(2, shape.layers, shape.channels)
    x = np.concatenate([np.zeros(shape.receptive_field_samples - 1), w["check.input"]])[:, None]
    x, out = x * w["lift.weight"] + w["lift.bias"], np.full(samples, w["head.bias"][0])
    for layer, gap in enumerate(shape.dilations):
        length = len(x) - 2 * gap
        parts = [x[j * gap : j * gap + length] * w["taps.weight"][layer, j] for j in range(3)]
        v = (1 + scale[layer]) * (sum(parts) + w["taps.bias"][layer]) + shift[layer]
        alpha = w["snake.alpha"][layer]
        s = v + np.sin(alpha * v) ** 2 / alpha
        out += (s @ w["head.weight"][layer])[-samples:]
        if layer == 0:
            x = x[-length:] + s * w["mix.weight"][0] + w["mix.bias"][0]
    tensors["check.output"] = out[None].astype(np.float32)
    twin.save(twin.Twin(path.stem, rate, knobs, shape, tensors), path)
    return path


class FakeCard:
    """Streams in threads: silence unless told otherwise; can be pulled out and put back."""

    def __init__(self) -> None:
        self.sound = np.zeros((BLOCK, 1), np.float32)
        self.rate_hz = RATE
        self.plugged = True
        self.opened = 0

    def open_stream(self, wish: device.Ports, twin_hz: int, play: device.Play) -> Any:
        if not self.plugged:
            raise BadInput("no card")
        self.opened += 1
        running = threading.Event()

        def run() -> None:
            while running.is_set() and self.plugged:
                play(self.sound, np.zeros((BLOCK, 2), np.float32), False)
                time.sleep(0.001)

        def start() -> None:
            running.set()
            threading.Thread(target=run, daemon=True).start()

        return types.SimpleNamespace(
            samplerate=self.rate_hz, latency=(0.001, 0.002), start=start, close=running.clear
        )

    def begin(self, order: booth.Order) -> tuple[keeper.Process, Connection]:
        """In place of keeper.start: the booth in a thread, which nobody can kill."""
        here, there = Pipe()

        def run() -> None:
            try:
                booth.sound(there, order, self.open_stream)
            except BadInput as error:
                there.send(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return types.SimpleNamespace(kill=lambda: None, join=thread.join), here  # type: ignore[return-value]


def order(twins: dict[str, Path]) -> booth.Order:
    return booth.Order(device.Ports(), str(twins["one"]), RATE, None, {"Volume": 5, "Treble": 4})


def until(done: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def make_rig(card: FakeCard, twins: dict[str, Path], **wishes: Any) -> Rig:
    def find_twin(name: str) -> Path:
        return twins[name] if name in twins else Path(name)

    def find_cabinet(name: str | None, rate: int) -> np.ndarray | None:
        return None if name is None else BRIGHT

    shelf = Shelf(["one", "two"], [None, "bright"], find_twin, find_cabinet)
    ports = device.Ports(block_samples=BLOCK)
    return Rig(ports, Preset("one"), shelf, Wishes(**wishes), lambda o: Keeper(o, card.begin))


class FakePortAudio(types.ModuleType):
    """sounddevice with cards of our choice, which refuse some rates."""

    class PortAudioError(Exception):
        pass

    def __init__(self, cards: list[dict[str, Any]], refused: tuple[int, ...] = ()) -> None:
        super().__init__("sounddevice")
        self.cards, self.refused = cards, refused
        self.wishes: list[dict[str, Any]] = []

    def query_hostapis(self) -> list[dict[str, str]]:
        return [{"name": "ALSA"}]

    def query_devices(self, wish: Any = None, kind: str | None = None) -> Any:
        if kind is None:
            return self.cards
        if not self.cards:
            raise self.PortAudioError("Error querying device -1")
        found = [c for c in self.cards if wish is None or str(wish) in c["name"]]
        if not found:
            raise ValueError(f"No {kind} device matching {wish!r}")
        return found[0]

    def Stream(self, **wish: Any) -> Any:  # noqa: N802
        self.wishes.append(wish)
        if wish["samplerate"] in self.refused:
            raise self.PortAudioError("Invalid sample rate")
        return types.SimpleNamespace(samplerate=wish["samplerate"], latency=(0.01, 0.02))


SOLO = {
    "name": "Solo",
    "hostapi": 0,
    "max_input_channels": 1,
    "max_output_channels": 1,
    "default_samplerate": 44100.0,
}


def portaudio(
    monkeypatch: pytest.MonkeyPatch, cards: list[dict[str, Any]], *refused: int
) -> FakePortAudio:
    fake = FakePortAudio(cards, refused)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


class FakeRtMidi(types.ModuleType):
    """rtmidi with ports that come and go; one of its two systems does not run here."""

    def __init__(self) -> None:
        super().__init__("rtmidi")
        self.ports = ["Synth 16:0", "Pedal 20:0"]
        self.queue: list[tuple[list[int], float]] = []

    def get_compiled_api(self) -> list[int]:
        return [2, 3]

    def MidiIn(self, system: int, name: str) -> Any:  # noqa: N802
        if system == 2:
            raise RuntimeError("no sequencer")
        return types.SimpleNamespace(
            get_ports=lambda: list(self.ports),
            open_port=lambda number: setattr(self, "opened", self.ports[number]),
            get_message=lambda: self.queue.pop(0) if self.queue else None,
        )
