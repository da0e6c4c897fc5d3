"""What the tests of the plugin share: small amps as plugins, and the engine to compare with."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from jack_server import BLOCK
from live_stage import make_twin
from test_engine_door import Door
from tubetwin import bundle
from tubetwin.engine import Player
from tubetwin.knobs import Knob

ROOT = Path(__file__).parents[1]
SANITIZED = os.environ.get("TUBETWIN_PLUGIN_TESTS") == "sanitized"  # programs and hosts
MADE = ROOT / "build" / ("plugin-asan" if SANITIZED else "plugin-make")
CLAP_HOST = MADE / "plugin" / "clap_host"
IR = np.array([0.0, 0.6, 0.25, -0.125, 0.06], np.float32)
OTHER_PANEL = (Knob("Volume"), Knob("Cut"))
SWITCHES = {"Input trim", "Output level", "Noise gate", "Cabinet", "Bypass"}


@pytest.fixture(scope="session")
def amps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Twins by the names of their plugins: Beta has Alpha's panel, Gamma another, Delta a rate."""
    folder = tmp_path_factory.mktemp("twins")
    return {
        "Alpha": make_twin(folder / "alpha.twin", 1),
        "Beta": make_twin(folder / "beta.twin", 2),
        "Gamma": make_twin(folder / "gamma.twin", 3, OTHER_PANEL),
        "Delta": make_twin(folder / "delta.twin", 4, rate=44100),
    }


@pytest.fixture(scope="session")
def plugins(amps: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them as plugins; Alpha with a cabinet."""
    folder, formats = tmp_path_factory.mktemp("plugins"), bundle.FORMATS
    if SANITIZED:
        bundle.FOLDERS[:], formats = [MADE / "programs"], ("clap", "vst3")
    for name, path in amps.items():
        cabinet = IR if name == "Alpha" else None
        bundle.export(path, folder, name=name, cabinet=cabinet, formats=formats, panel=False)
    return folder


@pytest.fixture(scope="session")
def panel_plugins(amps: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Alpha with a window."""
    folder = tmp_path_factory.mktemp("panel-plugins")
    bundle.export(amps["Alpha"], folder, name="Alpha", cabinet=IR, panel=True)
    return folder


@pytest.fixture
def di() -> np.ndarray:
    return (0.2 * np.random.default_rng(5).standard_normal(9000)).astype(np.float32)


@pytest.fixture
def native(amps: dict[str, Path]) -> Callable[..., np.ndarray]:
    """The engine itself, from silence."""

    def play(name: str, di: np.ndarray, **setting: float) -> np.ndarray:
        with Player(amps[name], cabinet=IR if name == "Alpha" else None) as player:
            player.set(setting, jump=True)
            player.reset()
            return player.process(di)

    return play


@pytest.fixture
def at_rate(amps: dict[str, Path]) -> Iterator[Callable[[str, int], Door]]:
    """The engine at any rate of the host."""
    opened: list[Door] = []

    def prepared(name: str, rate: int) -> Door:
        file = amps[name].read_bytes()
        opened.append(Door("open_bytes", file, len(file), b"twin"))
        assert opened[-1]("prepare", rate, 1) == 0
        return opened[-1]

    yield prepared
    for one in opened:
        one("close")


def uri_of(name: str) -> str:
    """What LV2 hosts know a plugin by."""
    sides = 2 if name.endswith(" stereo") else 1
    return f"urn:{bundle.Amp(name, b'', b'', b'', sides).identity.decode()}"


def lag_of(out: np.ndarray, expected: np.ndarray) -> int | None:
    """By how many whole blocks of the server `out` is late; None: it is not what was expected."""
    lags = range(0, 4096, BLOCK)
    return next((n for n in lags if same(out[n : n + len(expected)], expected)), None)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and float(np.abs(a - b).max()) <= 1e-6
