"""A session's takes are judged by each other, and the bad ones are taken out but not lost.

`make thorough` sets TUBETWIN_THOROUGH=1 and tries each fault on 20 sessions; otherwise on one.
"""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from tubetwin import audio, cli, inspection, neighbours, reamp, schedule
from tubetwin.alignment import moved
from tubetwin.knobs import Knob
from tubetwin.session import Session, Take

RATE_HZ = 16000
LENGTH = 2 * RATE_HZ
PANEL = (Knob("Volume"), Knob("Tone"))
SEEDS = range(20 if os.environ.get("TUBETWIN_THOROUGH") else 1)


def amp(di: np.ndarray, volume: float, tone: float) -> np.ndarray:
    """A made-up amp whose sound moves smoothly with its knobs."""
    dark = lfilter([1 - 0.08 * tone], [1, -0.08 * tone], di)
    return np.asarray(0.3 * np.tanh(10 ** (volume / 8) * dark), np.float32)


@pytest.fixture
def seed() -> int:
    """Of the session; a test may ask for others."""
    return 0


@pytest.fixture
def session(tmp_path: Path, seed: int) -> Session:
    """Eight takes, one of them done again, with some hiss."""
    rng = np.random.default_rng(4 + seed)
    colour = lfilter([1], [1, -0.7], rng.standard_normal(8 * LENGTH))
    di = (0.1 * colour).astype(np.float32)
    splits = ["train"] * 5 + ["validation", "test", "train"]
    takes = []
    (tmp_path / "takes").mkdir()
    for i, split in enumerate([*splits, "train"], start=1):
        again = i == 9
        setting = {"Volume": 1.0, "Tone": 8.0} if again else {"Volume": i, "Tone": 9.0 - i}
        start = 0 if again else (i - 1) * LENGTH
        take = Take(f"takes/{i:04}.wav", setting, split, start, LENGTH)
        sound = amp(di[start : start + LENGTH], setting["Volume"], setting["Tone"])
        hiss = 1e-4 * rng.standard_normal(LENGTH)
        audio.write(tmp_path / take.file, sound + hiss, RATE_HZ)
        takes.append(take)
    audio.write(tmp_path / "di.wav", di, RATE_HZ)
    session = Session(tmp_path, "made up", RATE_HZ, PANEL, tuple(takes))
    session.save()
    return session


def edit(session: Session, seed: int, change: str) -> str:
    """Spoil one take, any but those of one setting. Returns its file."""
    rng = np.random.default_rng([seed, 1])
    index = int(rng.integers(1, 5))  # of five to train on: each split keeps one
    take = session.takes[index]
    path = session.folder / take.file
    sound = session.recording(take)
    if change == "missing":
        path.unlink()
    elif change == "another rate":
        audio.write(path, sound, 2 * RATE_HZ)
    else:
        spoilt = {
            "upside down": -sound,
            "late": moved(sound, rng.choice([-1, 1]) * rng.uniform(4, 60), 0.0, 0.0, LENGTH),
            "double": session.recording(session.takes[index - 1]),
            "cut off": sound[: round(rng.uniform(0.3, 0.85) * LENGTH)],
        }[change]
        audio.write(path, spoilt, RATE_HZ)
    return take.file


def test_a_good_session_passes_and_knows_its_floor(session: Session) -> None:
    report = inspection.inspect(session.folder)
    assert not report.findings
    sound = session.recording(session.takes[0])
    hiss = 2 * 1e-8 / np.mean(sound**2)
    assert report.floor_esr == pytest.approx(hiss, rel=0.1)


