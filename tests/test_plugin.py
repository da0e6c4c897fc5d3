"""The plugin as VST3 in two real hosts, pedalboard and dawdreamer.

They take a build and downloads of their own, so they run with `make plugin-test`, not `make test`.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if not os.environ.get("TUBETWIN_PLUGIN_TESTS"):
    pytest.skip("make plugin-test runs these", allow_module_level=True)

import pedalboard

from live_stage import PANEL, RATE
from plugin_stage import IR, SWITCHES, same
from test_engine_door import Door
from tubetwin import bundle, metrics, twin
from tubetwin.engine import Player


@pytest.fixture
def vst3(plugins: Path) -> Callable[[str], Any]:
    return lambda name: pedalboard.load_plugin(str(plugins / "vst3" / f"{name}.vst3"))


def play(plugin: Any, di: np.ndarray, rate: int = RATE, block: int = 256) -> np.ndarray:
    """From silence, with everything where it stands."""
    plugin.process(
        np.zeros(rate // 2, np.float32), rate, buffer_size=block
    )  # knobs arrive, glides end
    return np.squeeze(plugin.process(di, rate, buffer_size=block, reset=True))


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


def test_knobs_automated_in_every_block_do_not_click(tmp_path: Path) -> None:
    """By the engine's measure, on a twin of the amp, whose own sweep is the same."""
    tone = 0.3 * np.sin(2 * np.pi / 200 * np.arange(48000), dtype=np.float32)
    start, stop, block = 24000, 33600, 64
    source = twin.bundled("standard")
    bundle.export(source, tmp_path, formats=["vst3"], name="AC", panel=False)
    plugin = pedalboard.load_plugin(str(tmp_path / "AC.vst3"))
    knobs = {knob.name: knob for knob in twin.load(source).knobs}
    attributes = {p.name: key for key, p in plugin.parameters.items() if p.name in knobs}

    way = np.clip((np.arange(0, len(tone), block) - start) / (stop - start), 0, 1)
    there_and_back = np.sin(np.pi * way)
    # Volume from below would bring harmonics that the tone at rest has not, and that is no click.
    ways = {"Volume": (5, 4), "Treble": (3, 7), "Bass": (3, 7), "Mid-Bite": (3, 7)}

    def native(name: str, values: list[float], jump: bool) -> np.ndarray:
        with Player(source) as player:
            player.set({name: values[0]}, jump=True)
            player.reset()
            out = []
            for at, value in enumerate(values):
                player.set({name: value}, jump=jump)
                out.append(player.process(tone[at * block :][:block]))
        return np.concatenate(out)

    def click(sound: np.ndarray) -> float:
        return float(metrics.click(sound[12000:], start - 12000, stop + 8000 - 12000))

    for name, (rest, turned) in ways.items():
        attribute = attributes[name]
        setattr(plugin, attribute, float(rest))
        plugin.process(np.zeros(RATE, np.float32), RATE)
        plugin.reset()
        out, values = [], []
        for at, part in enumerate(there_and_back):
            setattr(plugin, attribute, rest + (turned - rest) * float(part))
            values.append(getattr(plugin, attribute))  # pedalboard has 1000 steps
            played = plugin.process(tone[at * block :][:block], RATE, block, reset=False)
            out.append(np.ravel(played))
        sound, expected = np.concatenate(out), native(name, values, jump=False)
        setattr(plugin, attribute, knobs[name].default)
        assert np.abs(sound - expected).max() <= 1e-5
        assert click(sound) < 1.5
        assert click(native(name, values, jump=True)) > 5 * click(sound)  # the measure hears clicks


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
    rate: int, vst3: Callable[[str], Any], at_rate: Callable[[str, int], Door], di: np.ndarray
) -> None:
    plugin, engine = vst3("Beta"), at_rate("Beta", rate)
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
    out: list[list[np.ndarray]] = [[] for _ in names]
    for at in range(0, len(di), 1024):  # in turn, as a host plays its tracks
        for plugin, played in zip(plugins, out, strict=True):
            block = di[at : at + 1024]
            played.append(np.ravel(plugin.process(block, RATE, 1024, reset=at == 0)))
    for played, name in zip(out, names, strict=True):
        assert same(np.concatenate(played), expected[name])


def test_a_plugin_without_its_twin_lets_the_guitar_through(plugins: Path, di: np.ndarray) -> None:
    lost = plugins / "lost" / "Lost.vst3"
    shutil.copytree(plugins / "vst3" / "Alpha.vst3", lost)
    for file in lost.rglob("*.so"):
        file.rename(file.with_name("Lost.so"))
    (lost / "Contents" / "Resources" / "amp.twin").unlink()
    plugin = pedalboard.load_plugin(str(lost))
    assert plugin.name == "tubetwin without a twin"
    assert np.array_equal(np.ravel(plugin.process(di, RATE)), di)


def test_in_dawdreamer(plugins: Path, amps: dict[str, Path], di: np.ndarray) -> None:
    """Sets and automates every knob."""
    daw = pytest.importorskip("dawdreamer", reason="pip install dawdreamer")
    block, seconds = 64, len(di) / RATE
    sweep = np.linspace(0, 1, len(di), dtype=np.float32)

    def rendered(prepare: Callable[[Any, dict[str, int]], None]) -> np.ndarray:
        host = daw.RenderEngine(RATE, block)
        guitar = host.make_playback_processor("guitar", di[None])
        amp = host.make_plugin_processor("amp", str(plugins / "vst3" / "Alpha.vst3"))
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


def test_dawdreamer_restores_a_state(
    panel_plugins: Path, amps: dict[str, Path], di: np.ndarray, tmp_path: Path
) -> None:
    """Of a plugin with a window: it keeps no states of others."""
    daw = pytest.importorskip("dawdreamer", reason="pip install dawdreamer")
    host = daw.RenderEngine(RATE, 64)
    silence = np.zeros(RATE, np.float32)
    guitar = host.make_playback_processor("guitar", np.concatenate([silence, di])[None])
    shown = []
    for name, volume in (("first", 0.8), ("second", 0.1)):
        amp = host.make_plugin_processor(name, str(panel_plugins / "vst3" / "Alpha.vst3"))
        index = {d["name"]: d["index"] for d in amp.get_parameters_description()}
        amp.set_parameter(index["Volume"], volume)
        host.load_graph([(guitar, []), (amp, ["guitar"])])
        host.render(0.1)
        if name == "first":
            amp.set_parameter(index["Cabinet"], 0)
            host.render(0.1)
            amp.save_state(str(tmp_path / "state"))
        else:
            amp.load_state(str(tmp_path / "state"))
            host.render(0.1)
        shown.append([amp.get_parameter(i) for n, i in index.items() if n != "Latency"])
    assert shown[0] == shown[1]
    assert 0.8 in np.round(shown[1], 6)
    host.render(1 + len(di) / RATE)
    with Player(amps["Alpha"]) as player:  # without its cabinet
        player.set({"Volume": 8}, jump=True)
        player.reset()
        expected = player.process(di)
    assert same(np.asarray(host.get_audio()[0])[RATE : RATE + len(di)], expected)
