"""The plugin in real hosts: pedalboard (VST3), jalv (LV2), sord_validate, a CLAP host of our own.

They take a build and downloads of their own, so they run with `make plugin-test`, not `make test`.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

if not os.environ.get("TUBETWIN_PLUGIN_TESTS"):
    pytest.skip("make plugin-test runs these", allow_module_level=True)

import pedalboard

from live_stage import PANEL, RATE, make_twin
from plugin_hosts import ClapHost, through_jalv
from test_engine_door import Door
from tubetwin import bundle
from tubetwin.engine import Player
from tubetwin.knobs import Knob

ROOT = Path(__file__).parents[1]
SANITIZED = os.environ["TUBETWIN_PLUGIN_TESTS"] == "sanitized"  # CLAP only: both ends are built so
MADE = ROOT / "build" / ("plugin-asan" if SANITIZED else "plugin-make")
CLAP_HOST = MADE / "plugin" / "clap_host"
IR = np.array([0.0, 0.6, 0.25, -0.125, 0.06], np.float32)
OTHER_PANEL = (Knob("Volume"), Knob("Cut"))
SWITCHES = {"Input trim", "Output level", "Noise gate", "Cabinet", "Bypass"}


@pytest.fixture(scope="module")
def amps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Twins by the names of their plugins: Beta has Alpha's panel, Gamma another, Delta a rate."""
    folder = tmp_path_factory.mktemp("twins")
    return {
        "Alpha": make_twin(folder / "alpha.twin", 1),
        "Beta": make_twin(folder / "beta.twin", 2),
        "Gamma": make_twin(folder / "gamma.twin", 3, OTHER_PANEL),
        "Delta": make_twin(folder / "delta.twin", 4, rate=44100),
    }


