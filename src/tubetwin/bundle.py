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
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import tubetwin
from tubetwin import audio, engine, sounds, twin
from tubetwin.files import BadInput, built, replacing

FORMATS = ("vst3", "clap", "lv2")  # where none are chosen
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


def file_name(name: str) -> str:
    """A name without what some system forbids in a file's name."""
    return re.sub(r"[^\w ().+-]", "-", name).strip(" .") or "amp"


@dataclass(frozen=True)
class Amp:
    """What makes a plugin this amp's: its name, its files, and how many sides it has."""

    name: str
    twin: bytes
    cabinet: bytes
    about: bytes
    sides: int
    licences: bytes = b""  # of what the program carries

    @property
    def file_name(self) -> str:
        """The name, for a file."""
        return file_name(self.name)

    @property
    def identity(self) -> bytes:
        """As long as IDENTITY; the same name is the same plugin, so that projects find it again."""
        digits = hashlib.sha256(f"{self.name}\0{self.sides}".encode()).hexdigest()[:16]
        return IDENTITY[:-16] + digits.encode()

    @property
    def files(self) -> dict[str, bytes]:
        """What lies with the program, by ending: what it reads, and its licences."""
        files = {".twin": self.twin, ".json": self.about, ".wav": self.cabinet}
        files[".licences.txt"] = self.licences
        return {ending: content for ending, content in files.items() if content}


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


def licences(source: Path) -> bytes:
    """Those of what ready-made programs carry: the build writes them beside the programs."""
    text = source / "LICENCES.txt"
    if not text.is_file():
        raise BadInput(f"{source} holds programs without {text.name}: run `make plugin` again")
    return text.read_bytes()


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
        formats: of MAKERS: FORMATS, and "jack" for a program without a host.
        panel: with a window or without; None: with one, if its programs were built.
    Returns:
        what was written.
    Raises:
        BadInput: no twin, one that fails its own check, an unknown format or an empty name, a
            folder that takes nothing, or a tubetwin without the programs.
    """
    for kind in formats:
        if kind not in MAKERS:
            raise BadInput(f"there is no plugin format {kind!r}: choose of {', '.join(MAKERS)}")
    source, folder = programs(panel), Path(folder)
    amps = described(path, name, cabinet, cabinet_name, licences(source))
    places = {kind: folder / kind if len(formats) > 1 else folder for kind in formats}
    for place in places.values():
        make_folder(place)
    return [MAKERS[kind](amp, source, place) for amp in amps for kind, place in places.items()]


def described(
    path: Path | str,
    name: str | None,
    cabinet: np.ndarray | None,
    cabinet_name: str = "",
    carried: bytes = b"",
) -> list[Amp]:
    """What makes the plugins for one side and for two; arguments and errors as of `export`.

    Args:
        carried: licences of what their programs carry.
    """
    with engine.Player(path):  # what the engine refuses, the plugin would
        loaded = twin.load(path)
    name = loaded.name[:LONGEST_NAME] if name is None else name
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadInput(f"a plugin's name has 1 to {LONGEST_NAME} letters, not {name!r}")
    response = b""
    if cabinet is not None:
        response = _titled(_wav(cabinet, loaded.sample_rate_hz), cabinet_name)
    offered, content = sounds.settings_for(loaded.knobs), Path(path).read_bytes()
    amps = []
    for sides, suffix in SIDES.items():
        about = json.dumps({"name": name + suffix, "programs": offered}, ensure_ascii=False)
        amps.append(Amp(name + suffix, content, response, about.encode(), sides, carried))
    return amps


def make_folder(place: Path) -> None:
    """Make a folder, and those above it. Raises BadInput where nothing can be written."""
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot write {place}: {error.strerror or error}") from error


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
    return identified(amp, source / f"{kind.upper()}-{amp.sides}.so")


def identified(amp: Amp, program: Path) -> bytes:
    """A ready-made program with the amp's own identity."""
    raw = program.read_bytes()
    if IDENTITY not in raw:
        raise BadInput(
            f"{program.parent} holds programs of another version: run `make plugin` again"
        )
    return raw.replace(IDENTITY, amp.identity)


