"""Hands, eyes and ears for the page, as a user has them."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tubetwin import engine
from tubetwin.files import BadInput

ROOT = Path(__file__).parents[1]
RATE = 48000
SETTING = {"Volume": 7.0, "Treble": 6.2, "Bass": 4.0, "Mid-Bite": 5.5}
LINK = "#" + "&".join(f"{name}={value:g}" for name, value in SETTING.items())
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]
PATIENCE_SECONDS = 30  # a busy machine is no fault of the page


def broken(whole: bytes) -> dict[str, bytes]:
    """Ways a file goes wrong on its way."""
    start = 8 + int.from_bytes(whole[:8], "little")
    noise = np.frombuffer(whole[start:], np.float32) * np.float32(1.01)
    return {
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        "no twin": b"RIFF" + whole[4:],
        "not JSON": whole[:9] + b"\0" + whole[10:],
        "a tensor renamed": whole.replace(b'"head.bias"', b'"tail.bias"', 1),
        "another format": whole.replace(b'\\"format\\": 1', b'\\"format\\": 9', 1),
        "not finite": whole[:-4] + np.float32(np.nan).tobytes(),
        "other numbers": whole[:start] + noise.tobytes(),
    }


def refusal(path: Path) -> str:
    """What the native engine says."""
    with pytest.raises(BadInput) as refused:
        engine.Player(path.read_bytes())
    return str(refused.value)


def until(page: Any, holds: Callable[[], bool]) -> None:
    """Waits for something to become true; the page forbids what Playwright would evaluate."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, "it never came true"
        page.wait_for_timeout(50)


def status(page: Any) -> str:
    return str(page.get_by_role("status").inner_text())  # there is one place that speaks


def knob(page: Any, name: str) -> Any:
    return page.get_by_role("slider", name=name, exact=True)


def standing(page: Any) -> dict[str, float]:
    """The knobs as a screen reader hears them."""
    return {name: float(knob(page, name).get_attribute("aria-valuenow")) for name in SETTING}


def downloaded(page: Any, button: str, folder: Path) -> np.ndarray:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    download.value.save_as(folder / "download.wav")
    samples, rate = soundfile.read(folder / "download.wav", dtype="float32")
    assert rate == RATE
    return np.asarray(samples)


def native(path: Path, setting: dict[str, float], folder: Path) -> np.ndarray:
    """The page's guitar and cabinet through the native engine."""
    di, _ = soundfile.read(folder / "guitar.flac", dtype="float32")
    ir, _ = soundfile.read(folder / "cabinet-1x12.wav", dtype="float32")
    return engine.render(path, di, setting, cabinet=ir)


def assert_same(played: np.ndarray, expected: np.ndarray) -> None:
    assert played.shape == expected.shape
    assert np.abs(expected).max() > 0.01
    assert np.abs(played - expected).max() <= 1e-5 * max(1.0, float(np.abs(expected).max()))


def found_in(loop: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """The part of a loop that differs least from what was heard, wherever it began."""
    alike = np.fft.irfft(np.fft.rfft(loop) * np.conj(np.fft.rfft(heard, len(loop))), len(loop))
    total = np.concatenate(
        [[0.0], np.cumsum(np.append(loop, loop[: len(heard)]).astype(float) ** 2)]
    )
    energy = total[len(heard) : len(heard) + len(loop)] - total[: len(loop)]
    return np.roll(loop, -int(np.argmin(energy - 2 * alike)))[: len(heard)]


def level(page: Any, which: str) -> float:
    meter = page.get_by_role("meter", name=f"{which} level")
    return float(meter.get_attribute("aria-valuenow"))


def drop(page: Any, path: Path, kind: str = "") -> None:
    """Drop a file onto the page, as from a desktop."""
    made = """([bytes, name, type]) => { const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(bytes)], name, {type})); return data; }"""
    data = page.evaluate_handle(made, [list(path.read_bytes()), path.name, kind])
    page.dispatch_event("body", "drop", {"dataTransfer": data})
