"""A plugin of one amp: the ready-made program, with the twin, its cabinet and its name beside it.

No compiler is needed: all amps share a program, which reads what lies beside it (plugin/bundle.h).
Only hosts must tell amps apart, so each copy of the program gets an identity of its own.
"""

import hashlib
import json
import os
import platform
import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import tubetwin
from tubetwin import audio, engine, sounds, twin
from tubetwin.files import BadInput, built, replacing

FORMATS = ("vst3", "clap", "lv2")
SIDES = {1: "", 2: " stereo"}  # how many amps side by side, and what that adds to the name
IDENTITY = b"tubetwin:amp:0000000000000000"  # plugin/DistrhoPluginInfo.h
LONGEST_NAME = 60
FOLDERS = [  # made by `make plugin`; carried along by a wheel built afterwards
    *(Path(place) / "plugin" for place in tubetwin.__path__),
    Path(__file__).parents[2] / "build" / "plugin" / "programs",
]
# Words of other makers that DPF's descriptions use without saying what they are.
VOCABULARY = """
@prefix owl: <http://www.w3.org/2002/07/owl#> .

mod:brand a owl:DatatypeProperty ; rdfs:label "brand" ; rdfs:range rdfs:Literal .
mod:label a owl:DatatypeProperty ; rdfs:label "short name" ; rdfs:range rdfs:Literal .
<http://kxstudio.sf.net/ns/lv2ext/programs#Interface> a lv2:ExtensionData .
<http://kxstudio.sf.net/ns/lv2ext/programs#UIInterface> a lv2:ExtensionData .
"""
DESCRIBE = "import ctypes; ctypes.CDLL('./amp.so').lv2_generate_ttl(b'amp')"


@dataclass(frozen=True)
class Amp:
    """What makes a plugin this amp's: its name, its files, and how many sides it has."""

    name: str
    twin: bytes
    cabinet: bytes
    about: bytes
    sides: int

    @property
    def file_name(self) -> str:
        """The name, without what some system forbids in a file's name."""
        return re.sub(r"[^\w ().+-]", "-", self.name).strip(" .") or "amp"

    @property
    def identity(self) -> bytes:
        """As long as IDENTITY; the same name is the same plugin, so that projects find it again."""
        digits = hashlib.sha256(f"{self.name}\0{self.sides}".encode()).hexdigest()[:16]
        return IDENTITY[:-16] + digits.encode()


def programs(panel: bool | None = None) -> Path:
    """Where the ready-made programs lie.

    Args:
        panel: those with a window, or those without; None: with one, if they were built.
    Raises:
        BadInput: they were not built.
    """
    plain = built(FOLDERS, "CLAP-1.so", "plugin", "plugin")
    has_panel = (plain / "panel" / "CLAP-1.so").is_file()
    if panel and not has_panel:
        raise BadInput(
            f"the plugin programs in {plain} came without the window: run `make plugin` in a"
            " checkout of tubetwin, or leave out --panel"
        )
    return plain / "panel" if has_panel and panel is not False else plain


def export(
    path: Path | str,
    folder: Path | str,
    *,
    name: str | None = None,
    cabinet: np.ndarray | None = None,
    cabinet_name: str = "",
    formats: Sequence[str] = FORMATS,
    panel: bool | None = None,
) -> list[Path]:
    """Make plugins of a twin, each for one side and for two.

    Args:
        path: the twin.
        folder: where the plugins go, each format into a folder of its own if there are several;
            those of the same name are replaced.
        name: what hosts call the plugin; None: what the twin calls itself.
        cabinet: (taps,) impulse response at the twin's sample rate; None: none.
        cabinet_name: what the window calls it.
        formats: of FORMATS.
        panel: with a window or without; None: with one, if its programs were built.
    Returns:
        what was written.
    Raises:
        BadInput: no twin, one that fails its own check, an unknown format or an empty name, a
            folder that takes nothing, or a tubetwin without the programs.
    """
    for kind in formats:
        if kind not in FORMATS:
            raise BadInput(f"there is no plugin format {kind!r}: choose of {', '.join(FORMATS)}")
    source, folder = programs(panel), Path(folder)
    with engine.Player(path):  # what the engine refuses, the plugin would
        loaded = twin.load(path)
    name = loaded.name[:LONGEST_NAME] if name is None else name
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadInput(f"a plugin's name has 1 to {LONGEST_NAME} letters, not {name!r}")
    places = {kind: folder / kind if len(formats) > 1 else folder for kind in formats}
    for place in places.values():
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"cannot write {place}: {error.strerror or error}") from error
    response = b""
    if cabinet is not None:
        response = _titled(_wav(cabinet, loaded.sample_rate_hz), cabinet_name)
    offered = sounds.settings_for(loaded.knobs)
    written = []
    for sides, suffix in SIDES.items():
        about = json.dumps({"name": name + suffix, "programs": offered}, ensure_ascii=False)
        amp = Amp(name + suffix, Path(path).read_bytes(), response, about.encode(), sides)
        written += [MAKERS[kind](amp, source, place) for kind, place in places.items()]
    return written