CHANGES = {
    "missing": "unreadable",
    "another rate": "wrong rate",
    "upside down": "polarity",
    "late": "latency",
    "double": "duplicate",
    "cut off": "cut off",
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_bad_take_is_named_and_set_aside(
    session: Session, seed: int, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = edit(session, seed, change)
    assert cli.main(["check", str(session.folder), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["refused"] == [file]
    row = next(row for row in report["takes"] if row["file"] == file)
    assert CHANGES[change] in [finding["kind"] for finding in row["findings"]]
    assert all(finding["mend"] for finding in row["findings"])
    assert cli.main(["check", str(session.folder), "--set-aside"]) == 0
    left = Session.load(session.folder)
    assert len(left.takes) == len(session.takes) - 1
    assert file not in [take.file for take in left.takes]
    aside = session.folder / "aside"
    assert (aside / Path(file).name).exists() == (change != "missing")
    assert CHANGES[change] in (aside / "reasons.json").read_text()
    assert cli.main(["check", str(session.folder)]) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_an_amp_that_does_not_repeat_itself_is_named(session: Session, seed: int) -> None:
    take = session.takes[8]
    sound = session.recording(take)
    gain = 1.2 + 0.02 * seed
    audio.write(session.folder / take.file, gain * sound, RATE_HZ)
    report = inspection.inspect(session.folder)
    assert [(f.kind, f.take) for f in report.findings] == [("unsteady", take.file)]
    assert report.floor_esr == pytest.approx((gain - 1) ** 2, rel=0.05)
    assert not report.refused


@pytest.mark.parametrize("seed", SEEDS)
def test_two_takes_of_a_setting_outvote_a_third(session: Session, seed: int) -> None:
    """The knob of one stood elsewhere."""
    rng = np.random.default_rng([seed, 2])
    pair = session.takes[0], session.takes[8]
    di, odd = session.di(pair[0]), pair[int(rng.integers(2))]

    def record(file: str, volume: float) -> None:
        sound = amp(di, volume, pair[0].setting["Tone"]) + 1e-4 * rng.standard_normal(LENGTH)
        audio.write(session.folder / file, sound, RATE_HZ)

    record(odd.file, pair[0].setting["Volume"] + rng.uniform(3, 9))
    record("takes/0010.wav", pair[0].setting["Volume"])
    replace(session, takes=(*session.takes, replace(pair[0], file="takes/0010.wav"))).save()
    report = inspection.inspect(session.folder)
    assert [(f.kind, f.take) for f in report.findings] == [("odd", odd.file)]
    assert [take.file for take in report.refused] == [odd.file]
    assert report.floor_esr is not None
    assert report.floor_esr < 1e-3


def test_the_least_sure_takes_are_asked_for_again(
    session: Session,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["plan", "--again", str(session.folder), "-k", "3", "--json"]
    assert cli.main(words) == 2
    assert "too few takes" in capsys.readouterr().err
    monkeypatch.setattr(neighbours, "FEWEST", 5)
    assert cli.main(words) == 0
    said = capsys.readouterr()
    rows = json.loads(said.out)
    assert "import them" in said.err
    controls = [schedule.control(word) for word in ("Volume", "Tone")]
    made = schedule.schedule("made up", controls, 8, seconds=2, seed=3, sample_rate_hz=RATE_HZ)
    plan = schedule.save(made, tmp_path / "plan")
    (session.folder / schedule.FILE).write_bytes(plan.read_bytes())
    assert cli.main(words) == 0
    assert json.loads(capsys.readouterr().out) == rows
    added = schedule.load(session.folder).added
    assert len(added) == 3
    assert all(row["setting"] in added for row in rows)
    assert not {"takes/0001.wav", "takes/0009.wav"} & {row["file"] for row in rows}  # they agree
    assert cli.main([*words, "--next", str(session.folder)]) == 2
    assert "one at a time" in capsys.readouterr().err


def test_a_label_that_fits_another_sound_is_doubted() -> None:
    """Smooth features over a panel of two knobs, one label far from where it belongs."""
    rng = np.random.default_rng(2)
    settings = rng.uniform(size=(40, 2))
    slopes = rng.normal(0, 12, (2, 19))
    features = settings @ slopes + 3 * np.sin(3 * settings) @ rng.normal(0, 1, (2, 19))
    features += rng.normal(0, 0.1, features.shape)
    assert neighbours.misfits(settings, features) == []
    wrong = settings.copy()
    wrong[7] = (wrong[7] + 0.5) % 1
    first, second, *_ = neighbours.doubts(wrong, features)
    assert first.take == 7
    assert first.doubts > 2 * second.doubts
    (misfit,) = neighbours.misfits(wrong, features)
    assert misfit.take == 7
    assert np.abs(misfit.rather - settings[7]).max() < 0.15


def test_labels_are_judged_where_the_calibration_plays_its_noise() -> None:
    """Each stretch has the loudness it is said to have; the loudest has its peaks rounded off."""
    played = reamp.calibration(48000)
    for at, level_db in zip(reamp.steps(48000), reamp.STEPS_DB, strict=True):
        assert audio.rms_dbfs(played[at]) == pytest.approx(level_db, abs=1.2)
