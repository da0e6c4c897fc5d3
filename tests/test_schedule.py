"""An evening is planned: all of the panel, half of its corners, judges apart, few knobs turned."""

from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tubetwin import cli, reamp, schedule
from tubetwin.files import BadInput
from tubetwin.schedule import Schedule, control, half_of_the_corners, turns

PANEL = [control(w) for w in ("Volume=1:12", "Treble", "Bass", "Bright=off,on", "Voice=1,2,3")]


def made(count: int = 40, seed: int = 3) -> Schedule:
    return schedule.schedule("an amp", PANEL, count, seconds=20, seed=seed)


def test_knobs_and_switches_are_named_as_printed() -> None:
    volume, treble, _, bright, voice = PANEL
    assert (volume.knob.minimum, volume.knob.maximum) == (1, 12)
    assert (treble.knob.minimum, treble.knob.maximum) == (0, 10)
    assert bright.printed(1.0) == "Bright on"
    assert voice.values == (1, 2, 3)
    assert voice.snapped(2.4) == 2
    assert treble.snapped(7.3214) == 7.3  # as a hand can set it


@pytest.mark.parametrize("words", ["", "A=3:1", "A=x:y", "A=1:2:3", "A=2,1", "A=on"])
def test_controls_that_make_no_sense_are_refused(words: str) -> None:
    with pytest.raises(BadInput):
        control(words)


@pytest.mark.parametrize("k", [3, 4, 5])
def test_half_of_the_corners_has_every_pair_of_ends(k: int) -> None:
    corners = half_of_the_corners([control(f"K{i}") for i in range(k)], 1000)
    assert len(corners) == 2 ** (k - 1)
    for one, other in combinations([f"K{i}" for i in range(k)], 2):
        assert len({(c[one], c[other]) for c in corners}) == 4


def test_judges_are_apart_and_every_position_is_one_of_the_switch() -> None:
    plan = made()
    splits: dict[tuple[float, ...], set[str]] = {}
    for setting, split in plan.takes:
        splits.setdefault(tuple(setting.values()), set()).add(split)
        assert setting["Bright"] in (0, 1)
        assert setting["Voice"] in (1, 2, 3)
        assert 1 <= setting["Volume"] <= 12
    assert all(len(of) == 1 for of in splits.values())
    assert {split for _, split in plan.takes} == {"train", "validation", "test"}


def test_the_first_take_is_repeated_at_the_end_and_trained_on() -> None:
    plan = made()
    assert plan.takes[0] == plan.takes[-1]
    assert plan.takes[0][1] == "train"


def test_fewer_knobs_are_turned_than_in_a_random_order() -> None:
    takes = list(made().takes)
    turned = sum(len(turns(a, b)) for (a, _), (b, _) in pairwise(takes))
    rng = np.random.default_rng(1)
    for _ in range(20):
        order = [takes[i] for i in rng.permutation(len(takes))]
        assert turned < 0.85 * sum(len(turns(a, b)) for (a, _), (b, _) in pairwise(order))


def test_added_takes_are_asked_for_few_turns_apart(tmp_path: Path) -> None:
    schedule.save(made(), tmp_path / "session")
    asked = [dict(takes) for takes, _ in made().takes[1:-1]]
    shuffled = [asked[i] for i in np.random.default_rng(1).permutation(len(asked))]
    added = schedule.extend(tmp_path / "session", shuffled).added
    assert sorted(map(str, added)) == sorted(map(str, asked))
    turned, before = (sum(len(turns(*pair)) for pair in pairwise(x)) for x in (added, shuffled))
    assert turned < 0.85 * before


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 5), st.integers(1, 40), st.integers(0, 1000))
def test_any_panel_has_as_many_settings_as_asked(k: int, asked: int, seed: int) -> None:
    panel = [control(f"Knob {i}={i}:{i + 10}") for i in range(k)]
    plan = schedule.schedule("x", panel, asked, seconds=5, seed=seed)
    assert sum(split == "train" for _, split in plan.takes) == asked + 1  # and the repeat


def test_a_plan_comes_back_from_disk_and_is_on_paper(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["plan", "--rig", "an <amp>", "--knob", "Volume=1:12", "--knob", "Bright=off,on"]
    words += ["--settings", "12", "--sheet", str(tmp_path / "sheet.html")]
    assert cli.main([*words, "-o", str(tmp_path / "s")]) == 0
    plan = schedule.load(tmp_path / "s")
    shown = capsys.readouterr().out
    page = (tmp_path / "sheet.html").read_text("utf-8")
    assert page.count("☐") == shown.count("[ ]") == len(plan.takes)
    assert "an &lt;amp&gt;" in page
    assert f"about {plan.minutes:.0f} minutes" in page
    assert plan == schedule.schedule(
        "an <amp>", [control(w) for w in words[4:7:2]], 12, seconds=20, seed=1
    )
    assert cli.main([*words, "-o", str(tmp_path / "s")]) == 2  # one plan a folder


def test_a_panel_without_positions_to_hold_out_is_refused() -> None:
    with pytest.raises(BadInput, match="too few positions"):
        schedule.schedule("x", [control("Bright=off,on")], 4, seconds=5, seed=1)
    with pytest.raises(BadInput, match="one name"):
        schedule.schedule("x", [control("A"), control("a")], 4, seconds=5, seed=1)


def test_a_broken_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"has no plan\.json"):
        schedule.load(tmp_path)
    for broken in ("", "[]", "{}", '{"format": 2}', '{"format": 1, "controls": [], "takes": [1]}'):
        (tmp_path / "plan.json").write_text(broken)
        with pytest.raises(BadInput, match=r"plan\.json"):
            schedule.load(tmp_path)


def test_what_is_played_fits_the_card() -> None:
    played = reamp.play(np.zeros(4800, np.float32), 48000).samples
    assert 0.8 < np.abs(played).max() <= 0.9
