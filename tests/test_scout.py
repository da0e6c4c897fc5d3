"""What to record next: where twins disagree, and not eight times the same place."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from live_stage import make_twin
from tubetwin import audio, capture, cli, schedule, scout
from tubetwin.files import BadInput
from tubetwin.knobs import Knob
from tubetwin.session import Session

RATE = 48000
KNOBS = (Knob("Volume"), Knob("Cut"))


def passage(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, RATE // 2).astype(np.float32)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    folder = tmp_path / "session"
    capture.record(
        folder, rig="made up", knobs=KNOBS, plan=capture.plan(KNOBS, 8, 3), passage=passage,
        amp=lambda di, setting: np.tanh(di * (1 + setting["Volume"])), sample_rate_hz=RATE,
        seed=3, processes=1,
    )  # fmt: skip
    return Session.load(folder)


def test_each_twin_hears_two_thirds_of_the_takes_and_all_judges(session: Session) -> None:
    parts = list(scout.halves(session, 3, 0))
    assert [len(part.of("train")) for part in parts] == [5, 5, 5]
    assert len({tuple(take.file for take in part.of("train")) for part in parts}) == 3
    assert all(part.of("test") == session.of("test") for part in parts)


def test_twins_that_agree_dispute_nothing(tmp_path: Path) -> None:
    same = [make_twin(tmp_path / f"{i}.twin", 1, KNOBS) for i in range(2)]
    other = make_twin(tmp_path / "other.twin", 2, KNOBS)
    settings = [{"Volume": 3.0, "Cut": 5.0}, {"Volume": 8.0, "Cut": 1.0}]
    assert scout.disagreement(same, passage(1), settings) == [0.0, 0.0]
    assert all(d > 0.01 for d in scout.disagreement([same[0], other], passage(1), settings))


def test_proposals_are_disputed_settings_and_lie_apart(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cranked(twins: object, di: object, settings: list[dict[str, float]]) -> list[float]:
        return [setting["Volume"] ** 3 for setting in settings]

    monkeypatch.setattr(scout, "disagreement", cranked)
    proposals = scout.propose(session, [Path("asked")], 4)
    assert all(p.setting["Volume"] > 7 for p in proposals)
    assert proposals[0].disagreement == proposals[0].setting["Volume"] ** 3
    places = np.array([[p.setting[k.name] / 10 for k in KNOBS] for p in proposals])
    known = np.array([session.setting(take) for take in session.of("train")])
    apart = np.linalg.norm(places[:, None] - np.concatenate([places, known])[None], axis=2)
    assert (apart + 9 * np.eye(4, apart.shape[1])).min() > 0.05


def test_without_twins_settings_go_on_evenly_and_a_floor_holds(session: Session) -> None:
    kept = [t for t in session.of("train") if t.setting["Volume"] > 2]
    first = [p.setting for p in scout.propose(replace(session, takes=tuple(kept)), [], 8)]
    more = [replace(kept[0], setting={k: round(v, 1) for k, v in s.items()}) for s in first]
    then = [p.setting for p in scout.propose(replace(session, takes=(*kept, *more)), [], 8)]
    places = np.array([list(setting.values()) for setting in first + then])
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    assert (apart + 10 * np.eye(16)).min() > 0.1  # of ten
    floor = min(t.setting["Volume"] for t in kept)
    for both in (first, then):
        assert all(setting["Volume"] >= floor for setting in both)
        assert {setting["Cut"] < 5 for setting in both} == {True, False}


def test_what_is_faint_is_disputed_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def render(path: Path, di: np.ndarray, setting: dict[str, float]) -> np.ndarray:
        return np.float32(setting["Volume"] * (1.1 if path.name == "b" else 1.0)) * di

    monkeypatch.setattr(scout.engine, "render", render)
    twins, settings = [Path("a"), Path("b")], [{"Volume": v} for v in (10.0, 10 * 10**-1.5, 0.01)]
    loud, soft, faint = scout.disagreement(twins, passage(1), settings)
    assert soft == pytest.approx(loud / 2, rel=0.01)
    assert faint < loud / 100


def test_the_loudest_stretch_of_a_di_is_found() -> None:
    di = np.zeros(1000, np.float32)
    di[600:700] = 1
    assert scout.loudest(di, 100).sum() >= 99


def test_the_next_settings_are_added_to_the_plan(
    session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    controls = [schedule.control(word) for word in ("Volume", "Cut")]
    made = schedule.schedule("made up", controls, 8, seconds=0.5, seed=3)
    plan = schedule.save(made, tmp_path / "plan")
    (session.folder / schedule.FILE).write_bytes(plan.read_bytes())
    words = ["plan", "--next", str(session.folder), "-k", "2", "--minutes", "0.02", "--json"]
    assert cli.main(words) == 0
    rows = json.loads(capsys.readouterr().out)
    added = schedule.load(session.folder).added
    assert len(added) == len(rows) == 2
    assert added[0]["Volume"] == pytest.approx(rows[0]["setting"]["Volume"], abs=0.06)
    assert schedule.load(session.folder).takes == made.takes
    assert cli.main(["plan", "--next", str(session.folder), "-k", "3", "--json"]) == 0  # no twins
    places = [[s[k.name] for k in KNOBS] for s in schedule.load(session.folder).added]
    apart = np.linalg.norm(np.array(places)[:, None] - np.array(places)[None], axis=2)
    assert len(places) == 5
    assert (apart + 10 * np.eye(5)).min() > 0.1  # of ten: asked for twice is asked for elsewhere
    capsys.readouterr()
    assert cli.main(["plan", "--next", str(session.folder), "-k", "100"]) == 0


def test_an_amp_whose_positions_are_all_recorded_is_told(session: Session) -> None:
    still = [replace(t, setting={"Volume": 10.0, "Cut": 10.0}) for t in session.of("train")]
    with pytest.raises(BadInput, match="no 2 positions left"):
        scout.propose(replace(session, takes=tuple(still)), [], 2)
    with pytest.raises(BadInput, match="no takes to train on"):
        scout.propose(replace(session, takes=session.of("test")), [], 2)


def test_proposals_for_one_knob_are_never_twice_the_same(session: Session) -> None:
    takes = [replace(t, setting={"Cut": 10.0}) for t in session.of("train")]
    takes[0] = replace(takes[0], setting={"Cut": 0.0})
    found = scout.propose(replace(session, knobs=KNOBS[1:], takes=tuple(takes)), [], 20)
    places = np.sort([p.setting["Cut"] for p in found])
    assert np.diff(places).min() > 0.1


def test_a_session_with_few_takes_is_refused(tmp_path: Path, session: Session) -> None:
    audio.write(tmp_path / "x.wav", np.zeros(10, np.float32), RATE)
    few = next(scout.halves(session, 1, 0))
    keep = (*few.of("train")[:3], *few.of("validation"), *few.of("test"))
    with pytest.raises(BadInput, match="too few takes"):
        scout.committee(scout.replace(few, takes=keep), tmp_path, 0.01)
