"""A session keeps its takes and their passages together, and keeps the judges out of training."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tubetwin import audio
from tubetwin.files import BadInput
from tubetwin.knobs import Knob
from tubetwin.segments import Segments
from tubetwin.session import Session, Take, joined

RATE_HZ = 8000
LENGTH = 600  # samples of a take
DELAY = 5  # samples that the made-up amp answers late


def amp(di: np.ndarray, volume: float) -> np.ndarray:
    """y[t] = volume x[t - 5]: a window that slips by one sample shows."""
    late = np.concatenate([np.zeros(DELAY, np.float32), di[:-DELAY]])
    return np.float32(volume) * late


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """Four takes to train on and two to judge by, each with a passage and a volume of its own."""
    di = np.random.default_rng(1).uniform(-1, 1, 6 * LENGTH).astype(np.float32)
    splits = ("train", "train", "validation", "train", "test", "train")
    takes = []
    (tmp_path / "takes").mkdir()
    for i, split in enumerate(splits):
        take = Take(f"takes/{i + 1:04}.wav", {"Volume": i + 1.0}, split, i * LENGTH, LENGTH)
        takes.append(take)
        played = di[take.start_samples : take.end_samples]
        audio.write(tmp_path / take.file, amp(played, i + 1.0), RATE_HZ)
    audio.write(tmp_path / "di.wav", di, RATE_HZ)
    levels = {"input_full_scale_volts": 1.0, "output_full_scale_volts": 40.0}
    session = Session(
        tmp_path, "a made-up amp", RATE_HZ, (Knob("Volume"),), tuple(takes), seed=7, levels=levels
    )
    session.save()
    return session


def describe(session: Session, edit: Callable[[dict[str, Any]], object]) -> Path:
    """Change session.json behind the session's back."""
    path = session.folder / "session.json"
    description = json.loads(path.read_text())
    edit(description)
    path.write_text(json.dumps(description))
    return session.folder


# ---- On disk -----------------------------------------------------------------------------------


def test_a_round_trip_keeps_everything(session: Session) -> None:
    again = Session.load(session.folder)
    assert again == session
    for take in again.takes:
        di, recording = again.di(take), again.recording(take)
        assert di.dtype == recording.dtype == np.float32
        assert np.array_equal(recording, amp(di, take.setting["Volume"]))
        assert again.setting(take) == pytest.approx(take.setting["Volume"] / 10)
    assert [len(again.of(split)) for split in ("train", "validation", "test")] == [4, 1, 1]


