"""The page of a verdict says what its report says, and plays what was judged."""

import base64
import copy
import io
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from judged_stage import KNOBS, captured, to_judge_by
from test_report import Outline
from tubetwin import clips, engine, evaluation, tables, training, twin, verdict
from tubetwin.network import Shape, WaveNet
from tubetwin.stage import stage_of

LOUDER = 1.1  # than its amp is the twin: an error of a tenth, and of nothing else


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    shape = Shape(channels=4, taps="dense", mix="scale", dilations=(1, 2, 4, 8), knobs=3)
    net = WaveNet(shape)
    torch.nn.init.normal_(net.film.mlp[-1].weight, std=0.3)
    path = tmp_path_factory.mktemp("twin") / "louder.twin"
    size = twin.Architecture(4, 3, shape.dilations, shape.taps, shape.mix)
    twin.save(twin.Twin("Louder", 48000, KNOBS, size, training.tensors(net)), path)
    return path


@pytest.fixture(scope="module")
def judge(path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge")

    def amp(di, setting):
        return engine.render(path, di, setting) / LOUDER

    return to_judge_by(folder / "judge", captured(folder / "session", amp=amp), amp)


@pytest.fixture(scope="module")
def report(path, judge):
    return evaluation.evaluate(path, judge)


def sounds(page: str) -> list[np.ndarray]:
    """Every sound of a page, in its order."""
    encoded = re.findall(r'src="data:audio/\w+;base64,([^"]+)"', page)
    return [soundfile.read(io.BytesIO(base64.b64decode(e)))[0] for e in encoded]


def test_the_page_nests_and_shows_every_kind_by_itself(report):
    page = verdict.build(report)
    Outline(page)
    assert "http" not in page
    table = page[page.index("<h2>The table") : page.index("<h2>Against")]
    for cell in report["table"]:
        assert cell["figures"]["esr"]["median"] == pytest.approx(0.01, rel=1e-3)
    for words in ("unseen, interior", "seen, corners", "unseen, sweep of Tone", "practice, heard"):
        assert f"<td>{words}</td>" in table
    assert table.count("<tr>") >= len(report["table"])
    assert "<b>20 dB</b>" in page


def test_worst_and_ordinary_setting_and_every_sweep_can_be_heard(report, path):
    page = verdict.build(report, stage_of(report))
    Outline(page)
    players = re.findall(r"<h3>([^<]+)</h3>", page)
    swept = [f"{knob.name}, step by step" for knob in KNOBS]
    assert players == ["An ordinary setting", "The worst", *swept]
    amp, answer, wrong, _ = sounds(page)[4:8]
    ratio = np.linalg.norm(answer) / np.linalg.norm(amp)
    assert ratio == pytest.approx(LOUDER, rel=0.01)
    assert np.linalg.norm(wrong) / np.linalg.norm(amp) == pytest.approx(LOUDER - 1, rel=0.1)


def test_without_its_session_a_report_is_a_page_without_players(report, tmp_path):
    gone = report | {"session": str(tmp_path / "gone")}
    assert stage_of(gone) is None
    assert 'class="player"' not in verdict.build(gone, None)


@pytest.mark.parametrize("kept", ["training", "interior", "corners", "sweep of Bass"])
def test_whatever_a_session_lacks_there_is_a_page(report, kept):
    less = copy.deepcopy(report)
    less["settings"] = [row for row in less["settings"] if row["family"] == kept]
    seen, unseen = tables.headline(less["settings"])
    figures = list(evaluation.FIGURES)
    less |= {"seen": tables.group("", seen, figures), "unseen": tables.group("", unseen, figures)}
    less["table"] = tables.cells(less["settings"], figures)
    less["worst"] = [row["file"] for row in tables.worst(unseen or seen)]
    less["baselines"] = {}
    Outline(verdict.build(less))


def test_of_one_setting_there_is_one_figure_one_player_and_no_interval(report, path):
    one = copy.deepcopy(report)
    rows = [row for row in one["settings"] if row["family"] == "interior"]
    one["settings"] = [row for row in rows if row["audio"] == "playing"][:1]
    figures = list(evaluation.FIGURES)
    one |= {"unseen": tables.group("", one["settings"], figures), "baselines": {}}
    one |= {"seen": tables.group("", [], figures), "worst": [one["settings"][0]["file"]]}
    one["table"] = tables.cells(one["settings"], figures)
    page = verdict.build(one, stage_of(one))
    Outline(page)
    assert re.findall(r"<h3>([^<]+)</h3>", page) == ["The only one"]
    assert page.count("20 dB</b>") == 1
    assert "<small>" not in page


def test_a_recorded_amp_has_its_loudspeaker_already(report, monkeypatch):
    monkeypatch.setattr(clips, "through", lambda ir, sound: sound * np.abs(sound))
    for simulated, louder in ((True, LOUDER**2), (False, LOUDER)):
        told = report | {"simulated": simulated}
        heard_amp, heard_twin = sounds(verdict.build(told, stage_of(told)))[:2]
        ratio = np.linalg.norm(heard_twin) / np.linalg.norm(heard_amp)
        assert ratio == pytest.approx(louder, rel=0.01)


def test_the_five_worst_are_on_the_page_the_worst_first(report):
    rows = {row["file"]: row for row in report["settings"]}
    page = verdict.build(report)
    table = page[page.index("the five worst") :]
    volumes = [f"{rows[file]['setting']['Volume']:g}" for file in report["worst"]]
    assert re.findall(r"<td>Volume ([\d.]+)", table)[: len(volumes)] == volumes
