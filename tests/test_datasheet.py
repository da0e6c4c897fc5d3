"""The data sheet: what is measured agrees with what is known, and follows when the twin changes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tubetwin import datasheet, engine, training, twin
from tubetwin.knobs import Knob
from tubetwin.network import SIZES, Shape, WaveNet

KNOBS = tuple(Knob(name) for name in ("Volume", "Treble", "Bass", "Mid-Bite"))
SMALL = Shape(channels=4, taps="dense", mix="scale", dilations=(1, 2, 4), knobs=1)


def written(shape: Shape, path: Path, changed=lambda net: None) -> Path:
    """A random twin of a shape, with knobs that do something; `changed` has the last word."""
    torch.manual_seed(0)
    net = WaveNet(shape)
    torch.nn.init.normal_(net.film.mlp[-1].weight, std=0.05)
    with torch.no_grad():
        changed(net)
    size = twin.Architecture(
        shape.channels, shape.kernel_size, shape.dilations, shape.taps, shape.mix
    )
    made = twin.Twin("Random", 48000, KNOBS[: shape.knobs], size, training.tensors(net))
    twin.save(made, path)
    return path


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("twins")
    return {name: written(SIZES[name], folder / f"{name}.twin") for name in SIZES}


@pytest.fixture(scope="module")
def sheets(paths):
    return {name: datasheet.measure(path, timing=False) for name, path in paths.items()}


# ---- The three sizes ---------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_every_size_hears_6139_samples_and_answers_at_once(sheets, size):
    assert sheets[size]["receptive_field_samples"] == 6139
    assert sheets[size]["latency_samples"] == 0
    assert sheets[size]["seconds_of_memory"] == pytest.approx(0.1279, abs=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_the_ledger_in_the_file_is_the_ledger_of_the_network(sheets, size):
    assert sheets[size]["macs"] == SIZES[size].macs()
    net = WaveNet(SIZES[size])
    assert sheets[size]["parameters"] == sum(p.numel() for p in net.parameters())
    film = [linear.weight.numel() for linear in net.film.mlp]
    assert sheets[size]["film_macs_per_move"] == sum(film)


def test_the_figures_the_sizes_are_known_by(sheets):
    assert sheets["standard"]["macs"]["taps"] == sheets["nano"]["macs"]["taps"] == 1440
    assert sheets["standard"]["macs"]["total"] <= 9700
    assert sheets["nano"]["macs"]["total"] <= 1700
    assert sheets["standard"]["delay_line_bytes"] == 392832
    assert sheets["nano"]["delay_line_bytes"] == 392832 / 4


@pytest.mark.parametrize("size", SIZES)
def test_memory_adds_up_and_the_engine_agrees_with_the_file(sheets, paths, size):
    parts = dict(sheets[size]["memory"])
    assert parts.pop("total") == sum(parts.values()) >= sheets[size]["delay_line_bytes"]
    assert sheets[size]["file_bytes"] == paths[size].stat().st_size
    assert sheets[size]["check_error"] < 1e-5


# ---- Measured, not declared --------------------------------------------------------------------


def deaf_to(*taps):
    def change(net):
        for layer, tap in taps:
            net.taps.weight[layer, tap] = 0

    return change


@pytest.mark.parametrize(
    ("change", "heard"),
    [(deaf_to(), 15), (deaf_to((2, 0)), 11), (deaf_to((2, 0), (2, 1)), 7), (deaf_to((0, 0)), 14)],
)
def test_taps_of_zero_shorten_the_receptive_field(tmp_path, change, heard):
    sheet = datasheet.measure(written(SMALL, tmp_path / "t.twin", change), timing=False)
    assert sheet["receptive_field_samples"] == heard


def test_the_last_samples_of_6139_are_told_apart(tmp_path):
    if engine.instruction_set() == "baseline":
        pytest.skip("without AVX2 the huge impulse overflows on paths that cross in this twin")
    path = written(SIZES["standard"], tmp_path / "t.twin", deaf_to((20, 0)))
    assert datasheet.measure(path, timing=False)["receptive_field_samples"] == 6138


def test_a_twin_that_hears_only_the_past_has_latency(tmp_path):
    late = deaf_to((0, 2), (1, 2), (2, 2))
    path = written(SMALL, tmp_path / "late.twin", late)
    assert datasheet.measure(path, timing=False)["latency_samples"] == 1


def test_a_deaf_twin_has_neither(tmp_path):
    path = written(SMALL, tmp_path / "deaf.twin", lambda net: net.lift.weight.zero_())
    sheet = datasheet.measure(path, timing=False)
    assert sheet["latency_samples"] is None
    assert sheet["receptive_field_samples"] == 0
    assert ("Latency", "no answer") in [row[:2] for row in datasheet.table(sheet)]


def test_a_wrong_check_signal_shows(tmp_path):
    good = twin.load(written(SMALL, tmp_path / "t.twin"))
    answer = good.tensors["check.output"].copy()
    peak = np.abs(answer).max()
    answer[0, 7] += 5e-5 * peak
    twin.save(replace(good, tensors={**good.tensors, "check.output": answer}), tmp_path / "w.twin")
    sheet = datasheet.measure(tmp_path / "w.twin", timing=False)
    assert sheet["check_error"] == pytest.approx(5e-5, rel=0.1)


# ---- Speed, and the sheet itself ---------------------------------------------------------------


def test_the_real_time_factor_is_cpu_time_over_time_played(paths, sheets):
    assert sheets["nano"]["real_time_factor"] is None
    factors = {size: datasheet.measure(paths[size])["real_time_factor"] for size in SIZES}
    assert 0 < factors["nano"] < factors["standard"] < 1


def test_the_sheet_is_json(sheets):
    for sheet in sheets.values():
        assert json.loads(json.dumps(sheet, allow_nan=False)) == sheet
        assert sheet["instruction_set"] == engine.instruction_set()


def test_the_table_says_what_was_measured(sheets):
    rows = {what: (value, how) for what, value, how in datasheet.table(sheets["standard"])}
    assert rows["Receptive field"][0] == "6,139 samples"
    assert rows["Time memory"][0] == "0.128 s at 48,000 Hz"
    assert rows["Delay lines"][0] == "392,832 bytes"
    assert "taps 1,440" in rows["MACs per sample"][1]
    assert rows["Latency"][0] == "0 samples (0 ms)"
    assert rows["Real-time factor"][0] == "not measured"
    assert rows["ESR, settings unseen"][0] == "not evaluated"


def test_the_table_keeps_seen_and_unseen_apart(sheets):
    seen = {"median": 0.001, "p90": 0.002, "worst": 0.003, "count": 24}
    scores = {"simulated": True, "seen": seen, "unseen": {**seen, "median": 0.004, "count": 48}}
    rows = {row[0]: row for row in datasheet.table(sheets["nano"] | {"scores": scores})}
    assert rows["ESR, settings seen"][1] == "median 0.0010, p90 0.0020, worst 0.0030"
    assert rows["ESR, settings unseen"][1] == "median 0.0040, p90 0.0020, worst 0.0030"
    assert "simulated amp at 48 settings" in rows["ESR, settings unseen"][2]
