"""Keys and controllers turn what they should, and the terminal is given back as it was."""

import os

import pytest

from live_stage import PANEL
from tubetwin import panel
from tubetwin.desk import Desk
from tubetwin.files import BadInput
from tubetwin.knobs import Knob
from tubetwin.preset import Preset


def test_keys_are_told_apart_however_they_arrive() -> None:
    assert panel.keys("a\x1b[A\x1bOB\x1b[C\x1b[D5\x1b[5~\x1b[6~q") == [
        *("a", "up", "down", "right", "left", "5", "page up", "page down", "q")
    ]
    assert panel.keys("\x1b[15~x\x1b[1;5Cy\x1b") == ["x", "y"]


def test_arrows_choose_and_turn_within_the_travel() -> None:
    desk = Desk(PANEL)
    assert desk.setting == {"Volume": 5, "Treble": 4}
    for key in ("right", "page up", "down", "page down", "left"):
        assert desk.press(key)
    assert desk.setting == {"Volume": pytest.approx(6.1), "Treble": pytest.approx(2.9)}
    for _ in range(20):
        desk.press("page up")
    assert desk.setting["Treble"] == 10
    desk.press("3")
    assert desk.setting["Treble"] == 3
    desk.press("down")
    desk.press("right")
    assert desk.gains_db == (pytest.approx(0.8), 0)
    assert not desk.press("t")


def test_midi_turns_what_it_has_learned() -> None:
    desk = Desk(PANEL, {20: "Treble"})
    desk.move(20, 127)
    desk.move(99, 127)
    assert desk.setting == {"Volume": 5, "Treble": 10}
    desk.press("l")
    desk.move(7, 0)
    assert desk.setting["Volume"] == 0
    assert desk.controllers == {20: "Treble", 7: "Volume"}
    desk.move(7, 64)
    assert desk.setting["Volume"] == pytest.approx(64 / 12.7, abs=0.01)


def test_another_twin_keeps_the_knobs_it_shares() -> None:
    desk = Desk(PANEL)
    desk.press("9")
    desk.fit((Knob("Volume", 0, 7), Knob("Cut", 0, 1, 0.5)))
    assert desk.setting == {"Volume": 7, "Cut": 0.5}
    desk.call_up(Preset("x", knobs={"cut": 0.1}, input_db=3))
    assert desk.setting == {"Volume": 5, "Cut": 0.1}
    assert desk.gains_db == (3, 0)
    with pytest.raises(BadInput, match="no knob called 'treble'"):
        desk.call_up(Preset("x", knobs={"Treble": 1}))


def test_the_terminal_is_as_before_even_after_a_crash(terminal: int) -> None:
    import termios

    def play() -> None:
        with panel.Keyboard() as keyboard:
            assert termios.tcgetattr(terminal) != before
            os.write(terminal, b"\x1b[Aq")
            assert keyboard.pressed(1.0) == ["up", "q"]
            assert keyboard.pressed(0.0) == []
            raise ZeroDivisionError

    before = termios.tcgetattr(terminal)
    with pytest.raises(ZeroDivisionError):
        play()
    assert termios.tcgetattr(terminal) == before


def test_without_a_terminal_there_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115
    with panel.Keyboard() as keyboard:
        assert keyboard.pressed(0.0) == []
