"""The probes find in a twin what was put there, and ask every question of the amp as well."""

from concurrent.futures import Future
from contextlib import contextmanager

import numpy as np
import pytest

from test_report import Outline
from tubetwin import duet, engine, findings, probing, twin
from tubetwin.knobs import Knob
from tubetwin.playlist import Job
from tubetwin.report import Page

RATE = 48000
KNOBS = (Knob("Volume"), Knob("Tone", 0, 1, 0.5))
QUESTIONS = probing.Questions(KNOBS, RATE, 6139)
JOBS = QUESTIONS.jobs()


def amp(job: Job) -> np.ndarray:
    """Asymmetric, without memory, and it obeys moving knobs."""
    drive = 0.3 * (1 + np.asarray(job.setting.get("Volume", 5.0)))
    tone = np.asarray(job.setting.get("Tone", 0.5))
    x = drive * job.di
    return (np.tanh(x) + 0.05 * tone * x**2 / (1 + x**2)).astype(np.float32)


ANSWERS = {name: amp(job) for name, job in JOBS.items()}


def verdict(change) -> dict:
    return QUESTIONS.verdict(ANSWERS, {name: change(y, name) for name, y in ANSWERS.items()})


def test_a_perfect_twin_has_no_fault():
    found = verdict(lambda y, name: y)
    assert {row["esr"] for row in found["level"] + found["moving"]} == {0}
    assert {row["error_db"] for row in found["harmonics"]} <= {0, None}
    assert max(row["burst_error_db"] + row["recovery_error_db"] for row in found["sag"]) == 0
    aliasing = found["aliasing"]
    assert aliasing["twin"] == aliasing["amp"]
    assert aliasing["same_level"] == aliasing["count"] == 72


def test_a_louder_twin_is_louder_and_nothing_else():
    found = verdict(lambda y, name: 1.25 * y)
    louder_db = 20 * np.log10(1.25)
    for row in found["level"] + found["moving"]:
        assert row["esr"] == pytest.approx(0.0625, rel=1e-4)
    for row in found["sag"]:
        assert row["burst_error_db"] == pytest.approx(louder_db, abs=1e-4)
        assert row["recovery_error_db"] == pytest.approx(0, abs=1e-3)
    for point in found["aliasing"]["points"]:
        assert point["level_error_db"] == pytest.approx(louder_db, abs=1e-3)
        assert point["twin_asr"] == pytest.approx(point["amp_asr"], rel=1e-2, abs=1e-9)
    assert found["aliasing"]["same_level"] == 0  # nobody is praised for aliasing at another level


def test_a_false_tone_counts_as_alias_and_worst_and_mean_are_those_of_the_points():
    stray = 0.03 * np.sin(2 * np.pi * 7001 / 48017 * np.arange(2 * 48017))
    found = verdict(lambda y, name: y + stray if name.startswith("alias All up 2503 0") else y)
    aliasing = found["aliasing"]
    (point,) = (p for p in aliasing["points"] if p["twin_asr"] > p["amp_asr"] * 1.01)
    assert (point["setting"], point["level_db"]) == ("All up", 0)
    assert point["tone_hz"] == pytest.approx(2503 * 48000 / 48017)
    heard = np.abs(np.fft.rfft(ANSWERS["alias All up 2503 0"][-48017:])) ** 2
    expected = (0.03 * 48017 / 2) ** 2 / heard[2503::2503].sum()
    added = point["twin_asr_without_dc"] - point["amp_asr_without_dc"]
    assert added == pytest.approx(expected, rel=0.05)
    for source in ("amp", "twin"):
        ratios = [p[f"{source}_asr_without_dc"] for p in aliasing["points"]]
        assert aliasing[source]["mean"] == pytest.approx(np.mean(ratios))
        assert aliasing[source]["worst"] == max(ratios)


def test_a_twin_that_sags_where_its_amp_does_not_is_found():
    """A supply that falls by 6 dB and comes back with a time constant of 100 ms."""
    seconds = np.arange(5 * RATE) / RATE
    gain = np.where(seconds < 2, 1, 1 - 0.5 * np.exp(-(seconds - 2) / 0.1))
    found = verdict(lambda y, name: gain * y if name.startswith("sag") else y)
    for row in found["sag"]:
        assert row["amp_recovery_seconds"] is None  # it never left
        assert row["twin_deepest_db"] == pytest.approx(20 * np.log10(0.55), abs=0.3)
        assert 0.05 < row["twin_recovery_seconds"] < 0.12
        assert row["burst_error_db"] == 0


def test_every_knob_turns_from_end_to_end_and_back_and_then_all_at_once():
    for knob in KNOBS:
        turned = JOBS[f"turn {knob.name}"].setting[knob.name]
        ends = (turned[0], turned.max(), turned[-1])
        assert ends == pytest.approx((knob.minimum, knob.maximum, knob.minimum), abs=0.01)
        assert sum(np.ndim(value) for value in JOBS[f"turn {knob.name}"].setting.values()) == 1
    assert all(np.ndim(value) for value in JOBS["turn all"].setting.values())


def test_knobs_that_jump_are_heard_only_where_they_turn():
    found = verdict(lambda y, name: np.roll(y, 3) if name == "turn Tone" else y)
    by_knob = {row["knob"]: row for row in found["moving"]}
    assert by_knob["Tone"]["esr"] > 1e-4
    assert by_knob["Volume"]["esr"] == by_knob["Tone"]["standing_esr"] == 0


def test_twin_and_amp_are_not_mistaken_for_each_other(monkeypatch):
    @contextmanager
    def circuit(jobs, sample_rate_hz):
        futures = {name: Future() for name in jobs}
        for name, job in jobs.items():
            futures[name].set_result(amp(job))
        yield futures

    monkeypatch.setattr(duet, "_circuit", circuit)
    monkeypatch.setattr(duet, "is_reference", lambda loaded: True)
    monkeypatch.setattr(
        engine, "render", lambda path, di, setting: 1.1 * amp(Job(np.asarray(di), setting))
    )
    found = probing.probe(twin.bundled("nano"))
    assert found["aliasing"]["points"][0]["level_error_db"] == pytest.approx(0.828, abs=0.01)
    page = Page("", "")
    findings.add(page, found)
    Outline(page.html())
    assert page.html().count("<svg") == 8


def test_the_amp_of_another_rig_cannot_be_asked(monkeypatch):
    monkeypatch.setattr(duet, "is_reference", lambda loaded: False)
    assert probing.probe(twin.bundled("nano")) is None
