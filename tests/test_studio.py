"""The whole evening through a fake card round the real circuit: plan, capture, check, go on."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tubetwin import amp, cli, inspection, schedule, twin
from tubetwin.session import Session, Take
from tubetwin.solver import Solver

RATE_HZ = 48000
LATENCY, BLOCK = 300, 512
KNOBS = ["Volume=1:10", "Treble", "Bass", "Mid-Bite"]


def plan(folder: Path, settings: int = 1, seconds: float = 1.0) -> None:
    words = ["plan", "--rig", "the circuit", "--settings", settings, "--seconds", seconds]
    for knob in KNOBS:
        words += ["--knob", knob]
    assert cli.main([*map(str, words), "-o", str(folder)]) == 0


class Player:
    """Somebody at the amp: reads each prompt, turns the knobs as it says, presses keys."""

    def __init__(self, place: Path, session: Path, *options: str, **rig: Any) -> None:
        self.place, self.session = place, session
        place.mkdir(exist_ok=True)
        (place / "rig.json").write_text(json.dumps({"latency_samples": LATENCY, "gain": 0.9} | rig))
        path = os.pathsep.join([str(Path(__file__).parent / "fake_card"), *sys.path])
        words = ["capture", str(session), "--block", str(BLOCK), *options]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tubetwin.cli", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=os.environ | {"PYTHONPATH": path, "FAKE_CARD": str(place), "COLUMNS": "300"},
        )
        self.said: list[str] = []

    def hear(self) -> str:
        """The next line on the screen; "" at the end."""
        assert self.process.stderr
        self.said.append(self.process.stderr.readline())
        return self.said[-1].strip()

    def press(self, key: str = "") -> None:
        assert self.process.stdin
        self.process.stdin.write(key + "\n")
        self.process.stdin.flush()

    def play(self, key: Callable[[int, str], str] = lambda number, words: "") -> int:
        """Do as asked until the end; `key` says what to press at a take's prompt."""
        while line := self.hear():
            if line.startswith("Connect the output"):
                (self.place / "cable").touch()
                self.press()
            elif line.startswith("Now connect"):
                (self.place / "cable").unlink()
                self.press()
            elif asked := re.match(r"Take (\d+) of \d+: (.*); Enter", line):
                values = dict(word.rsplit(" ", 1) for word in asked[2].split(", "))
                (self.place / "knobs.json").write_text(
                    json.dumps({name: float(value) for name, value in values.items()})
                )
                self.press(key(int(asked[1]), asked[2]))
        return self.process.wait()


def direct(session: Session, take: Take, gain: float = 0.9) -> np.ndarray:
    """The same passage through the same circuit, without a card and without what came before."""
    solver = Solver(amp.circuit(), amp.pots_at(take.setting), 1 / RATE_HZ, ("out",))
    from tubetwin import reamp

    play = reamp.play(session.di(take), RATE_HZ)
    sound = solver.run(play.samples.astype(float))[:, 0] / amp.FULL_SCALE_VOLTS
    return np.clip(gain * sound[play.start_samples :][: play.length_samples], -1, 1)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Player]:
    """An evening with two mishaps: a dropout, and a gain that clipped."""
    place = tmp_path_factory.mktemp("evening")
    plan(place / "session")
    player = Player(place / "card", place / "session", "--output-dbu", "4", "--input-dbu", "10")
    tries: dict[int, int] = {}

    def key(number: int, words: str) -> str:
        tries[number] = tries.get(number, 0) + 1
        if number in (2, 4) and tries[number] == 1:
            fault = {"kind": "silent"} if number == 2 else {"gain": 30.0}
            (place / "card" / "fault.json").write_text(json.dumps(fault))
        return "b" if number == 6 and tries[number] == 1 else ""

    assert player.play(key) == 0, "".join(player.said)
    return place / "session", player


def test_an_evening_gives_a_session_that_equals_the_amp(recorded: tuple[Path, Player]) -> None:
    folder, _ = recorded
    session = Session.load(folder)
    assert len(session.takes) == 1 + 2 + 4 + 1
    for take in session.takes:
        sound, own = session.recording(take), direct(session, take)
        error = np.sum((sound - own) ** 2) / np.sum(own**2)
        assert error < 2e-4, (take.file, error)  # the card's hum and noise
    sitting = json.loads((folder / "sittings.json").read_text())[0]
    assert sitting["latency_samples"] == pytest.approx(LATENCY + BLOCK, abs=0.05)
    assert sitting["gain_db"] == pytest.approx(20 * np.log10(0.9), abs=0.05)
    assert session.levels == pytest.approx(
        {"input_full_scale_volts": 1.736, "output_full_scale_volts": 3.464}, rel=1e-3
    )


