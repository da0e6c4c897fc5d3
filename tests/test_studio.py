"""The whole evening through a fake card round the real circuit: plan, capture, check, go on."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tubetwin import amp, cli, inspection, schedule, studio, twin
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


def test_a_session_copied_elsewhere_trains_there(
    recorded: tuple[Path, Player], tmp_path: Path
) -> None:
    """On a machine without the original: it is out of the way, and a process of its own trains."""
    here = Session.load(recorded[0])
    shutil.copytree(recorded[0], tmp_path / "copy")
    away = recorded[0].rename(recorded[0].with_name("away"))
    try:
        there = Session.load(tmp_path / "copy")
        assert (there.takes, there.knobs, there.levels) == (here.takes, here.knobs, here.levels)
        assert not inspection.inspect(tmp_path / "copy").findings
        words = ["train", "copy", "--size", "nano", "--minutes", "0.05", "--threads", "1"]
        done = subprocess.run(
            [sys.executable, "-m", "tubetwin.cli", *words, "-o", "my.twin"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        away.rename(recorded[0])
    assert done.returncode == 0, done.stderr
    assert twin.load(tmp_path / "my.twin").knobs == here.knobs


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


def test_an_amp_without_knobs_repeats_its_first_take() -> None:
    """All of its takes have one setting."""
    made = schedule.schedule("fixed", [], 3, seconds=1, seed=1)
    takes, seeds = studio._takes(made)
    assert takes[-1] == replace(takes[0], file=takes[-1].file)
    assert len(seeds) == len(takes) - 1


def test_of_three_takes_of_a_setting_two_outvote_the_one_with_another_knob(
    recorded: tuple[Path, Player], tmp_path: Path
) -> None:
    folder = tmp_path / "session"
    shutil.copytree(recorded[0], folder)
    before = Session.load(folder)
    again = before.takes[2]
    other = {**again.setting, "Volume": (again.setting["Volume"] + 5) % 9 + 1}
    for number, knobs in enumerate((other, again.setting), start=len(before.takes) + 1):
        schedule.extend(folder, [again.setting])
        player = Player(tmp_path / "card", folder)

        def turn(asked: int, words: str, number: int = number, knobs: Any = knobs) -> str:
            assert asked == number
            (tmp_path / "card" / "knobs.json").write_text(json.dumps(knobs))
            return ""

        assert player.play(turn) == 0, "".join(player.said)
        report = inspection.inspect(folder)
        (finding,) = report.findings
        assert finding.take == f"takes/{len(before.takes) + 1:04}.wav"
        assert finding.kind == ("unsteady" if knobs == other else "odd")
        if knobs == other:
            assert again.file in finding.what
            assert report.unsure[0] == again  # a third one decides
    assert [take.file for take in report.refused] == [finding.take]
    assert report.floor_esr < 1e-3
    session = Session.load(folder)
    assert session.takes[-1] == replace(again, file=session.takes[-1].file)
    assert np.array_equal(session.whole_di, before.whole_di)


DEATHS: list[dict[str, str]] = [
    {"file": "session.json.partial", "when": "before"},
    {"file": "di.wav", "when": "before"},
    {"take": "1"},
    {"file": "raw/0001.wav", "when": "after"},
    {"file": "takes/0001.wav", "when": "before"},
    {"file": "takes/0001.wav", "when": "after"},
    {"take": "4"},
    {"file": "takes/0008.wav", "when": "after"},
    {"file": "session.json", "when": "before"},
    {"file": "session.json", "when": "after"},
]


def test_a_capture_killed_anywhere_loses_at_most_the_take_being_recorded(tmp_path: Path) -> None:
    """One evening, killed at every kind of moment, one after another, and gone on with."""
    folder, card = tmp_path / "session", tmp_path / "card"
    plan(folder)

    def whole() -> dict[str, tuple[int, bytes]]:
        takes = sorted((folder / "takes").glob("[0-9]*.wav"))
        return {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in takes}

    for death in DEATHS:
        before, asked = whole(), list[int]()
        card.mkdir(exist_ok=True)
        (card / "kill.json").unlink(missing_ok=True)
        if "file" in death:
            (card / "kill.json").write_text(json.dumps(death))
        player = Player(card, folder, "--no-loopback")

        def key(
            number: int, words: str, asked: list[int] = asked, death: dict[str, str] = death
        ) -> str:
            asked.append(number)
            if str(number) == death.get("take"):
                (card / "fault.json").write_text(json.dumps({"kind": "killed"}))
            return ""

        assert player.play(key) == -signal.SIGKILL, (death, "".join(player.said))
        after = whole()
        assert before.items() <= after.items()  # what was whole stays, untouched
        assert [*asked] == list(range(len(before) + 1, len(before) + 1 + len(asked)))
        assert len(after) >= len(before) + len(asked) - 1, death  # the one being recorded at most
        if death != DEATHS[-1]:
            with pytest.raises(cli.BadInput, match=r"interrupted|no session folder"):
                Session.load(folder)
    (card / "kill.json").unlink()
    again = Player(card, folder, "--no-loopback")
    assert again.play() == 2
    assert "is recorded" in "".join(again.said)
    assert not list(folder.rglob(".*.wav"))  # what was half written
    report = inspection.inspect(folder)
    assert len(report.session.takes) == 8
    assert not report.findings
    assert report.floor_esr is not None
    assert report.floor_esr < 1e-4  # first and last take, of different sittings, lie alike


def test_two_captures_on_one_session_are_refused(tmp_path: Path) -> None:
    plan(tmp_path / "session")
    player = Player(tmp_path / "card", tmp_path / "session", "--no-loopback")
    while not player.hear().startswith("Take 1 of"):
        assert player.process.poll() is None
    rival = Player(tmp_path / "card", tmp_path / "session", "--no-loopback")
    assert rival.play() == 2
    assert "another capture is writing" in "".join(rival.said)
    player.press("q")
    assert player.play() == 0
    assert (
        Player(tmp_path / "card", tmp_path / "session", "--no-loopback").play(lambda *_: "q") == 0
    )
