"""A demo is whole or not there, plays what it says, and never touches a file it did not make."""

import json
import re
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from tubetwin import (
    amp,
    audio,
    clips,
    demo,
    duet,
    engine,
    guitar,
    playlist,
    sounds,
    training,
    twin,
)
from tubetwin.files import BadInput
from tubetwin.knobs import Knob
from tubetwin.network import Shape, WaveNet

RATE = 48000
REFERENCE = "tubetwin reference amp (simulated)"
ANOTHER = (Knob("Gain / Drive", 1, 11, 5), Knob("Tone"))


def written(path: Path, knobs: tuple[Knob, ...], rig: str) -> Path:
    """A small random twin."""
    torch.manual_seed(0)
    shape = Shape(2, "dense", "scale", (1, 2, 4), knobs=len(knobs))
    size = twin.Architecture(
        shape.channels, shape.kernel_size, shape.dilations, shape.taps, shape.mix
    )
    tensors = training.tensors(WaveNet(shape))
    twin.save(twin.Twin("Random", RATE, knobs, size, tensors, provenance={"rig": rig}), path)
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Twins and a DI of two seconds."""
    folder = tmp_path_factory.mktemp("home")
    written(folder / "reference.twin", amp.KNOBS, REFERENCE)
    written(folder / "another.twin", ANOTHER, "somebody's amp")
    written(folder / "fixed.twin", (), "somebody's amp")
    audio.write(folder / "di.wav", guitar.demo(2.0), RATE)
    return folder


@pytest.fixture(scope="module")
def made(home, tmp_path_factory) -> Path:
    """A demo of the reference twin without the amp."""
    folder = tmp_path_factory.mktemp("made") / "new" / "demo"
    page = demo.run(folder, home / "di.wav", home / "reference.twin", compare=False)
    assert page == folder / "index.html"
    return folder


def texts(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---- What is in it -----------------------------------------------------------------------------


def test_a_demo_holds_every_setting_with_and_without_the_cabinet(made):
    names = {path.name for path in made.iterdir()}
    pieces = ["1-clean", "2-edge", "3-crunch", "4-lead", "5-cranked", "6-sweep"]
    sounds = {f"{p}-twin{tail}.wav" for p in pieces for tail in ("", "-cabinet")}
    assert names == sounds | {"0-di.wav", "demo.json", "index.html"}
    for name in sounds:
        assert soundfile.info(made / name).frames == 2 * RATE


def test_the_files_are_the_engine_with_one_gain_for_all(made, home):
    di = audio.read_mono(home / "di.wav", RATE)
    ratios = []
    for i, (name, setting) in enumerate(sounds.SETTINGS.items(), 1):
        played = audio.read_mono(made / f"{i}-{name.lower()}-twin.wav", RATE)
        expected = engine.render(home / "reference.twin", di, setting)
        y, p = expected.astype(float), played.astype(float)  # a sum in float32 is too coarse
        gain = y @ p / (y @ y)
        np.testing.assert_allclose(p, gain * y, atol=2e-7)
        ratios.append(gain)
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-4)


def test_the_sweep_moves_from_2_to_9(home):
    knob = playlist.music(amp.KNOBS, np.zeros(RATE, np.float32))[playlist.SWEEP].setting["Volume"]
    assert (knob[0], knob[-1]) == (2.0, 9.0)
    assert (np.diff(knob) > 0).all()


def test_nothing_clips_and_something_is_loud(made):
    for kind in ("*-twin.wav", "*-cabinet.wav"):
        peaks = [np.abs(soundfile.read(path)[0]).max() for path in made.glob(kind)]
        assert max(peaks) == pytest.approx(clips.PEAK, abs=1e-4)


def test_the_page_has_every_part_and_asks_for_nothing_outside(made):
    page = (made / "index.html").read_text("utf-8")
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings == [
        "Hear it",
        "Waveforms",
        "Spectra",
        "Transfer curves",
        "Harmonics",
        "Knobs",
        "The numbers",
        "How this page was made",
    ]
    assert not re.search(r"https?:", page)
    assert page.count('class="player"') == 6
    assert "Receptive field" in page
    assert "Amp + cabinet" not in page
    assert len(page) < 8e6


def test_the_manifest_lists_the_files(made):
    manifest = json.loads((made / "demo.json").read_text("utf-8"))
    assert {*manifest["files"], "demo.json"} == {path.name for path in made.iterdir()}
    assert manifest["figures"] == {}


def test_a_sound_on_the_page_is_the_sound(home):
    di = audio.read_mono(home / "di.wav", RATE)
    (home / "sound").write_bytes(clips.encoded(di, RATE))
    heard, rate = soundfile.read(home / "sound")
    middle = slice(RATE // 2, 3 * RATE // 2)
    assert (rate, len(heard)) == (RATE, len(di))
    error = np.mean((heard - di)[middle] ** 2) / np.mean(di[middle] ** 2)
    assert error < 3e-3  # below any twin's own


# ---- Beside the amp ----------------------------------------------------------------------------


def quick_amp(di, setting, *_):
    """Stands in for the circuit, which takes too long here."""
    return np.tanh(3 * di * np.asarray(setting.get("Volume", 5.0)) / 10).astype(np.float32)


@contextmanager
def quick_circuit(jobs, sample_rate_hz):
    futures = {name: Future() for name in jobs}
    for name, job in jobs.items():
        futures[name].set_result(quick_amp(job.di, job.setting))
    yield futures


def test_beside_the_amp_every_piece_has_its_figures(home, tmp_path, monkeypatch):
    """A twin that is nothing but louder by a tenth, so that the truth about its errors is known."""
    monkeypatch.setattr(duet, "_circuit", quick_circuit)
    monkeypatch.setattr(engine, "render", lambda _, di, setting: 1.1 * quick_amp(di, setting))
    seen: list[float] = []
    demo.run(
        tmp_path / "demo", short(home, tmp_path), home / "reference.twin", progress=seen.append
    )
    figures = json.loads((tmp_path / "demo" / "demo.json").read_text("utf-8"))["figures"]
    assert set(figures) == {*sounds.SETTINGS, playlist.SWEEP}
    for row in figures.values():
        assert row["ESR"] == pytest.approx(0.01, rel=1e-3)
        assert row["level error (dB)"] == pytest.approx(0.828, abs=1e-3)
    page = (tmp_path / "demo" / "index.html").read_text("utf-8")
    assert "How close it comes" in page
    assert page.count("Amp + cabinet") == page.count("ESR 0.0100") == 6
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)


def test_the_circuit_answers_from_processes_of_its_own():
    di = guitar.demo(0.1)
    still = playlist.Job(di, {"Volume": 6.0})
    moving = playlist.Job(di, {"Volume": np.linspace(2, 9, len(di)), "Treble": 8.0})
    with duet._circuit({"still": still, "moving": moving}, RATE) as futures:
        for name, job in (("still", still), ("moving", moving)):
            expected = amp.render(di, job.setting)
            np.testing.assert_allclose(futures[name].result(), expected, atol=1e-6)


def short(home: Path, folder: Path) -> Path:
    audio.write(folder / "short.wav", guitar.demo(0.5), RATE)
    return folder / "short.wav"


@pytest.mark.parametrize(("name", "players"), [("another", 6), ("fixed", 1)])
def test_a_twin_of_any_other_amp_plays_its_own_knobs_alone(home, tmp_path, name, players):
    page = demo.run(tmp_path / "demo", short(home, tmp_path), home / f"{name}.twin")
    text = page.read_text("utf-8")
    assert text.count('class="player"') == players
    assert "Amp + cabinet" not in text
    assert ("Gain / Drive 3" in text) == (name == "another")


def test_only_a_twin_of_the_reference_amp_is_compared(home):
    reference = twin.load(home / "reference.twin")
    assert duet.is_reference(reference)
    assert not duet.is_reference(twin.load(home / "another.twin"))
    assert not duet.is_reference(replace(reference, provenance={}))


def test_the_comparison_starts_where_the_playing_starts():
    di = np.zeros(60 * RATE, np.float32)
    di[20 * RATE :] = 0.1
    part = playlist.excerpt(di, RATE)
    assert 19 * RATE < part.start < 20 * RATE
    assert part.stop - part.start == playlist.COMPARED_SECONDS * RATE
    job = playlist.Job(di, {"Volume": np.arange(60 * RATE) * 1.0, "Bass": 5.0}).part(part)
    assert len(job.di) == len(job.setting["Volume"]) == part.stop - part.start
    assert job.setting["Volume"][0] == part.start


# ---- The folder --------------------------------------------------------------------------------


def test_a_demo_replaces_a_demo(made, home, tmp_path):
    folder = tmp_path / "demo"
    folder.mkdir()
    for name, content in texts(made).items():
        (folder / name).write_bytes(content)
    (folder / ".unfinished-of-a-killed-one").mkdir()
    demo.run(folder, short(home, tmp_path), home / "fixed.twin")
    names = {path.name for path in folder.iterdir()}
    assert "1-as-it-is-twin.wav" in names
    assert not any("clean" in name or "unfinished" in name for name in names)


def test_a_file_that_no_demo_made_stays(made, home, tmp_path):
    (tmp_path / "song.wav").write_bytes(b"dear")
    with pytest.raises(BadInput, match=r"song\.wav"):
        demo.run(tmp_path, home / "di.wav", home / "fixed.twin")
    (made / "mine.txt").write_text("dear")
    before = texts(made)
    with pytest.raises(BadInput, match=r"mine\.txt"):
        demo.run(made, home / "di.wav", home / "fixed.twin")
    assert texts(made) == before
    (made / "mine.txt").unlink()


def bad(kind: str, home: Path, folder: Path) -> dict:
    (folder / "file").write_bytes(b"no folder")
    audio.write(folder / "silent.wav", np.zeros(RATE), RATE)
    audio.write(folder / "tick.wav", np.ones(RATE // 3), RATE)
    good = {"folder": folder / "demo", "di": home / "di.wav", "twin": home / "fixed.twin"}
    return (
        good
        | {
            "twin": {"twin": folder / "missing.twin"},
            "di": {"di": folder / "missing.wav"},
            "tick": {"di": folder / "tick.wav"},
            "silent": {"di": folder / "silent.wav"},
            "file": {"folder": folder / "file"},
            "below a file": {"folder": folder / "file" / "demo"},
        }[kind]
    )


@pytest.mark.parametrize("kind", ["twin", "di", "tick", "silent", "file", "below a file"])
def test_bad_input_leaves_nothing_behind(kind, home, tmp_path):
    arguments = bad(kind, home, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BadInput):
        demo.run(**arguments)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_demo_that_fails_half_way_leaves_the_earlier_one(made, home, monkeypatch):
    before = texts(made)

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(audio, "write", full_disk)
    with pytest.raises(BadInput, match="No space left"):
        demo.run(made, home / "di.wav", home / "fixed.twin")
    assert texts(made) == before
