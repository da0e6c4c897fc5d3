"""What a table says of its takes: closed forms, and no two kinds in one cell."""

import numpy as np
import pytest

from tubetwin import tables
from tubetwin.roles import CORNERS, INTERIOR, PLAYING, PRACTICE, RECORDED, TRAINING, Role


def row(esr, family=INTERIOR, audio=PLAYING, seen=(False, False), split="test"):
    return Role(family, audio, *seen).as_json() | {
        "esr": esr,
        "gain_error_db": None if esr is None else -esr,
        "silent": esr is None,
        "split": split,
    }


def test_a_summary_has_its_closed_form():
    found = tables.summary([float(n) for n in range(101)])
    assert (found["count"], found["median"], found["mean"]) == (101, 50, 50)
    assert (found["p90"], found["worst"]) == (90, 100)
    spread = np.std(range(101)) / np.sqrt(101)  # of the mean, by the central limit
    assert np.diff(found["mean_95"])[0] == pytest.approx(2 * 1.96 * spread, rel=0.05)
    for part in ("median", "mean", "p90"):
        low, high = found[f"{part}_95"]
        assert low < found[part] < high


def test_settings_that_agree_leave_no_doubt_and_no_settings_no_figure():
    found = tables.summary([0.25] * 7)
    assert found["mean_95"] == found["median_95"] == [0.25, 0.25]
    nothing = tables.summary([])
    assert nothing["count"] == 0
    assert {value for key, value in nothing.items() if key != "count"} == {None}
    assert nothing.keys() == found.keys()


def test_one_setting_says_nothing_about_luck():
    found = tables.summary([0.25])
    assert found["median"] == found["mean"] == found["p90"] == found["worst"] == 0.25
    assert found["median_95"] is found["mean_95"] is found["p90_95"] is None


def test_every_kind_has_a_cell_of_its_own_and_validation_has_none():
    rows = [row(0.1), row(0.3), row(9.0, CORNERS), row(8.0, INTERIOR, PRACTICE)]
    rows += [row(7.0, seen=(False, True)), row(6.0, split="validation"), row(None)]
    found = tables.cells(rows, ["esr", "gain_error_db"])
    assert [cell["figures"]["esr"]["worst"] for cell in found] == [0.3, 9.0, 8.0, 7.0]
    assert (found[0]["count"], found[0]["silent"]) == (3, 1)
    assert found[0]["figures"]["esr"]["mean"] == pytest.approx(0.2)
    assert found[0]["figures"]["gain_error_db"]["worst"] == 0.3  # of signed figures the magnitude


def test_the_headline_compares_settings_over_the_same_new_playing():
    rows = [row(1.0), row(2.0, TRAINING, seen=(True, False)), row(3.0, CORNERS)]
    rows += [row(4.0, TRAINING, PRACTICE, (True, True)), row(5.0, INTERIOR, PRACTICE)]
    seen, unseen = tables.headline(rows)
    assert [[r["esr"] for r in group] for group in (seen, unseen)] == [[2.0], [1.0]]


def test_the_headline_of_an_ordinary_session_goes_by_its_splits():
    train = row(1.0, TRAINING, RECORDED, (True, True), "train")
    corner, inside = row(3.0, CORNERS, RECORDED), row(2.0, INTERIOR, RECORDED)
    validation = row(4.0, INTERIOR, RECORDED, split="validation")
    assert tables.headline([train, corner, inside, validation]) == ([train], [inside])
    assert tables.headline([train, corner]) == ([train], [corner])


def test_the_five_worst_come_the_worst_first():
    rows = [row(e) for e in (0.1, None, 0.9, 0.5, 0.2, 0.3, 0.7)]
    assert [r["esr"] for r in tables.worst(rows)] == [0.9, 0.7, 0.5, 0.3, 0.2]
