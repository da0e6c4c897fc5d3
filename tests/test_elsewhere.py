"""Plugins for other systems as files. Programs that run: test_plugin_elsewhere.py."""

import hashlib
import plistlib
import struct
from pathlib import Path

import pytest

from live_stage import make_twin
from tubetwin import bundle
from tubetwin.bundle import IDENTITY
from tubetwin.cli import main
from tubetwin.elsewhere import DIRECTORY, SIGNATURE, export, signed
from tubetwin.files import BadInput

FILES = ("vst3", "clap")  # for LV2, a program must run to describe itself
PAGE = 4096


def mach_o(content: bytes) -> bytes:
    """As small as one gets: a header, one command, the content, hashes of all before them."""
    end = -(-(48 + len(content)) // PAGE) * PAGE + 100
    command = struct.pack("<IIII", SIGNATURE, 16, end, 0)
    header = struct.pack("<IIIIIIII", 0xFEEDFACF, 0, 0, 6, 1, 16, 0, 0)
    code = (header + command + content).ljust(end, b"\0")
    pages = [code[at : at + PAGE] for at in range(0, end, PAGE)]
    directory = DIRECTORY + struct.pack(
        ">IIIIIIII4B", 0, 0, 0, 44, 0, 0, len(pages), end, 32, 2, 0, 12
    )
    hashes = b"".join(hashlib.sha256(page).digest() for page in pages)
    return code + b"a blob" + directory + bytes(4) + hashes


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "programs"
    for system, ending in (("windows", ".dll"), ("macos", ".dylib")):
        (folder / system).mkdir(parents=True)
        (folder / system / "LICENCES.txt").write_text(f"for {system}")
        for kind in ("VST3", "CLAP", "LV2"):
            for sides in (1, 2):
                content = b"%s-%d %s" % (kind.encode(), sides, IDENTITY)
                whole = mach_o(content) if system == "macos" else content
                (folder / system / f"{kind}-{sides}{ending}").write_bytes(whole)
    monkeypatch.setattr(bundle, "FOLDERS", [folder])
    return folder


@pytest.fixture
def twin(tmp_path: Path) -> Path:
    return make_twin(tmp_path / "hot.twin", 1)


def test_every_file_is_where_windows_hosts_look(twin: Path, tmp_path: Path) -> None:
    export(twin, tmp_path / "out", "windows", formats=FILES)
    found = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*")}
    assert {
        *("vst3/hot.vst3/Contents/x86_64-win/hot.vst3", "clap/hot.clap", "clap/hot.twin"),
        *(f"vst3/hot.vst3/Contents/Resources/amp.{kind}" for kind in ("twin", "json")),
    } <= found
    licences = [*(tmp_path / "out").rglob("*.licences.txt")]
    assert [path.read_text() for path in licences] == ["for windows"] * 4
    amp = bundle.described(twin, None, None)[0]
    program = tmp_path / "out" / "clap" / "hot.clap"
    assert program.read_bytes() == b"CLAP-1 " + amp.identity


@pytest.mark.parametrize("kind", FILES)
def test_a_macos_plugin_is_a_folder_with_a_list(kind: str, twin: Path, tmp_path: Path) -> None:
    for place in export(twin, tmp_path, "macos", name="My AC", formats=[kind]):
        listed = plistlib.loads((place / "Contents" / "Info.plist").read_bytes())
        assert listed["CFBundleName"] == place.stem
        program = place / "Contents" / "MacOS" / listed["CFBundleExecutable"]
        assert IDENTITY not in program.read_bytes()
        resources = place / "Contents" / "Resources"
        assert (resources / "amp.twin").read_bytes() == twin.read_bytes()
        assert (resources / "amp.licences.txt").read_text() == "for macos"


def test_pages_answer_to_their_hashes_again() -> None:
    content = bytes(range(256)) * 40 + IDENTITY
    assert signed(mach_o(content)) == mach_o(content)
    other = content.replace(IDENTITY, IDENTITY[::-1])
    changed = mach_o(content).replace(IDENTITY, IDENTITY[::-1])
    assert changed != mach_o(other)
    assert signed(changed) == mach_o(other)


def test_what_is_refused(twin: Path, programs: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no plugins for 'beos': choose of windows, macos"):
        export(twin, tmp_path, "beos")
    with pytest.raises(BadInput, match="no plugin format 'jack' for windows: choose of vst3"):
        export(twin, tmp_path, "windows", formats=["jack"])
    (programs / "windows" / "CLAP-1.dll").unlink()
    with pytest.raises(BadInput, match="run `make plugin-windows`"):
        export(twin, tmp_path, "windows", formats=FILES)


def test_the_command(twin: Path, tmp_path: Path) -> None:
    words = ["export-plugin", str(twin), "--system", "macos", "--format", "clap"]
    assert main([*words, "-o", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "hot.clap" / "Contents" / "PkgInfo").is_file()
