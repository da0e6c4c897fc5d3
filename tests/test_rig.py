"""A guitarist at the amp: what keys turn is what sounds, and what is seen and recorded is true."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from rich.console import Console

from live_stage import BLOCK, BRIGHT, RATE, FakeCard, make_rig, until
from tubetwin.engine import render
from tubetwin.files import BadInput
from tubetwin.preset import Preset, load
from tubetwin.recorder import Recorder
from tubetwin.rig import Rig


def drawn(rig: Rig) -> str:
    console = Console(width=100, force_terminal=False)
    with console.capture() as capture:
        console.print(rig.picture())
    return capture.get()


def test_keys_turn_what_sounds(card: FakeCard, twins: dict[str, Path]) -> None:
    card.sound = np.full((BLOCK, 1), 0.3, np.float32)
    rig = make_rig(card, twins)
    levels: list[float] = []
    collect = rig.keeper.collect

    def listen() -> Any:
        reports = collect()
        levels.extend(float(report.heard[-1, 1]) for report in reports if len(report.heard))
        return reports

    rig.keeper.collect = listen  # type: ignore[method-assign]

    def sounds_as(name: str, setting: dict[str, float], cabinet: Any = None) -> Callable[[], bool]:
        steady = render(twins[name], np.full(4000, 0.3, np.float32), setting, cabinet)[-1]

        def done() -> bool:
            rig.look([])
            return bool(levels) and abs(levels[-1] - steady) < 1e-5

        return done

    until(sounds_as("one", {"Volume": 5, "Treble": 4}))
    rig.look(["page up", "page up"])
    until(sounds_as("one", {"Volume": 7, "Treble": 4}))
    rig.look(["t"])
    until(sounds_as("two", {"Volume": 7, "Cut": 5}))
    rig.look(["c", "right"])
    until(sounds_as("two", {"Volume": 7.1, "Cut": 5}, BRIGHT))
    rig.look(["t", "t", "q"])
    assert rig.quit
    until(sounds_as("two", {"Volume": 7.1, "Cut": 5}, BRIGHT))
    assert rig.summary()["twin"] == "two"
    assert rig.summary()["restarts"] == 0
    rig.close()


def test_a_broken_twin_leaves_the_old_one_playing(
    card: FakeCard, twins: dict[str, Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.twin"
    broken.write_bytes(twins["one"].read_bytes()[:-100])
    rig = make_rig(card, twins)
    rig.choose(str(broken), None)
    assert "broken.twin" in rig.message
    assert rig.title == "one, no cabinet"
    assert rig.keeper.order.twin == str(twins["one"])
    rig.close()


def test_nothing_clips_unseen(card: FakeCard, twins: dict[str, Path]) -> None:
    card.sound = np.ones((BLOCK, 1), np.float32)
    rig = make_rig(card, twins)
    for _ in range(3):
        rig.desk.press("down")
    rig.look(["9"])  # +32 dB of output

    def both() -> bool:
        rig.look([])
        return all(meter.clipped for meter in rig.meters)

    until(both)
    text = drawn(rig)
    assert "turn input down" in text
    assert "turn output down" in text
    assert rig.summary()["clipped_samples"]["output"] > 0
    card.sound = np.zeros((BLOCK, 1), np.float32)
    rig.look(["0"])
    time.sleep(0.3)
    rig.look([])
    rig.look(["x"])
    assert "down" not in drawn(rig)
    rig.close()


def test_the_panel_shows_notes_levels_and_trouble(card: FakeCard, twins: dict[str, Path]) -> None:
    card.sound = np.sin(2 * np.pi * 375 * np.arange(BLOCK) / RATE)[:, None].astype(np.float32)
    card.sound *= 0.25  # one period of 128 samples: F#4, 23 cents sharp; -12 dBFS
    rig = make_rig(card, twins, controllers={20: "Treble"})

    def tuned() -> bool:
        rig.look([])
        return rig._recent is not None and "F#4 +23 cents" in drawn(rig)

    until(tuned)
    text = drawn(rig)
    assert "-12.0 dBFS" in text
    assert "MIDI 20" in text
    assert "latency 3.0 ms" in text
    rig.look(["l"])
    assert "move a MIDI controller" in drawn(rig)
    rig.keeper.trouble = "no card"
    assert "NO SOUND: no card" in drawn(rig)
    rig.close()


def test_a_sound_is_saved_and_called_up_again(
    card: FakeCard, twins: dict[str, Path], tmp_path: Path
) -> None:
    rig = make_rig(card, twins, save_as=tmp_path / "lead.json")
    rig.look(["8", "s"])
    assert load(tmp_path / "lead.json") == Preset("one", None, {"Volume": 8, "Treble": 4})
    rig.close()


# ---- Recording ---------------------------------------------------------------------------------


def test_a_recording_is_what_was_heard(
    card: FakeCard, twins: dict[str, Path], tmp_path: Path
) -> None:
    card.sound = np.random.default_rng(0).normal(0, 0.1, (BLOCK, 1)).astype(np.float32)
    path = tmp_path / "solo.wav"
    rig = make_rig(card, twins, record=path)

    def enough() -> bool:
        rig.look([])
        return rig.summary()["seconds"] > 0.3

    until(enough)
    assert not path.exists()
    rig.close()
    amp, rate = soundfile.read(path, dtype="float32")
    dry, _ = soundfile.read(tmp_path / "solo-di.wav", dtype="float32")
    assert rate == RATE
    assert len(dry) == len(amp) > 0.3 * RATE
    assert np.abs(amp - render(twins["one"], dry, {})).max() < 1e-6


def test_a_recording_ends_where_the_card_comes_back_at_another_rate(
    card: FakeCard, twins: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "solo.wav"
    rig = make_rig(card, twins, record=path)

    def looked(done: Callable[[], bool]) -> Callable[[], bool]:
        return lambda: bool(rig.look([]) or done())

    until(looked(lambda: rig.summary()["seconds"] > 0.1))
    card.plugged = False
    until(looked(lambda: bool(rig.keeper.trouble)))
    card.plugged, card.rate_hz = True, 44100
    until(looked(lambda: "recording has ended" in rig.message))
    assert soundfile.info(path).samplerate == RATE
    rig.close()


def test_recordings_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    for path in (tmp_path / "solo.mp3", tmp_path / "missing" / "solo.wav"):
        with pytest.raises(BadInput, match="cannot"):
            Recorder(path, RATE)
    (tmp_path / "solo.wav").mkdir()
    assert [p.name for p in tmp_path.iterdir()] == ["solo.wav"]
