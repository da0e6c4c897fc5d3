"""Plugins for Windows as far as Wine runs them, and for macOS as far as they can be read here.

Runs with `make plugin-elsewhere-test`; with `make plugin-test` if those programs were made.
"""

import hashlib
import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

if not os.environ.get("TUBETWIN_PLUGIN_TESTS"):
    pytest.skip("make plugin-test runs these", allow_module_level=True)

from live_stage import PANEL, RATE
from plugin_hosts import ClapHost
from plugin_stage import IR, ROOT, SWITCHES, same
from tubetwin import bundle, elsewhere, snapshot
from tubetwin.files import BadInput
from tubetwin.preset import Preset

HOST = ROOT / "build" / "plugin-windows-make" / "clap_host.exe"
WINE = next(filter(os.path.exists, map(str, (shutil.which("wine"), "/usr/lib/wine/wine64"))), None)


def exported(system: str, twin: Path, folder: Path, **options: object) -> Path:
    try:
        elsewhere.export(twin, folder, system, name="Alpha", cabinet=IR)
    except BadInput as error:
        pytest.skip(str(error))
    return folder


@pytest.fixture(scope="module")
def windows(amps: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not WINE or not HOST.exists():
        pytest.skip("make plugin-elsewhere-test builds and installs what is needed")
    return exported("windows", amps["Alpha"], tmp_path_factory.mktemp("windows"))


@pytest.fixture
def host(
    windows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Callable[..., ClapHost]:
    """The same CLAP host as a Windows program."""
    prefix = request.config.cache.mkdir("wine")  # type: ignore[union-attr]
    monkeypatch.setenv("WINEPREFIX", str(prefix))
    monkeypatch.setenv("WINEDEBUG", "-all")
    monkeypatch.setenv("DISPLAY", "")
    assert WINE
    return lambda name, **how: ClapHost(
        (WINE, HOST), windows / "clap" / f"{name}.clap", tmp_path, **how
    )


def test_the_clap_plugin_for_windows_plays_in_wine(
    host: Callable[..., ClapHost], native: Callable[..., np.ndarray], di: np.ndarray
) -> None:
    with host("Alpha", block=100) as clap:
        _, name, *features = clap.ask("about").split("\t")
        assert (name, features[-1]) == ("Alpha", "mono")
        shown = clap.parameters()
        assert set(shown) == {*(knob.name for knob in PANEL), *SWITCHES}
        clap.say("vary")
        assert same(clap.play(di), native("Alpha", di))
        clap.say("set 8 Volume")
        clap.play(np.zeros(RATE, np.float32))
        assert same(clap.play(di), native("Alpha", di, Volume=8))


def test_states_cross_systems(
    host: Callable[..., ClapHost],
    amps: dict[str, Path],
    native: Callable[..., np.ndarray],
    di: np.ndarray,
    tmp_path: Path,
) -> None:
    sound = Preset("-", knobs={"Volume": 2.0})
    (state,) = snapshot.export(amps["Beta"], tmp_path, sound, title="x", formats=["clap"])
    with host("Alpha stereo") as clap:
        assert clap.ask(f"load {state}") == "1"
        clap.play(*2 * [np.zeros(RATE, np.float32)])
        for out in clap.play(di, di):
            assert same(out, native("Beta", di, Volume=2))


def test_the_processor_decides_which_instructions_play(
    host: Callable[..., ClapHost],
    native: Callable[..., np.ndarray],
    di: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kernels of one kind round as no other do, so it can be heard that they are chosen."""
    played = {}
    for kind in ("baseline", "avx2", "avx512"):
        monkeypatch.setenv("TUBETWIN_ISA", kind)
        with host("Alpha") as clap:
            played[kind] = clap.play(di)
        assert same(played[kind], native("Alpha", di))
    if "avx2" in Path("/proc/cpuinfo").read_text():
        assert not np.array_equal(played["baseline"], played["avx2"])


def test_the_vst3_program_for_windows_loads_plays_and_unloads(
    host: Callable[..., ClapHost], windows: Path
) -> None:
    program = windows / "vst3" / "Alpha.vst3" / "Contents" / "x86_64-win" / "Alpha.vst3"
    loads = HOST.with_name("vst3_loads.exe")
    done = subprocess.run([str(WINE), loads, program, "20"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("the amp stays as it was") == 20


@pytest.mark.parametrize("system", elsewhere.SYSTEMS)
def test_what_the_compiler_adds_is_licensed_too(
    system: str, amps: dict[str, Path], tmp_path: Path
) -> None:
    folder = exported(system, amps["Alpha"], tmp_path)
    texts = [path.read_text() for path in folder.rglob("*.licences.txt")]
    assert len(texts) == 2 * len(bundle.FORMATS)
    for text in texts:
        for holder in ("Filipe Coelho", "Zig contributors", "LLVM Team"):
            assert holder in text
        assert ("mingw-w64 project" in text) == (system == "windows")


def test_macos_programs_are_signed_as_they_are(amps: dict[str, Path], tmp_path: Path) -> None:
    folder = exported("macos", amps["Alpha"], tmp_path)
    programs = [*folder.glob("*/*/Contents/MacOS/*"), *folder.glob("lv2/*/*.dylib")]
    assert len(programs) == 6
    for program in programs:
        content = program.read_bytes()
        magic, processor = struct.unpack_from("<II", content)
        assert (magic, processor) == (0xFEEDFACF, 0x0100000C)  # 64 bits, ARM
        assert bundle.IDENTITY not in content
        assert elsewhere.signed(content) == content
        first = hashlib.sha256(content[: 1 << 14]).digest()  # the pages of Apple's processors
        assert content.count(first) == 1
    made = bundle.FOLDERS[-1] / "macos" / "CLAP-1.dylib"
    assert elsewhere.signed(made.read_bytes()) == made.read_bytes()  # as the compiler signed it
