"""The engine against the equations of docs/twin-file.md, written out again in double precision."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from numpy_network import ARCHITECTURES, Network, guitar, make, panel
from tubetwin import engine
from tubetwin.engine import Player, render
from tubetwin.files import BadInput

BLOCKS: dict[str, Callable[[np.random.Generator], int]] = {
    **{str(n): (lambda _, n=n: n) for n in (1, 7, 64, 333, 4096)},
    "random": lambda rng: int(rng.integers(1, 150)),
}


@pytest.fixture(params=ARCHITECTURES)
def made(request: pytest.FixtureRequest) -> tuple[Network, bytes]:
    return make(request.param)


@pytest.fixture
def nano() -> Iterator[Player]:
    with Player(make("nano")[1]) as player:
        yield player


def play_in_blocks(
    player: Player, di: np.ndarray, size: Callable[[np.random.Generator], int]
) -> np.ndarray:
    rng, out, t = np.random.default_rng(2), [], 0
    while t < len(di):
        step = size(rng)
        out.append(player.process(di[t : t + step]))
        t += step
    return np.concatenate(out)


# ---- The sound ---------------------------------------------------------------------------------


def test_the_engine_computes_the_equation_whatever_the_block(made: tuple[Network, bytes]) -> None:
    network, file = made
    di, setting = guitar(network.receptive_field + 2000, seed=3), np.array([0.8, 0.1])
    truth = network.play(di, setting)
    assert 0.05 < np.abs(truth).max() < 10
    with Player(file) as player:
        assert player.check() < 1e-5
        player.set(panel(network, setting), jump=True)
        sounds = {}
        for name, size in BLOCKS.items():
            player.reset()
            sounds[name] = play_in_blocks(player, di, size)
    for name, sound in sounds.items():
        assert np.abs(sound - truth).max() <= 1e-5, f"blocks of {name}"
        assert np.array_equal(sound, sounds["64"]), f"blocks of {name}"


ISA_SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import test_engine as t, numpy_network as made, numpy as np
from tubetwin import engine
assert engine.instruction_set() == sys.argv[2], engine.instruction_set()
for name in made.ARCHITECTURES:
    network, file = made.make(name)
    di, setting = made.guitar(network.receptive_field + 300, seed=3), np.array([0.3, 0.9])
    with t.Player(file) as player:
        player.set(made.panel(network, setting), jump=True)
        player.reset()
        sound = t.play_in_blocks(player, di, t.BLOCKS["random"])
    assert np.abs(sound - network.play(di, setting)).max() <= 1e-5, name
"""


@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512"])
def test_every_instruction_set_computes_the_equation(isa: str) -> None:
    arguments = [sys.executable, "-c", ISA_SCRIPT, str(Path(__file__).parent), isa]
    done = subprocess.run(
        arguments,
        env=os.environ | {"TUBETWIN_ISA": isa},
        capture_output=True,
        text=True,
        check=False,
    )
    if isa in engine.instruction_sets():
        assert done.returncode == 0, done.stderr
    else:
        assert isa in done.stderr


def test_what_is_not_an_instruction_set_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUBETWIN_ISA", "abacus")
    with pytest.raises(BadInput, match="TUBETWIN_ISA=abacus"):
        Player(make("nano")[1])


def test_the_future_changes_nothing(made: tuple[Network, bytes]) -> None:
    di = guitar(3000)
    other = di.copy()
    other[1500:] = guitar(1500, seed=9)
    a, b = (render(made[1], samples, {}) for samples in (di, other))
    assert np.array_equal(a[:1500], b[:1500])
    assert not np.array_equal(a[1500:], b[1500:])


def test_latency_and_receptive_field_by_impulse(made: tuple[Network, bytes]) -> None:
    network, file = made
    with Player(file) as player:
        assert player.measure() == (0, network.receptive_field)
        assert player.latency_samples == 0


def test_it_starts_settled(made: tuple[Network, bytes]) -> None:
    network, file = made
    quiet = render(file, np.zeros(network.receptive_field + 100, np.float32), {"Volume": 9})
    assert np.ptp(quiet) <= 1e-6


def test_reset_forgets_everything(made: tuple[Network, bytes]) -> None:
    with Player(made[1], cabinet=np.hanning(300)) as player:
        player.set({"Volume": 3}, jump=True)
        player.reset()
        first = player.process(guitar(1000))
        player.set({"Volume": 8})
        player.process(guitar(777, seed=8))
        player.set({"Volume": 3})
        player.reset()
        assert np.array_equal(player.process(guitar(1000)), first)


def test_nonsense_in_the_input_counts_as_silence(nano: Player) -> None:
    di = guitar(9000)
    broken, mended = di.copy(), di.copy()
    places = [10, 500, 501]
    broken[places] = [np.nan, np.inf, -np.inf]
    mended[places] = 0
    sound = nano.process(broken)
    nano.reset()
    assert np.array_equal(sound, nano.process(mended))
    assert np.isfinite(nano.process(np.array([3e38, -3e38, 1e-42], np.float32))).all()


# ---- Knobs -------------------------------------------------------------------------------------


