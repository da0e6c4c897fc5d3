"""Fixtures of more than one file: small twins, a card and a terminal; the page and its browser."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from live_stage import FakeCard, make_twin
from page_driver import CHROMIUM, FLAGS, LINK, RATE, ROOT
from plugin_stage import amps, at_rate, di, native, panel_plugins, plugins  # noqa: F401  fixtures
from tubetwin import keeper, twin, web
from tubetwin.knobs import Knob


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("live")
    other = (Knob("Volume"), Knob("Cut"))
    return {
        "one": make_twin(folder / "one.twin", 1),
        "two": make_twin(folder / "two.twin", 2, other),
        "slow": make_twin(folder / "slow.twin", 3, rate=44100),
    }


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> FakeCard:
    monkeypatch.setattr(keeper, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(keeper, "RETRY_SECONDS", 0.05)
    return FakeCard()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A pseudo-terminal as standard input; yields the end where fingers type."""
    fingers, program = os.openpty()
    with os.fdopen(program) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield fingers
    os.close(fingers)


@pytest.fixture(scope="session")
def site() -> Path:
    """The page, built; with the amp recorded at one setting, unless there are more already."""
    pytest.importorskip("ziglang", reason="the toolchain is absent: pip install ziglang")
    if place := os.environ.get("TUBETWIN_PAGE"):
        return Path(place)
    place = ROOT / "build" / "web"
    subprocess.run([ROOT / "scripts" / "make-web.sh", place, "Crunch"], check=True)
    return place


@pytest.fixture(scope="session")
def first_twin(site: Path) -> Path:
    """The twin that plays first."""
    return site / str(json.loads((site / "page.json").read_bytes())["twins"][0]["file"])


@pytest.fixture(scope="session")
def in_node(site: Path) -> Callable[..., dict[str, Any]]:
    if not shutil.which("node"):
        pytest.skip("node is absent: WebAssembly was not compared with the native engine")

    def play(**job: Any) -> dict[str, Any]:
        job = {
            "engine": str(site / "engine.wasm"),
            "name": "twin",
            "knobs": [],
            "block": 128,
        } | job
        done = subprocess.run(
            ["node", ROOT / "web" / "node.mjs"],
            input=json.dumps(job, default=str),
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(json.loads(done.stdout))

    return play


@pytest.fixture
def made_twin(tmp_path: Path) -> Callable[[str], Path]:
    """A twin of a size, with random weights."""
    torch = pytest.importorskip("torch")
    from tubetwin import network, training
    from tubetwin.amp import KNOBS

    def make(size: str) -> Path:
        torch.manual_seed(3)
        net = network.WaveNet(network.SIZES[size])
        torch.nn.init.normal_(net.film.mlp[-1].weight, std=0.05)
        shape = net.shape
        architecture = twin.Architecture(
            shape.channels, shape.kernel_size, shape.dilations, shape.taps, shape.mix
        )
        path = tmp_path / f"{size}.twin"
        twin.save(twin.Twin(size, RATE, KNOBS, architecture, training.tensors(net)), path)
        return path

    return make


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if not CHROMIUM:
        pytest.skip("Chromium is absent: the page was not driven")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, site: Path) -> Iterator[Any]:
    """The page at SETTING; afterwards no complaint may stand in the console, no request outside."""
    with web.served(site) as address:
        opened = browser.new_page()
        wrong: list[str] = []
        opened.on("console", lambda said: said.type == "error" and wrong.append(said.text))
        opened.on("pageerror", lambda error: wrong.append(str(error)))
        opened.on(
            "request",
            lambda asked: (
                asked.url.startswith((address, "blob:" + address)) or wrong.append(asked.url)
            ),
        )
        opened.goto(address + LINK)
        opened.wait_for_selector("html[data-ready]")
        yield opened
        opened.close()
    assert not wrong
