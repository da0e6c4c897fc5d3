"""Playing live, without a card: what the chain plays, what keys and MIDI turn, what is survived."""

import os
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

from tubetwin import booth, device, guitar, keeper, loopback, panel, tuner, twin
from tubetwin.chain import FADE_SECONDS, Bridge, Chain, Voice
from tubetwin.desk import INPUT, Desk
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


def in_blocks(
    chain: Chain, di: np.ndarray, at: dict[int, Callable[[], None]] | None = None
) -> np.ndarray:
    """Call the callback as a card would; at some blocks somebody does something."""
    outs = []
    for number, start in enumerate(range(0, len(di), BLOCK)):
        if at and number in at:
            at[number]()
        part = di[start : start + BLOCK]
        sound, out = np.stack([np.ones_like(part), part], 1), np.full((len(part), 3), 9, np.float32)
        chain.play(sound, out, False)
        outs.append(out)
    return np.concatenate(outs)


def voice(path: Path, **setting: float) -> Voice:
    return Voice(path, None, setting, RATE, BLOCK)


# ---- The chain ---------------------------------------------------------------------------------


def test_the_chain_plays_what_the_engine_renders(twins: dict[str, Path], di: np.ndarray) -> None:
    chain = Chain(Voice(twins["one"], BRIGHT, {"Volume": 7}, RATE, BLOCK), RATE, 2, (1, 3))
    out = in_blocks(chain, di)
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
    out = in_blocks(chain, di, {100: lambda: chain.gain(-6.0, 40.0)})
    heard = chain.report([]).heard[:, 1]
    start = 100 * BLOCK
    assert np.abs(heard[: start + 4] - render(twins["one"], di, {})[: start + 4]).max() < 0.2
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
def test_a_swap_has_no_gap(
    twins: dict[str, Path], di: np.ndarray, busy_blocks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From fade to end the new twin sounds as if it had always played; before, the old one."""
    chain = Chain(voice(twins["one"]), RATE, 2)
    new = voice(twins["two"], Volume=8, Cut=2)
    when = 300
    hand_over = chain._coming.append
    if busy_blocks:  # the thread that swaps is held up just before it hands over
        delayed: list[Any] = []
        monkeypatch.setattr(chain, "_coming", types.SimpleNamespace(append=delayed.append))
        monkeypatch.setattr(chain._coming.__class__, "__len__", lambda _: 0, raising=False)

    class Held(list):  # type: ignore[type-arg]
        popleft = list.pop

    if busy_blocks:
        monkeypatch.setattr(chain, "_coming", Held())
        held = chain._coming
        late: list[Any] = []
        held.append = late.append  # type: ignore[method-assign]
        hand_over = lambda: list.append(held, late[0])  # noqa: E731
    actions = {when: lambda: chain.swap(new)}
    if busy_blocks:
        actions[when + busy_blocks] = hand_over
    out = in_blocks(chain, di, actions)[:, 0]
    old_alone = render(twins["one"], di, {})
    new_alone = render(twins["two"], di, {"Volume": 8, "Cut": 2})
    start = (when + busy_blocks) * BLOCK
    fade = round(FADE_SECONDS * RATE)
    share = np.clip((np.arange(len(di)) + 1 - start) / fade, 0, 1)
    assert np.abs(out - (old_alone * (1 - share) + new_alone * share)).max() < 1e-5
    assert np.abs(old_alone - new_alone)[start:].max() > 0.01