def test_a_knob_arrives_where_it_was_turned_to(made: tuple[Network, bytes]) -> None:
    network, file = made
    field, di = network.receptive_field, guitar(network.receptive_field + 2000)
    with Player(file) as player:
        player.set({"Volume": 2}, jump=True)
        player.process(di[:300])
        player.set({"Volume": 9})
        player.process(di[300:333])
        player.set({"bräss": 0.7})  # before the first glide is over
        sound = player.process(di[333:])
    truth = network.play(di, np.array([0.9, 0.85]))
    arrived = 333 + 960 + field
    assert np.abs(sound - truth[333:])[arrived - 333 :].max(initial=0) <= 1e-5
    assert np.abs(sound - truth[333:])[:500].max() > 0.01 * np.abs(truth).max()


@pytest.mark.parametrize("name", ["standard", "lite", "nano", "five channels"])
def test_a_moving_knob_follows_a_straight_line_and_never_clicks(name: str) -> None:
    file = make(name)[1]
    t = np.arange(30000)
    di = (0.5 * np.sin(2 * np.pi * 220 / 48000 * t)).astype(np.float32)

    def click(seconds: float) -> float:
        """The peak of the fourth difference around the move."""
        with Player(file, ramp_seconds=seconds) as player:
            player.set({"Volume": 2}, jump=True)
            player.reset()
            before = player.process(di[:12345])
            player.set({"Volume": 8})
            sound = np.concatenate([before, player.process(di[12345:])]).astype(float)
        return float(np.abs(np.diff(sound, 4)[12000:22000]).max())

    # Blocks of 64 samples with a fold each would leave a fifteenth of the jump: audible.
    assert click(0.02) < click(0) / 300


def test_moving_knobs_can_be_rendered() -> None:
    _, file = make("nano")
    di = guitar(10000)
    sweep = np.linspace(0, 10, len(di))
    sound = render(file, di, {"Volume": sweep, "Bräss": 0.5})
    steady = render(file, di, {"Volume": 0, "Bräss": 0.5})
    assert abs(sound[0] - steady[0]) < 1e-5  # gliding, FiLM is not folded: it rounds otherwise
    assert np.abs(sound - steady)[-1000:].max() > 0.1 * np.abs(steady).max()
    with pytest.raises(BadInput, match="Volume moves over"):
        render(file, di, {"Volume": sweep[:-1]})


def test_knobs_are_checked(nano: Player) -> None:
    assert [knob.name for knob in nano.knobs] == ["Volume", "Bräss"]
    with pytest.raises(BadInput, match="no knob called 'gain'"):
        nano.set({"Gain": 1})
    with pytest.raises(BadInput, match="Volume goes from 0 to 10"):
        nano.set({"Volume": 10.1})
    nano.set({"volume": 7})
    nano.set({"bräss": 1})
    assert nano.setting == {"Volume": 7, "Bräss": 1}


def test_a_twin_without_knobs_plays() -> None:
    network = Network.random("nano", knobs=())
    di = guitar(7000)
    sound = render(network.file(), di, {})
    assert np.abs(sound - network.play(di, np.zeros(0))).max() <= 1e-5


# ---- The cabinet -------------------------------------------------------------------------------


@pytest.mark.parametrize("taps", [1, 2, 63, 64, 65, 300, 2048, 5001, 20000])
def test_the_cabinet_is_a_convolution(taps: int) -> None:
    rng = np.random.default_rng(taps)
    ir = rng.normal(0, 1, taps) * np.exp(-5 * np.arange(taps) / taps)
    ir = (ir / np.abs(ir).sum()).astype(np.float32)
    file = make("nano")[1]
    di = guitar(max(9000, taps + 5000))
    dry = render(file, di, {})
    silence = float(render(file, np.zeros(1, np.float32), {})[0])
    heard = np.concatenate([np.full(taps - 1, silence), dry]).astype(float)
    size = len(heard) + taps
    truth = np.fft.irfft(np.fft.rfft(heard, size) * np.fft.rfft(ir.astype(float), size), size)
    truth = truth[taps - 1 : taps - 1 + len(dry)]
    with Player(file, cabinet=ir) as player:
        for name, size in BLOCKS.items():
            player.reset()
            sound = play_in_blocks(player, di, size)
            assert np.abs(sound - truth).max() <= 3e-6 * np.abs(dry).max(), f"blocks of {name}"
        assert player.latency_samples == 0
        player.load_cabinet(None)
        player.reset()
        assert np.array_equal(player.process(di), dry)


@pytest.mark.parametrize(
    ("ir", "fault"),
    [
        (np.zeros(0), "zero length"),
        (np.zeros(96001), "up to 2 s"),
        (np.array([1, np.nan]), "not finite"),
        (np.zeros((2, 100)), "one channel"),
    ],
)
def test_a_bad_cabinet_is_refused(nano: Player, ir: np.ndarray, fault: str) -> None:
    di = guitar(100)
    before = nano.process(di)
    nano.reset()
    with pytest.raises(BadInput, match=fault):
        nano.load_cabinet(ir)
    assert np.array_equal(nano.process(di), before)


# ---- Memory ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "lines"), [("standard", 392_832), ("lite", 196_416), ("nano", 98_208)]
)
def test_delay_lines_are_as_long_as_the_arithmetic_says(name: str, lines: int) -> None:
    with Player(make(name)[1]) as player:
        memory = player.memory()
        assert memory["delay_lines"] == lines
        assert memory["cabinet"] == 0
        assert sum(memory.values()) < 2 * lines
        player.load_cabinet(np.ones(100))
        assert player.memory()["cabinet"] > 400


def test_a_closed_player_says_so(nano: Player) -> None:
    nano.close()
    with pytest.raises(ValueError, match="closed"):
        nano.process(np.zeros(3))
