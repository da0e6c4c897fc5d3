"""Playing live, without a card: what the chain plays, what keys and MIDI turn, what is survived."""

import os
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from rich.console import Console

from tubetwin import booth, device, guitar, keeper, live, loopback, midi, panel, tuner, twin
from tubetwin.audio import resample
from tubetwin.chain import FADE_SECONDS, Bridge, Chain, Voice
from tubetwin.desk import Desk
from tubetwin.engine import render
from tubetwin.files import BadInput
from tubetwin.keeper import Keeper
from tubetwin.knobs import Knob
from tubetwin.preset import Preset, load
from tubetwin.recorder import Recorder
from tubetwin.rig import Rig, Shelf, Wishes

RATE, BLOCK = 48000, 128
PANEL = (Knob("Volume"), Knob("Treble", 0, 10, 4))
BRIGHT = np.array([1.0, -0.6, 0.2], np.float32)


# ---- Small twins, written out in numpy ---------------------------------------------------------


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


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("live")
    other = (Knob("Volume"), Knob("Cut"))
    return {
        "one": make_twin(folder / "one.twin", 1),
        "two": make_twin(folder / "two.twin", 2, other),
        "slow": make_twin(folder / "slow.twin", 3, rate=44100),
    }


@pytest.fixture(scope="module")
def di() -> np.ndarray:
    return 0.3 * guitar.demo(2.0, 7)


class Card:
    """A card without hardware: plays a DI into a callback, block by block, and keeps the answer."""

    def __init__(self, play: device.Play, di: np.ndarray) -> None:
        self._play, self._di = play, di
        self.out: list[np.ndarray] = []

    def run(self, blocks: int = 10**9) -> np.ndarray:
        """So many blocks more, or to the end; returns (samples, 3): all that went out so far."""
        for _ in range(blocks):
            start = BLOCK * len(self.out)
            part = self._di[start : start + BLOCK]
            if not len(part):
                break
            out = np.full((len(part), 3), 9, np.float32)
            self._play(np.stack([np.ones_like(part), part], axis=1), out, False)
            self.out.append(out)
        return np.concatenate(self.out)


def voice(path: Path, **setting: float) -> Voice:
    return Voice(path, None, setting, RATE, BLOCK)


# ---- The chain ---------------------------------------------------------------------------------


