"""What one opens on the page, listens to and takes away. Chromium judges."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from page_driver import (
    LINK,
    RATE,
    SETTING,
    assert_same,
    broken,
    downloaded,
    drop,
    found_in,
    knob,
    level,
    refusal,
    standing,
    status,
    until,
)
from tubetwin import cabinet, engine, preset, web


def test_a_broken_twin_is_refused_in_the_engines_words_and_the_old_one_plays_on(
    page: Any, first_twin: Path, tmp_path: Path
) -> None:
    page.get_by_role("button", name="Play").click()
    path = tmp_path / "twin"
    path.write_bytes(broken(first_twin.read_bytes())["cut"])
    drop(page, path)
    said = page.wait_for_selector("#status.bad").inner_text()
    assert said == refusal(path)
    assert page.get_by_role("combobox", name="Twin").input_value() == first_twin.stem
    assert standing(page) == SETTING
    until(page, lambda: level(page, "Output") > -40)


def test_a_dropped_twin_and_a_dropped_cabinet_play(
    page: Any, site: Path, made_twin: Any, tmp_path: Path
) -> None:
    path = made_twin("nano")
    drop(page, path)
    until(page, lambda: "plays" in status(page))
    rng = np.random.default_rng(1)
    ir = (rng.normal(size=4000) * np.exp(-np.arange(4000) / 300)).astype(np.float32)
    soundfile.write(tmp_path / "room.wav", ir, RATE, subtype="FLOAT")
    drop(page, tmp_path / "room.wav", "audio/wav")
    until(page, lambda: "cabinet" in status(page))
    di, _ = soundfile.read(site / "guitar.flac", dtype="float32")
    levelled = ir / cabinet.loudness(ir, RATE)
    expected = engine.render(path, di, SETTING, cabinet=levelled)
    played = downloaded(page, "Render", tmp_path)
    # Both measure how loud a cabinet is, the page at fewer frequencies.
    scale = float(played @ expected / (expected @ expected))
    assert scale == pytest.approx(1, abs=0.02)
    assert np.abs(played - scale * expected).max() <= 1e-5 * max(1, np.abs(expected).max())


def test_the_amp_itself_is_heard_where_it_was_recorded(
    page: Any, site: Path, tmp_path: Path
) -> None:
    the_amp = page.get_by_role("radio", name="The amp")
    assert the_amp.is_disabled()
    page.get_by_role("button", name="Crunch").click()
    assert the_amp.is_enabled()
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(300)
    page.get_by_text("The amp", exact=True).click()
    page.wait_for_timeout(500)
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(700)
    heard = downloaded(page, "Stop and save", tmp_path)[4096:]
    recording, _ = soundfile.read(site / "amp-crunch.flac", dtype="float32")
    ir, _ = soundfile.read(site / "cabinet-1x12.wav", dtype="float32")
    size = 1 << (len(recording) + len(ir)).bit_length()
    through = np.fft.irfft(np.fft.rfft(recording, size) * np.fft.rfft(ir, size))[: len(recording)]
    assert np.sum((heard - found_in(through, heard)) ** 2) < 1e-4 * np.sum(heard**2)
    knob(page, "Volume").press("ArrowDown")
    assert the_amp.is_disabled()
    assert page.get_by_role("radio", name="Twin", exact=True).is_checked()


def test_straight_is_the_guitar_itself(page: Any, site: Path, tmp_path: Path) -> None:
    page.get_by_role("button", name="Play").click()
    page.keyboard.press("2")
    page.wait_for_timeout(300)
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(500)
    heard = downloaded(page, "Stop and save", tmp_path)
    di, _ = soundfile.read(site / "guitar.flac", dtype="float32")
    assert np.abs(heard - found_in(di, heard)).max() < 1e-4


def test_loaded_once_the_page_plays_without_a_network(browser: Any, site: Path) -> None:
    context = browser.new_context()
    page = context.new_page()
    with web.served(site) as address:
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        page.evaluate("navigator.serviceWorker.ready.then(() => 1)")
        kept = "caches.open('tubetwin').then((c) => c.match('guitar.flac')).then(Boolean)"
        until(page, lambda: page.evaluate(kept))
    page.goto(address + LINK.replace("#", "?again#"))
    page.wait_for_selector("html[data-ready]")
    assert standing(page) == SETTING
    context.close()


def test_a_preset_goes_from_the_terminal_to_the_page_and_back(
    page: Any, site: Path, first_twin: Path, tmp_path: Path
) -> None:
    sound = preset.Preset(first_twin.stem, None, {"volume": 8.5, "Treble": 3.0}, 6.0, -6.5)
    preset.save(sound, tmp_path / "lead.json")
    drop(page, tmp_path / "lead.json")
    until(page, lambda: "lead.json is set" in status(page))
    at = {"Volume": 8.5, "Treble": 3.0, "Bass": 5.0, "Mid-Bite": 5.0}
    assert standing(page) == at
    di, _ = soundfile.read(site / "guitar.flac", dtype="float32")
    louder, softer = np.float32(10 ** (6.0 / 20)), np.float32(10 ** (-6.5 / 20))
    expected = softer * engine.render(first_twin, louder * di, at)
    assert_same(downloaded(page, "Render", tmp_path), expected)
    knob(page, "Bass").press("PageUp")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save preset").click()
    download.value.save_as(tmp_path / "back.json")
    back = preset.load(tmp_path / "back.json")
    assert back == replace(sound, knobs=at | {"Bass": 6.0})


def test_a_preset_of_an_absent_twin_sets_what_can_be_set(page: Any, tmp_path: Path) -> None:
    preset.save(preset.Preset("other.twin", None, {"Treble": 9.0}), tmp_path / "lead.json")
    drop(page, tmp_path / "lead.json")
    said = page.wait_for_selector("#status.bad").inner_text()
    assert said == "lead.json: open the twin other.twin too; the rest is set"
    assert standing(page) == SETTING | {"Treble": 9.0}


def test_a_preset_that_does_not_fit_changes_nothing(
    page: Any, first_twin: Path, tmp_path: Path
) -> None:
    preset.save(preset.Preset(first_twin.stem, None, {"Volume": 11.0}), tmp_path / "lead.json")
    drop(page, tmp_path / "lead.json")
    said = page.wait_for_selector("#status.bad").inner_text()
    assert said == "lead.json: knob Volume goes from 0 to 10, not 11"
    assert standing(page) == SETTING
    assert page.get_by_role("combobox", name="Cabinet").input_value() == "1x12"
