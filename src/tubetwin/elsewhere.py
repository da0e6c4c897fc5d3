"""Plugins for Windows and macOS, made on Linux: other folders and endings, the same amp.

The programs come from `make plugin-windows` and `make plugin-macos`.
"""

import hashlib
import plistlib
import struct
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tubetwin import bundle
from tubetwin.bundle import Amp
from tubetwin.files import BadInput, built

SYSTEMS = {"windows": ".dll", "macos": ".dylib"}  # and how their programs end
SIGNATURE = 0x1D  # LC_CODE_SIGNATURE of a Mach-O file
DIRECTORY = b"\xfa\xde\x0c\x02"  # of a code signature's pages


def export(
    path: Path | str,
    folder: Path | str,
    system: str,
    *,
    name: str | None = None,
    cabinet: np.ndarray | None = None,
    cabinet_name: str = "",
    formats: Sequence[str] = bundle.FORMATS,
) -> list[Path]:
    """As `bundle.export`, for another system.

    Args:
        system: of SYSTEMS: Windows on x86-64, or macOS on Apple's processors.
    Raises:
        BadInput: as there; or another system or format; or its programs were not built.
    """
    if system not in SYSTEMS:
        raise BadInput(f"there are no plugins for {system!r}: choose of {', '.join(SYSTEMS)}")
    for kind in formats:
        if kind not in bundle.FORMATS:
            known = ", ".join(bundle.FORMATS)
            raise BadInput(f"there is no plugin format {kind!r} for {system}: choose of {known}")
    places = [place / system for place in bundle.FOLDERS]
    target = f"plugin-{system}"
    source = built(places, f"CLAP-1{SYSTEMS[system]}", f"plugins for {system}", target)
    written = []
    carried = bundle.licences(source)
    for amp in bundle.described(path, name, cabinet, cabinet_name, carried):
        for kind in formats:
            place = Path(folder) / kind if len(formats) > 1 else Path(folder)
            bundle.make_folder(place)
            program = _program(amp, source / f"{kind.upper()}-{amp.sides}{SYSTEMS[system]}")
            written.append(MAKERS[system, kind](amp, program, place))
    return written


def _program(amp: Amp, path: Path) -> bytes:
    """With the amp's own identity; on macOS, signed anew."""
    program = bundle.identified(amp, path)
    return signed(program) if path.suffix == SYSTEMS["macos"] else program


def signed(program: bytes) -> bytes:
    """A Mach-O file for one processor, with the hashes of its pages as its bytes now are.

    Apple's processors run nothing whose pages do not answer to the hashes in the file. The compiler
    has written them; with other bytes in a page, they are made again. That is no signature of
    anybody's: macOS still asks whether to trust such a file.
    """
    fresh = bytearray(program)
    at, (count,) = 32, struct.unpack_from("<I", program, 16)
    for _ in range(count):
        kind, size, start = struct.unpack_from("<III", program, at)
        at += size
        if kind != SIGNATURE:
            continue
        start = program.index(DIRECTORY, start)
        hashes, _, _, pages, end = struct.unpack_from(">IIIII", program, start + 16)
        length, _, _, bits = struct.unpack_from("4B", program, start + 36)
        for page in range(pages):
            content = program[page << bits : min(end, page + 1 << bits)]
            slot = start + hashes + page * length
            fresh[slot : slot + length] = hashlib.sha256(content).digest()
    return bytes(fresh)


def _folder(place: Path, amp: Amp, inner: str, program: bytes, macos: bool) -> Path:
    """What VST3 calls a bundle, and macOS every plugin."""
    with bundle.replacing_folder(place) as fresh:
        for name, content in amp.files.items():
            file = fresh / "Contents" / "Resources" / f"amp{name}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        (fresh / "Contents" / inner).parent.mkdir()
        (fresh / "Contents" / inner).write_bytes(program)
        if macos:
            (fresh / "Contents" / "Info.plist").write_bytes(plistlib.dumps(_described(amp)))
            (fresh / "Contents" / "PkgInfo").write_bytes(b"BNDL????")
    return place


def _described(amp: Amp) -> dict[str, str]:
    return {
        "CFBundleExecutable": amp.file_name,
        "CFBundleIdentifier": amp.identity.decode().replace(":", "."),
        "CFBundleName": amp.name,
        "CFBundlePackageType": "BNDL",
        "CFBundleVersion": "0.1.0",
    }


def _vst3_windows(amp: Amp, program: bytes, folder: Path) -> Path:
    name = f"{amp.file_name}.vst3"
    return _folder(folder / name, amp, f"x86_64-win/{name}", program, macos=False)


def _vst3_macos(amp: Amp, program: bytes, folder: Path) -> Path:
    place = folder / f"{amp.file_name}.vst3"
    return _folder(place, amp, f"MacOS/{amp.file_name}", program, macos=True)


def _clap_macos(amp: Amp, program: bytes, folder: Path) -> Path:
    place = folder / f"{amp.file_name}.clap"
    return _folder(place, amp, f"MacOS/{amp.file_name}", program, macos=True)


def _clap_windows(amp: Amp, program: bytes, folder: Path) -> Path:
    return bundle.beside(amp, folder, ".clap", program)


def _lv2(ending: str) -> Callable[[Amp, bytes, Path], Path]:
    """As here, with the other program: the description is the same but for its name."""

    def make(amp: Amp, program: bytes, folder: Path) -> Path:
        with tempfile.TemporaryDirectory() as spare:
            here = bundle.MAKERS["lv2"](amp, bundle.programs(panel=False), Path(spare))
            files = {
                file.name: file.read_bytes() for file in here.iterdir() if file.suffix != ".so"
            }
        files["manifest.ttl"] = files["manifest.ttl"].replace(
            b"<amp.so>", f"<amp{ending}>".encode()
        )
        place = folder / f"{amp.file_name}.lv2"
        with bundle.replacing_folder(place) as fresh:
            for name, content in (*files.items(), (f"amp{ending}", program)):
                (fresh / name).write_bytes(content)
        return place

    return make


MAKERS: dict[tuple[str, str], Callable[[Amp, bytes, Path], Path]] = {
    ("windows", "vst3"): _vst3_windows,
    ("windows", "clap"): _clap_windows,
    ("macos", "vst3"): _vst3_macos,
    ("macos", "clap"): _clap_macos,
    **{(system, "lv2"): _lv2(ending) for system, ending in SYSTEMS.items()},
}
