"""What tests and pictures of the plugin's window share: a screen nobody sees, a host, a hand."""

import os
import subprocess
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageGrab

MADE = Path(__file__).parents[1] / "build" / "plugin-make" / "plugin"
PICTURE = tuple[int, int, int, int]  # left, top, right, bottom, in pixels


class Screen:
    """Xvfb; as a desktop, with the settings server and window manager that JUCE relies on."""

    DESKTOP = ("xsettingsd", "openbox")

    def __init__(self, size: str = "2000x1200", desktop: bool = False) -> None:
        asked, answered = os.pipe()
        self.server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(answered), "-screen", "0", f"{size}x24", "-nolisten", "tcp"],
            pass_fds=[answered],
            stderr=subprocess.DEVNULL,
        )
        os.close(answered)
        with os.fdopen(asked) as answer:
            self.name = f":{answer.readline().strip()}"
        self.environment = {**os.environ, "DISPLAY": self.name, "LIBGL_ALWAYS_SOFTWARE": "1"}
        self.others = []
        for program in self.DESKTOP if desktop else ():
            configuration = ["--config-file" if program == "openbox" else "-c", os.devnull]
            self.others.append(
                subprocess.Popen(
                    [program, *configuration],
                    env=self.environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )

    def stop(self) -> None:
        for process in [*self.others, self.server]:
            process.terminate()
            process.wait()

    def picture(self, box: PICTURE | None = None) -> Image.Image:
        return ImageGrab.grab(bbox=box, xdisplay=self.name).convert("RGB")

    def hand(self, *words: object) -> str:
        """xdotool."""
        done = subprocess.run(
            ["xdotool", *map(str, words)], env=self.environment, capture_output=True, text=True
        )
        return done.stdout.strip()

    def click(self, x: int, y: int, button: int = 1, times: int = 1) -> None:
        self.hand("mousemove", x, y, "click", "--repeat", times, "--delay", 60, button)
        time.sleep(0.2)

    def drag(self, x: int, y: int, across: int, up: int) -> None:
        self.hand("mousemove", x, y, "mousedown", 1)
        for step in range(1, 5):
            self.hand("mousemove", x + across * step // 4, y - up * step // 4)
        self.hand("mouseup", 1)
        time.sleep(0.2)

    def window(self, name: str) -> str:
        """The number of a window that is about to open, by its title or class."""
        until = time.monotonic() + 10
        while time.monotonic() < until:
            if found := self.hand("search", "--onlyvisible", name):
                return found.splitlines()[-1]
            time.sleep(0.1)
        raise TimeoutError(name)

    def gone(self, name: str) -> None:
        """Wait until there is no such window."""
        until = time.monotonic() + 10
        while self.hand("search", "--onlyvisible", name):
            assert time.monotonic() < until
            time.sleep(0.1)


def spots(width: int, height: int, knobs: int) -> dict[tuple[str, int], tuple[int, int]]:
    """What a hand can reach, by part and number: x, y in pixels of the window."""
    done = subprocess.run(
        [MADE / "panel_tests", str(width), str(height), str(knobs)],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    return {(part, int(number)): (int(x), int(y)) for part, number, x, y in rows}


class PanelHost:
    """plugin/tests/panel_host.cpp with one instance, whose window stands at the screen's corner."""

    def __init__(
        self, screen: Screen, plugin: Path, scale: float = 1, home: Path | None = None
    ) -> None:
        environment = {**screen.environment, "HOME": str(home or plugin.parent)}
        self.process = subprocess.Popen(
            [MADE / "panel_host", plugin, str(scale)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout
        self.size = self.read_size(self.process.stdout.readline())
        self.screen = screen
        self.settle()

    def __enter__(self) -> "PanelHost":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()
        assert self.process.returncode == 0

    @staticmethod
    def read_size(answer: str) -> tuple[int, int]:
        width, height, *_ = map(int, answer.split())
        return width, height

    def ask(self, command: str) -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")

    def value(self, name: str) -> float:
        return float(self.ask(f"value {name}"))

    def resize(self, width: int, height: int) -> tuple[int, int]:
        self.size = self.read_size(self.ask(f"size {width} {height}"))
        self.settle()
        return self.size

    def settle(self) -> None:
        """Until what was done is drawn, which takes its time without a graphics card."""
        until = time.monotonic() + 20
        before = None
        while (now := self.picture().tobytes()) != before or not any(now):
            assert time.monotonic() < until
            before = now

    def picture(self, box: PICTURE | None = None) -> Image.Image:
        """The window as it stands, or a part of it."""
        assert self.ask("settle") == "settled"
        return self.screen.picture(box or (0, 0, *self.size))

    def play(self, sound: np.ndarray, folder: Path) -> None:
        """Again and again, at 48 kHz."""
        sound.astype(np.float32).tofile(folder / "sound.f32")
        assert self.ask(f"play {folder / 'sound.f32'}") == "playing"

    def state(self, folder: Path) -> bytes:
        assert self.ask(f"save {folder / 'state'}") == "1"
        return (folder / "state").read_bytes()
