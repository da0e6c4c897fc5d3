"""A capture visits the whole panel, keeps its judges apart, and never loses a finished take."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import qmc

from tubetwin import audio, capture
from tubetwin.files import BadInput
from tubetwin.knobs import Knob
from tubetwin.session import Session

RATE_HZ = 8000
PANEL = (Knob("Volume"), Knob("Treble"), Knob("Bass"), Knob("Mid-Bite"))
FLOORS = {"Volume": 1.0}


# ---- The plan ----------------------------------------------------------------------------------


def panel_values(plan: capture.Plan, split: str) -> np.ndarray:
    return np.array([list(setting.values()) for setting, of in plan if of == split])


@pytest.mark.parametrize(
    ("asked", "validation", "test"), [(1, 2, 4), (12, 2, 4), (96, 12, 16), (400, 24, 48)]
)
def test_a_plan_has_as_many_settings_as_asked_and_judges_beside_them(
    asked: int, validation: int, test: int
) -> None:
    plan = capture.plan(PANEL, asked, seed=7, floors=FLOORS)
    counts = [len(panel_values(plan, split)) for split in ("train", "validation", "test")]
    assert counts == [asked, validation, test]


def test_every_corner_is_played_and_none_of_them_is_mute() -> None:
    train = panel_values(capture.plan(PANEL, 64, seed=7, floors=FLOORS), "train")
    corners = set(product((1.0, 10.0), (0.0, 10.0), (0.0, 10.0), (0.0, 10.0)))
    assert corners <= {tuple(row) for row in train}
    assert train[:, 0].min() == 0  # the volume's own end is visited, but not in a corner


def test_a_small_plan_has_a_quarter_of_different_corners() -> None:
    train = panel_values(capture.plan(PANEL, 12, seed=7, floors=FLOORS), "train")
    at_ends = [tuple(row) for row in train if set(row) <= {0.0, 1.0, 10.0}]
    assert len(set(at_ends)) >= 3


def test_every_knob_stands_at_each_end_in_five_percent_of_the_takes() -> None:
    train = panel_values(capture.plan(PANEL, 528, seed=1), "train")[16:]  # without the corners
    for end in (0.0, 10.0):
        assert np.mean(train == end, axis=0) == pytest.approx([0.0536] * 4, abs=0.012)


def test_judges_keep_above_the_floor_and_off_the_training_settings() -> None:
    plan = capture.plan(PANEL, 400, seed=7, floors=FLOORS)
    judges = np.vstack([panel_values(plan, "validation"), panel_values(plan, "test")])
    assert judges[:, 0].min() >= 1
    assert judges.max(axis=0) == pytest.approx([10] * 4, abs=0.5)
    assert len(np.unique(judges, axis=0)) == len(judges) == 72
    heard = {tuple(row) for row in panel_values(plan, "train")}
    assert not heard & {tuple(row) for row in judges}


def test_judges_of_a_single_knob_stand_between_400_training_settings() -> None:
    plan = capture.plan(PANEL[:1], 400, seed=7)
    judges = [setting["Volume"] for setting, split in plan if split != "train"]
    assert len(set(judges)) == len(judges) == 72
    assert not set(judges) & set(panel_values(plan, "train")[:, 0])


def test_a_plan_fills_the_panel_more_evenly_than_chance() -> None:
    train = panel_values(capture.plan(PANEL, 144, seed=7), "train")[16:]  # without the corners
    random = [np.random.default_rng(seed).random((128, 4)) for seed in range(20)]
    chance = [np.clip(0.5 + capture.STRETCH * (points - 0.5), 0, 1) for points in random]
    assert qmc.discrepancy(train / 10) < 0.8 * min(map(qmc.discrepancy, chance))


def test_equal_seeds_plan_alike_and_others_do_not() -> None:
    assert capture.plan(PANEL, 40, seed=7) == capture.plan(PANEL, 40, seed=7)
    assert capture.plan(PANEL, 40, seed=7) != capture.plan(PANEL, 40, seed=8)


knob_ranges = st.tuples(st.floats(-1000, 1000), st.floats(0.01, 1000))


@settings(deadline=None, max_examples=40)
@given(st.lists(knob_ranges, max_size=5), st.integers(1, 60), st.integers(0, 2**32))
def test_any_panel_can_be_planned(ranges: list[tuple[float, float]], asked: int, seed: int) -> None:
    knobs = [Knob(f"K{i}", low, low + width, low) for i, (low, width) in enumerate(ranges)]
    plan = capture.plan(knobs, asked, seed)
    for setting, _ in plan:
        assert [knob.name for knob in knobs] == list(setting)
        assert all(knob.minimum <= setting[knob.name] <= knob.maximum for knob in knobs)
    if knobs:
        splits: dict[tuple[float, ...], set[str]] = {}
        for setting, split in plan:
            splits.setdefault(tuple(setting.values()), set()).add(split)
        assert all(len(of) == 1 for of in splits.values())


def test_settings_read_as_on_a_panel() -> None:
    plan = capture.plan((*PANEL, Knob("Depth", 0, 1, 0)), 60, seed=7)
    decimals = dict.fromkeys([knob.name for knob in PANEL], 2) | {"Depth": 3}
    for setting, _ in plan:
        assert all(value == round(value, decimals[name]) for name, value in setting.items())


@pytest.mark.parametrize(
    ("knobs", "asked", "floors", "words"),
    [
        (PANEL, 0, {}, "at least 1 setting"),
        (PANEL, 12, {"Gain": 1.0}, "'Gain'"),
        (PANEL, 12, {"Volume": 10.0}, "knob Volume"),
        (PANEL, 12, {"Volume": -1.0}, "knob Volume"),
        (PANEL[:1], 12, {"Volume": 9.99}, "too few positions"),
    ],
)
def test_plans_that_make_no_sense_are_refused(
    knobs: tuple[Knob, ...], asked: int, floors: Mapping[str, float], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        capture.plan(knobs, asked, 7, floors)


# ---- A rig to record ---------------------------------------------------------------------------


def passage(seed: int) -> np.ndarray:
    """Half a second or a little more, never the same twice."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, int(rng.integers(4000, 4100))).astype(np.float32)


