"""The chain plays what the engine plays; twins take over without a gap; any card's rate will do."""

from pathlib import Path

import numpy as np
import pytest

from live_stage import BLOCK, BRIGHT, RATE
from tubetwin import device, guitar
from tubetwin.audio import resample
from tubetwin.chain import Chain
from tubetwin.engine import render
from tubetwin.files import BadInput

GLIDE = 960  # 20 ms


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


def chain_of(path: Path, cabinet: np.ndarray | None = None, **setting: float) -> Chain:
    return Chain(path, cabinet, setting, (0.0, 0.0), RATE, 2)


def test_the_chain_plays_what_the_engine_renders(twins: dict[str, Path], di: np.ndarray) -> None:
    chain = Chain(twins["one"], BRIGHT, {"Volume": 7}, (0.0, 0.0), RATE, 2, (1, 3))
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
    chain = chain_of(twins["one"])
    card = Card(chain.play, di)
    card.run(100)
    chain.turn({}, (-6.0, 40.0))
    out = card.run()
    heard = chain.report([]).heard[:, 1]
    start = 100 * BLOCK
    assert np.allclose(heard[:start], render(twins["one"], di, {})[:start], atol=1e-6)
    moving = np.abs(np.diff(heard[start - 1 : start + GLIDE]))
    assert moving.max() < 0.03 * abs(heard[start + GLIDE] - heard[start])
    quiet = di * 10 ** (-6 / 20)
    expected = 100 * render(twins["one"], quiet, {})
    settled = start + GLIDE + 1500
    assert np.allclose(heard[settled:], expected[settled:], rtol=1e-4, atol=1e-3)
    assert np.abs(heard).max() > 1
    assert np.array_equal(out[:, 0], np.clip(heard, -1, 1))


def test_missed_samples_are_counted(twins: dict[str, Path]) -> None:
    chain = Chain(twins["one"], None, {}, (0.0, 0.0), RATE, 1)
    for missed in (False, True, False, True):
        chain.play(np.zeros((64, 1), np.float32), np.zeros((64, 2), np.float32), missed)
    assert chain.report([]).missed == 2


def test_a_swap_has_no_gap(twins: dict[str, Path], di: np.ndarray) -> None:
    """Until the new twin knows its past, only the old; behind the fade, as if it always played."""
    chain = chain_of(twins["one"])
    card = Card(chain.play, di)
    card.run(300)
    chain.swap(twins["two"], None, {"Volume": 8, "Cut": 2})
    out = card.run()[:, 0]
    old_alone = render(twins["one"], di, {})
    new_alone = render(twins["two"], di, {"Volume": 8, "Cut": 2})
    start = 300 * BLOCK + 1404  # what "two" remembers
    assert np.abs(out - old_alone)[:start].max() < 1e-6
    assert np.abs(out - new_alone)[start + GLIDE :].max() < 1e-5
    low, high = np.minimum(old_alone, new_alone) - 1e-5, np.maximum(old_alone, new_alone) + 1e-5
    assert ((low <= out) & (out <= high)).all()
    assert np.abs(old_alone - new_alone)[start:].max() > 0.01


def test_of_swaps_the_last_counts_and_knobs_turn_the_newest(
    twins: dict[str, Path], di: np.ndarray
) -> None:
    chain = chain_of(twins["one"])
    card = Card(chain.play, di)
    card.run(200)
    chain.swap(twins["two"], None, {})
    chain.swap(twins["one"], None, {})
    chain.turn({"Treble": 9}, (0.0, 0.0))  # which "two" does not have
    out = card.run()[:, 0]
    settled = 200 * BLOCK + 5000
    expected = render(twins["one"], di, {"Treble": 9})
    assert np.abs(out - expected)[settled:].max() < 1e-5


def test_a_cabinet_is_swapped_like_a_twin(twins: dict[str, Path], di: np.ndarray) -> None:
    chain = chain_of(twins["one"])
    card = Card(chain.play, di)
    card.run(150)
    chain.swap(twins["one"], BRIGHT, {})
    out = card.run()[:, 0]
    settled = 150 * BLOCK + 1500
    assert np.abs(out - render(twins["one"], di, {}, BRIGHT))[settled:].max() < 1e-5


def test_a_broken_twin_is_refused_and_the_old_one_plays_on(
    twins: dict[str, Path], di: np.ndarray, tmp_path: Path
) -> None:
    chain = chain_of(twins["one"])
    card = Card(chain.play, di)
    card.run(50)
    (tmp_path / "half.twin").write_bytes(twins["two"].read_bytes()[:-100])
    with pytest.raises(BadInput, match=r"half\.twin"):
        chain.swap(tmp_path / "half.twin", None, {})
    assert np.abs(card.run()[:, 0] - render(twins["one"], di, {})).max() < 1e-6


@pytest.mark.parametrize("card_hz", [44100, 96000])
def test_a_card_at_another_rate_hears_the_same_amp_two_milliseconds_later(
    twins: dict[str, Path], di: np.ndarray, card_hz: int
) -> None:
    chain = Chain(twins["one"], None, {}, (0.0, 0.0), card_hz, 2)
    out = Card(chain.play, resample(di, RATE, card_hz)).run()[:, 0]
    late = chain.latency_samples
    assert 0 < late < 0.002 * card_hz
    expected = resample(render(twins["one"], di, {}), RATE, card_hz)
    error = (out[late:] - expected[: len(out) - late])[2000:-2000]
    assert np.std(error) < 0.01 * np.std(expected)


def test_a_twin_of_another_rate_takes_over(twins: dict[str, Path], di: np.ndarray) -> None:
    chain = chain_of(twins["one"])
    card = Card(chain.play, di)
    card.run(100)
    chain.swap(twins["slow"], None, {})
    out = card.run()[:, 0]
    expected = resample(render(twins["slow"], resample(di, RATE, 44100), {}), 44100, RATE)
    settled, late = 100 * BLOCK + 3000, chain.latency_samples
    error = out[settled + late :] - expected[settled : len(out) - late]
    assert late > 0
    assert np.std(error) < 0.1 * np.std(expected[settled:])
