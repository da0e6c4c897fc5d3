"""Pictures for the documents: the page at desktop and phone width, the panel in a terminal.

Usage: screenshots.py FOLDER. The page must be built; Chromium and playwright take its picture.
"""

import io
import shutil
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tubetwin import web

FLAGS = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]
COLOURS = 256  # a palette keeps a picture of wood and brass below 300 kB
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


def save(taken: bytes, path: Path) -> None:
    """With a palette."""
    image = Image.open(io.BytesIO(taken)).convert("RGB")
    image.quantize(COLOURS, kmeans=2, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)
    print(f"{path}: {image.width} x {image.height}, {path.stat().st_size / 1000:.0f} kB")


def main(folder: Path) -> None:
    """Take them all."""
    folder.mkdir(parents=True, exist_ok=True)
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright, web.served(web.folder()) as address:
        chromium = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        for name, look in PICTURES.items():
            save(photograph(chromium, address, look), folder / name)
        chromium.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
