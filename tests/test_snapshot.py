"""Presets for hosts as bytes: what each format's own rules say. Hosts: test_plugin_presets.py."""

import base64
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from live_stage import PANEL, make_twin
from tubetwin import bundle, sounds
from tubetwin.cli import main
from tubetwin.files import BadInput
from tubetwin.knobs import Knob
from tubetwin.preset import Preset
from tubetwin.snapshot import export, sound_of, symbols

IR = np.array([0.5, 0.25], np.float32)
SOUND = Preset("-", knobs={"volume": 2.5}, output_db=-3)


@pytest.fixture
def twin(tmp_path: Path) -> Path:
    return make_twin(tmp_path / "hot.twin", 1)


def words_of(state: bytes) -> list[str]:
    assert state.endswith(b"\0\xfe\0")
    return state[:-3].decode().split("\0")


def test_a_state_holds_the_twin_the_cabinet_and_every_parameter(twin: Path, tmp_path: Path) -> None:
    (file,) = export(twin, tmp_path, SOUND, title="x", cabinet=IR, formats=["clap"])
    words = words_of(file.read_bytes())
    assert words[0] == "__dpf_state_begin__"
    kept = dict(zip(words[1:5:2], words[2:5:2], strict=True))
    assert kept["twin"] == "1:" + base64.b64encode(twin.read_bytes()).decode()
    assert base64.b64decode(kept["cabinet"].removeprefix("1:"))[:4] == b"RIFF"
    assert words[5:7] == ["__dpf_state_end__", "__dpf_parameters_begin__"]
    assert dict(zip(words[7:-1:2], words[8:-1:2], strict=True)) == {
        "knob_volume": "2.5",
        "knob_treble": "4",
        "input_db": "0",
        "output_db": "-3",
        "gate_db": "-100",
        "cabinet": "1",
        "dpf_bypass": "0",
    }
    (bare,) = export(twin, tmp_path, SOUND, title="y", formats=["clap"])
    assert words_of(bare.read_bytes())[3:5] == ["cabinet", "none"]


def test_a_vstpreset_points_at_its_state_and_names_its_plugin(twin: Path, tmp_path: Path) -> None:
    mono, stereo = export(twin, tmp_path, SOUND, title="Hot", plugin="AC", formats=["vst3"])
    assert (mono, stereo) == (
        tmp_path / "AC" / "Hot.vstpreset",
        tmp_path / "AC stereo" / "Hot.vstpreset",
    )
    for file, amp in zip((mono, stereo), bundle.described(twin, "AC", None), strict=True):
        content = file.read_bytes()
        magic, version, plugin, listed = struct.unpack_from("<4si32sq", content)
        assert (magic, version) == (b"VST3", 1)
        number = bytes.fromhex(plugin.decode())
        assert number[:8] == b" FPDsalc"  # DPF's, lowest byte first
        assert number[8:12][::-1].hex() == amp.identity[-8:].decode()
        assert struct.unpack_from("<4si4sqq", content, listed) == (
            *(b"List", 1, b"Comp", 48, listed - 48),
        )
        assert words_of(content[48:listed])[1] == "twin"


def test_an_lv2_preset_is_for_both_plugins(twin: Path, tmp_path: Path) -> None:
    (folder,) = export(twin, tmp_path, SOUND, title="A/B", plugin="AC", formats=["lv2"])
    assert folder.name == "AC - A-B.preset.lv2"
    manifest, preset = ((folder / f"{n}.ttl").read_text() for n in ("manifest", "preset"))
    for amp in bundle.described(twin, "AC", None):
        assert f"<urn:{amp.identity.decode()}>" in manifest
        assert f"<urn:{amp.identity.decode()}>" in preset
    assert '[ lv2:symbol "lv2_enabled" ; pset:value 1 ]' in preset
    assert export(twin, tmp_path, SOUND, title="A/B", plugin="AC", formats=["lv2"]) == [folder]
    (folder / "preset.ttl").unlink()
    with pytest.raises(BadInput, match="no preset of tubetwin: move it away"):
        export(twin, tmp_path, SOUND, title="A/B", plugin="AC", formats=["lv2"])


def test_knobs_that_sound_alike_have_symbols_of_their_own() -> None:
    panel = [Knob("Mid-Bite"), Knob("mid bite"), Knob("Höhe"), Knob("Volume 2")]
    assert symbols(panel) == ["knob_mid_bite_1", "knob_mid_bite_2", "knob_h__he", "knob_volume_2"]


def test_what_is_refused(twin: Path, tmp_path: Path) -> None:
    for sound, message in (
        (Preset("-", knobs={"Presence": 1}), "no knob called 'presence'"),
        (Preset("-", knobs={"Volume": 11}), "Volume goes from 0 to 10"),
    ):
        with pytest.raises(BadInput, match=message):
            export(twin, tmp_path / "out", sound, title="x")
    with pytest.raises(BadInput, match="no presets for 'jack': choose of vst3, lv2, clap"):
        export(twin, tmp_path / "out", SOUND, title="x", formats=["jack"])
    for title in ("", " ", "x" * 61, "two\nlines"):
        with pytest.raises(BadInput, match="title has 1 to 60 letters"):
            export(twin, tmp_path / "out", SOUND, title=title)
    with pytest.raises(BadInput, match="name has 1 to 60 letters"):
        export(twin, tmp_path / "out", SOUND, title="x", plugin="")
    assert not (tmp_path / "out").exists()
    with pytest.raises(BadInput, match="cannot write"):
        export(twin, twin / "out", SOUND, title="x")


def test_a_sound_has_a_name(twin: Path, tmp_path: Path) -> None:
    assert sound_of("nano") == ("nano", Preset("nano"))
    assert sound_of("nano", "crunch") == ("Crunch", Preset("nano", knobs=sounds.SETTINGS["Crunch"]))
    with pytest.raises(BadInput, match=r"no program 'loud': choose of Clean, Edge"):
        sound_of("nano", "loud")


def test_the_command_takes_a_preset_file(
    twin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = {"format": 1, "twin": "hot.twin", "knobs": {"treble": 9, "Volume": 1}, "input_db": 2}
    (tmp_path / "Solo.json").write_text(json.dumps(saved))
    words = ["preset", str(tmp_path / "Solo.json"), "--volume", "3", "--format", "clap"]
    assert main([*words, "-o", str(tmp_path)]) == 0
    assert capsys.readouterr().err.splitlines() == [f"{tmp_path}/Solo.clap-state"]
    state = words_of((tmp_path / "Solo.clap-state").read_bytes())
    found = dict(zip(state[7:-1:2], state[8:-1:2], strict=True))
    assert (found["knob_volume"], found["knob_treble"], found["input_db"]) == ("3", "9", "2")
    assert main([*words, "-o", str(tmp_path), "--volume", "2:4"]) == 2
    assert "Volume takes one value here" in capsys.readouterr().err
    assert PANEL[0].name == "Volume"
