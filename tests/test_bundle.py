"""Plugins as files: own names and identities, nothing half-written. Hosts: test_plugin.py."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from live_stage import PANEL, make_twin
from tubetwin import bundle, sounds
from tubetwin.bundle import IDENTITY, export
from tubetwin.cli import main
from tubetwin.files import BadInput

ROOT = Path(__file__).parents[1]
FILES = ("vst3", "clap")  # an LV2 program must run to describe itself


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs that do nothing but say which they are."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "LICENCES.txt").write_text("of DPF")
    for kind in ("VST3", "CLAP", "LV2", "JACK"):
        for sides in (1, 2):
            content = b"%s-%d urn:%s %s." % (kind.encode(), sides, IDENTITY, IDENTITY)
            (folder / f"{kind}-{sides}.so").write_bytes(content)
    monkeypatch.setattr(bundle, "FOLDERS", [folder])
    return folder


@pytest.fixture
def twin(tmp_path: Path) -> Path:
    return make_twin(tmp_path / "hot.twin", 1)


def test_the_stand_in_is_the_one_in_the_program() -> None:
    header = (ROOT / "plugin" / "DistrhoPluginInfo.h").read_text()
    assert f'#define TUBETWIN_PLUGIN_ID "{IDENTITY.decode()}"' in header


def test_a_plugin_carries_its_twin_its_cabinet_and_its_name(twin: Path, tmp_path: Path) -> None:
    ir = np.array([0.5, 0.25], np.float32)
    written = export(twin, tmp_path / "out", name="Hot / Rod", cabinet=ir, formats=FILES)
    stems = ["Hot - Rod", "Hot - Rod stereo"]
    expected = [tmp_path / "out" / kind / f"{stem}.{kind}" for stem in stems for kind in FILES]
    assert written == expected
    for stem, name in zip(stems, ("Hot / Rod", "Hot / Rod stereo"), strict=True):
        resources = tmp_path / "out" / "vst3" / f"{stem}.vst3" / "Contents" / "Resources" / "amp"
        for beside in (resources, tmp_path / "out" / "clap" / stem):
            assert Path(f"{beside}.twin").read_bytes() == twin.read_bytes()
            assert Path(f"{beside}.licences.txt").read_text() == "of DPF"
            response, rate = soundfile.read(f"{beside}.wav", dtype="float32")
            assert (response.tolist(), rate) == ([0.5, 0.25], 48000)
            about = json.loads(Path(f"{beside}.json").read_bytes())
            assert about == {"name": name, "programs": sounds.settings_for(PANEL)}


def test_a_window_comes_along_where_it_was_built(
    twin: Path, tmp_path: Path, programs: Path
) -> None:
    """With --panel or --no-panel as one likes; a cabinet brings its name, for the window."""

    def program(folder: str, **wish: bool) -> bytes:
        ir, formats = np.ones(3, np.float32), ("clap",)
        (first, _) = export(
            twin, tmp_path / folder, cabinet=ir, cabinet_name="4x12", formats=formats, **wish
        )
        with soundfile.SoundFile(first.with_suffix(".wav")) as file:
            assert (file.title, file.read().tolist()) == ("4x12", [1, 1, 1])
        return first.read_bytes()

    plain = program("plain")
    with pytest.raises(BadInput, match=r"without the window.*make plugin.*--panel"):
        program("missing", panel=True)
    (programs / "panel").mkdir()
    for path in programs.glob("*.so"):
        (programs / "panel" / path.name).write_bytes(b"with a window: " + path.read_bytes())
    (programs / "panel" / "LICENCES.txt").write_text("of DPF and of fonts")
    assert program("default").startswith(b"with a window: ")
    assert program("wished", panel=True) == program("default")
    assert program("unwished", panel=False) == plain


def test_licences_are_those_of_what_the_program_carries(
    twin: Path, tmp_path: Path, programs: Path
) -> None:
    """Of a window too if there is one; the JACK program has none."""
    (programs / "panel").mkdir()
    for path in programs.glob("*.so"):
        (programs / "panel" / path.name).write_bytes(path.read_bytes())
    (programs / "panel" / "LICENCES.txt").write_text("of DPF and of fonts")
    for panel, said in ((True, "of DPF and of fonts"), (False, "of DPF")):
        out = tmp_path / str(panel)
        export(twin, out, formats=("vst3", "clap", "jack"), panel=panel)
        found = {str(p.relative_to(out)): p.read_text() for p in out.rglob("*.licences.txt")}
        assert found == {
            f"{place.format(name)}.licences.txt": "of DPF" if "jack" in place else said
            for place in ("vst3/{}.vst3/Contents/Resources/amp", "clap/{}", "jack/{}")
            for name in ("hot", "hot stereo")
        }


def identity_of(plugin: Path) -> str:
    (program,) = [plugin] if plugin.is_file() else plugin.rglob("*.so")
    words = program.read_bytes().rstrip(b".").split(b" ")
    assert words[1] == b"urn:" + words[2]
    assert len(words[2]) == len(IDENTITY)
    return words[2].decode()


def test_a_name_is_an_identity(twin: Path, tmp_path: Path) -> None:
    """Two amps are two plugins; a better twin under the same name is found by old projects."""
    other = make_twin(tmp_path / "other.twin", 2)
    first = [identity_of(p) for p in export(twin, tmp_path / "a", name="One", formats=FILES)]
    same = [identity_of(p) for p in export(other, tmp_path / "b", name="One", formats=FILES)]
    second = [identity_of(p) for p in export(twin, tmp_path / "c", name="Two", formats=FILES)]
    assert first == same
    assert first[0] == first[1]  # the formats of one amp share it, one and two sides do not
    assert len({*first, *second}) == 4
    assert IDENTITY.decode() not in {*first, *second}


def test_a_plugin_is_replaced_whole(twin: Path, tmp_path: Path) -> None:
    ir = np.ones(1, np.float32)
    export(twin, tmp_path / "out", cabinet=ir, formats=FILES)
    export(make_twin(tmp_path / "hot.twin", 2), tmp_path / "out", formats=FILES)
    files = {p.name for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert files == {
        *("amp.twin", "amp.json", "hot.so", "hot stereo.so", "hot.clap", "hot stereo.clap"),
        *("hot.twin", "hot.json", "hot stereo.twin", "hot stereo.json"),
        *("amp.licences.txt", "hot.licences.txt", "hot stereo.licences.txt"),
    }
    (one,) = export(twin, tmp_path / "direct", formats=["clap"])[:1]
    assert one == tmp_path / "direct" / "hot.clap"  # a single format needs no folder of its own


def test_what_is_refused(twin: Path, programs: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no plugin format 'vst2': choose of vst3, clap, lv2"):
        export(twin, tmp_path / "out", formats=["vst2"])
    for name in ("", " ", "x" * 61, "two\nlines"):
        with pytest.raises(BadInput, match="name has 1 to 60 letters"):
            export(twin, tmp_path / "out", name=name)
    (tmp_path / "broken.twin").write_bytes(twin.read_bytes()[:-100])
    with pytest.raises(BadInput, match=r"broken\.twin"):
        export(tmp_path / "broken.twin", tmp_path / "out")
    with pytest.raises(BadInput, match="does not run here"):
        export(twin, tmp_path / "out", formats=["lv2"])
    assert not list((tmp_path / "out").rglob("*"))
    (tmp_path / "theirs" / "hot.vst3").mkdir(parents=True)
    with pytest.raises(BadInput, match="no plugin of tubetwin: move it away"):
        export(twin, tmp_path / "theirs", formats=["vst3"])
    with pytest.raises(BadInput, match="cannot write"):
        export(twin, twin / "out", formats=["vst3"])
    (programs / "LICENCES.txt").rename(tmp_path / "LICENCES.txt")
    with pytest.raises(BadInput, match=r"without LICENCES\.txt: run `make plugin` again"):
        export(twin, tmp_path / "out", formats=["clap"])
    (tmp_path / "LICENCES.txt").rename(programs / "LICENCES.txt")
    (programs / "CLAP-1.so").write_bytes(b"old")
    with pytest.raises(BadInput, match="of another version"):
        export(twin, tmp_path / "out", formats=["clap"])
    (programs / "CLAP-1.so").unlink()
    with pytest.raises(BadInput, match="run `make plugin`"):
        export(twin, tmp_path / "out")


def test_the_command(twin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out")
    words = ["export-plugin", str(twin), "--ir", "1x12", "--format", "vst3,clap", "-o", out]
    assert main(words) == 0
    said = capsys.readouterr().err.split("\n")
    assert f"{out}/vst3/hot.vst3" in said
    assert (tmp_path / "out" / "clap" / "hot.wav").is_file()
    assert main([*words, "--name", ""]) == 2
