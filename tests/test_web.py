"""The page plays the twin that the native engine plays, and does what hands and ears expect.

Node judges the engine in WebAssembly, a headless Chromium the page. What is absent is said: the
toolchain (pip's ziglang), node, pip's playwright, or Chromium itself.
"""

import gzip
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tubetwin import cabinet, engine, twin, web
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


@pytest.fixture(scope="session")
def folder() -> Path:
    """The page, built; with the amp recorded at one setting, unless there are more already."""
    pytest.importorskip("ziglang", reason="the toolchain is absent: pip install ziglang")
    if place := os.environ.get("TUBETWIN_PAGE"):
        return Path(place)
    place = ROOT / "build" / "web"
    subprocess.run([ROOT / "scripts" / "make-web.sh", place, "Crunch"], check=True)
    return place


@pytest.fixture(scope="session")
def standard(folder: Path) -> Path:
    """The twin that plays first."""
    return folder / str(json.loads((folder / "page.json").read_bytes())["twins"][0]["file"])


# ---- The engine in WebAssembly, judged by node ---------------------------------------------------


@pytest.fixture(scope="session")
def in_node(folder: Path) -> Callable[..., dict[str, Any]]:
    if not shutil.which("node"):
        pytest.skip("node is absent: WebAssembly was not compared with the native engine")

    def play(**job: Any) -> dict[str, Any]:
        job = {
            "engine": str(folder / "engine.wasm"),
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
def made(tmp_path: Path) -> Callable[[str], Path]:
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


@pytest.mark.parametrize("size", ["standard", "lite", "nano"])
@pytest.mark.parametrize("block", [128, 777])
def test_wasm_plays_what_the_native_engine_plays(
    size: str, block: int, in_node: Any, made: Any, tmp_path: Path
) -> None:
    rng = np.random.default_rng(4)
    t = np.arange(RATE // 2)
    di = (0.4 * np.sin(t * 0.03) + rng.normal(0, 0.1, len(t))).astype(np.float32)
    ir = cabinet.design(RATE)
    files = {"input": di, "cabinet": ir}
    for name, samples in files.items():
        samples.tofile(tmp_path / name)
    path, turns = made(size), [0.85, 0.3, 1.0, 0.0]
    told = in_node(
        twin=path,
        output=tmp_path / "output",
        knobs=turns,
        block=block,
        **{name: tmp_path / name for name in files},
    )
    assert "error" not in told
    with engine.Player(path, cabinet=ir) as player:
        setting = {k.name: k.panel(t) for k, t in zip(player.knobs, turns, strict=True)}
        player.set(setting, jump=True)
        player.reset()
        expected = player.process(di)
    played = np.fromfile(tmp_path / "output", np.float32)
    assert np.abs(expected).max() > 1e-3
    assert np.abs(played - expected).max() <= 1e-5 * max(1.0, float(np.abs(expected).max()))


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


def test_wasm_refuses_broken_twins_in_the_same_words(
    in_node: Any, standard: Path, tmp_path: Path
) -> None:
    path = tmp_path / "broken.twin"
    for what, contents in broken(standard.read_bytes()).items():
        path.write_bytes(contents)
        told = in_node(twin=path, input=os.devnull, output=tmp_path / "output")
        assert told == {"error": refusal(path)}, what


def test_wasm_imports_nothing(folder: Path) -> None:
    node = shutil.which("node") or pytest.skip("node is absent")
    code = (
        "console.log(WebAssembly.Module.imports(new WebAssembly.Module(fs.readFileSync(0))).length)"
    )
    with (folder / "engine.wasm").open("rb") as file:
        done = subprocess.run([node, "-e", code], stdin=file, capture_output=True, check=True)
    assert done.stdout.strip() == b"0"


def test_a_cabinet_is_as_loud_in_the_page_as_in_python(
    in_node: Any, standard: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    ir = (rng.normal(size=9000) * np.exp(-np.arange(9000) / 700)).astype(np.float32)
    ir.tofile(tmp_path / "ir")
    told = in_node(
        twin=standard, input=os.devnull, output=tmp_path / "output", cabinet=tmp_path / "ir"
    )
    assert told["loudness"] == pytest.approx(cabinet.loudness(ir, RATE), rel=0.02)


# ---- The server ---------------------------------------------------------------------------------


def test_files_are_served_with_their_types_to_this_machine_only(tmp_path: Path) -> None:
    for name in ("index.html", "page.js", "engine.wasm", "a.twin"):
        (tmp_path / name).write_bytes(b"x")
    with web.served(tmp_path) as address:
        assert address.startswith("http://127.0.0.1:")
        types = {
            name: urllib.request.urlopen(address + name).headers["Content-Type"].split(";")[0]
            for name in ("", "page.js", "engine.wasm", "a.twin")
        }
        with pytest.raises(BadInput, match="--port"), web.served(tmp_path, int(address[17:-1])):
            pass
    assert types == {
        "": "text/html",
        "page.js": "text/javascript",
        "engine.wasm": "application/wasm",
        "a.twin": "application/octet-stream",
    }


def test_a_page_that_was_not_built_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(web, "FOLDERS", (tmp_path,))
    with pytest.raises(BadInput, match="make web"):
        web.folder()


def test_the_first_visit_costs_less_than_a_photograph(folder: Path) -> None:
    """Page, engine, twins, cabinet and guitar, as a static host would compress them."""
    files = json.loads((folder / "page.json").read_bytes())["files"]
    brought = [folder / ("index.html" if name == "./" else name) for name in files]
    assert {path.suffix for path in brought} >= {".html", ".js", ".wasm", ".twin", ".wav", ".flac"}
    assert sum(len(gzip.compress(path.read_bytes())) for path in brought) <= 1_500_000


# ---- The page, in a browser ---------------------------------------------------------------------


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
def page(browser: Any, folder: Path) -> Iterator[Any]:
    """The page at SETTING; afterwards no complaint may stand in the console, no request outside."""
    with web.served(folder) as address:
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
    total = np.concatenate([[0.0], np.cumsum(np.append(loop, loop[: len(heard)]).astype(float) ** 2)])
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


def test_keys_drags_and_wheel_change_knobs_read_outs_and_the_sound(
    page: Any, folder: Path, standard: Path, tmp_path: Path
) -> None:
    assert standing(page) == SETTING
    assert_same(downloaded(page, "Render", tmp_path), native(standard, SETTING, folder))

    knob(page, "Volume").press("ArrowUp")
    knob(page, "Treble").press("PageDown")
    knob(page, "Mid-Bite").press("End")
    box = knob(page, "Bass").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 110)  # half the travel
    page.mouse.up()
    moved = {"Volume": 7.1, "Treble": 5.2, "Bass": 9.0, "Mid-Bite": 10.0}
    assert standing(page) == moved
    page.mouse.move(x, y)
    page.mouse.wheel(0, 100)
    moved["Bass"] = 8.8
    until(page, lambda: standing(page) == moved)
    assert knob(page, "Bass").get_attribute("aria-valuetext") == "Bass 8.8"
    assert_same(downloaded(page, "Render", tmp_path), native(standard, moved, folder))


def test_a_turned_knob_is_heard_and_seen_at_once(page: Any) -> None:
    page.get_by_role("button", name="Play").click()
    until(page, lambda: level(page, "Output") > -30)
    seen = page.get_by_role("img", name="Distortion").get_attribute("aria-label")
    knob(page, "Volume").press("Home")
    until(page, lambda: level(page, "Output") < -50)
    assert level(page, "Input") > -40
    assert page.get_by_role("img", name="Distortion").get_attribute("aria-label") != seen


def test_touch_turns_a_knob(browser: Any, folder: Path) -> None:
    with web.served(folder) as address:
        context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
        phone = context.new_page()
        phone.goto(address + LINK)
        phone.wait_for_selector("html[data-ready]")
        knob(phone, "Volume").scroll_into_view_if_needed()
        box = knob(phone, "Volume").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        finger = context.new_cdp_session(phone)
        for kind, at in (("touchStart", [(x, y)]), ("touchMove", [(x, y + 44)]), ("touchEnd", [])):
            points = [{"x": px, "y": py} for px, py in at]
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        assert standing(phone) == SETTING | {"Volume": 5.0}
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390
        context.close()


def test_a_broken_twin_is_refused_in_the_engines_words_and_the_old_one_plays_on(
    page: Any, standard: Path, tmp_path: Path
) -> None:
    page.get_by_role("button", name="Play").click()
    path = tmp_path / "twin"
    path.write_bytes(broken(standard.read_bytes())["cut"])
    drop(page, path)
    said = page.wait_for_selector("#status.bad").inner_text()
    assert said == refusal(path)
    assert page.get_by_role("combobox", name="Twin").input_value() == standard.stem
    assert standing(page) == SETTING
    until(page, lambda: level(page, "Output") > -40)


def test_a_dropped_twin_and_a_dropped_cabinet_play(
    page: Any, folder: Path, made: Any, tmp_path: Path
) -> None:
    path = made("nano")
    drop(page, path)
    until(page, lambda: "plays" in status(page))
    rng = np.random.default_rng(1)
    ir = (rng.normal(size=4000) * np.exp(-np.arange(4000) / 300)).astype(np.float32)
    soundfile.write(tmp_path / "room.wav", ir, RATE, subtype="FLOAT")
    drop(page, tmp_path / "room.wav", "audio/wav")
    until(page, lambda: "cabinet" in status(page))
    di, _ = soundfile.read(folder / "guitar.flac", dtype="float32")
    levelled = ir / cabinet.loudness(ir, RATE)
    expected = engine.render(path, di, SETTING, cabinet=levelled)
    played = downloaded(page, "Render", tmp_path)
    # Both measure how loud a cabinet is, the page at fewer frequencies.
    scale = float(played @ expected / (expected @ expected))
    assert scale == pytest.approx(1, abs=0.02)
    assert np.abs(played - scale * expected).max() <= 1e-5 * max(1, np.abs(expected).max())


def test_every_control_has_a_name(page: Any) -> None:
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    controls = {"button", "slider", "radio", "combobox", "meter", "image", "StaticText"}
    found: dict[str, list[str]] = {}
    for node in tree:
        role = node.get("role", {}).get("value")
        if role in controls and not node["ignored"]:
            found.setdefault(role, []).append(node.get("name", {}).get("value", "").strip())
    assert all(name for role in controls - {"StaticText"} for name in found[role]), found
    assert set(SETTING) | {"Input", "Output", "Picked"} == set(found["slider"])
    assert {"Input level", "Output level"} == set(found["meter"])


def test_a_link_carries_the_knobs(page: Any) -> None:
    knob(page, "Volume").press("End")
    until(page, lambda: "Volume=10" in page.url)
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    page.wait_for_selector("html[data-ready]")
    assert standing(page) == SETTING | {"Volume": 10.0}


def test_the_amp_itself_is_heard_where_it_was_recorded(
    page: Any, folder: Path, tmp_path: Path
) -> None:
    the_amp = page.get_by_role("radio", name="The amp")
    assert the_amp.is_disabled()
    page.get_by_role("button", name="Crunch").click()
    assert the_amp.is_enabled()
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(300)
    page.get_by_text("The amp", exact=True).click()
    page.wait_for_timeout(500)
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(700)
    heard = downloaded(page, "Stop and save", tmp_path)[4096:]
    recording, _ = soundfile.read(folder / "amp-crunch.flac", dtype="float32")
    ir, _ = soundfile.read(folder / "cabinet-1x12.wav", dtype="float32")
    size = 1 << (len(recording) + len(ir)).bit_length()
    through = np.fft.irfft(np.fft.rfft(recording, size) * np.fft.rfft(ir, size))[: len(recording)]
    assert np.sum((heard - found_in(through, heard)) ** 2) < 1e-4 * np.sum(heard**2)
    knob(page, "Volume").press("ArrowDown")
    assert the_amp.is_disabled()
    assert page.get_by_role("radio", name="Twin", exact=True).is_checked()


def test_straight_is_the_guitar_itself(page: Any, folder: Path, tmp_path: Path) -> None:
    page.get_by_role("button", name="Play").click()
    page.keyboard.press("2")
    page.wait_for_timeout(300)
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(500)
    heard = downloaded(page, "Stop and save", tmp_path)
    di, _ = soundfile.read(folder / "guitar.flac", dtype="float32")
    assert np.abs(heard - found_in(di, heard)).max() < 1e-4


def test_a_guitar_plugged_in_is_played(page: Any) -> None:
    page.get_by_text("Plug in").click()  # Chromium's made-up microphone beeps
    until(page, lambda: level(page, "Input") > -30 and level(page, "Output") > -40)


def test_loaded_once_the_page_plays_without_a_network(browser: Any, folder: Path) -> None:
    context = browser.new_context()
    page = context.new_page()
    with web.served(folder) as address:
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        page.evaluate("navigator.serviceWorker.ready.then(() => 1)")
        kept = "caches.open('tubetwin').then((c) => c.match('guitar.flac')).then(Boolean)"
        until(page, lambda: page.evaluate(kept))
    page.goto(address + LINK.replace("#", "?again#"))
    page.wait_for_selector("html[data-ready]")
    assert standing(page) == SETTING
    context.close()
