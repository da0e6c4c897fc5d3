"""The command `tubetwin live`: its options, and how it ends."""

import os
import signal
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from live_stage import BLOCK, PANEL, SOLO, FakeCard, FakeRtMidi, portaudio
from tubetwin import live
from tubetwin.files import BadInput
from tubetwin.keeper import Keeper
from tubetwin.rig import Rig, Shelf, Wishes
from tubetwin.terminal import one_setting


def options(**given: Any) -> dict[str, Any]:
    """What the command line says when it says nothing else."""
    silent = dict.fromkeys(
        ("preset_path", "save_as", "channels", "rate", "midi", "record", "seconds"), None
    )
    empty: dict[str, Any] = dict.fromkeys(("twins", "cabinets", "device", "cc"), ())
    return silent | empty | {"block": BLOCK, "only_list": False, "measure_latency": False} | given


def play(paths: dict[str, Path], turned: dict[str, Any], **given: Any) -> dict[str, Any]:
    shelf = Shelf(["two"], [None], lambda name: paths.get(name, Path(name)), lambda name, hz: None)
    return live.command(options(**given), shelf, lambda knobs: turned, Console(quiet=True))


def test_options_overrule_the_preset(
    card: FakeCard, twins: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "Rig", lambda *args: Rig(*args, lambda o: Keeper(o, card.begin)))
    preset = tmp_path / "lead.json"
    preset.write_text('{"format": 1, "twin": "one", "knobs": {"volume": 9, "treble": 2}}')
    found = play(twins, {"Treble": 3.0}, preset_path=str(preset), cc=("7=volume",), seconds=0.2)
    assert found["setting"] == {"Volume": 9, "Treble": 3}
    assert (found["twin"], found["controllers"]) == ("one", {7: "Volume"})
    assert "Played 0." in live.words(found)
    assert "--cc 7=Volume" in live.words(found)


@pytest.mark.parametrize("word", ["volume", "volume=7", "128=volume", "7=presence", "=volume"])
def test_a_controller_of_another_form_is_refused(twins: dict[str, Path], word: str) -> None:
    with pytest.raises(BadInput, match=r"--cc goes as in 20=volume.*volume, treble, input-db"):
        play(twins, {}, twins=("one",), cc=(word,))


def test_a_range_is_refused() -> None:
    assert one_setting(["--volume", "2", "--treble=8"], PANEL) == {"Volume": 2, "Treble": 8}
    with pytest.raises(BadInput, match="Volume takes one value here"):
        one_setting(["--volume", "2:8"], PANEL)


def test_cards_are_listed_in_words(monkeypatch: pytest.MonkeyPatch, twins: dict[str, Path]) -> None:
    fake = FakeRtMidi()
    monkeypatch.setitem(sys.modules, "rtmidi", fake)
    portaudio(monkeypatch, [SOLO])
    text = live.words(play(twins, {}, only_list=True))
    assert text.splitlines() == [
        "0: Solo (ALSA), 1 in, 1 out, 44100 Hz",
        "MIDI inputs: Synth 16:0, Pedal 20:0",
    ]
    portaudio(monkeypatch, [])
    assert "No sound card: plug in" in live.words(play(twins, {}, only_list=True))


@pytest.mark.parametrize("end", ["crash", "SIGINT", "SIGTERM", "SIGHUP", "clock"])
def test_however_it_ends_the_terminal_and_the_card_are_given_back(
    terminal: int, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import termios

    looks, closed = [], []

    def look(keys: list[str]) -> None:
        looks.append(keys)
        if len(looks) == 5 and end == "crash":
            raise ZeroDivisionError
        if len(looks) == 5 and end != "clock":
            os.kill(os.getpid(), getattr(signal, end))

    rig: Any = types.SimpleNamespace(
        look=look, quit=False, close=lambda: closed.append(1), picture=lambda: "the panel"
    )
    rig.summary, rig.wishes = lambda: {"looks": len(looks)}, Wishes(seconds=0.3)
    modes, handler = termios.tcgetattr(terminal), signal.getsignal(signal.SIGTERM)
    console = Console(force_terminal=True)
    if end == "crash":
        with pytest.raises(ZeroDivisionError):
            live.run(rig, console)
    else:
        looked = live.run(rig, console)["looks"]
        assert looked == 5 if end != "clock" else looked > 5
    screen = capsys.readouterr().out
    assert "the panel" in screen
    assert screen.rindex("\x1b[?1049l") > screen.rindex("\x1b[?1049h")
    assert screen.rindex("\x1b[?25h") > screen.rindex("\x1b[?25l")
    assert (termios.tcgetattr(terminal), signal.getsignal(signal.SIGTERM)) == (modes, handler)
    assert closed == [1]