@contextmanager
def replacing_folder(place: Path, sign: str = "amp.twin", what: str = "plugin") -> Iterator[Path]:
    """Yield an empty folder; move it to `place` only if the block succeeds.

    Raises:
        BadInput: what is there lacks the file by which ours are known.
    """
    if place.exists() and not any(place.rglob(sign)):
        raise BadInput(f"{place} is there, and no {what} of tubetwin: move it away")
    with tempfile.TemporaryDirectory(prefix=".plugin-", dir=place.parent) as spare:
        fresh = Path(spare) / "new"
        fresh.mkdir()
        yield fresh
        if place.exists():
            os.replace(place, Path(spare) / "old")
        os.replace(fresh, place)


def _vst3(amp: Amp, source: Path, folder: Path) -> Path:
    place = folder / f"{amp.file_name}.vst3"
    with replacing_folder(place) as fresh:
        program = fresh / "Contents" / f"{platform.machine()}-linux" / f"{amp.file_name}.so"
        resources = fresh / "Contents" / "Resources"
        for inner in (program.parent, resources):
            inner.mkdir(parents=True)
        program.write_bytes(_program(amp, source, "vst3"))
        for ending, content in amp.files.items():
            (resources / f"amp{ending}").write_bytes(content)
    return place


def _lv2(amp: Amp, source: Path, folder: Path) -> Path:
    """The folder, with description files that the program itself writes."""
    place = folder / f"{amp.file_name}.lv2"
    with replacing_folder(place) as fresh:
        (fresh / "amp.so").write_bytes(_program(amp, source, "lv2"))
        for ending, content in amp.files.items():
            (fresh / f"amp{ending}").write_bytes(content)
        done = subprocess.run(
            [sys.executable, "-c", DESCRIBE], cwd=fresh, capture_output=True, text=True
        )
        manifest = fresh / "manifest.ttl"
        if done.returncode or amp.identity not in manifest.read_bytes():
            raise BadInput(f"the LV2 program in {source} does not run here: {done.stderr.strip()}")
        description = fresh / "amp.ttl"
        text = _undemanding(description.read_text(encoding="utf-8"))
        description.write_text(text + VOCABULARY, encoding="utf-8")
    return place


def _undemanding(description: str) -> str:
    """DPF's description of a plugin, without what ours can do without (plugin/lv2.cpp)."""
    description = description.replace("lv2:requiredFeature", "lv2:optionalFeature")
    port = "atom:bufferType atom:Sequence ;\n"
    return description.replace(port, f"{port}        lv2:portProperty lv2:connectionOptional ;\n")


def _clap(amp: Amp, source: Path, folder: Path) -> Path:
    """One file, and the amp's beside it: a CLAP plugin has no folder on Linux."""
    return beside(amp, folder, ".clap", _program(amp, source, "clap"))


def _jack(amp: Amp, source: Path, folder: Path) -> Path:
    """A program to start, and the amp's files beside it."""
    place = folder / amp.file_name
    if place.exists() and not (folder / f"{amp.file_name}.twin").exists():
        raise BadInput(f"{place} is there, and no program of tubetwin: move it away")
    plain = programs(panel=False)  # it has no window
    beside(replace(amp, licences=licences(plain)), folder, "", _program(amp, plain, "jack"))
    place.chmod(place.stat().st_mode | (place.stat().st_mode & 0o444) >> 2)  # who reads it, runs it
    return place


def beside(amp: Amp, folder: Path, ending: str, program: bytes) -> Path:
    """A program of one file, and the amp's files next to it."""
    kinds = (".twin", ".json", ".wav", ".licences.txt")
    files = {kind: amp.files.get(kind) for kind in kinds}
    for kind, content in (*files.items(), (ending, program)):
        place = folder / f"{amp.file_name}{kind}"
        if content is None:
            place.unlink(missing_ok=True)
            continue
        with replacing(place) as temporary:
            temporary.write_bytes(content)
    return place


MAKERS = {"vst3": _vst3, "clap": _clap, "lv2": _lv2, "jack": _jack}