@pytest.fixture(scope="module")
def place(amps: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them as plugins; Alpha with a cabinet."""
    folder, formats = tmp_path_factory.mktemp("plugins"), bundle.FORMATS
    if SANITIZED:
        bundle.FOLDERS[:], folder, formats = [MADE / "programs"], folder / "clap", ("clap",)
    for name, path in amps.items():
        cabinet = IR if name == "Alpha" else None
        bundle.export(path, folder, name=name, cabinet=cabinet, formats=formats)
    return folder.parent if SANITIZED else folder


@pytest.fixture
def di() -> np.ndarray:
    return (0.2 * np.random.default_rng(5).standard_normal(9000)).astype(np.float32)


@pytest.fixture
def vst3(place: Path) -> Callable[[str], Any]:
    return lambda name: pedalboard.load_plugin(str(place / "vst3" / f"{name}.vst3"))


def play(plugin: Any, di: np.ndarray, rate: int = RATE, block: int = 256) -> np.ndarray:
    """From silence, with everything where it stands."""
    plugin.process(
        np.zeros(rate // 2, np.float32), rate, buffer_size=block
    )  # knobs arrive, glides end
    return np.squeeze(plugin.process(di, rate, buffer_size=block, reset=True))


@pytest.fixture
def native(amps: dict[str, Path]) -> Callable[..., np.ndarray]:
    """The engine itself, from silence."""

    def play(name: str, di: np.ndarray, **setting: float) -> np.ndarray:
        with Player(amps[name], cabinet=IR if name == "Alpha" else None) as player:
            player.set(setting, jump=True)
            player.reset()
            return player.process(di)

    return play


@pytest.fixture
def door(amps: dict[str, Path]) -> Iterator[Callable[[str, int], Door]]:
    """The engine at any rate of the host."""
    opened: list[Door] = []

    def prepared(name: str, rate: int) -> Door:
        file = amps[name].read_bytes()
        opened.append(Door("open_bytes", file, len(file), b"twin"))
        assert opened[-1]("prepare", rate, 1) == 0
        return opened[-1]

    yield prepared
    for one in opened:
        one("close")


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and float(np.abs(a - b).max()) <= 1e-6


# ---- VST3 ---------------------------------------------------------------------------------------


def test_the_host_shows_the_amps_own_knobs(vst3: Callable[[str], Any]) -> None:
    plugin = vst3("Gamma")
    assert plugin.name == "Gamma"
    named = {p.name: p for p in plugin.parameters.values()}
    assert {"Volume", "Cut", *SWITCHES} <= set(named)
    assert named["Volume"].range[:2] == (0, 10)
    assert (plugin.volume, plugin.cut) == (5, 5)
    assert plugin.input_trim_db == plugin.output_level_db == 0
    assert "Treble" in {p.name for p in vst3("Alpha").parameters.values()}


@pytest.mark.parametrize("block", [1, 64, 333, 8192])
def test_the_sound_is_the_engines(
    block: int, vst3: Callable[[str], Any], native: Callable[..., np.ndarray], di: np.ndarray
) -> None:
    plugin = vst3("Alpha")
    assert same(play(plugin, di, block=block), native("Alpha", di))
    plugin.volume, plugin.treble = 8.5, 1.25
    assert same(play(plugin, di, block=block), native("Alpha", di, Volume=8.5, Treble=1.25))


def test_a_knob_automated_in_every_block_is_the_engines_own_sweep(
    vst3: Callable[[str], Any], amps: dict[str, Path], di: np.ndarray
) -> None:
    plugin = vst3("Alpha")
    out, expected = [], []
    with Player(amps["Alpha"], cabinet=IR) as player:
        plugin.reset()
        for at in range(0, len(di), 64):
            plugin.volume = plugin.treble = 10 * at / len(di)
            player.set({"Volume": plugin.volume, "Treble": plugin.treble})
            out.append(np.ravel(plugin.process(di[at : at + 64], RATE, 64, reset=False)))
            expected.append(player.process(di[at : at + 64]))
    assert float(np.abs(np.concatenate(out) - np.concatenate(expected)).max()) <= 1e-5


def test_every_switch_does_what_it_says(
    vst3: Callable[[str], Any], native: Callable[..., np.ndarray], di: np.ndarray
) -> None:
    plugin, plain = vst3("Alpha"), native("Alpha", di)
    plugin.output_level_db = -6.0
    assert np.allclose(play(plugin, di), plain * 10 ** (-6 / 20), atol=1e-6)
    plugin.output_level_db, plugin.input_trim_db = 0.0, 6.0
    assert np.allclose(play(plugin, di), native("Alpha", di * np.float32(10**0.3)), atol=1e-5)
    plugin.input_trim_db, plugin.noise_gate_db = 0.0, -0.5
    assert np.ptp(play(plugin, di)[2000:]) < 1e-5
    plugin.noise_gate_db, plugin.cabinet = -100.0, False
    bare = play(plugin, di)
    assert np.allclose(np.convolve(bare, IR)[2000 : len(di)], plain[2000:], atol=1e-5)
    plugin.bypass = True
    assert np.array_equal(play(plugin, di), di)
    plugin.bypass, plugin.cabinet = False, True
    assert same(play(plugin, di), plain)


@pytest.mark.parametrize("rate", [44100, 48000, 88200, 96000, 192000])
def test_at_any_rate_and_with_the_true_latency(
    rate: int, vst3: Callable[[str], Any], door: Callable[[str, int], Door], di: np.ndarray
) -> None:
    plugin, engine = vst3("Beta"), door("Beta", rate)
    out = np.ravel(plugin.process(di, rate, buffer_size=512, reset=True))
    late = int(engine("latency"))
    assert plugin.reported_latency_samples == late
    assert (late == 0) == (rate == RATE)
    padded = np.concatenate([di, np.zeros(late, np.float32)])
    (expected,) = engine.play(padded)
    assert same(out, expected[late : late + len(out)])  # pedalboard takes the latency away
    assert len(out) >= len(di) - late


def test_state_is_restored_elsewhere(
    vst3: Callable[[str], Any], native: Callable[..., np.ndarray], di: np.ndarray
) -> None:
    first, second = vst3("Alpha"), vst3("Alpha")
    first.volume, first.treble, first.output_level_db = 2.5, 7.5, -3.0
    first.process(di, RATE)
    second.raw_state = first.raw_state
    assert (second.volume, second.treble, second.output_level_db) == (2.5, 7.5, -3.0)
    assert same(play(second, di), play(first, di))
    expected = native("Alpha", di, Volume=2.5, Treble=7.5) * np.float32(10 ** (-3 / 20))
    assert same(play(second, di), expected)


def test_state_carries_the_twin_and_the_cabinet(
    vst3: Callable[[str], Any], native: Callable[..., np.ndarray], di: np.ndarray
) -> None:
    """Projects go to other machines, where another twin may lie in the plugin."""
    alpha, beta = vst3("Alpha"), vst3("Beta")
    kept = alpha.raw_state
    beta.raw_state = kept
    assert same(play(beta, di), native("Alpha", di))
    beta.raw_state = vst3("Beta").raw_state  # and without the cabinet again
    assert same(play(beta, di), native("Beta", di))


def test_a_twin_takes_over_while_playing_without_a_click(
    vst3: Callable[[str], Any], native: Callable[..., np.ndarray]
) -> None:
    tone = (0.3 * np.sin(np.arange(48000) * 0.03)).astype(np.float32)
    plugin, out = vst3("Alpha"), []
    other = vst3("Beta").raw_state
    for at in range(0, len(tone), 480):
        if at == 12000:
            plugin.raw_state = other
        out.append(np.ravel(plugin.process(tone[at : at + 480], RATE, 480, reset=at == 0)))
    sound, alpha, beta = np.concatenate(out), native("Alpha", tone), native("Beta", tone)
    assert same(sound[:12000], alpha[:12000])
    assert same(sound[24000:], beta[24000:])
    roughest = max(np.abs(np.diff(s[5000:], 2)).max() for s in (alpha, beta))
    assert np.abs(np.diff(sound[5000:], 2)).max() < 1.5 * roughest


def parts(chunk: bytes) -> tuple[bytes, bytes, bytes]:
    """A saved state as what is before the twin's text, the text, and the rest."""
    at = chunk.index(b"\0twin\0") + 6
    end = chunk.index(b"\0", at)
    return chunk[:at], chunk[at:end], chunk[end:]


@pytest.mark.parametrize(
    "fault", ["older", "not base64", "bit", "cut", "empty", "other knobs", "noise"]
)
def test_nonsense_in_the_state_of_a_clap_leaves_the_twin_playing(
    fault: str, place: Path, tmp_path: Path, di: np.ndarray
) -> None:
    """Through the CLAP host, which hands over states as they are."""
    with ClapHost(CLAP_HOST, place / "clap" / "Alpha.clap", tmp_path) as host:
        expected = host.play(di)
    with ClapHost(CLAP_HOST, place / "clap" / "Beta.clap", tmp_path) as host:
        assert host.ask(f"save {tmp_path / 'beta'}") == "1"
    with ClapHost(CLAP_HOST, place / "clap" / "Gamma.clap", tmp_path) as host:
        assert host.ask(f"save {tmp_path / 'gamma'}") == "1"
    before, text, rest = parts((tmp_path / "beta").read_bytes())
    before = before.replace(b"cabinet\0none", b"cabinet\0nonsense")
    broken = {
        "older": b"0:" + text[2:],
        "not base64": text[:500] + b"*" + text[501:],
        "bit": text[:-400] + (b"A" if text[-400:-399] != b"A" else b"B") + text[-399:],
        "cut": text[: len(text) // 8 * 4 + 2],
        "empty": b"1:",
        "other knobs": parts((tmp_path / "gamma").read_bytes())[1],
        "noise": np.random.default_rng(1).bytes(5000).replace(b"\0", b"x").replace(b"\xfe", b"x"),
    }[fault]
    state = tmp_path / "broken"
    state.write_bytes(before + broken + rest)
    with ClapHost(CLAP_HOST, place / "clap" / "Alpha.clap", tmp_path) as host:
        host.ask(f"load {state}")
        assert np.array_equal(host.play(di), expected)


def test_a_state_of_pure_noise_harms_nothing(
    vst3: Callable[[str], Any], native: Callable[..., np.ndarray], di: np.ndarray
) -> None:
    plugin, rng = vst3("Alpha"), np.random.default_rng(2)
    for size in (1, 100, 5000):
        plugin.raw_state = rng.bytes(size)
        assert same(play(plugin, di), native("Alpha", di))


def test_programs_turn_the_knobs(vst3: Callable[[str], Any], di: np.ndarray) -> None:
    plugin = vst3("Alpha")
    names = plugin.parameters["current_program"].valid_values
    assert names == [f"Volume {value}" for value in (2, 4, 6, 8, 10)]
    plugin.treble = 9.0
    plugin.current_program = "Volume 8"
    plugin.process(di, RATE)
    assert (plugin.volume, plugin.treble) == (8, 4)  # Treble is not in it: at its default


def test_two_channels_have_an_amp_each(
    vst3: Callable[[str], Any], native: Callable[..., np.ndarray], di: np.ndarray
) -> None:
    plugin, right = vst3("Alpha stereo"), di[::-1].copy()
    out = plugin.process(np.stack([di, right]), RATE, reset=True)
    assert same(out[0], native("Alpha", di))
    assert same(out[1], native("Alpha", right))


def test_64_at_once_of_different_amps(
    vst3: Callable[[str], Any], native: Callable[..., np.ndarray], di: np.ndarray
) -> None:
    names = ["Alpha", "Beta"] * 32
    plugins = [vst3(name) for name in names]
    assert len({plugin.identifier for plugin in plugins}) == 2
    expected = {name: native(name, di) for name in set(names)}
    for plugin, name in zip(plugins, names, strict=True):
        assert same(np.ravel(plugin.process(di, RATE, reset=True)), expected[name])


def test_a_plugin_without_its_twin_lets_the_guitar_through(place: Path, di: np.ndarray) -> None:
    lost = place / "lost" / "Lost.vst3"
    shutil.copytree(place / "vst3" / "Alpha.vst3", lost)
    for file in lost.rglob("*.so"):
        file.rename(file.with_name("Lost.so"))
    (lost / "Contents" / "Resources" / "amp.twin").unlink()
    plugin = pedalboard.load_plugin(str(lost))
    assert plugin.name == "tubetwin without a twin"
    assert np.array_equal(np.ravel(plugin.process(di, RATE)), di)


# ---- CLAP ---------------------------------------------------------------------------------------


def test_in_a_clap_host(
    place: Path, native: Callable[..., np.ndarray], di: np.ndarray, tmp_path: Path
) -> None:
    with ClapHost(CLAP_HOST, place / "clap" / "Alpha.clap", tmp_path, block=100) as host:
        identity, name, *features = host.ask("about").split("\t")
        assert identity.startswith("tubetwin:amp:")
        assert (name, features[-1]) == ("Alpha", "mono")
        assert host.ask("latency") == "0"
        shown = host.parameters()
        assert {knob.name: (knob.minimum, knob.maximum, knob.default) for knob in PANEL} == {
            knob.name: shown[knob.name] for knob in PANEL
        }
        assert set(shown) == {*(knob.name for knob in PANEL), *SWITCHES}
        assert same(host.play(di), native("Alpha", di))
        host.say("set 8 Volume")
        host.play(np.zeros(RATE, np.float32))
        turned = host.play(di)
        assert host.ask(f"save {tmp_path / 'state'}") == "1"
    with ClapHost(CLAP_HOST, place / "clap" / "Alpha.clap", tmp_path, block=100) as host:
        assert host.ask(f"load {tmp_path / 'state'}") == "1"
        assert host.parameters()["Volume"][2] == 8
        host.play(np.zeros(RATE, np.float32))
        assert same(host.play(di), turned)


def test_a_clap_host_with_two_channels_at_another_rate(
    place: Path, door: Callable[[str, int], Door], di: np.ndarray, tmp_path: Path
) -> None:
    right = di[::-1].copy()
    with ClapHost(CLAP_HOST, place / "clap" / "Beta stereo.clap", tmp_path, 96000, 256) as host:
        out = host.play(di, right)
        assert int(host.ask("latency")) == door("Beta", 96000)("latency")
    for heard, played in zip(out, (di, right), strict=True):
        assert same(heard, door("Beta", 96000).play(played)[0])


def test_blocks_of_any_length_in_a_clap_host(
    place: Path, native: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    """Here and not in pedalboard, which starts anew when the length changes."""
    di = (0.2 * np.random.default_rng(6).standard_normal(30000)).astype(np.float32)
    with ClapHost(CLAP_HOST, place / "clap" / "Alpha.clap", tmp_path, block=8192) as host:
        host.say("vary")
        assert same(host.play(di), native("Alpha", di))


def test_loading_a_clap_200_times_leaks_nothing(place: Path, tmp_path: Path) -> None:
    with ClapHost(CLAP_HOST, place / "clap" / "Alpha.clap", tmp_path) as host:
        host.ask("again 50")
        before = host.memory_kb()
        host.ask("again 200")
        assert (
            SANITIZED or host.memory_kb() - before < 200
        )  # KB; one player and its state have more than 1


def test_qtractor_lists_it(place: Path) -> None:
    scanners = [*Path("/usr/lib").glob("*/qtractor/qtractor_plugin_scan")]
    if not scanners:
        pytest.skip("qtractor is not installed: apt-get install qtractor")
    done = subprocess.run(
        [scanners[0]],
        input=f"CLAP:{place / 'clap' / 'Alpha.clap'}\n",
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "CLAP|Alpha|1:1|0:0|7:0|" in done.stdout, done.stdout + done.stderr


# ---- LV2 ----------------------------------------------------------------------------------------


def test_lv2_descriptions_are_valid(place: Path) -> None:
    if not shutil.which("sord_validate"):
        pytest.skip("sord_validate is not installed")
    schemas = sorted(Path("/usr/lib/lv2").glob("*/*.ttl"))
    ours = sorted(place.glob("lv2/*.lv2/*.ttl"))
    assert schemas
    assert len(ours) == 3 * 8
    done = subprocess.run(["sord_validate", *schemas, *ours], capture_output=True, text=True)
    assert "Found 0 errors" in done.stdout + done.stderr, done.stdout + done.stderr


def test_in_jalv(
    place: Path,
    native: Callable[..., np.ndarray],
    di: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not shutil.which("jalv") or not shutil.which("jackd"):
        pytest.skip("jalv or jackd is not installed")
    name = f"tubetwin-plugin-{os.getpid()}"
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    monkeypatch.setenv("JACK_NO_AUDIO_RESERVATION", "1")
    identity = bundle.Amp("Alpha", b"", b"", b"", 1).identity.decode()
    soundfile.write(tmp_path / "di.wav", di, RATE, "FLOAT")
    through_jalv(f"urn:{identity}", place / "lv2", tmp_path / "di.wav", tmp_path / "out.wav", name)
    out, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    expected = native("Alpha", di)
    lag = next(  # whole blocks of the server
        (at for at in range(0, 4096, 256) if same(out[at : at + len(di)], expected)), None
    )
    assert lag is not None


# ---- VST3 in another host -----------------------------------------------------------------------


def test_in_dawdreamer(place: Path, amps: dict[str, Path], di: np.ndarray) -> None:
    """Sets and automates every knob. (It restores states only for plugins that have a window.)"""
    daw = pytest.importorskip("dawdreamer", reason="pip install dawdreamer")
    block, seconds = 64, len(di) / RATE
    sweep = np.linspace(0, 1, len(di), dtype=np.float32)

    def rendered(prepare: Callable[[Any, dict[str, int]], None]) -> np.ndarray:
        host = daw.RenderEngine(RATE, block)
        guitar = host.make_playback_processor("guitar", di[None])
        amp = host.make_plugin_processor("amp", str(place / "vst3" / "Alpha.vst3"))
        assert amp.get_latency_samples() == 0
        prepare(amp, {d["name"]: d["index"] for d in amp.get_parameters_description()})
        host.load_graph([(guitar, []), (amp, ["guitar"])])
        host.render(seconds)
        return np.asarray(host.get_audio()[0])[: len(di)]

    def native(move: Callable[[Player, int], None]) -> np.ndarray:
        with Player(amps["Alpha"], cabinet=IR) as player:
            out = []
            for at in range(0, len(di), block):
                move(player, at)
                out.append(player.process(di[at : at + block]))
            return np.concatenate(out)

    for knob in PANEL:
        out = rendered(lambda amp, index, knob=knob: amp.set_automation(index[knob.name], sweep))
        expected = native(lambda p, at, knob=knob: p.set({knob.name: 10 * float(sweep[at])}))
        assert np.abs(out[block:] - expected[block:]).max() <= 1e-5

    out = rendered(lambda amp, index: amp.set_parameter(index["Volume"], 0.8))
    assert same(out, native(lambda p, at: p.set({"Volume": 8.0})))
