"""What `tubetwin preset` writes, in the hosts it is for. Runs with `make plugin-test`."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

if not os.environ.get("TUBETWIN_PLUGIN_TESTS"):
    pytest.skip("make plugin-test runs these", allow_module_level=True)

import pedalboard

from live_stage import PANEL, RATE, make_twin
from plugin_hosts import LV2_SEARCH, ClapHost, through_jalv
from plugin_stage import CLAP_HOST, IR, lag_of, uri_of
from tubetwin import bundle, snapshot
from tubetwin.engine import Player
from tubetwin.knobs import Knob
from tubetwin.preset import Preset

SOUND = Preset("-", "-", {"volume": 8.25, "Treble": 1.5}, input_db=3.5, output_db=-7.25)


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another twin than the plugin's, with its panel."""
    return make_twin(tmp_path_factory.mktemp("twins") / "other.twin", 11)


@pytest.fixture(scope="module")
def presets(twin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the plugins called Beta, which have no cabinet."""
    folder = tmp_path_factory.mktemp("presets")
    snapshot.export(twin, folder, SOUND, title='Hot "Lead"', plugin="Beta", cabinet=IR)
    return folder


@pytest.fixture
def expected(twin: Path, di: np.ndarray) -> np.ndarray:
    with Player(twin, cabinet=IR) as player:
        player.set({"Volume": 8.25, "Treble": 1.5}, jump=True)
        player.reset()
        out = player.process(di * np.float32(10 ** (3.5 / 20)))
    return out * np.float32(10 ** (-7.25 / 20))


def settled(plugin: pedalboard.VST3Plugin, di: np.ndarray) -> np.ndarray:
    """From silence, with knobs where they stand."""
    plugin.process(np.zeros(RATE // 2, np.float32), RATE, buffer_size=256)
    return np.ravel(plugin.process(di, RATE, buffer_size=256, reset=True))


def test_a_vstpreset_in_pedalboard(
    plugins: Path, presets: Path, di: np.ndarray, expected: np.ndarray
) -> None:
    plugin = pedalboard.load_plugin(str(plugins / "vst3" / "Beta.vst3"))
    plugin.volume, plugin.noise_gate_db, plugin.bypass = 1.0, -20.0, True
    plugin.load_preset(str(presets / "vst3" / "Beta" / "Hot -Lead-.vstpreset"))
    assert (plugin.volume, plugin.treble) == (8.25, 1.5)
    assert [plugin.input_trim_db, plugin.output_level_db] == pytest.approx([3.5, -7.25], abs=1e-4)
    assert np.allclose(settled(plugin, di), expected, atol=1e-6)
    with pytest.raises(Exception, match="preset"):  # it is for the other plugin
        plugin.load_preset(str(presets / "vst3" / "Beta stereo" / "Hot -Lead-.vstpreset"))


def test_a_vstpreset_in_dawdreamer(
    plugins: Path, presets: Path, di: np.ndarray, expected: np.ndarray
) -> None:
    daw = pytest.importorskip("dawdreamer", reason="pip install dawdreamer")
    host = daw.RenderEngine(RATE, 256)
    silence = np.zeros(RATE, np.float32)
    guitar = host.make_playback_processor("guitar", np.concatenate([silence, di])[None])
    amp = host.make_plugin_processor("amp", str(plugins / "vst3" / "Beta.vst3"))
    assert amp.load_vst3_preset(str(presets / "vst3" / "Beta" / "Hot -Lead-.vstpreset"))
    host.load_graph([(guitar, []), (amp, ["guitar"])])
    host.render(1 + len(di) / RATE)
    out = np.asarray(host.get_audio()[0])[RATE : RATE + len(di)]
    assert np.allclose(out, expected, atol=1e-6)


def test_a_state_in_the_clap_host(
    plugins: Path, presets: Path, di: np.ndarray, expected: np.ndarray, tmp_path: Path
) -> None:
    for name in ("Beta", "Beta stereo"):
        with ClapHost(CLAP_HOST, plugins / "clap" / f"{name}.clap", tmp_path) as host:
            host.say("set 1 Bypass")
            sides = [di] * (1 + name.endswith("stereo"))
            host.play(*sides)
            shutil.copy(presets / "clap" / "Hot -Lead-.clap-state", tmp_path / "state")
            assert host.ask(f"load {tmp_path / 'state'}") == "1"
            assert host.parameters()["Bypass"][2] == 0
            host.play(*[np.zeros(RATE, np.float32) for _ in sides])
            for out in np.atleast_2d(host.play(*sides)):
                assert np.allclose(out, expected, atol=1e-6)
        # what the plugin saves is what was loaded
    with ClapHost(CLAP_HOST, plugins / "clap" / "Beta.clap", tmp_path) as host:
        host.ask(f"load {tmp_path / 'state'}")
        assert host.ask(f"save {tmp_path / 'again'}") == "1"
    ours, theirs = (set((tmp_path / f).read_bytes().split(b"\0")) for f in ("state", "again"))
    assert {word for word in ours if word.startswith(b"1:")} <= theirs


def test_an_lv2_preset_is_listed_and_plays_in_jalv(
    plugins: Path,
    presets: Path,
    di: np.ndarray,
    expected: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not shutil.which("jalv") or not shutil.which("jackd"):
        pytest.skip("jalv or jackd is not installed")
    place = f"{plugins / 'lv2'}:{presets / 'lv2'}"
    monkeypatch.setenv("LV2_PATH", f"{place}:{LV2_SEARCH}")
    for name in ("Alpha", "Beta", "Beta stereo"):
        about = subprocess.run(["lv2info", uri_of(name)], capture_output=True, text=True)
        assert ('Hot "Lead"' in about.stdout) == name.startswith("Beta")
    (made,) = (presets / "lv2").iterdir()
    (preset,) = re.findall("^<(.*)> a", (made / "preset.ttl").read_text(), re.MULTILINE)
    soundfile.write(tmp_path / "di.wav", di, RATE, "FLOAT")
    words = (tmp_path / "di.wav", tmp_path / "out.wav", f"tubetwin-preset-{os.getpid()}")
    through_jalv(uri_of("Beta"), place, *words, preset)
    out, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert lag_of(out, expected) is not None


def test_knobs_of_any_name_find_their_parameters(
    tmp_path: Path, di: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python spells symbols as the plugin does."""
    panel = (Knob("Mid-Bite"), Knob("mid bite", 0, 1, 0.5), Knob("Grün 3"), Knob("Bass"))
    twin = make_twin(tmp_path / "odd.twin", 12, panel)
    setting = {"Mid-Bite": 1.0, "mid bite": 0.25, "Grün 3": 7.0, "Bass": 2.5}
    bundle.export(twin, tmp_path, formats=["clap"])
    (state,) = snapshot.export(
        twin, tmp_path, Preset("-", knobs=setting), title="x", formats=["clap"]
    )
    with ClapHost(CLAP_HOST, tmp_path / "odd.clap", tmp_path) as host:
        assert host.ask(f"load {state}") == "1"
        shown = host.parameters()
    assert {name: shown[name][2] for name in setting} == setting
    assert PANEL[0].name not in shown