def take_3(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda description: description["takes"][3].update(changes)


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another format": (lambda d: d.update(format=2), "format 2"),
    "no format": (lambda d: d.pop("format"), "format None"),
    "no rig": (lambda d: d.pop("rig"), "lacks 'rig'"),
    "no takes": (lambda d: d.update(takes=[]), "no takes"),
    "takes no list": (lambda d: d.update(takes={"a": 1}), "'takes'"),
    "a take no object": (lambda d: d.update(takes=[1]), "take 0 lacks 'file'"),
    "rate as text": (lambda d: d.update(sample_rate_hz="8 kHz"), "'sample_rate_hz'"),
    "another rate": (lambda d: d.update(sample_rate_hz=48000), "di.wav must be mono at 48000 Hz"),
    "knob without range": (lambda d: d["knobs"][0].pop("maximum"), "lacks 'maximum'"),
    "knobs of one name": (lambda d: d["knobs"].append(d["knobs"][0]), "two knobs of one name"),
    "DI elsewhere": (lambda d: d.update(di="../di.wav"), "inside the session folder"),
    "DI missing": (lambda d: d.update(di="none.wav"), "none.wav is missing"),
    "level as text": (lambda d: d.update(levels={"input_full_scale_volts": "1"}), "_volts'"),
    "level negative": (
        lambda d: d["levels"].update(output_full_scale_volts=-40),
        "positive voltages",
    ),
    "shared as number": (lambda d: d.update(shared_passages=1), "'shared_passages'"),
    "take elsewhere": (take_3(file="/etc/passwd"), "inside the session folder"),
    "take missing": (take_3(file="takes/0009.wav"), "0009.wav is missing"),
    "take no sound": (take_3(file="session.json"), "no sound file"),
    "take too short": (take_3(length_samples=601, start_samples=2999), "0004.wav is too short"),
    "passage beyond the DI": (take_3(start_samples=99999), "di.wav is too short"),
    "passage before the DI": (take_3(start_samples=-1), "from -1"),
    "passage empty": (take_3(length_samples=0), "0 samples"),
    "start with a half": (take_3(start_samples=1.5), "'start_samples'"),
    "unknown split": (take_3(split="practice"), "'practice'"),
    "knob left out": (take_3(setting={}), "'Volume'"),
    "unknown knob": (take_3(setting={"Volume": 1, "Gain": 3}), "'Gain'"),
    "knob out of range": (take_3(setting={"Volume": 11}), "not 11"),
    "knob not a number": (take_3(setting={"Volume": float("nan")}), "nan"),
    "knob true": (take_3(setting={"Volume": True}), "'Volume'"),
    "setting in two splits": (take_3(setting={"Volume": 5}), "0005.wav (test) have the same"),
    "passage in two splits": (take_3(start_samples=4 * LENGTH - 1, length_samples=2), "same part"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_description_is_refused(session: Session, case: str) -> None:
    edit, words = BROKEN[case]
    folder = describe(session, edit)
    with pytest.raises(BadInput) as error:
        Session.load(folder)
    assert words in str(error.value)
    assert str(folder) in str(error.value)


def test_what_is_no_session_is_refused(session: Session, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is no session folder"):
        Session.load(tmp_path / "nowhere")
    (tmp_path / "session.json").write_text("[" * 100_000)
    with pytest.raises(BadInput, match="as JSON"):
        Session.load(tmp_path)
    (tmp_path / "session.json").write_text("[]")
    with pytest.raises(BadInput, match="one JSON object"):
        Session.load(tmp_path)
    (tmp_path / "session.json").rename(tmp_path / "session.json.partial")
    with pytest.raises(BadInput, match="interrupted"):
        Session.load(tmp_path)


def test_a_take_that_is_cut_off_is_refused(session: Session) -> None:
    path = session.folder / "takes/0002.wav"
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(BadInput, match=r"0002\.wav"):
        Session.load(session.folder)


def test_a_stereo_take_is_refused(session: Session) -> None:
    audio.write(session.folder / "takes/0002.wav", np.zeros((LENGTH, 2)), RATE_HZ)
    with pytest.raises(BadInput, match=r"0002\.wav must be mono"):
        Session.load(session.folder)


def test_a_silent_take_is_refused_when_read_unless_its_di_is_silent(session: Session) -> None:
    take = session.takes[0]
    audio.write(session.folder / take.file, np.zeros(LENGTH), RATE_HZ)
    with pytest.raises(BadInput, match=r"0001\.wav is silent"):
        Session.load(session.folder).recording(take)
    audio.write(session.folder / "di.wav", np.zeros(6 * LENGTH), RATE_HZ)
    assert not Session.load(session.folder).recording(take).any()


def test_a_take_with_nan_is_refused_when_read(session: Session) -> None:
    sick = np.full(LENGTH, np.nan, np.float32)
    soundfile.write(session.folder / "takes/0001.wav", sick, RATE_HZ, "FLOAT")
    loaded = Session.load(session.folder)
    with pytest.raises(BadInput, match=r"0001\.wav"):
        loaded.recording(loaded.takes[0])
    with pytest.raises(BadInput, match=r"0001\.wav"):
        Segments(loaded, "train", 10, 10, seed=0)


# ---- Splits ------------------------------------------------------------------------------------


def test_one_short_di_for_all_takes_must_be_declared(session: Session) -> None:
    describe(session, lambda d: [take.update(start_samples=0) for take in d["takes"]])
    with pytest.raises(BadInput, match='"shared_passages": true'):
        Session.load(session.folder)
    describe(session, lambda d: d.update(shared_passages=True))
    loaded = Session.load(session.folder)
    assert loaded.shared_passages
    assert np.array_equal(loaded.di(loaded.takes[0]), loaded.di(loaded.takes[5]))


def test_training_takes_may_share_passages_and_settings(session: Session) -> None:
    describe(session, lambda d: d["takes"][1].update(start_samples=0, setting={"Volume": 1}))
    assert not Session.load(session.folder).shared_passages


def test_a_leak_is_found_behind_a_take_of_ones_own_split(session: Session) -> None:
    """A long training take reaches over a shorter one into a test take."""
    first, second = session.takes[0], session.takes[1]
    audio.write(session.folder / first.file, np.ones(5 * LENGTH), RATE_HZ)
    long = replace(first, length_samples=2 * LENGTH + 1)
    replace(session, takes=(long, second, *session.takes[2:])).save()
    with pytest.raises(BadInput, match=r"0001\.wav \(train\) and takes/0003\.wav \(validation\)"):
        Session.load(session.folder)


def test_an_amp_without_knobs_holds_out_passages_only(session: Session) -> None:
    bare = tuple(replace(take, setting={}) for take in session.takes)
    replace(session, knobs=(), takes=bare).save()
    segments = Segments(Session.load(session.folder), "train", 10, 10, seed=0)
    assert segments.draw(3).settings.shape == (3, 0)


# ---- Sessions together ---------


@pytest.fixture
def another(session: Session) -> Session:
    """The same amp on another evening: two takes to train on, of a DI that is longer than they."""
    folder = session.folder / "another"
    di = np.random.default_rng(2).uniform(-1, 1, 3 * LENGTH).astype(np.float32)
    (folder / "takes").mkdir(parents=True)
    audio.write(folder / "di.wav", di, RATE_HZ)
    takes = tuple(
        Take(f"takes/{i:04}.wav", {"Volume": i + 6.5}, "train", i * LENGTH, LENGTH)
        for i in range(2)
    )
    for take in takes:
        played = di[take.start_samples : take.end_samples]
        audio.write(folder / take.file, amp(played, take.setting["Volume"]), RATE_HZ)
    found = replace(session, folder=folder, takes=takes)
    found.save()
    return found


def test_joined_sessions_keep_every_take_with_its_own_passage(
    session: Session, another: Session
) -> None:
    both = joined(session, another, session)
    alone = [(s, take) for s in (session, another, session) for take in s.takes]
    assert len(both.takes) == len(alone)
    for (own, take), there in zip(alone, both.takes, strict=True):
        assert (there.setting, there.split) == (take.setting, take.split)
        assert np.array_equal(both.di(there), own.di(take))
        assert np.array_equal(both.recording(there), own.recording(take))
    drawn = Segments(both, "train", 37, 50, seed=3).draw(200)
    expected = 10 * drawn.settings * drawn.di[:, 37 - DELAY : -DELAY]
    assert drawn.recording == pytest.approx(expected, rel=1e-6)
    assert joined(session) == session
    assert not both.shared_passages
    assert joined(session, replace(another, shared_passages=True)).shared_passages


def test_sessions_of_different_amps_are_not_joined(session: Session, another: Session) -> None:
    stranger = replace(another, knobs=(Knob("Drive"),))
    with pytest.raises(BadInput, match="differ in their knobs"):
        joined(session, stranger)
    with pytest.raises(BadInput, match="differ in their levels"):
        joined(session, replace(another, levels=None))


def test_what_one_session_holds_out_no_other_may_teach(session: Session, another: Session) -> None:
    leaking = replace(another.takes[0], setting=session.of("test")[0].setting)
    with pytest.raises(BadInput, match=r"0005\.wav \(test\).*0000\.wav \(train\)"):
        joined(session, replace(another, takes=(leaking, another.takes[1])))


# ---- Segments ----------------------------------------------------------------------------------


def test_history_ends_where_the_targets_end(session: Session) -> None:
    history, target = 37, 50
    segments = Segments(session, "train", history, target, seed=3)
    di, recording, settings, take_index = segments.draw(200)
    assert di.shape == (200, history + target)
    assert recording.shape == (200, target)
    volumes = np.array([segments.takes[i].setting["Volume"] for i in take_index], np.float32)
    assert np.array_equal(settings, segments.settings[take_index])
    assert settings[:, 0] == pytest.approx(volumes / 10)
    expected = volumes[:, None] * di[:, history - DELAY : -DELAY]
    assert np.array_equal(recording, expected)


def test_windows_stay_inside_one_take_of_the_split_and_reach_its_ends(session: Session) -> None:
    segments = Segments(session, "train", LENGTH - 12, 10, seed=3)  # three windows fit a take
    di = session.whole_di
    drawn = segments.draw(400)
    seen = set()
    for window, index in zip(drawn.di, drawn.take_index, strict=True):
        take = segments.takes[index]
        offsets = [
            offset
            for offset in range(3)
            if np.array_equal(window, di[take.start_samples + offset :][: LENGTH - 2])
        ]
        assert len(offsets) == 1
        seen.add((take.file, offsets[0]))
    files = [take.file for take in session.of("train")]
    assert seen == {(file, offset) for file in files for offset in range(3)}


def test_long_takes_are_no_likelier_than_short_ones(session: Session) -> None:
    takes = session.takes
    short = replace(takes[0], length_samples=60)
    segments = Segments(replace(session, takes=(short, *takes[1:])), "train", 20, 20, seed=1)
    counts = np.bincount(segments.draw(8000).take_index, minlength=4)
    assert counts == pytest.approx([2000] * 4, abs=5 * np.sqrt(8000 * 0.25 * 0.75))


def test_energies_are_mean_squares(session: Session) -> None:
    segments = Segments(session, "train", 10, 10, seed=0)
    expected = [np.mean(session.recording(take) ** 2) for take in segments.takes]
    assert segments.energies == pytest.approx(expected, rel=1e-5)
    assert segments.nbytes == 4 * (6 + 4) * LENGTH


def test_equal_seeds_draw_alike_and_others_do_not(session: Session) -> None:
    first, again, other = (Segments(session, "train", 10, 10, seed=s).draw(8) for s in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first.di, other.di)


def test_a_saved_state_goes_on_exactly(session: Session) -> None:
    segments = Segments(session, "train", 10, 10, seed=5)
    segments.draw(3)
    state = json.loads(json.dumps(segments.state))
    expected = [segments.draw(4) for _ in range(3)]
    resumed = Segments(session, "train", 10, 10, seed=99)
    resumed.state = state
    for windows in expected:
        again = resumed.draw(4)
        assert all(np.array_equal(a, b) for a, b in zip(windows, again, strict=True))


def test_a_split_without_takes_and_takes_shorter_than_a_window_are_refused(
    session: Session,
) -> None:
    with pytest.raises(BadInput, match=r"0001\.wav is too short: a training window needs 601"):
        Segments(session, "train", 501, 100, seed=0)
    only_training = replace(session, takes=session.of("train"))
    with pytest.raises(BadInput, match="no test takes"):
        Segments(only_training, "test", 10, 10, seed=0)
