"""What a twin is judged by: nothing that training heard passes as new, and no kinds are mixed."""

import json
from collections import Counter

import numpy as np
import pytest

from judged_stage import FLOORS, KNOBS, captured, faint, to_judge_by
from tubetwin import capture, judging, planning
from tubetwin.files import BadInput
from tubetwin.judging import NEIGHBOURS, Passage, trials
from tubetwin.knobs import normalise
from tubetwin.roles import CORNERS, INTERIOR, PLAYING, PRACTICE, SIGNALS, STAND_IN, TRAINING
from tubetwin.session import Session

TRAINED = [setting for setting, split in planning.plan(KNOBS, 40, 3, FLOORS) if split == "train"]
LISTED = trials(KNOBS, TRAINED, 12, 1, FLOORS)


def of(family, listed=LISTED):
    return [trial for trial in listed if trial.role.family == family]


# ---- Which settings, with which audio ----------------------------------------------------------


def test_seen_and_unseen_say_the_truth_about_every_setting():
    for trial in LISTED:
        assert trial.role.seen_setting == (trial.setting in TRAINED)
        assert trial.role.seen_audio == trial.passage.heard
        assert trial.role.audio in (trial.passage.audio, PLAYING)
    assert {trial.role.seen_setting for trial in of(INTERIOR)} == {False}


def test_nothing_is_played_twice():
    played = Counter((tuple(t.setting.items()), t.passage) for t in LISTED)
    assert set(played.values()) == {1}


def test_inside_the_panel_every_setting_has_the_training_settings_next_to_it():
    inside = [t for t in of(INTERIOR) if t.role.audio == PLAYING]
    assert len(inside) == 12
    for trial in inside:
        apart = [
            float(np.linalg.norm(normalise(KNOBS, other) - normalise(KNOBS, trial.setting)))
            for other in TRAINED
        ]
        nearest = [TRAINED[i] for i in np.argsort(apart)[:NEIGHBOURS]]
        same = [t for t in LISTED if t.passage == trial.passage and t is not trial]
        assert all(t.setting in nearest for t in same)
        assert len(same) == NEIGHBOURS
        first = next(t for t in same if t.setting == nearest[0])
        assert first.role.family == TRAINING
        assert {t.role.family for t in same if t is not first} == {STAND_IN}


@pytest.mark.parametrize("audio", [PRACTICE, SIGNALS])
def test_heard_and_new_audio_meet_the_same_seen_and_unseen_settings(audio):
    def cell(family, heard):
        return Counter(
            tuple(t.setting.items())
            for t in of(family)
            if t.role.audio == audio and t.role.seen_audio == heard
        )

    for family in (INTERIOR, TRAINING):
        assert set(cell(family, True)) == set(cell(family, False))
        assert set(cell(family, True).values()) == {1}
    assert len(cell(INTERIOR, True)) == 6


def test_what_was_heard_is_played_where_it_was_heard():
    for trial in of(TRAINING):
        if trial.passage.heard:
            assert TRAINED[trial.passage.number] == trial.setting


def test_all_corners_stand_at_the_ends_and_are_seen_only_if_trained():
    corners = of(CORNERS)
    ends = {(v, t, b) for v in (1.0, 10.0) for t in (0.0, 10.0) for b in (0.0, 10.0)}
    assert {tuple(t.setting.values()) for t in corners} == ends
    some = [setting for setting in TRAINED if tuple(setting.values()) not in ends]
    without = trials(KNOBS, some, 12, 1, FLOORS)
    assert {t.role.seen_setting for t in of(CORNERS, without)} == {False}
    for trial in of(CORNERS, without):  # and then they have neighbours
        same = [t for t in without if t.passage == trial.passage]
        assert len(same) == 1 + NEIGHBOURS


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.name)
def test_a_sweep_turns_one_knob_from_end_to_end_over_one_passage(knob):
    swept = of(f"sweep of {knob.name}")
    turned = [t.setting[knob.name] for t in swept]
    low = FLOORS.get(knob.name, 0.0)
    assert turned == pytest.approx(np.linspace(low, 10, 11), abs=0.01)
    assert len({t.passage for t in swept}) == 1
    for other in KNOBS:
        if other != knob:
            assert len({t.setting[other.name] for t in swept}) == 1


