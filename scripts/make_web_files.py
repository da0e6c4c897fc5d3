"""What comes with the page besides its code: twins, cabinet, guitar, and the amp itself, recorded.

Usage: make_web_files.py FOLDER [SETTING ...]. Writes page.json, which tells the page what there is.
The amp is recorded at these settings, or at all; a recording newer than the amp's sources stays.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tubetwin import amp, audio, cabinet, guitar, parts, solver, sounds, twin
from tubetwin.knobs import Setting

ROOT = Path(__file__).parents[1]
RATE_HZ = 48000
RIG = "tubetwin reference amp (simulated)"
CABINET = "cabinet-1x12.wav"
GUITAR = "guitar.flac"
MAKERS = (amp, guitar, parts, sounds, solver)  # of sounds


def stale(path: Path) -> bool:
    """Whether a sound is missing, or older than what makes it."""
    sources = (Path(module.__file__) for module in MAKERS)
    return not path.exists() or path.stat().st_mtime < max(s.stat().st_mtime for s in sources)


def write(path: Path, samples: np.ndarray) -> None:
    """A small file: 16 bits of sound, in a file of 24.

    FLAC does not store the empty bits, and Chromium reads files of 16 bits wrongly: it takes
    32767 for full scale above zero and 32768 below.
    """
    audio.write(path, np.round(samples * 2**15) / 2**15, RATE_HZ, "PCM_24")


def guitar_in(folder: Path) -> Path:
    """What plays first, and what the amp is recorded with."""
    path = folder / GUITAR
    if stale(path):
        write(path, guitar.demo())
    return path


def record(path: Path, di: Path, setting: Setting) -> None:
    """The amp itself, playing the guitar at this setting."""
    if stale(path):
        write(path, amp.render(audio.read_mono(di, RATE_HZ), setting, RATE_HZ))


def settings(folder: Path, di: Path, wanted: list[str]) -> list[dict[str, Any]]:
    """The named settings, and the file of the amp's recording where there is one."""
    listed = []
    for name, setting in sounds.SETTINGS.items():
        path = folder / f"amp-{name.lower()}.flac"
        if not wanted or name in wanted:
            record(path, di, setting)
        recording = {} if stale(path) else {"recording": path.name}
        listed.append({"name": name, "setting": setting} | recording)
    return listed


def copied_twins(folder: Path) -> list[dict[str, str]]:
    """The bundled twins, the largest first: it is the one that plays first."""
    paths = sorted(twin.BUNDLED.glob("*.twin"), key=lambda path: -path.stat().st_size)
    for path in paths:
        shutil.copyfile(path, folder / path.name)
    return [{"name": path.stem, "file": path.name} for path in paths]


def main(folder: Path, wanted: list[str]) -> None:
    """Fill the folder."""
    audio.write(folder / CABINET, cabinet.design(RATE_HZ), RATE_HZ)
    di = guitar_in(folder)
    code = [p.name for p in (ROOT / "web").iterdir() if p.suffix in {".js", ".css", ".svg"}]
    twins = copied_twins(folder)
    offer = {
        "rig": RIG,
        "twins": twins,
        "cabinets": [{"name": "1x12", "file": CABINET}],
        "guitar": GUITAR,
        "settings": settings(folder, di, wanted),
        # What the service worker keeps for a page without a network.
        "files": sorted(
            ["./", "page.json", "engine.wasm", CABINET, GUITAR, *code, *(t["file"] for t in twins)]
        ),
    }
    (folder / "page.json").write_text(json.dumps(offer, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
