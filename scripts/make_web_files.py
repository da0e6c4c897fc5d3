"""What comes with the page besides its code: twins, cabinet, guitar, and the amp itself, recorded.

Usage: make_web_files.py FOLDER [SETTING ...]. Writes page.json, which tells the page what there is.
What lies there already and is newer than this program's sources stays.
"""

import json
import shutil
import sys
from pathlib import Path

from tubetwin import amp, audio, cabinet, guitar, playlist, twin

ROOT = Path(__file__).parents[1]
RATE_HZ = 48000
RIG = "tubetwin reference amp (simulated)"
CABINET = "cabinet-1x12.wav"
GUITAR = "guitar.flac"
FIRST = ("standard", "nano")  # the twin that plays first, and the order of the menu


def write_guitar(path: Path) -> None:
    """16 bits: the recordings of the amp are played from the very same samples."""
    audio.write(path, guitar.demo(), RATE_HZ, "PCM_16")


def recorded(folder: Path, name: str) -> str:
    """The amp itself playing the demo at a named setting; returns the file's name."""
    path = folder / f"amp-{name.lower()}.flac"
    if not path.exists():
        di = audio.read_mono(folder / GUITAR, RATE_HZ)
        audio.write(path, amp.render(di, playlist.SETTINGS[name], RATE_HZ), RATE_HZ, "PCM_16")
    return path.name


def copied_twins(folder: Path) -> list[dict[str, str]]:
    """The bundled twins, as the page's menu lists them."""
    paths = sorted(twin.BUNDLED.glob("*.twin"), key=lambda p: (p.stem not in FIRST, -len(p.stem)))
    for path in paths:
        shutil.copyfile(path, folder / path.name)
    return [{"name": path.stem, "file": path.name} for path in paths]


def main(folder: Path, wanted: list[str]) -> None:
    """Fill the folder."""
    audio.write(folder / CABINET, cabinet.design(RATE_HZ), RATE_HZ)
    if not (folder / GUITAR).exists():
        write_guitar(folder / GUITAR)
    settings = [
        {"name": name, "setting": setting}
        | ({"recording": recorded(folder, name)} if not wanted or name in wanted else {})
        for name, setting in playlist.SETTINGS.items()
    ]
    code = [p.name for p in (ROOT / "web").iterdir() if p.suffix in {".js", ".css", ".svg"}]
    twins = copied_twins(folder)
    offer = {
        "rig": RIG,
        "twins": twins,
        "cabinets": [{"name": "1x12", "file": CABINET}],
        "guitar": GUITAR,
        "settings": settings,
        # What the service worker keeps for a page without a network.
        "files": sorted(
            ["./", "page.json", "engine.wasm", CABINET, GUITAR, *code, *(t["file"] for t in twins)]
        ),
    }
    (folder / "page.json").write_text(json.dumps(offer, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
