"""Pictures for the documents: the page at desktop and phone width, twin against
amp, the panel in a terminal.

Usage: screenshots.py FOLDER. The page must be built; Chromium and playwright take its picture.
"""

import io
import os
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import soundfile
from palette import save  # beside this file
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console

from tubetwin import demo, guitar, twin, web
from tubetwin.device import Ports
from tubetwin.preset import Preset
from tubetwin.rig import Rig, Shelf, Wishes
from tubetwin.terminal import impulse_response

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from jack_server import Server  # plays live without a card

FLAGS = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]
PICTURES: dict[str, dict[str, Any]] = {
    "page-desktop.png": {"viewport": {"width": 1240, "height": 900}, "device_scale_factor": 1},
    "page-phone.png": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "has_touch": True,
        "is_mobile": True,
    },
}


def photograph(chromium: Browser, address: str, look: dict[str, Any]) -> bytes:
    """The page while a guitar plays."""
    context = chromium.new_context(**look)
    tab = context.new_page()
    tab.goto(address)
    tab.wait_for_selector("html[data-ready]")
    tab.get_by_role("button", name="Crunch").click()
    tab.get_by_role("button", name="Play").click()
    tab.wait_for_timeout(2500)  # meters are up, the worklet's load is there
    tab.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    taken = tab.screenshot(animations="disabled", full_page="is_mobile" not in look)
    context.close()
    return taken


def panel() -> str:
    """The terminal's panel while a guitar plays, as SVG."""
    os.environ["JACK_DEFAULT_SERVER"] = name = "tubetwin-picture"
    os.environ["JACK_NO_AUDIO_RESERVATION"] = "1"
    bundled = max(twin.BUNDLED.glob("*.twin"), key=lambda path: path.stat().st_size).stem
    sound = Preset(bundled, "1x12", {"Volume": 6.5, "Treble": 6.0, "Bass": 4.0})
    shelf = Shelf([bundled], ["1x12"], twin.bundled, impulse_response)
    server = Server(name, realtime=os.geteuid() == 0)
    with ExitStack() as last, tempfile.TemporaryDirectory() as folder:
        last.callback(server.stop)
        di = Path(folder) / "di.wav"
        soundfile.write(di, guitar.demo(3.0, 7), 48000, subtype="FLOAT")
        server.play(di)
        rig = Rig(Ports(), sound, shelf, Wishes(controllers={20: "Volume"}))
        end = time.monotonic() + 6
        while time.monotonic() < end:
            rig.look([])
            time.sleep(0.02)
        console = Console(record=True, width=84, file=io.StringIO())
        console.print(rig.picture())
        rig.close()
    return console.export_svg(title="tubetwin live")


def compared(chromium: Browser) -> bytes:
    """A moment of the demo, twin and amp over each other, as its page draws it."""
    with tempfile.TemporaryDirectory() as folder:
        page = demo.run(Path(folder) / "demo")
        tab = chromium.new_page(viewport={"width": 1240, "height": 900})
        tab.goto(page.resolve().as_uri())
        return tab.locator("h2:text('Waveforms') ~ div.plots").first.screenshot()


def drawn(chromium: Browser, svg: str) -> bytes:
    """An SVG as PNG."""
    tab = chromium.new_page(viewport={"width": 1100, "height": 800})
    tab.set_content(svg.replace("Fira Code", "DejaVu Sans Mono"))
    return tab.locator("svg").screenshot(omit_background=True)


def main(folder: Path) -> None:
    """Take them all."""
    folder.mkdir(parents=True, exist_ok=True)
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright, web.served(web.folder()) as address:
        chromium = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        for name, look in PICTURES.items():
            save(photograph(chromium, address, look), folder / name)
        save(compared(chromium), folder / "twin-and-amp.png")
        save(drawn(chromium, panel()), folder / "live-terminal.png")
        chromium.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
