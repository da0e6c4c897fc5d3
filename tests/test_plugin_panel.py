"""The plugin's window on a screen that nobody sees, under a hand of its own.

As test_plugin.py, with `make plugin-test`; the programs with a window must have been built.
"""

import base64
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

if os.environ.get("TUBETWIN_PLUGIN_TESTS") != "1":
    pytest.skip("make plugin-test runs these", allow_module_level=True)

import pedalboard

from live_stage import PANEL, RATE
from panel_stage import MADE, PanelHost, Screen, spots
from plugin_hosts import PLAY
from plugin_stage import ROOT, same
from tubetwin import bundle

PROGRAMS = ROOT / "build" / "plugin" / "programs"
BAD_NEWS = np.array([0xFF, 0x9D, 0x84])  # the colour of a refusal
TONE = 0.25 * np.sin(np.arange(RATE) * 0.06).astype(np.float32)


@pytest.fixture(scope="module")
def screen() -> Iterator[Screen]:
    if not shutil.which("Xvfb") or not shutil.which("xdotool"):
        pytest.skip("Xvfb or xdotool is not installed")
    shown = Screen()
    yield shown
    shown.stop()


@pytest.fixture
def host(screen: Screen, panel_plugins: Path) -> Iterator[PanelHost]:
    with PanelHost(screen, panel_plugins / "clap" / "Alpha.clap") as opened:
        yield opened


