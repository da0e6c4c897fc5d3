"""The commands do what they say, and bad input ends with one clear error, nothing half-written."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tubetwin import amp, cli, terminal, twin
from tubetwin.files import BadInput
from tubetwin.knobs import Knob

RATE = 48000


@pytest.fixture
def di(tmp_path: Path) -> Path:
    path = tmp_path / "di.wav"
    wave = 0.3 * np.sin(np.arange(RATE // 4) * 0.05)
    soundfile.write(path, wave, RATE, subtype="FLOAT")
    return path


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])


# ---- What must work as written -----------------------------------------------------------------


def test_render_plays_any_file_through_a_bundled_twin(di: Path, tmp_path: Path) -> None:
    stereo = tmp_path / "stereo.flac"
    wave = 0.2 * np.random.default_rng(0).normal(size=(22050, 2))
    soundfile.write(stereo, np.clip(wave, -1, 1), 44100, subtype="PCM_24")
    out = tmp_path / "out.wav"
    assert (
        run("render", stereo, "--twin", "nano", "--volume", 7, "--cabinet", "1x12", "-o", out) == 0
    )
    samples, rate = soundfile.read(out)
    assert rate == RATE
    assert len(samples) == pytest.approx(RATE / 2, abs=2)
    assert np.abs(samples).max() > 0.01


def test_a_range_sweeps_the_knob(di: Path, tmp_path: Path) -> None:
    swept, still = tmp_path / "swept.wav", tmp_path / "still.wav"
    assert run("render", di, "--volume", "1:10", "-o", swept) == 0
    assert run("render", di, "--volume", "1", "-o", still) == 0
    a, b = soundfile.read(swept)[0], soundfile.read(still)[0]
    assert np.abs(a[:100] - b[:100]).max() < 0.01
    assert np.std(a[-5000:]) > 2 * np.std(b[-5000:])


def test_amp_renders_the_circuit(di: Path, tmp_path: Path) -> None:
    out = tmp_path / "amp.wav"
    assert (
        run("amp", di, "--volume", 6, "--treble", 5, "--bass", 5, "--mid-bite", 5, "-o", out) == 0
    )
    samples, rate = soundfile.read(out)
    assert (rate, len(samples)) == (RATE, RATE // 4)
    assert 0.05 < np.abs(samples).max() < 1.0


def test_info_measures_the_seeds_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", "standard", "--json") == 0
    standard = json.loads(capsys.readouterr().out)
    assert standard["receptive_field_samples"] == 6139
    assert standard["latency_samples"] == 0
    assert standard["macs"]["taps"] == 1440
    assert standard["delay_line_bytes"] == 392_832
    assert run("info", "nano", "--json") == 0
    nano = json.loads(capsys.readouterr().out)
    assert nano["receptive_field_samples"] == 6139
    assert nano["macs"]["total"] <= 1700


def test_from_capture_to_evaluation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session, made = tmp_path / "session", tmp_path / "my.twin"
    assert (
        run(
            "capture",
            "--amp",
            "reference",
            "--settings",
            4,
            "--seconds",
            1,
            "--seed",
            7,
            "-o",
            session,
        )
        == 0
    )
    assert run("train", session, session, "-o", made, "--size", "nano", "--minutes", "0.1") == 0
    assert set(twin.load(made).scores) >= {"seen", "unseen"}
    capsys.readouterr()
    assert run("evaluate", made, session, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {"esr", "esr_pre", "setting"} <= set(found["settings"][0])
    assert {"median", "p90", "worst"} <= set(found["summary"])


def quick_amp(di: np.ndarray, setting: Mapping[str, float]) -> np.ndarray:
    """Stands in for the circuit, which takes too long here."""
    return np.tanh((0.2 + setting["Volume"]) * di).astype(np.float32)


def test_from_a_session_to_judge_by_to_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amp, "render", quick_amp)
    session, judge, found = (tmp_path / name for name in ("session", "judge", "report.json"))
    few = "--settings", 3, "--processes", 1
    assert run("capture", "--amp", "reference", *few, "--seconds", 4, "-o", session) == 0
    assert run("capture", "--judge", session, *few, "--seconds", 0.6, "-o", judge) == 0
    described = json.loads((judge / "session.json").read_text())
    (judge / "session.json").write_text(json.dumps(described | {"rig": "somebody's amp"}))
    capsys.readouterr()
    assert run("evaluate", "nano", judge, "--probes", "--json") == 0
    printed = capsys.readouterr()
    assert "somebody's amp cannot be asked" in printed.err
    found.write_text(printed.out)
    assert json.loads(printed.out)["probes"] is None
    assert run("evaluate", "nano", judge) == 0
    printed_table = capsys.readouterr().err
    assert {"Mid-Bite", "corners", "practice,"} <= set(printed_table.split())
    for words in ((found,), ("nano", judge)):
        assert run("report", *words, "-o", tmp_path / "page.html") == 0
        page = (tmp_path / "page.html").read_text("utf-8")
        assert "Mid-Bite, step by step" in page
        assert "<td>unseen, interior</td>" in page


def test_a_di_of_ones_own_does_not_judge(
    di: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("capture", "--judge", tmp_path, "--di", di, "-o", tmp_path / "judge") == 2
    assert "leave --di out" in capsys.readouterr().err


def test_what_is_no_report_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    for text, words in (("{", "cannot read"), ("[]", "no report"), ('{"format": 1}', "no report")):
        (tmp_path / "report.json").write_text(text)
        assert run("report", tmp_path / "report.json", "-o", page) == 2
        assert words in capsys.readouterr().err
    assert run("report", "nano", "-o", page) == 2
    assert not page.exists()


def test_every_command_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    for name in cli.cli.commands:
        assert run(name, "--help") == 0
        assert len(capsys.readouterr().out) > 150


# ---- Knobs on the command line -----------------------------------------------------------------

PANEL = (Knob("Volume"), Knob("Mid-Bite"))


def test_knobs_are_options_by_their_printed_names() -> None:
    assert terminal.knob_options(["--volume", "3", "--mid-bite=4.5"], PANEL, 8) == {
        "Volume": 3,
        "Mid-Bite": 4.5,
    }
    swept = terminal.knob_options(["--volume", "2:8"], PANEL, 3)
    assert np.array_equal(swept["Volume"], [2, 5, 8])


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--presence", "3"], "no option or knob --presence"),
        (["--volume", "11"], "from 0 to 10, not 11"),
        (["--volume", "nan"], "from 0 to 10, not nan"),
        (["--volume", "loud"], "takes a number"),
        (["--volume"], "needs a value"),
        (["--volume", "1:2:3"], "takes a number"),
    ],
)
def test_a_wrong_knob_is_named(words: list[str], complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        terminal.knob_options(words, PANEL, 8)


# ---- Bad input ---------------------------------------------------------------------------------


def sparse_wav(path: Path, hours: float) -> None:
    """A WAV with a true header and silence that takes no room on the disk."""
    frames = int(hours * 3600 * RATE)
    header = (
        b"RIFF" + (36 + 2 * frames).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    )
    header += (
        (1).to_bytes(2, "little") * 2
        + RATE.to_bytes(4, "little")
        + (2 * RATE).to_bytes(4, "little")
    )
    header += (
        (2).to_bytes(2, "little")
        + (16).to_bytes(2, "little")
        + b"data"
        + (2 * frames).to_bytes(4, "little")
    )
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + 2 * frames)


def broken_inputs(folder: Path, good: Path) -> dict[str, Path]:
    made = {
        name: folder / f"{name}.wav"
        for name in ("missing", "empty", "no-audio", "truncated", "nan", "long")
    }
    made["empty"].write_bytes(b"")
    made["no-audio"].write_bytes(b"This is a text about guitars. " * 50)
    made["truncated"].write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    soundfile.write(made["nan"], np.array([0.0, np.nan, 0.1]), RATE, subtype="FLOAT")
    sparse_wav(made["long"], 8)
    return made


@pytest.mark.parametrize("kind", ["missing", "empty", "no-audio", "truncated", "nan", "long"])
@pytest.mark.parametrize("command", ["render", "amp"])
def test_a_broken_recording_is_one_error_and_no_output(
    command: str, kind: str, di: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = broken_inputs(tmp_path, di)[kind], tmp_path / "out.wav"
    assert run(command, path, "-o", out) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(errors) == 1
    assert path.name in errors[0]
    assert not out.exists()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".out")]


def test_a_broken_twin_is_one_error(
    di: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = twin.bundled("nano").read_bytes()
    path = tmp_path / "broken.twin"
    path.write_bytes(whole[: len(whole) // 2])
    assert run("render", di, "--twin", path, "-o", tmp_path / "out.wav") == 2
    assert "broken.twin" in capsys.readouterr().err
    assert run("info", path) == 2


def test_an_unknown_twin_lists_the_bundled_ones(
    di: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("render", di, "--twin", "marshall", "-o", tmp_path / "out.wav") == 2
    error = capsys.readouterr().err
    assert "standard" in error
    assert "nano" in error


def test_an_empty_impulse_response_is_refused(
    di: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ir = tmp_path / "ir.wav"
    soundfile.write(ir, np.zeros(0), RATE)
    assert run("render", di, "--cabinet", ir, "-o", tmp_path / "out.wav") == 2
    assert "ir.wav" in capsys.readouterr().err


def test_an_unwritable_output_is_refused(
    di: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("render", di, "-o", tmp_path / "missing" / "out.wav") == 2
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("mount"), reason="needs a small file system"
)
def test_a_full_disk_leaves_nothing(di: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", small], check=False
    ).returncode:
        pytest.skip("may not mount here")
    try:
        command = [
            sys.executable,
            "-m",
            "tubetwin.cli",
            "render",
            str(di),
            "-o",
            str(small / "out.wav"),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 2
        assert "cannot write" in done.stderr
        assert not list(small.iterdir())
    finally:
        subprocess.run(["umount", small], check=True)


def test_what_is_no_session_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", tmp_path, "-o", tmp_path / "a.twin") == 2
    assert run("evaluate", "nano", tmp_path / "nowhere") == 2
    assert "is no session folder" in capsys.readouterr().err
