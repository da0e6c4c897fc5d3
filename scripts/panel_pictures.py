"""Pictures of the plugin's window for the documents, on a plain screen and on one twice as fine.

Usage: panel_pictures.py FOLDER. `make plugin` must have built the plugins; nobody sees the screen.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from palette import save  # beside this file

from tubetwin import guitar

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from panel_stage import PanelHost, Screen, spots

PLUGIN = Path(__file__).parents[1] / "build" / "plugin" / "clap" / "Tubetwin standard.clap"
PICTURES = {"plugin-panel.png": 1, "plugin-panel-2x.png": 2}
TURNS = (33, 22, -22, 0)  # pixels up: Volume 6.5, Treble 6, Bass 4, Mid-Bite 5


def loudest(di: np.ndarray) -> np.ndarray:
    """Half a second: without a graphics card, the host plays in slow motion."""
    at = int(np.abs(di).argmax())
    return di[max(at - 2000, 0) : at + 22000]


def photograph(path: Path, scale: int) -> None:
    """The panel while a guitar plays."""
    screen = Screen()
    try:
        with tempfile.TemporaryDirectory() as folder, PanelHost(screen, PLUGIN, scale) as host:
            place = spots(*host.size, len(TURNS))
            for knob, up in enumerate(TURNS):
                screen.drag(*place["knob", knob], 0, up * scale)
            screen.hand("mousemove", *place["status", 0])
            host.play(loudest(guitar.demo(3.0, 7)), Path(folder))
            time.sleep(4)  # drawing without a graphics card takes its time
            save(host.picture(), path, colours=None)
    finally:
        screen.stop()


def main(folder: Path) -> None:
    """Take them all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, scale in PICTURES.items():
        photograph(folder / name, scale)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