def amp(di: np.ndarray, setting: Mapping[str, float]) -> np.ndarray:
    return np.tanh(di * setting.get("Volume", 5)).astype(np.float32)


def slow_amp(di: np.ndarray, setting: Mapping[str, float]) -> np.ndarray:
    time.sleep(0.1)
    return amp(di, setting)


def ill_amp(
    illness: str, where: Mapping[str, float], di: np.ndarray, setting: Mapping[str, float]
) -> np.ndarray:
    """An amp that is well but at one setting."""
    if dict(setting) != where:
        return amp(di, setting)
    if illness == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    answers = {"short": di[:-1], "nan": di * np.nan, "silent": di * 0, "stereo": di[:, None]}
    return answers[illness]


PLAN = capture.plan(PANEL, 6, seed=7, floors=FLOORS)


def record(folder: Path, **changes: Any) -> None:
    """The capture of these tests, in this process unless told otherwise."""
    capture.record(
        folder,
        **(
            {
                "rig": "a made-up amp",
                "knobs": PANEL,
                "plan": PLAN,
                "passage": passage,
                "amp": amp,
                "sample_rate_hz": RATE_HZ,
                "seed": 7,
                "levels": {"input_full_scale_volts": 1.0, "output_full_scale_volts": 40.0},
                "processes": 1,
            }
            | changes
        ),
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Every visible file: sound by its samples (a WAV header may hold the time), others whole."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): (
            audio.read(path).samples.tobytes() if path.suffix == ".wav" else path.read_bytes()
        )
        for path in files
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture that nothing disturbed."""
    folder = tmp_path_factory.mktemp("finished") / "session"
    record(folder)
    return folder


# ---- What is recorded --------------------------------------------------------------------------


def test_a_capture_is_a_session(finished: Path) -> None:
    session = Session.load(finished)
    assert (session.rig, session.knobs, session.seed) == ("a made-up amp", PANEL, 7)
    assert session.levels == {"input_full_scale_volts": 1.0, "output_full_scale_volts": 40.0}
    assert [(take.setting, take.split) for take in session.takes] == PLAN
    for take in session.takes:
        assert np.array_equal(session.recording(take), amp(session.di(take), take.setting))
    names = {name for name in contents(finished) if not name.startswith("takes")}
    assert names == {"session.json", "di.wav"}


def test_no_setting_and_no_passage_of_a_judge_is_ever_trained_on(finished: Path) -> None:
    session = Session.load(finished)
    assert not session.shared_passages
    by_start = sorted(session.takes, key=lambda take: take.start_samples)
    assert all(a.end_samples <= b.start_samples for a, b in pairwise(by_start))
    judges = session.of("validation") + session.of("test")
    for take in session.of("train"):
        played = session.di(take)[:4000]
        for judge in judges:
            assert dict(take.setting) != dict(judge.setting)
            alike = np.corrcoef(played, session.di(judge)[:4000])[0, 1]
            assert abs(alike) < 0.1


def test_two_cores_record_what_one_records(finished: Path, tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    record(tmp_path / "s", processes=2, progress=lambda *now: done.append(now))
    assert contents(tmp_path / "s") == contents(finished)
    assert done == [(i, len(PLAN)) for i in range(len(PLAN) + 1)]


def test_a_di_of_ones_own_is_shared_out_among_the_splits(tmp_path: Path) -> None:
    """Every sample of this DI is unlike any other, so it shows where it came from."""
    own = np.arange(1, 40_001, dtype=np.float32) / 40_000
    plan = capture.plan(PANEL, 60, seed=3)
    record(tmp_path, plan=plan, passage=capture.windows(own, 4_800), amp=lambda di, _: di)
    session = Session.load(tmp_path)
    heard = {}
    for split in ("train", "validation", "test"):
        played = [session.di(take) for take in session.of(split)]
        assert all(np.array_equal(di, own[own >= di[0]][:4_800]) for di in played)
        heard[split] = (min(di.min() for di in played), max(di.max() for di in played))
    assert heard["train"][0] < 0.1
    assert heard["train"][1] <= 6 / 8 < heard["validation"][0]
    assert heard["validation"][1] <= 7 / 8 < heard["test"][0]
    with pytest.raises(BadInput, match="too short"):
        capture.windows(own, 5_001)


def test_an_amp_without_knobs_is_captured(tmp_path: Path) -> None:
    record(tmp_path, knobs=(), plan=capture.plan((), 5, seed=1))
    session = Session.load(tmp_path)
    assert len(session.takes) == 5 + 2 + 4
    assert all(take.setting == {} for take in session.takes)


# ---- Interruptions -----------------------------------------------------------------------------


def stop_after(takes: int) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if done == takes:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("takes", [0, 3, len(PLAN)])
def test_an_interrupted_capture_goes_on_and_ends_the_same(
    finished: Path, tmp_path: Path, takes: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        record(tmp_path, progress=stop_after(takes))
    with pytest.raises(BadInput, match="interrupted"):
        Session.load(tmp_path)
    kept = {path: path.stat().st_ino for path in (tmp_path / "takes").iterdir()}
    assert len(kept) == takes
    record(tmp_path)
    assert contents(tmp_path) == contents(finished)
    assert all(path.stat().st_ino == inode for path, inode in kept.items())  # not recorded again


def test_a_capture_interrupted_while_its_di_is_made_starts_anew(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(audio, "write", stop)
        with pytest.raises(KeyboardInterrupt):
            record(tmp_path)
    record(tmp_path)
    assert contents(tmp_path) == contents(finished)


def test_takes_that_are_cut_off_or_half_written_are_recorded_again(
    finished: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        record(tmp_path, progress=stop_after(3))
    take = tmp_path / "takes" / "0002.wav"
    take.write_bytes(take.read_bytes()[:-100])
    (tmp_path / "takes" / ".0004-x.wav").write_bytes(b"RIFF")
    record(tmp_path)
    assert contents(tmp_path) == contents(finished)


COMMAND = """
import sys, test_capture
if __name__ == "__main__":
    test_capture.record(sys.argv[1], amp=test_capture.slow_amp, processes=2)
