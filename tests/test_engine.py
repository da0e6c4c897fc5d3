"""The engine against the equations of docs/twin-file.md, written out again in double precision."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save as to_safetensors

from tubetwin import engine
from tubetwin.engine import Player, render
from tubetwin.files import BadInput

STACKS = tuple(2**i for i in range(10)) * 3
UNEVEN = (1, 3, 63, 64, 65, 7, 100, 129, 31, 500)  # no power of two: rings wrap anywhere
ARCHITECTURES = {
    "standard": (16, 3, STACKS, "depthwise", "full"),
    "lite": (8, 3, STACKS, "dense", "scale"),
    "nano": (4, 3, STACKS, "dense", "scale"),
    "standard, uneven": (16, 3, UNEVEN, "depthwise", "full"),
    "lite, uneven": (8, 3, UNEVEN, "dense", "scale"),
    "nano, uneven": (4, 3, UNEVEN, "dense", "scale"),
    "five channels": (5, 2, (1, 2, 4, 8, 16) * 2, "dense", "full"),
    "wide kernel": (3, 6, (1, 5, 11), "depthwise", "scale"),
    "one layer": (2, 3, (4,), "dense", "scale"),
    "no memory": (16, 1, (1, 1), "depthwise", "full"),
}
KNOBS = ({"name": "Volume", "minimum": 0, "maximum": 10, "default": 5}, {"name": "Bräss", "minimum": -1, "maximum": 1, "default": 0})  # fmt: skip
BLOCKS: dict[str, Callable[[np.random.Generator], int]] = {
    **{str(n): (lambda _, n=n: n) for n in (1, 7, 64, 333, 4096)},
    "random": lambda rng: int(rng.integers(1, 150)),
}


# ---- A network in numpy, and its file ----------------------------------------------------------


@dataclass(frozen=True)
class Network:
    """Random weights of any architecture, and what they compute."""

    channels: int
    kernel: int
    dilations: tuple[int, ...]
    taps: str
    mix: str
    knobs: tuple[dict[str, object], ...] = KNOBS
    tensors: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def receptive_field(self) -> int:
        return 1 + (self.kernel - 1) * sum(self.dilations)

    @classmethod
    def random(cls, name: str, knobs: tuple[dict[str, object], ...] = KNOBS) -> "Network":
        self = cls(*ARCHITECTURES[name], knobs)
        rng = np.random.default_rng(self.receptive_field + self.channels)
        C, L, n = self.channels, len(self.dilations), self.kernel  # noqa: N806
        dense, full = self.taps == "dense", self.mix == "full"
        normal = lambda scale, *shape: rng.normal(0, scale, shape).astype(np.float32)  # noqa: E731
        tensors = {
            "lift.weight": normal(1, C),
            "lift.bias": normal(0.1, C),
            "taps.weight": normal(0.15, L, n, C, C) if dense else normal(0.5, L, n, C),
            "taps.bias": normal(0.1, L, C),
            "snake.alpha": rng.uniform(0.5, 2, (L, C)).astype(np.float32),
            "mix.weight": normal(0.05, L - 1, C, C) if full else normal(0.2, L - 1, C),
            "mix.bias": normal(0.05, L - 1, C),
            "head.weight": normal(0.3 / np.sqrt(L * C), L, C),
            "head.bias": normal(0.01, 1),
        }
        widths = [len(knobs), 6, 6, 2 * L * C]
        for i, (a, b) in enumerate(zip(widths, widths[1:], strict=False)):
            if knobs:
                tensors[f"film.{i}.weight"] = normal((1 if i < 2 else 0.4) / np.sqrt(a), b, a)
                tensors[f"film.{i}.bias"] = normal(0.1, b)
        self = replace(self, tensors=tensors)
        settings = rng.random((2, len(knobs))).astype(np.float32)
        di = guitar(self.receptive_field + 500)
        answers = np.array([self.play(di, setting) for setting in settings])
        checks = {"check.input": di, "check.settings": settings, "check.output": answers}
        return replace(self, tensors=tensors | {k: v.astype(np.float32) for k, v in checks.items()})

    def film(self, setting: np.ndarray) -> np.ndarray:
        """(knobs,) in 0…1 -> Δγ and β, (2, layers, channels)."""
        if not self.knobs:
            return np.zeros((2, len(self.dilations), self.channels))
        h = 2 * setting.astype(float) - 1
        for i in range(3):
            h = self.tensors[f"film.{i}.weight"].astype(float) @ h + self.tensors[f"film.{i}.bias"]
            h = np.tanh(h) if i < 2 else h
        return h.reshape(2, len(self.dilations), self.channels)

    def play(self, di: np.ndarray, setting: np.ndarray) -> np.ndarray:
        """What docs/twin-file.md says, in double precision."""
        w = {name: tensor.astype(float) for name, tensor in self.tensors.items()}
        scale, shift = self.film(setting)
        silence = np.zeros(self.receptive_field - 1)
        x = np.concatenate([silence, di])[:, None] * w["lift.weight"] + w["lift.bias"]
        out = np.full(len(di), w["head.bias"][0])
        for layer, dilation in enumerate(self.dilations):
            taps, length = w["taps.weight"][layer], len(x) - (self.kernel - 1) * dilation
            u = w["taps.bias"][layer] + np.zeros((length, self.channels))
            for j in range(self.kernel):
                past = x[j * dilation : j * dilation + length]  # (time, channels)
                u += past @ taps[j].T if self.taps == "dense" else past * taps[j]
            v = (1 + scale[layer]) * u + shift[layer]
            alpha = w["snake.alpha"][layer]
            s = v + np.sin(alpha * v) ** 2 / alpha
            out += (s @ w["head.weight"][layer])[-len(di) :]
            if layer + 1 < len(self.dilations):
                mix = w["mix.weight"][layer]
                mixed = s @ mix.T if self.mix == "full" else s * mix
                x = x[-length:] + mixed + w["mix.bias"][layer]
        return out

    def description(self) -> dict[str, object]:
        architecture = {
            "channels": self.channels,
            "kernel_size": self.kernel,
            "dilations": self.dilations,
            "taps": self.taps,
            "mix": self.mix,
        }
        return {
            "format": 1,
            "name": "test",
            "sample_rate_hz": 48000,
            "knobs": self.knobs,
            "architecture": architecture,
        }

    def file(self, description: dict[str, object] | None = None) -> bytes:
        text = json.dumps(description or self.description())
        return to_safetensors(self.tensors, {"format": "tubetwin", "tubetwin": text})


def guitar(samples: int, seed: int = 1) -> np.ndarray:
    """Noise bursts and a sine, full scale."""
    rng, t = np.random.default_rng(seed), np.arange(samples)
    burst = rng.normal(0, 0.3, samples) * (np.sin(t / 700) > 0)
    return np.clip(burst + 0.4 * np.sin(t * 0.03), -1, 1).astype(np.float32)


def play_in_blocks(
    player: Player, di: np.ndarray, size: Callable[[np.random.Generator], int]
) -> np.ndarray:
    rng, out, t = np.random.default_rng(2), [], 0
    while t < len(di):
        step = size(rng)
        out.append(player.process(di[t : t + step]))
        t += step
    return np.concatenate(out)


def panel(network: Network, setting: np.ndarray) -> dict[str, float]:
    return {
        k["name"]: k["minimum"] + float(v) * (k["maximum"] - k["minimum"])
        for k, v in zip(network.knobs, setting, strict=True)
    }


_networks: dict[str, tuple[Network, bytes]] = {}


@pytest.fixture(params=ARCHITECTURES)
def made(request: pytest.FixtureRequest) -> tuple[Network, bytes]:
    return make(request.param)


def make(name: str) -> tuple[Network, bytes]:
    if name not in _networks:
        network = Network.random(name)
        _networks[name] = network, network.file()
    return _networks[name]


@pytest.fixture
def nano() -> Iterator[Player]:
    with Player(make("nano")[1]) as player:
        yield player


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
import test_engine as t, numpy as np
from tubetwin import engine
assert engine.instruction_set() == sys.argv[2], engine.instruction_set()
for name in t.ARCHITECTURES:
    network, file = t.make(name)
    di, setting = t.guitar(network.receptive_field + 300, seed=3), np.array([0.3, 0.9])
    with t.Player(file) as player:
        player.set(t.panel(network, setting), jump=True)
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
    network, file = make(name)
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
    assert abs(sound[0] - steady[0]) < 1e-6
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
    network, file = make("nano")
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


# ---- Broken files ------------------------------------------------------------------------------


def changed(**changes: object) -> Callable[[Network], bytes]:
    """The twin with other tensors; None takes one away."""

    def build(network: Network) -> bytes:
        tensors = network.tensors | {k.replace("__", "."): v for k, v in changes.items()}
        tensors = {k: v for k, v in tensors.items() if v is not None}
        return replace(network, tensors=tensors).file()

    return build


def described(path: str, value: object) -> Callable[[Network], bytes]:
    """The twin with another value in its description; ... takes a key away."""

    def build(network: Network) -> bytes:
        description = json.loads(json.dumps(network.description()))
        *parents, key = path.split(".")
        place = description
        for parent in parents:
            place = place[int(parent) if parent.isdigit() else parent]
        place[key] = value
        if value is ...:
            del place[key]
        return network.file(description)

    return build


def reheaded(change: Callable[[dict], None]) -> Callable[[Network], bytes]:
    """The twin with a forged safetensors header."""

    def build(network: Network) -> bytes:
        file = network.file()
        size = int.from_bytes(file[:8], "little")
        header = json.loads(file[8 : 8 + size])
        change(header)
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + file[8 + size :]

    return build


def poisoned(name: str, value: float) -> Callable[[Network], bytes]:
    def build(network: Network) -> bytes:
        tensor = network.tensors[name].copy()
        tensor.flat[-1] = value
        return changed(**{name.replace(".", "__"): tensor})(network)

    return build


BROKEN: dict[str, tuple[Callable[[Network], bytes], str]] = {
    "empty": (lambda n: b"", "too short"),
    "text": (lambda n: b"hello, I am not a twin at all", "not a twin"),
    "truncated header": (lambda n: n.file()[:500], "header stops short"),
    "truncated data": (lambda n: n.file()[:-100], "truncated: tensor"),
    "a byte too many": (lambda n: n.file() + b"\0", "1 bytes behind"),
    "header of zeros": (lambda n: (8).to_bytes(8, "little") + bytes(8), "header is not JSON"),
    "overlap": (
        reheaded(lambda h: h["lift.bias"].update(data_offsets=h["lift.weight"]["data_offsets"])),
        "overlaps|hole",
    ),  # fmt: skip
    "huge shape": (reheaded(lambda h: h["lift.bias"].update(shape=[2**40, 2**40])), "lift.bias"),
    "negative shape": (reheaded(lambda h: h["lift.bias"].update(shape=[-4])), "bad shape"),
    "half": (reheaded(lambda h: h["lift.bias"].update(dtype="F16")), "lift.bias is of type F16"),
    "other metadata": (reheaded(lambda h: h.update(__metadata__={"format": "pt"})), "no twin"),
    "description no JSON": (
        reheaded(lambda h: h["__metadata__"].update(tubetwin="{'")),
        "description is not JSON",
    ),  # fmt: skip
    "deep": (reheaded(lambda h: h["__metadata__"].update(tubetwin="[" * 9999)), "nested too deep"),
    "half a surrogate": (
        reheaded(lambda h: h["__metadata__"].update(tubetwin=r'{"a": "\ud800"}')),
        "surrogate",
    ),  # fmt: skip
    "format 2": (described("format", 2), "format 2; this program reads format 1"),
    "no name": (described("name", ...), "lacks name"),
    "rate": (described("sample_rate_hz", 0), "sample_rate_hz is 0"),
    "knob range": (described("knobs.0.minimum", 10), "Volume, needs minimum <= default"),
    "knob default": (described("knobs.0.default", 11), "Volume, needs minimum <= default"),
    "knob twice": (described("knobs.1.name", "volume"), "two knobs are called volume"),
    "knob no number": (described("knobs.0.default", "5"), "knob 1: default is of the wrong type"),
    "channels": (described("architecture.channels", 65), "channels is 65"),
    "kernel": (described("architecture.kernel_size", 2.5), "kernel_size is 2.5"),
    "no layers": (described("architecture.dilations", []), "0 dilations"),
    "many layers": (described("architecture.dilations", [1] * 65), "65 dilations"),
    "dilation 0": (described("architecture.dilations", [1, 0]), "a dilation is 0"),
    "long": (described("architecture.dilations", [2**19, 1]), "receptive field is longer"),
    "taps": (described("architecture.taps", "double"), 'taps is "double"'),
    "missing": (changed(taps__bias=None), "tensor taps.bias is missing"),
    "surplus": (changed(extra=np.zeros(3, np.float32)), "tensor extra is no part"),
    "misshapen": (
        changed(head__weight=np.zeros((30, 5), np.float32)),
        r"head.weight has the shape \(30, 5\), not \(30, 4\)",
    ),  # fmt: skip
    "NaN": (poisoned("mix.weight", np.nan), "mix.weight holds a value that is not finite"),
    "infinite": (poisoned("film.0.bias", np.inf), "film.0.bias holds a value that is not finite"),
    "alpha": (poisoned("snake.alpha", 0), "snake.alpha holds a value that is not above 0"),
    "film gap": (changed(film__1__weight=None), "film.0.weight has the shape"),
    "short check": (
        changed(
            check__input=np.zeros(6139, np.float32), check__output=np.zeros((2, 6139), np.float32)
        ),
        "6139 samples, not more",
    ),  # fmt: skip
    "check setting": (poisoned("check.settings", 1.5), "check.settings"),
    "wrong sound": (
        lambda n: changed(lift__weight=n.tensors["lift.weight"] * 1.01)(n),
        "answers its check signal wrongly",
    ),  # fmt: skip
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_twin_is_refused_by_name_and_key(kind: str, tmp_path: Path) -> None:
    build, fault = BROKEN[kind]
    path = tmp_path / "broken.twin"
    path.write_bytes(build(make("nano")[0]))
    with pytest.raises(BadInput, match=fault) as refusal:
        Player(path)
    assert str(refusal.value).startswith(f"{path}: ")


def test_no_cut_of_a_twin_is_taken_for_one() -> None:
    file = make("one layer")[1]
    for size in range(0, len(file), max(1, len(file) // 300)):
        with pytest.raises(BadInput):
            Player(file[:size])


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.twin: cannot be opened"):
        Player(tmp_path / "none.twin")
    with pytest.raises(BadInput, match="cannot be"):
        Player(tmp_path)


def test_a_closed_player_says_so(nano: Player) -> None:
    nano.close()
    with pytest.raises(ValueError, match="closed"):
        nano.process(np.zeros(3))
