"""The chain plays what the engine plays; twins take over without a gap; rates are bridged."""

from pathlib import Path

import numpy as np
import pytest

from live_stage import BLOCK, BRIGHT, RATE
from tubetwin import device, guitar
from tubetwin.audio import resample
from tubetwin.chain import FADE_SECONDS, Bridge, Chain, Voice
from tubetwin.engine import render


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