def _wav(samples: np.ndarray, sample_rate_hz: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        audio.write(Path(folder) / "amp.wav", samples, sample_rate_hz)
        return (Path(folder) / "amp.wav").read_bytes()


def _titled(wav: bytes, name: str) -> bytes:
    """A WAV file with a title, where plugin/cabinet_name.h looks for it: INAM in LIST INFO."""
    title = name.encode() + b"\0"
    title += b"\0" * (len(title) % 2)
    info = b"INFOINAM" + struct.pack("<I", len(title)) + title
    whole = wav + b"\0" * (len(wav) % 2) + b"LIST" + struct.pack("<I", len(info)) + info
    return whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:] if name else wav


def _program(amp: Amp, source: Path, kind: str) -> bytes:
    """The program with the amp's own identity."""
    raw = (source / f"{kind.upper()}-{amp.sides}.so").read_bytes()
    if IDENTITY not in raw:
        raise BadInput(f"{source} holds programs of another version: run `make plugin` again")
    return raw.replace(IDENTITY, amp.identity)


def _files(amp: Amp) -> dict[str, bytes]:
    """What the program reads, by ending."""
    files = {".twin": amp.twin, ".json": amp.about, ".wav": amp.cabinet}
    return {ending: content for ending, content in files.items() if content}


@contextmanager
def _replacing(place: Path) -> Iterator[Path]:
    """Yield an empty folder; move it to `place` only if the block succeeds."""
    if place.exists() and not any(place.rglob("amp.twin")):
        raise BadInput(f"{place} is there, and no plugin of tubetwin: move it away")
    with tempfile.TemporaryDirectory(prefix=".plugin-", dir=place.parent) as spare:
        fresh = Path(spare) / "new"
        fresh.mkdir()
        yield fresh
        if place.exists():
            os.replace(place, Path(spare) / "old")
        os.replace(fresh, place)


def _vst3(amp: Amp, source: Path, folder: Path) -> Path:
    place = folder / f"{amp.file_name}.vst3"
    with _replacing(place) as fresh:
        program = fresh / "Contents" / f"{platform.machine()}-linux" / f"{amp.file_name}.so"
        resources = fresh / "Contents" / "Resources"
        for inner in (program.parent, resources):
            inner.mkdir(parents=True)
        program.write_bytes(_program(amp, source, "vst3"))
        for ending, content in _files(amp).items():
            (resources / f"amp{ending}").write_bytes(content)
    return place


def _lv2(amp: Amp, source: Path, folder: Path) -> Path:
    """The folder, with description files that the program itself writes."""
    place = folder / f"{amp.file_name}.lv2"
    with _replacing(place) as fresh:
        (fresh / "amp.so").write_bytes(_program(amp, source, "lv2"))
        for ending, content in _files(amp).items():
            (fresh / f"amp{ending}").write_bytes(content)
        done = subprocess.run(
            [sys.executable, "-c", DESCRIBE], cwd=fresh, capture_output=True, text=True
        )
        manifest = fresh / "manifest.ttl"
        if done.returncode or amp.identity not in manifest.read_bytes():
            raise BadInput(f"the LV2 program in {source} does not run here: {done.stderr.strip()}")
        with (fresh / "amp.ttl").open("a") as description:
            description.write(VOCABULARY)
    return place


def _clap(amp: Amp, source: Path, folder: Path) -> Path:
    """One file, and the amp's beside it: a CLAP plugin has no folder on Linux."""
    place = folder / f"{amp.file_name}.clap"
    for ending in (".twin", ".json", ".wav"):
        content = _files(amp).get(ending)
        if content is None:
            place.with_suffix(ending).unlink(missing_ok=True)
            continue
        with replacing(place.with_suffix(ending)) as temporary:
            temporary.write_bytes(content)
    with replacing(place) as temporary:
        temporary.write_bytes(_program(amp, source, "clap"))
    return place


MAKERS = {"vst3": _vst3, "clap": _clap, "lv2": _lv2}