def test_another_seed_judges_elsewhere():
    again, other = trials(KNOBS, TRAINED, 12, 1, FLOORS), trials(KNOBS, TRAINED, 12, 2, FLOORS)
    assert again == LISTED
    first = {tuple(t.setting.values()) for t in of(INTERIOR)}
    assert not first & {tuple(t.setting.values()) for t in of(INTERIOR, other)}


# ---- The session -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return captured(tmp_path_factory.mktemp("trained") / "session")


@pytest.fixture(scope="module")
def judge(trained, tmp_path_factory):
    return to_judge_by(tmp_path_factory.mktemp("judge") / "judge", trained)


def test_a_session_to_judge_by_keeps_its_roles_and_none_of_it_is_for_training(judge):
    assert {take.split for take in judge.takes} == {"test"}
    families = {take.role.family for take in judge.takes}
    assert families > {TRAINING, INTERIOR, CORNERS, STAND_IN, "sweep of Bass"}
    judge.save()
    assert Session.load(judge.folder) == judge
    for take in judge.takes:
        assert np.allclose(judge.recording(take), faint(judge.di(take), take.setting), atol=1e-6)


def test_a_passage_that_many_takes_play_is_kept_once(judge):
    places = {(take.start_samples, take.length_samples) for take in judge.takes}
    assert len(places) < len(judge.takes) / 2
    assert sum(length for _, length in places) == len(judge.whole_di)


def test_what_was_heard_is_cut_out_of_the_training_takes_and_the_new_is_not(trained):
    play = judging.player(trained, 1.0, 1)
    takes = trained.of("train")
    whole = trained.whole_di

    def found(passage):
        start = 1000  # behind the faded edge of the first stretch
        piece = passage[start : start + 200]
        near = np.flatnonzero(whole == piece[0])
        return any(np.array_equal(whole[i : i + 200], piece) for i in near)

    for number in range(3):
        for audio in (PRACTICE, SIGNALS):
            heard = play(Passage(audio, True, number))
            assert found(heard)
            assert not found(play(Passage(audio, False, number)))
        assert not found(play(Passage(PLAYING, False, number)))
    assert len(takes) == 12


def test_a_session_of_ones_own_di_is_refused(tmp_path):
    di = np.random.default_rng(0).normal(0, 0.2, 400000).astype(np.float32)
    own = captured(tmp_path / "own", capture.windows(di, 48000))
    with pytest.raises(BadInput, match=r"own was not played by the synthetic guitar.*test takes"):
        to_judge_by(tmp_path / "judge", own)


def test_interrupted_it_goes_on_where_it_stopped(trained, judge, tmp_path):
    calls = []

    def once(di, setting):
        calls.append(1)
        if len(calls) == 10:
            raise KeyboardInterrupt
        return faint(di, setting)

    with pytest.raises(KeyboardInterrupt):
        to_judge_by(tmp_path / "judge", trained, once)
    again = to_judge_by(tmp_path / "judge", trained, once)
    assert len(calls) == len(again.takes) + 1
    assert again.takes == judge.takes


@pytest.mark.parametrize("role", [{"family": "exterior"}, {"audio": "sines"}, {"seen_audio": 1}])
def test_a_role_that_nobody_knows_is_refused(judge, tmp_path, role):
    described = json.loads((judge.folder / "session.json").read_text())
    described["takes"][0]["role"] |= role
    (tmp_path / "session.json").write_text(json.dumps(described))
    with pytest.raises(BadInput, match=r"take 0 .*0001\.wav"):
        Session.described(tmp_path)