"""


def wait_for(happened: Callable[[], object], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("blow", ["Ctrl-C", "kill -9"])
def test_a_capture_that_is_stopped_leaves_no_process_and_a_folder_to_go_on_with(
    finished: Path, tmp_path: Path, blow: str
) -> None:
    (tmp_path / "command.py").write_text(COMMAND)
    folder = tmp_path / "session"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])
    }
    running = subprocess.Popen(
        [sys.executable, tmp_path / "command.py", folder],
        env=environment,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for(lambda: list(folder.glob("takes/*.wav")))
    if blow == "Ctrl-C":
        os.killpg(running.pid, signal.SIGINT)
    else:
        running.kill()
    assert running.wait(300) != 0
    wait_for(lambda: is_gone(running.pid))
    assert not (folder / "session.json").exists()
    record(folder)
    assert contents(folder) == contents(finished)


# ---- Refusals ----------------------------------------------------------------------------------


def test_two_captures_into_one_folder_are_refused(finished: Path, tmp_path: Path) -> None:
    refusals: list[str] = []

    def again(done: int, total: int) -> None:
        if done == 2:
            with pytest.raises(BadInput) as error:
                record(tmp_path)
            refusals.append(str(error.value))

    record(tmp_path, progress=again)
    assert len(refusals) == 1
    assert "another capture is writing" in refusals[0]
    assert contents(tmp_path) == contents(finished)


def test_a_finished_session_is_not_overwritten(finished: Path) -> None:
    before = contents(finished)
    with pytest.raises(BadInput, match="already holds a session"):
        record(finished, seed=8)
    assert contents(finished) == before


def test_a_folder_of_something_else_is_not_touched(tmp_path: Path) -> None:
    audio.write(tmp_path / "di.wav", passage(1), RATE_HZ)
    hidden = tmp_path / ".mine-12345678.wav"  # as what a killed capture leaves
    audio.write(hidden, passage(1), RATE_HZ)
    before = contents(tmp_path)
    with pytest.raises(BadInput, match=r"already holds di\.wav"):
        record(tmp_path)
    assert contents(tmp_path) == before
    assert hidden.exists()
    with pytest.raises(BadInput, match=r"cannot capture into .*di\.wav"):
        record(tmp_path / "di.wav")


OTHERS: dict[str, dict[str, Any]] = {
    "rig": {"rig": "another amp"},
    "plan": {"plan": capture.plan(PANEL, 6, seed=8, floors=FLOORS)},
    "seed": {"seed": 8},
    "rate": {"sample_rate_hz": 48000},
    "levels": {"levels": None},
    "DI": {"passage": lambda seed: passage(seed) / 2},
}


@pytest.mark.parametrize("other", OTHERS)
def test_an_interrupted_capture_is_not_mixed_with_another(tmp_path: Path, other: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        record(tmp_path, progress=stop_after(2))
    before = contents(tmp_path)
    with pytest.raises(BadInput, match="interrupted capture of something else"):
        record(tmp_path, **OTHERS[other])
    assert contents(tmp_path) == before


def test_a_broken_beginning_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        record(tmp_path, progress=stop_after(1))
    for broken in ("", "[]", "{}", '{"takes": [1]}', '{"takes": [{}]}'):
        (tmp_path / capture.PARTIAL).write_text(broken)
        with pytest.raises(BadInput, match=r"partial is broken"):
            record(tmp_path)


ILLNESSES = {
    "short": r"answers \(\d+,\) samples with",
    "stereo": r"answers \(\d+,\) samples with",
    "nan": "not finite",
    "silent": "is silent",
}


@pytest.mark.parametrize("illness", ILLNESSES)
def test_an_amp_that_cannot_be_right_is_refused_at_its_setting(
    finished: Path, tmp_path: Path, illness: str
) -> None:
    where = dict(PLAN[3][0])
    with pytest.raises(BadInput, match=ILLNESSES[illness]) as error:
        record(tmp_path, amp=partial(ill_amp, illness, where))
    assert f"Volume {where['Volume']:g}, Treble {where['Treble']:g}" in str(error.value)
    record(tmp_path)
    assert contents(tmp_path) == contents(finished)


@pytest.mark.parametrize(("illness", "words"), [("nan", "not finite"), ("dies", "was killed")])
def test_what_goes_wrong_in_a_worker_is_told(tmp_path: Path, illness: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        record(tmp_path, amp=partial(ill_amp, illness, dict(PLAN[3][0])), processes=2)
    assert not (tmp_path / "session.json").exists()


def test_silence_answers_silence(tmp_path: Path) -> None:
    """A passage may be all rests; then nothing is what a take should hold."""
    seeds: list[int] = []

    def rests_first(seed: int) -> np.ndarray:
        seeds.append(seed)
        return passage(seed) * (len(seeds) > 1)

    record(tmp_path, passage=rests_first)
    session = Session.load(tmp_path)
    assert not session.recording(session.takes[0]).any()
    assert session.recording(session.takes[1]).any()


def test_one_passage_for_all_splits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="same passage"):
        record(tmp_path, passage=lambda seed: passage(1))
    assert not list(tmp_path.iterdir())


def test_plans_that_leave_the_panel_are_refused(tmp_path: Path) -> None:
    for plan in (
        [],
        [({"Volume": 11.0}, "train")],
        [({"Gain": 1.0}, "train")],
        [({"Bass": 1.0}, "train")],
    ):
        with pytest.raises(BadInput):
            record(tmp_path / "s", plan=plan)
    assert not (tmp_path / "s").exists()