def test_the_chain_plays_what_the_engine_renders(twins: dict[str, Path], di: np.ndarray) -> None:
    chain = Chain(Voice(twins["one"], BRIGHT, {"Volume": 7}, RATE, BLOCK), RATE, 2, (1, 3))
    out = Card(chain.play, di).run()
    expected = render(twins["one"], di, {"Volume": 7}, BRIGHT)
    assert np.abs(out[:, 0] - expected).max() < 1e-6
    assert np.array_equal(out[:, 2], out[:, 0])
    assert not out[:, 1].any()
    report = chain.report([])
    assert np.array_equal(report.heard[:, 0], di)
    assert np.array_equal(report.heard[:, 1], out[:, 0])
    assert report.blocks == -(-len(di) // BLOCK)
    assert 0 < report.load[0] <= report.load[1]
    assert not len(chain.report([]).heard)


def test_gains_glide_and_full_scale_cuts_the_card_but_not_the_recording(
    twins: dict[str, Path], di: np.ndarray
) -> None:
    chain = Chain(voice(twins["one"]), RATE, 2)
    card = Card(chain.play, di)
    card.run(100)
    chain.gain(-6.0, 40.0)
    out = card.run()
    heard = chain.report([]).heard[:, 1]
    start = 100 * BLOCK
    assert np.allclose(heard[:start], render(twins["one"], di, {})[:start], atol=1e-6)
    moving = np.abs(np.diff(heard[start - 1 : start + BLOCK]))
    assert moving.max() < 0.03 * abs(heard[start + BLOCK] - heard[start])
    quiet = di * 10 ** (-6 / 20)
    expected = 100 * render(twins["one"], quiet, {})
    settled = start + BLOCK + 1500
    assert np.allclose(heard[settled:], expected[settled:], rtol=1e-4, atol=1e-3)
    assert np.abs(heard).max() > 1
    assert np.array_equal(out[:, 0], np.clip(heard, -1, 1))


def test_missed_samples_are_counted(twins: dict[str, Path]) -> None:
    chain = Chain(voice(twins["one"]), RATE, 1)
    for missed in (False, True, False, True):
        chain.play(np.zeros((64, 1), np.float32), np.zeros((64, 2), np.float32), missed)
    assert chain.report([]).missed == 2


@pytest.mark.parametrize("busy_blocks", [0, 5])
def test_a_swap_has_no_gap(twins: dict[str, Path], di: np.ndarray, busy_blocks: int) -> None:
    """Behind the fade the new twin sounds as if it had always played; before it, only the old."""
    chain = Chain(voice(twins["one"]), RATE, 2)
    card = Card(chain.play, di)

    class Newcomer(Voice):
        """While it catches up, the card goes on."""

        pending = busy_blocks

        def play(self, di: np.ndarray) -> np.ndarray:
            self.pending, blocks = 0, self.pending
            card.run(blocks)
            return super().play(di)

    card.run(300)
    chain.swap(Newcomer(twins["two"], None, {"Volume": 8, "Cut": 2}, RATE, BLOCK))
    out = card.run()[:, 0]
    old_alone = render(twins["one"], di, {})
    new_alone = render(twins["two"], di, {"Volume": 8, "Cut": 2})
    start = (300 + busy_blocks) * BLOCK
    share = np.clip((np.arange(len(di)) + 1 - start) / (FADE_SECONDS * RATE), 0, 1)
    assert np.abs(out - (old_alone * (1 - share) + new_alone * share)).max() < 1e-5
    assert np.abs(old_alone - new_alone)[start:].max() > 0.01


def test_swaps_queue_and_knobs_turn_the_newest(twins: dict[str, Path], di: np.ndarray) -> None:
    chain = Chain(voice(twins["one"]), RATE, 2)
    card = Card(chain.play, di)
    card.run(200)
    chain.swap(voice(twins["two"]))
    chain.swap(voice(twins["one"]))
    chain.set({"Treble": 9})  # which "two" does not have
    out = card.run()[:, 0]
    settled = 200 * BLOCK + 5000
    expected = render(twins["one"], di, {"Treble": 9})
    assert np.abs(out - expected)[settled:].max() < 1e-5


def test_a_cabinet_is_swapped_like_a_twin(twins: dict[str, Path], di: np.ndarray) -> None:
    chain = Chain(voice(twins["one"]), RATE, 2)
    card = Card(chain.play, di)
    card.run(150)
    chain.swap(Voice(twins["one"], BRIGHT, {}, RATE, BLOCK))
    out = card.run()[:, 0]
    settled = 150 * BLOCK + 1500
    assert np.abs(out - render(twins["one"], di, {}, BRIGHT))[settled:].max() < 1e-5


# ---- Other sample rates ------------------------------------------------------------------------


@pytest.mark.parametrize("card_hz", [44100, 88200, 96000])
@pytest.mark.parametrize("block", [64, 441])
def test_the_bridge_is_as_late_as_it_says_and_never_runs_dry(card_hz: int, block: int) -> None:
    bridge = Bridge(48000, card_hz, block)
    time_seconds = np.arange(card_hz) / card_hz
    wave = np.sin(2 * np.pi * (100 + 200 * time_seconds) * time_seconds)  # 100 to 500 Hz
    tone = 0.1 * np.sin(2 * np.pi * 15000 * time_seconds)
    sound = (wave + tone).astype(np.float32)
    inside: list[int] = []

    def amp(sound: np.ndarray) -> np.ndarray:
        inside.append(len(sound))
        return sound

    blocks = [bridge.play(sound[t : t + block], amp) for t in range(0, len(sound), block)]
    out = np.concatenate(blocks)
    late, settled = bridge.latency_samples, slice(2000, -2000)
    assert [len(b) for b in blocks] == [
        len(sound[t : t + block]) for t in range(0, len(sound), block)
    ]
    assert sum(inside) == pytest.approx(48000, abs=600)
    assert 0 < late < 0.011 * card_hz
    error = np.roll(out, -late) - wave
    assert np.sqrt(2) * np.std(error[settled]) == pytest.approx(0.1, rel=0.1)  # the tone is left
    high = 2 * np.abs(np.mean(out[settled] * np.exp(2j * np.pi * 15000 * time_seconds[settled])))
    assert high == pytest.approx(0.1, rel=0.01)


def test_a_twin_plays_at_another_rate(twins: dict[str, Path], di: np.ndarray) -> None:
    other = Voice(twins["slow"], None, {}, RATE, BLOCK)
    chain = Chain(voice(twins["one"]), RATE, 2)
    card = Card(chain.play, di)
    card.run(100)
    chain.swap(other)
    out = card.run()[:, 0]
    expected = resample(render(twins["slow"], resample(di, RATE, 44100), {}), 44100, RATE)
    settled, late = 100 * BLOCK + 3000, other.latency_samples
    error = out[settled + late :] - expected[settled : len(out) - late]
    assert np.std(error) < 0.1 * np.std(expected[settled:])


# ---- The tuner ---------------------------------------------------------------------------------


STRINGS = (
    *(("E1", 41.20), ("E2", 82.41), ("A2", 110.0), ("D3", 146.83), ("G3", 196.0), ("B3", 246.94)),
    *(("E4", 329.63), ("E6", 1318.51)),
)


def string(hz: float, rate: int) -> np.ndarray:
    t = np.arange(4096 * rate // 48000) / rate
    return sum(0.3 / k * np.sin(2 * np.pi * hz * k * t + k) for k in range(1, 8))  # type: ignore[return-value]


@pytest.mark.parametrize("rate", [44100, 48000, 96000])
@pytest.mark.parametrize("note", STRINGS)
@pytest.mark.parametrize("cents", [-20.0, 0.0, 7.0])
def test_the_tuner_reads_strings_to_a_cent(
    note: tuple[str, float], cents: float, rate: int
) -> None:
    name, hz = note
    found = tuner.pitch(string(hz * 2 ** (cents / 1200), rate), rate)
    assert found
    assert found.note == name
    assert found.cents == pytest.approx(cents, abs=1.0)


def test_the_tuner_is_silent_where_there_is_no_note() -> None:
    rng = np.random.default_rng(0)
    chord = string(110, RATE) + string(155.6, RATE) + string(233.1, RATE)
    for sound in (np.zeros(4096), rng.normal(0, 0.1, 4096), 1e-4 * string(110, RATE), chord[:99]):
        assert tuner.pitch(sound, RATE) is None


# ---- Keys and knobs ----------------------------------------------------------------------------


def test_keys_are_told_apart_however_they_arrive() -> None:
    assert panel.keys("a\x1b[A\x1bOB\x1b[C\x1b[D5\x1b[5~\x1b[6~q") == [
        *("a", "up", "down", "right", "left", "5", "page up", "page down", "q")
    ]
    assert panel.keys("\x1b[15~x\x1b[1;5Cy\x1b") == ["x", "y"]


def test_arrows_choose_and_turn_within_the_travel() -> None:
    desk = Desk(PANEL)
    assert desk.setting == {"Volume": 5, "Treble": 4}
    for key in ("right", "page up", "down", "page down", "left"):
        assert desk.press(key)
    assert desk.setting == {"Volume": pytest.approx(6.1), "Treble": pytest.approx(2.9)}
    for _ in range(20):
        desk.press("page up")
    assert desk.setting["Treble"] == 10
    desk.press("3")
    assert desk.setting["Treble"] == 3
    desk.press("down")
    desk.press("right")
    assert desk.gains_db == (pytest.approx(0.8), 0)
    assert not desk.press("t")


def test_midi_turns_what_it_has_learned() -> None:
    desk = Desk(PANEL, {20: "Treble"})
    desk.move(20, 127)
    desk.move(99, 127)
    assert desk.setting == {"Volume": 5, "Treble": 10}
    desk.press("l")
    desk.move(7, 0)
    assert desk.setting["Volume"] == 0
    assert desk.controllers == {20: "Treble", 7: "Volume"}
    desk.move(7, 64)
    assert desk.setting["Volume"] == pytest.approx(64 / 12.7, abs=0.01)


def test_another_twin_keeps_the_knobs_it_shares() -> None:
    desk = Desk(PANEL)
    desk.press("9")
    desk.fit((Knob("Volume", 0, 7), Knob("Cut", 0, 1, 0.5)))
    assert desk.setting == {"Volume": 7, "Cut": 0.5}
    desk.call_up(Preset("x", knobs={"cut": 0.1}, input_db=3))
    assert desk.setting == {"Volume": 5, "Cut": 0.1}
    assert desk.gains_db == (3, 0)
    with pytest.raises(BadInput, match="no knob called 'treble'"):
        desk.call_up(Preset("x", knobs={"Treble": 1}))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A pseudo-terminal as standard input; yields the end where fingers type."""
    fingers, program = os.openpty()
    with os.fdopen(program) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield fingers
    os.close(fingers)


def test_the_terminal_is_as_before_even_after_a_crash(terminal: int) -> None:
    import termios

    def play() -> None:
        with panel.Keyboard() as keyboard:
            assert termios.tcgetattr(terminal) != before
            os.write(terminal, b"\x1b[Aq")
            assert keyboard.pressed(1.0) == ["up", "q"]
            assert keyboard.pressed(0.0) == []
            raise ZeroDivisionError

    before = termios.tcgetattr(terminal)
    with pytest.raises(ZeroDivisionError):
        play()
    assert termios.tcgetattr(terminal) == before


def test_without_a_terminal_there_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115
    with panel.Keyboard() as keyboard:
        assert keyboard.pressed(0.0) == []


def drawn(rig: Rig) -> str:
    console = Console(width=100, force_terminal=False)
    with console.capture() as capture:
        console.print(rig.picture())
    return capture.get()


# ---- The keeper --------------------------------------------------------------------------------


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


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> FakeCard:
    monkeypatch.setattr(keeper, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(keeper, "RETRY_SECONDS", 0.05)
    return FakeCard()


def order(twins: dict[str, Path]) -> booth.Order:
    return booth.Order(device.Ports(), str(twins["one"]), RATE, None, {"Volume": 5, "Treble": 4})


def until(done: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def test_a_card_that_falls_silent_is_waited_for(card: FakeCard, twins: dict[str, Path]) -> None:
    kept = Keeper(order(twins), card.begin)
    until(lambda: any(len(report.heard) for report in kept.collect()))
    card.plugged = False
    until(lambda: kept.collect() or kept.trouble)
    until(lambda: kept.trouble == "no card" or kept.collect() is None)
    kept.tell(replace(kept.order, setting={"Volume": 9}))
    card.plugged = True
    until(lambda: any(len(report.heard) for report in kept.collect()))
    assert (kept.trouble, kept.restarts, card.opened) == ("", 1, 2)
    assert kept.order.setting == {"Volume": 9}
    kept.close()


def test_a_card_that_never_was_is_an_error_at_once(card: FakeCard, twins: dict[str, Path]) -> None:
    card.plugged = False
    with pytest.raises(BadInput, match="no card"):
        Keeper(order(twins), card.begin)


def test_a_stuck_process_is_killed(card: FakeCard, twins: dict[str, Path]) -> None:
    """Drivers that never return, as PortAudio does behind a killed JACK server."""
    killed = []

    def stuck(order: booth.Order) -> tuple[Any, Connection]:
        here, there = Pipe()
        there.send(booth.Started(RATE, (0.0, 0.0), 0.0))
        process = types.SimpleNamespace(
            pipe=there, kill=lambda: killed.append(1), join=lambda seconds=None: None
        )
        return process, here

    kept = Keeper(order(twins), stuck)
    kept._deadline = 0.0
    kept.collect()
    assert killed == [1]
    assert "fell silent" in kept.trouble


# ---- The rig -----------------------------------------------------------------------------------


def make_rig(card: FakeCard, twins: dict[str, Path], **wishes: Any) -> Rig:
    def find_twin(name: str) -> Path:
        return twins[name] if name in twins else Path(name)

    def find_cabinet(name: str | None, rate: int) -> np.ndarray | None:
        return None if name is None else BRIGHT

    shelf = Shelf(["one", "two"], [None, "bright"], find_twin, find_cabinet)
    ports = device.Ports(block_samples=BLOCK)
    return Rig(ports, Preset("one"), shelf, Wishes(**wishes), lambda o: Keeper(o, card.begin))


def test_keys_turn_what_sounds(card: FakeCard, twins: dict[str, Path]) -> None:
    card.sound = np.full((BLOCK, 1), 0.3, np.float32)
    rig = make_rig(card, twins)
    levels: list[float] = []
    collect = rig.keeper.collect

    def listen() -> Any:
        reports = collect()
        levels.extend(float(report.heard[-1, 1]) for report in reports if len(report.heard))
        return reports

    rig.keeper.collect = listen  # type: ignore[method-assign]

    def sounds_as(name: str, setting: dict[str, float], cabinet: Any = None) -> Callable[[], bool]:
        steady = render(twins[name], np.full(4000, 0.3, np.float32), setting, cabinet)[-1]

        def done() -> bool:
            rig.look([])
            return bool(levels) and abs(levels[-1] - steady) < 1e-5

        return done

    until(sounds_as("one", {"Volume": 5, "Treble": 4}))
    rig.look(["page up", "page up"])
    until(sounds_as("one", {"Volume": 7, "Treble": 4}))
    rig.look(["t"])
    until(sounds_as("two", {"Volume": 7, "Cut": 5}))
    rig.look(["c", "right"])
    until(sounds_as("two", {"Volume": 7.1, "Cut": 5}, BRIGHT))
    rig.look(["t", "t", "q"])
    assert rig.quit
    until(sounds_as("two", {"Volume": 7.1, "Cut": 5}, BRIGHT))
    assert rig.summary()["twin"] == "two"
    assert rig.summary()["restarts"] == 0
    rig.close()


def test_a_broken_twin_leaves_the_old_one_playing(
    card: FakeCard, twins: dict[str, Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.twin"
    broken.write_bytes(twins["one"].read_bytes()[:-100])
    rig = make_rig(card, twins)
    rig.choose(str(broken), None)
    assert "broken.twin" in rig.message
    assert rig.title == "one, no cabinet"
    assert rig.keeper.order.twin == str(twins["one"])
    rig.close()


def test_nothing_clips_unseen(card: FakeCard, twins: dict[str, Path]) -> None:
    card.sound = np.ones((BLOCK, 1), np.float32)
    rig = make_rig(card, twins)
    for _ in range(3):
        rig.desk.press("down")
    rig.look(["9"])  # +32 dB of output

    def both() -> bool:
        rig.look([])
        return all(meter.clipped for meter in rig.meters)

    until(both)
    text = drawn(rig)
    assert "turn input down" in text
    assert "turn output down" in text
    assert rig.summary()["clipped_samples"]["output"] > 0
    card.sound = np.zeros((BLOCK, 1), np.float32)
    rig.look(["0"])
    time.sleep(0.3)
    rig.look([])
    rig.look(["x"])
    assert "down" not in drawn(rig)
    rig.close()


def test_the_panel_shows_notes_levels_and_trouble(card: FakeCard, twins: dict[str, Path]) -> None:
    card.sound = np.sin(2 * np.pi * 375 * np.arange(BLOCK) / RATE)[:, None].astype(np.float32)
    card.sound *= 0.25  # one period of 128 samples: F#4, 23 cents sharp; -12 dBFS
    rig = make_rig(card, twins, controllers={20: "Treble"})

    def tuned() -> bool:
        rig.look([])
        return rig._recent is not None and "F#4 +23 cents" in drawn(rig)

    until(tuned)
    text = drawn(rig)
    assert "-12.0 dBFS" in text
    assert "MIDI 20" in text
    assert "latency 3.0 ms" in text
    rig.look(["l"])
    assert "move a MIDI controller" in drawn(rig)
    rig.keeper.trouble = "no card"
    assert "NO SOUND: no card" in drawn(rig)
    rig.close()


def test_a_sound_is_saved_and_called_up_again(
    card: FakeCard, twins: dict[str, Path], tmp_path: Path
) -> None:
    rig = make_rig(card, twins, save_as=tmp_path / "lead.json")
    rig.look(["8", "s"])
    assert load(tmp_path / "lead.json") == Preset("one", None, {"Volume": 8, "Treble": 4})
    rig.close()


# ---- Recording ---------------------------------------------------------------------------------


def test_a_recording_is_what_was_heard(
    card: FakeCard, twins: dict[str, Path], tmp_path: Path
) -> None:
    card.sound = np.random.default_rng(0).normal(0, 0.1, (BLOCK, 1)).astype(np.float32)
    path = tmp_path / "solo.wav"
    rig = make_rig(card, twins, record=path)

    def enough() -> bool:
        rig.look([])
        return rig.summary()["seconds"] > 0.3

    until(enough)
    assert not path.exists()
    rig.close()
    amp, rate = soundfile.read(path, dtype="float32")
    dry, _ = soundfile.read(tmp_path / "solo-di.wav", dtype="float32")
    assert rate == RATE
    assert len(dry) == len(amp) > 0.3 * RATE
    assert np.abs(amp - render(twins["one"], dry, {})).max() < 1e-6


def test_a_recording_ends_where_the_card_comes_back_at_another_rate(
    card: FakeCard, twins: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "solo.wav"
    rig = make_rig(card, twins, record=path)

    def looked(done: Callable[[], bool]) -> Callable[[], bool]:
        return lambda: bool(rig.look([]) or done())

    until(looked(lambda: rig.summary()["seconds"] > 0.1))
    card.plugged = False
    until(looked(lambda: bool(rig.keeper.trouble)))
    card.plugged, card.rate_hz = True, 44100
    until(looked(lambda: "recording has ended" in rig.message))
    assert soundfile.info(path).samplerate == RATE
    rig.close()


def test_recordings_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    for path in (tmp_path / "solo.mp3", tmp_path / "missing" / "solo.wav"):
        with pytest.raises(BadInput, match="cannot"):
            Recorder(path, RATE)
    (tmp_path / "solo.wav").mkdir()
    assert [p.name for p in tmp_path.iterdir()] == ["solo.wav"]


# ---- The card ----------------------------------------------------------------------------------


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


def nothing(*_: object) -> None:
    pass


def test_no_card_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    portaudio(monkeypatch, [])
    with pytest.raises(BadInput, match=r"there is no sound card.*plug in an interface"):
        device.open_stream(device.Ports(), RATE, nothing)
    assert device.listing() == []


@pytest.mark.parametrize(
    ("wish", "complaint"),
    [
        (device.Ports(devices=("Duet",)), "no input device 'Duet'"),
        (device.Ports(input_channel=2), "Solo has 1 input channels, not 2"),
        (device.Ports(output_channels=(1, 4)), "Solo has 1 output channels, not 4"),
        (device.Ports(sample_rate_hz=96000), "does not open.*Invalid sample rate"),
    ],
)
def test_what_the_card_has_not_is_refused(
    monkeypatch: pytest.MonkeyPatch, wish: device.Ports, complaint: str
) -> None:
    portaudio(monkeypatch, [SOLO], 96000)
    with pytest.raises(BadInput, match=complaint):
        device.open_stream(wish, RATE, nothing)


def test_the_twins_rate_is_preferred_and_the_cards_own_will_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    portaudio(monkeypatch, [SOLO])
    assert device.open_stream(device.Ports(), RATE, nothing).samplerate == RATE
    fake = portaudio(monkeypatch, [SOLO], RATE)
    assert device.open_stream(device.Ports(block_samples=64), RATE, nothing).samplerate == 44100
    assert fake.wishes[-1]["blocksize"] == 64
    assert fake.wishes[-1]["channels"] == (1, 1)
    assert device.listing()[0]["system"] == "ALSA"


def test_missing_software_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(BadInput, match="pip install"):
        device.listing()


def test_portaudio_missing_is_named_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The wheel for Linux comes without the library; importing it then raises OSError."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    with pytest.raises(BadInput, match="apt install libportaudio2"):
        device.listing()


@pytest.mark.parametrize(
    ("devices", "channels", "expected"),
    [
        ((), None, device.Ports((), 1, ())),
        (("3",), "2", device.Ports((3,), 2, ())),
        (("in", "out"), "2:3,4", device.Ports(("in", "out"), 2, (3, 4))),
    ],
)
def test_channels_read_as_printed(
    devices: tuple[str, ...], channels: str | None, expected: device.Ports
) -> None:
    assert device.ports(devices, channels, 256, None) == expected


@pytest.mark.parametrize("channels", ["0", "1:0", "x", "1:1;2", "1:-2", "9999"])
def test_channels_of_another_form_are_refused(channels: str) -> None:
    with pytest.raises(BadInput, match="--channels counts from 1"):
        device.ports((), channels, 256, None)
    with pytest.raises(BadInput, match="--device"):
        device.ports(("a", "b", "c"), None, 256, None)


@pytest.mark.parametrize(("delay", "gain"), [(BLOCK, 1.0), (777, 0.1), (9001, -0.3)])
def test_a_loopback_is_measured_to_the_sample(delay: int, gain: float) -> None:
    test = loopback.Loopback(1, RATE)
    cable, noise = np.zeros(delay), np.random.default_rng(1)
    while not test.done:
        out = np.zeros((BLOCK, 2), np.float32)
        back = gain * cable[:BLOCK] + noise.normal(0, 1e-3, BLOCK)
        test.play(back[:, None].astype(np.float32), out, False)
        cable = np.concatenate([cable[BLOCK:], out[:, 1]])
    assert test.delays() == [delay] * loopback.BURSTS


def test_without_a_cable_nothing_is_measured() -> None:
    test = loopback.Loopback(1, RATE)
    noise = np.random.default_rng(1)
    while not test.done:
        hum = noise.normal(0, 0.01, (BLOCK, 1)).astype(np.float32)
        test.play(hum, np.zeros((BLOCK, 2), np.float32), False)
    assert test.delays() == []


# ---- MIDI --------------------------------------------------------------------------------------


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


def test_controllers_are_heard_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeRtMidi()
    monkeypatch.setitem(sys.modules, "rtmidi", fake)
    monkeypatch.setattr(midi, "LOOK_SECONDS", 0.0)
    assert midi.inputs() == fake.ports
    pedal = midi.Controller("pedal")
    assert fake.opened == "Pedal 20:0"
    note_on, clock = [0x90, 60, 100], [0xF8]
    for message in ([0xB0, 20, 1], note_on, clock, [0xBF, 7, 127]):
        fake.queue.append((message, 0.0))
    assert pedal.changes() == [(20, 1), (7, 127)]
    fake.ports = ["Synth 16:0"]
    assert pedal.changes() == []
    fake.ports = ["Synth 16:0", "Pedal 24:0"]
    assert pedal.changes() == []
    assert fake.opened == "Pedal 24:0"
    with pytest.raises(BadInput, match=r"no MIDI input is called 'knobs'.*Synth 16:0, Pedal 24:0"):
        midi.Controller("knobs")
    midi.Controller("knobs", wait=True)


def test_midi_without_rtmidi_names_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rtmidi", None)
    with pytest.raises(BadInput, match="pip install"):
        midi.inputs()


# ---- The command -------------------------------------------------------------------------------


def options(**given: Any) -> dict[str, Any]:
    """What the command line says when it says nothing else."""
    silent = dict.fromkeys(
        ("preset_path", "save_as", "channels", "rate", "midi", "record", "seconds"), None
    )
    empty: dict[str, Any] = dict.fromkeys(("twins", "cabinets", "device", "cc"), ())
    return silent | empty | {"block": BLOCK, "only_list": False, "measure_latency": False} | given


def play(paths: dict[str, Path], turned: dict[str, Any], **given: Any) -> dict[str, Any]:
    shelf = Shelf(["two"], [None], lambda name: paths.get(name, Path(name)), lambda name, hz: None)
    return live.command(options(**given), shelf, lambda knobs: turned, Console(quiet=True))


def test_options_overrule_the_preset(
    card: FakeCard, twins: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "Rig", lambda *args: Rig(*args, lambda o: Keeper(o, card.begin)))
    preset = tmp_path / "lead.json"
    preset.write_text('{"format": 1, "twin": "one", "knobs": {"volume": 9, "treble": 2}}')
    found = play(twins, {"Treble": 3.0}, preset_path=str(preset), cc=("7=volume",), seconds=0.2)
    assert found["setting"] == {"Volume": 9, "Treble": 3}
    assert (found["twin"], found["controllers"]) == ("one", {7: "Volume"})
    assert "Played 0." in live.words(found)
    assert "--cc 7=Volume" in live.words(found)


@pytest.mark.parametrize("word", ["volume", "volume=7", "128=volume", "7=presence", "=volume"])
def test_a_controller_of_another_form_is_refused(twins: dict[str, Path], word: str) -> None:
    with pytest.raises(BadInput, match=r"--cc goes as in 20=volume.*volume, treble, input-db"):
        play(twins, {}, twins=("one",), cc=(word,))


def test_a_range_is_refused(twins: dict[str, Path]) -> None:
    with pytest.raises(BadInput, match="Volume takes one value here"):
        play(twins, {"Volume": np.array([1.0, 2.0])}, twins=("one",))


def test_cards_are_listed_in_words(monkeypatch: pytest.MonkeyPatch, twins: dict[str, Path]) -> None:
    fake = FakeRtMidi()
    monkeypatch.setitem(sys.modules, "rtmidi", fake)
    portaudio(monkeypatch, [SOLO])
    text = live.words(play(twins, {}, only_list=True))
    assert text.splitlines() == [
        "0: Solo (ALSA), 1 in, 1 out, 44100 Hz",
        "MIDI inputs: Synth 16:0, Pedal 20:0",
    ]
    portaudio(monkeypatch, [])
    assert "No sound card: plug in" in live.words(play(twins, {}, only_list=True))


@pytest.mark.parametrize("end", ["crash", "SIGINT", "SIGTERM", "SIGHUP", "clock"])
def test_however_it_ends_the_terminal_and_the_card_are_given_back(
    terminal: int, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import termios

    looks, closed = [], []

    def look(keys: list[str]) -> None:
        looks.append(keys)
        if len(looks) == 5 and end == "crash":
            raise ZeroDivisionError
        if len(looks) == 5 and end != "clock":
            os.kill(os.getpid(), getattr(signal, end))

    rig: Any = types.SimpleNamespace(
        look=look, quit=False, close=lambda: closed.append(1), picture=lambda: "the panel"
    )
    rig.summary, rig.wishes = lambda: {"looks": len(looks)}, Wishes(seconds=0.3)
    modes, handler = termios.tcgetattr(terminal), signal.getsignal(signal.SIGTERM)
    console = Console(force_terminal=True)
    if end == "crash":
        with pytest.raises(ZeroDivisionError):
            live.run(rig, console)
    else:
        looked = live.run(rig, console)["looks"]
        assert looked == 5 if end != "clock" else looked > 5
    screen = capsys.readouterr().out
    assert "the panel" in screen
    assert screen.rindex("\x1b[?1049l") > screen.rindex("\x1b[?1049h")
    assert screen.rindex("\x1b[?25h") > screen.rindex("\x1b[?25l")
    assert (termios.tcgetattr(terminal), signal.getsignal(signal.SIGTERM)) == (modes, handler)
    assert closed == [1]