def test_geometry_and_hands_keep_their_laws() -> None:
    done = subprocess.run([MADE / "panel_tests"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_only_the_programs_with_a_window_need_a_screen() -> None:
    def needs(program: Path) -> set[str]:
        words = ["readelf", "-d", program]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        return set(re.findall(r"NEEDED.*\[(.+)\]", done.stdout))

    for program in PROGRAMS.glob("*.so"):
        plain = needs(program)
        assert plain <= {"libstdc++.so.6", "libm.so.6", "libgcc_s.so.1", "libc.so.6"}
        if not program.name.startswith("JACK"):  # a program without a host has no window
            assert needs(PROGRAMS / "panel" / program.name) - plain == {"libGL.so.1", "libX11.so.6"}


def test_with_and_without_a_window_it_is_one_plugin(plugins: Path, panel_plugins: Path) -> None:
    place = Path("vst3") / "Alpha.vst3"
    plain, panel = (pedalboard.load_plugin(str(f / place)) for f in (plugins, panel_plugins))
    number = plain.identifier.rsplit("-", 1)[1]
    assert panel.identifier.endswith(number)  # before it stands where the file lies
    assert list(plain.parameters) == list(panel.parameters)
    plain.volume = 7.5
    plain.process(TONE, RATE)
    panel.raw_state = plain.raw_state
    assert panel.volume == 7.5
    panel.treble = 1.5
    panel.process(TONE, RATE)
    plain.raw_state = panel.raw_state
    assert (plain.volume, plain.treble) == (7.5, 1.5)


def test_a_drag_turns_the_hosts_parameter(screen: Screen, host: PanelHost) -> None:
    assert host.size == (960, 540)
    x, y = spots(*host.size, len(PANEL))["knob", 0]
    screen.drag(x, y, 0, 44)  # a fifth of the travel
    assert host.value("Volume") == pytest.approx(7, abs=0.01)
    told = host.ask("told").split(";")
    assert (told[0], told[-1]) == ("begin Volume", "end Volume")
    assert set(told[1:-1]) == {"set Volume"}
    screen.drag(x, y, -110, 0)
    assert host.value("Volume") == pytest.approx(2, abs=0.01)
    screen.drag(x, y, 0, -200)
    assert host.value("Volume") == 0
    assert host.value("Treble") == 4


def test_the_wheel_is_fine_and_a_double_click_goes_back(screen: Screen, host: PanelHost) -> None:
    x, y = spots(*host.size, len(PANEL))["knob", 1]
    screen.click(x, y, button=4, times=3)
    assert host.value("Treble") == pytest.approx(4.3, abs=0.001)
    screen.click(x, y, button=5)
    assert host.value("Treble") == pytest.approx(4.2, abs=0.001)
    screen.click(x, y, times=2)
    assert host.value("Treble") == 4


def test_sliders_and_switches(screen: Screen, host: PanelHost) -> None:
    place = spots(*host.size, len(PANEL))
    for slider, name in enumerate(("Input trim", "Noise gate", "Output level")):
        before = host.value(name)
        screen.drag(*place["slider", slider], 20, 0)
        assert before < host.value(name) < before + 30
    screen.click(*place["bypass", 0])
    screen.click(*place["cabinet", 0])
    assert (host.value("Bypass"), host.value("Cabinet")) == (1, 0)
    screen.click(*place["bypass", 0])
    assert host.value("Bypass") == 0


def test_it_can_be_resized(screen: Screen, host: PanelHost) -> None:
    assert host.resize(100, 100) == (672, 378)  # the smallest that can be read
    for width, height in ((672, 378), (1500, 700)):
        assert host.resize(width, height) == (width, height)
        place = spots(width, height, len(PANEL))
        screen.click(*place["knob", 0], times=2)
        before = host.value("Volume")
        screen.click(*place["knob", 0], button=4)
        assert host.value("Volume") == pytest.approx(before + 0.1, abs=0.001)
        corner = np.asarray(host.picture((width - 100, height - 40, width, height)), float)
        assert corner.max() > 180  # the maker's name


def test_twice_as_large_on_a_screen_twice_as_fine(screen: Screen, panel_plugins: Path) -> None:
    with PanelHost(screen, panel_plugins / "clap" / "Alpha.clap", scale=2) as host:
        assert host.size == (1920, 1080)
        x, y = spots(*host.size, len(PANEL))["knob", 0]
        screen.drag(x, y, 0, 88)
        assert host.value("Volume") == pytest.approx(7, abs=0.01)


def test_meters_show_what_plays(host: PanelHost, tmp_path: Path) -> None:
    x, y = spots(*host.size, len(PANEL))["meters", 0]
    box = (x - 60, y - 38, x + 70, y - 18)  # of what comes in; this twin hums to itself
    dark = np.asarray(host.picture(box), float).mean()
    host.play(TONE, tmp_path)
    time.sleep(0.7)
    lit = np.asarray(host.picture(box), float).mean()
    host.play(0 * TONE, tmp_path)
    time.sleep(2.5)
    fallen = np.asarray(host.picture(box), float).mean()
    assert lit > dark + 15
    assert abs(fallen - dark) < 1


def chosen(screen: Screen, host: PanelHost, part: str, title: str) -> int:
    """Open the one file there is; returns how many pixels complain afterwards."""
    place = spots(*host.size, len(PANEL))
    screen.click(*place[part, 0])
    dialog = screen.window(title)
    screen.hand("mousemove", "--window", dialog, 150, 59)
    screen.hand("click", "--repeat", 2, "--delay", 100, 1)
    screen.gone(title)
    host.settle()
    _, y = place["status", 0]
    news = np.asarray(host.picture((0, y - 14, host.size[0], y + 14)), int)
    return int((np.abs(news - BAD_NEWS).sum(axis=2) < 40).sum())


def test_another_twin_through_the_file_dialog(
    screen: Screen, panel_plugins: Path, amps: dict[str, Path], tmp_path: Path
) -> None:
    """Beta has the same knobs and takes over; Gamma has others, and a sentence says so."""
    for name, fits in (("Beta", True), ("Gamma", False)):
        home = tmp_path / name
        home.mkdir()
        shutil.copy(amps[name], home)
        with PanelHost(screen, panel_plugins / "clap" / "Alpha.clap", home=home) as host:
            before = host.state(tmp_path)
            complaint = chosen(screen, host, "openTwin", "Open a twin")
            after = host.state(tmp_path)
        assert (base64.b64encode(amps[name].read_bytes()) in after) == fits
        assert (complaint > 50) == (not fits), complaint
        assert fits or after == before


def test_a_cabinet_through_the_file_dialog(
    screen: Screen, panel_plugins: Path, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    soundfile.write(tmp_path / "home" / "4x12.wav", TONE[:500], RATE, "PCM_24")
    with PanelHost(screen, panel_plugins / "clap" / "Alpha.clap", home=tmp_path / "home") as host:
        screen.click(*spots(*host.size, len(PANEL))["cabinet", 0])
        assert host.value("Cabinet") == 0
        assert chosen(screen, host, "openCabinet", "Open an impulse response") < 50
        assert host.value("Cabinet") == 1  # who opens one wants to hear it
        kept = host.state(tmp_path).split(b"\0cabinet\0")[1].split(b"\0")[0]
    wav = base64.b64decode(kept.removeprefix(b"1:"))
    assert wav.startswith((tmp_path / "home" / "4x12.wav").read_bytes()[8:12], 8)
    (tmp_path / "kept.wav").write_bytes(wav)
    with soundfile.SoundFile(tmp_path / "kept.wav") as file:
        assert file.title == "4x12"
        assert np.allclose(file.read(), TONE[:500], atol=1e-6)


def test_it_closes_and_opens_again(screen: Screen, host: PanelHost) -> None:
    x, y = spots(*host.size, len(PANEL))["knob", 0]
    screen.drag(x, y, 0, 44)
    first = host.picture()
    assert PanelHost.read_size(host.ask("close")) == (960, 540)
    host.settle()
    again = np.asarray(host.picture(), int)
    assert np.abs(again - np.asarray(first, int)).mean() < 0.5  # the knob stands where it stood
    screen.drag(x, y, 0, 22)
    assert host.value("Volume") == pytest.approx(8, abs=0.01)


IN_PEDALBOARD = """
import sys, threading, time, pedalboard
from panel_stage import Screen
plugin, screen = pedalboard.load_plugin(sys.argv[1]), Screen.__new__(Screen)
screen.name, screen.environment = sys.argv[2], None
done, x, y = threading.Event(), int(sys.argv[3]), int(sys.argv[4])

def play():
    try:
        place = screen.hand("getwindowgeometry", "--shell", screen.window("tubetwin"))
        left, top = [int(line.split("=")[1]) for line in place.splitlines()[1:3]]
        time.sleep(1)
        screen.drag(left + x, top + y, 0, 44)
        time.sleep(1)
        print(plugin.volume, plugin.treble)
    finally:
        done.set()

threading.Thread(target=play).start()
plugin.show_editor(done)
"""


def test_licences_of_what_is_compiled_in_lie_in_every_plugin(
    plugins: Path, panel_plugins: Path
) -> None:
    always = {"The tubetwin authors", "Filipe Coelho", "Steve Harris", "Alexandre Bique"}
    window = {"2011-2021 David Robillard", "Mikko Mononen", "Bjoern Hoehrmann", "Robin Gareus"}
    window |= {"SIL OPEN FONT LICENSE", "DEALINGS IN THE FONT SOFTWARE"}  # to its end
    for folder, amps, carried in ((plugins, 4, always), (panel_plugins, 1, always | window)):
        found = [p for kind in bundle.FORMATS for p in (folder / kind).rglob("*.licences.txt")]
        texts = [path.read_text() for path in found]
        assert len(texts) == amps * 2 * len(bundle.FORMATS)
        for text in texts:
            assert {holder for holder in always | window if holder in text} == carried


def test_in_pedalboard(panel_plugins: Path) -> None:
    """The VST3; in a process of its own, since JUCE ends it when the screen goes."""
    if not all(map(shutil.which, ("Xvfb", "xdotool", *Screen.DESKTOP))):
        pytest.skip("without a desktop, pedalboard opens no windows")
    place = spots(960, 540, len(PANEL))["knob", 0]
    desktop = Screen(desktop=True)
    words = [panel_plugins / "vst3" / "Alpha.vst3", desktop.name, *place]
    try:
        done = subprocess.run(
            [sys.executable, "-c", IN_PEDALBOARD, *map(str, words)],
            env={**desktop.environment, "PYTHONPATH": str(ROOT / "tests")},
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        desktop.stop()
    assert done.returncode == 0, done.stderr
    volume, treble = map(float, done.stdout.split())
    assert volume == pytest.approx(7, abs=0.06)
    assert treble == 4


def test_in_jalv(
    screen: Screen, panel_plugins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The LV2: the jewel is clicked, and the guitar passes as it is."""
    if not shutil.which("jalv") or not shutil.which("jackd"):
        pytest.skip("jalv or jackd is not installed")
    from jack_server import Server

    name = f"tubetwin-panel-{os.getpid()}"
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    monkeypatch.setenv("JACK_NO_AUDIO_RESERVATION", "1")
    identity = bundle.Amp("Alpha", b"", b"", b"", 1).identity.decode()
    search = f"{panel_plugins / 'lv2'}:/usr/lib/lv2:/usr/lib/x86_64-linux-gnu/lv2"
    server = Server(name)
    jalv = subprocess.Popen(
        ["jalv", "-s", "-x", "-n", "amp", f"urn:{identity}"],
        env={**os.environ, **screen.environment, "LV2_PATH": search, "JACK_DEFAULT_SERVER": name},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        window = screen.window("tubetwin")
        time.sleep(1)
        screen.hand("mousemove", "--window", window, *spots(960, 540, len(PANEL))["bypass", 0])
        screen.hand("click", 1)
        time.sleep(0.5)
        soundfile.write(tmp_path / "di.wav", TONE, RATE, "FLOAT")
        words = [sys.executable, "-c", PLAY, tmp_path / "di.wav", tmp_path / "out.wav", "amp"]
        subprocess.run(words, check=True, timeout=120)
    finally:
        jalv.kill()  # with a window, it hears of nothing else
        jalv.wait()
        server.stop()
    out, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert any(same(out[at : at + len(TONE)], TONE) for at in range(0, 4096, 256))