def test_mishaps_were_named_kept_aside_and_done_again(recorded: tuple[Path, Player]) -> None:
    folder, player = recorded
    said = "".join(player.said)
    assert "refused: takes/0002.wav: silent" in said
    assert "refused: takes/0004.wav: clipped" in said
    aside = {path.name for path in (folder / "aside").iterdir()}
    assert aside == {"0002-1.wav", "0002-1.txt", "0004-1.wav", "0004-1.txt"}
    assert said.count("Take 5 of") == 2  # b went back to it


def test_the_session_passes_its_check_and_knows_its_floor(recorded: tuple[Path, Player]) -> None:
    report = inspection.inspect(recorded[0])
    assert not report.findings
    assert report.floor_esr is not None
    assert report.floor_esr < 1e-4


def test_a_session_copied_elsewhere_is_the_same(
    recorded: tuple[Path, Player], tmp_path: Path
) -> None:
    shutil.copytree(recorded[0], tmp_path / "copy")
    here, there = Session.load(recorded[0]), Session.load(tmp_path / "copy")
    assert here.takes == there.takes
    assert str(recorded[0]) not in (tmp_path / "copy" / "session.json").read_text()


def test_a_session_copied_elsewhere_trains_there(
    recorded: tuple[Path, Player], tmp_path: Path
) -> None:
    """On a machine without the original: a process of its own, in another folder."""
    shutil.copytree(recorded[0], tmp_path / "copy")
    words = ["train", "copy", "--size", "nano", "--minutes", "0.05", "--threads", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "tubetwin.cli", *words, "-o", "my.twin"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert twin.load(tmp_path / "my.twin").knobs == Session.load(recorded[0]).knobs


def test_added_takes_are_asked_for_and_join_the_session(
    recorded: tuple[Path, Player], tmp_path: Path
) -> None:
    folder = tmp_path / "session"
    shutil.copytree(recorded[0], folder)
    before = Session.load(folder)
    again = Player(tmp_path / "card", folder, "--no-loopback")
    assert again.play() == 2
    assert "is recorded" in "".join(again.said)
    setting = {"Volume": 4.2, "Treble": 1.1, "Bass": 8.0, "Mid-Bite": 6.3}
    schedule.extend(folder, [setting])
    later = Player(tmp_path / "card", folder)
    asked: list[int] = []

    def note(number: int, words: str) -> str:
        asked.append(number)
        return ""

    assert later.play(note) == 0, "".join(later.said)
    assert asked == [len(before.takes) + 1]
    session = Session.load(folder)
    assert session.takes[:-1] == before.takes
    added = session.takes[-1]
    assert (dict(added.setting), added.split) == (setting, "train")
    assert np.array_equal(session.whole_di[: len(before.whole_di)], before.whole_di)
    own = direct(session, added)
    assert np.sum((session.recording(added) - own) ** 2) < 2e-4 * np.sum(own**2)


def test_a_killed_capture_loses_at_most_the_take_being_recorded(tmp_path: Path) -> None:
    plan(tmp_path / "session")
    player = Player(tmp_path / "card", tmp_path / "session", "--no-loopback")
    for number in (1, 2):
        while not (line := player.hear()).startswith(f"Take {number} of"):
            assert line
        values = dict(w.rsplit(" ", 1) for w in line.split(": ")[1].split("; ")[0].split(", "))
        (tmp_path / "card" / "knobs.json").write_text(
            json.dumps({name: float(value) for name, value in values.items()})
        )
        player.press()
    time.sleep(0.2)
    rival = Player(tmp_path / "card", tmp_path / "session", "--no-loopback")
    assert rival.play() == 2
    assert "another capture is writing" in "".join(rival.said)
    player.process.send_signal(signal.SIGKILL)
    player.process.wait()
    takes = tmp_path / "session" / "takes"
    assert "0001.wav" in {path.name for path in takes.iterdir()}
    kept = (takes / "0001.wav").stat().st_mtime_ns
    with pytest.raises(cli.BadInput, match="interrupted"):
        Session.load(tmp_path / "session")
    again = Player(tmp_path / "card", tmp_path / "session", "--no-loopback")
    asked: list[int] = []

    def stop_after_one(number: int, words: str) -> str:
        asked.append(number)
        return "" if len(asked) == 1 else "q"

    assert again.play(stop_after_one) == 0, "".join(again.said)
    assert asked[0] in (2, 3)  # the second take may have been whole
    assert (takes / "0001.wav").stat().st_mtime_ns == kept
    assert "the same command goes on" in "".join(again.said)
