"""A twin survives its file bit by bit, and no broken file gets past the door."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tubetwin import twin as twin_file
from tubetwin.files import BadInput
from tubetwin.knobs import Knob
from tubetwin.twin import Architecture, Twin, bundled, expected_shapes, load, save, validate

SMALL = Architecture(channels=2, kernel_size=3, dilations=(1, 2), taps="depthwise", mix="full")
KNOBS = (Knob("Volume"), Knob("Mid-Bite", 0, 1, 0.25))


def made_up(architecture: Architecture = SMALL, knobs: tuple[Knob, ...] = KNOBS) -> Twin:
    """A valid twin whose numbers mean nothing."""
    rng = np.random.default_rng(3)
    shapes = expected_shapes(architecture, len(knobs), 2, 3, 20, 4)
    tensors = {name: rng.random(shape, np.float32) + 0.01 for name, shape in shapes.items()}
    tensors["check.settings"] = rng.random((4, len(knobs)), np.float32)
    return Twin(
        name="Grüner Kombi",
        sample_rate_hz=48000,
        knobs=knobs,
        architecture=architecture,
        tensors=tensors,
        levels={"input_full_scale_volts": 1.0, "output_full_scale_volts": 40.0},
        provenance={"rig": "made up"},
        scores={"unseen": {"median": 0.004}},
        licence="MIT",
    )


def with_tensors(twin: Twin, **changed: Any) -> Twin:
    """The twin with other tensors, spelled `snake_alpha=...`; None takes one away."""
    names = {name.replace("_", ".", 1): value for name, value in changed.items()}
    tensors = {name: t for name, t in ({**twin.tensors, **names}).items() if t is not None}
    return replace(twin, tensors=tensors)


# ---- Round trip --------------------------------------------------------------------------------


@pytest.mark.parametrize("knobs", [KNOBS, ()], ids=["two knobs", "no knobs"])
@pytest.mark.parametrize("mix", ["full", "scale"])
@pytest.mark.parametrize("taps", ["depthwise", "dense"])
def test_a_round_trip_is_bit_exact(
    tmp_path: Path, taps: str, mix: str, knobs: tuple[Knob, ...]
) -> None:
    twin = made_up(replace(SMALL, taps=taps, mix=mix), knobs)
    save(twin, tmp_path / "a.twin")
    again = load(tmp_path / "a.twin")
    assert replace(again, tensors={}) == replace(twin, tensors={})
    assert again.tensors.keys() == twin.tensors.keys()
    for name, tensor in twin.tensors.items():
        assert again.tensors[name].shape == tensor.shape
        assert again.tensors[name].tobytes() == tensor.tobytes()


def test_equal_twins_give_equal_bytes(tmp_path: Path) -> None:
    twin = made_up()
    backwards = replace(twin, tensors=dict(reversed(twin.tensors.items())))
    save(twin, tmp_path / "a.twin")
    save(backwards, tmp_path / "b.twin")
    save(load(tmp_path / "a.twin"), tmp_path / "c.twin")
    files = [(tmp_path / f"{name}.twin").read_bytes() for name in "abc"]
    assert files[0] == files[1] == files[2]


def test_layout_is_the_one_of_the_document() -> None:
    """Shapes of the standard and the nano network, by hand from docs/twin-file.md."""
    dilations = tuple(2**i for i in range(10)) * 3
    standard = Architecture(16, 3, dilations, "depthwise", "full")
    shapes = expected_shapes(standard, 4, 3, 32, 9000, 5)
    assert standard.receptive_field_samples == 6139
    assert shapes["taps.weight"] == (30, 3, 16)
    assert shapes["mix.weight"] == (29, 16, 16)
    assert shapes["film.0.weight"] == (32, 4)
    assert shapes["film.1.weight"] == (32, 32)
    assert shapes["film.2.weight"] == (960, 32)
    assert shapes["check.output"] == (5, 9000)
    nano = expected_shapes(Architecture(4, 3, dilations, "dense", "scale"), 0, 3, 32, 9000, 1)
    assert nano["taps.weight"] == (30, 3, 4, 4)
    assert nano["mix.weight"] == (29, 4)
    assert not any(name.startswith("film") for name in nano)


def test_foreign_readers_open_it(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    twin = made_up()
    save(twin, tmp_path / "a.twin")
    tensors = load_file(tmp_path / "a.twin")
    assert all(np.array_equal(tensors[name], twin.tensors[name]) for name in twin.tensors)


def test_readers_ignore_what_they_do_not_know(tmp_path: Path) -> None:
    path = edited(tmp_path, lambda header, about: about.update(mood="blue"))
    assert load(path).name == made_up().name


# ---- Broken files ------------------------------------------------------------------------------


def edited(folder: Path, edit: Callable[[dict[str, Any], dict[str, Any]], object]) -> Path:
    """A saved twin after `edit(header, description)` has had its way with its JSON."""
    path = folder / "edited.twin"
    save(made_up(), path)
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    about = json.loads(header["__metadata__"]["tubetwin"])
    edit(header, about)
    header.get("__metadata__", {})["tubetwin"] = json.dumps(about)
    written = json.dumps(header).encode()
    path.write_bytes(len(written).to_bytes(8, "little") + written + data[8 + size :])
    return path


def refused(path: Path, *words: str) -> str:
    """Loading says no, naming the file and every one of `words`; returns what it says."""
    with pytest.raises(BadInput) as error:
        load(path)
    message = str(error.value)
    assert all(word in message for word in (str(path), *words)), message
    return message


DESCRIPTIONS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another format": (lambda d: d.update(format=2), "'format' is 2"),
    "no format": (lambda d: d.pop("format"), "'format' is None"),
    "no name": (lambda d: d.pop("name"), "'name'"),
    "empty name": (lambda d: d.update(name=""), "'name'"),
    "rate as text": (lambda d: d.update(sample_rate_hz="48000"), "'sample_rate_hz'"),
    "rate of zero": (lambda d: d.update(sample_rate_hz=0), "'sample_rate_hz'"),
    "rate true": (lambda d: d.update(sample_rate_hz=True), "'sample_rate_hz'"),
    "knobs no list": (lambda d: d.update(knobs={}), "'knobs'"),
    "knob no object": (lambda d: d.update(knobs=[3]), "knob 0"),
    "knob unnamed": (lambda d: d["knobs"][0].update(name=""), "knob ''"),
    "knob without range": (lambda d: d["knobs"][0].update(minimum=10), "'Volume'"),
    "knob default outside": (lambda d: d["knobs"][1].update(default=2), "'Mid-Bite'"),
    "knob endless": (lambda d: d["knobs"][0].update(maximum=10**400), "'maximum'"),
    "knob infinite": (lambda d: d["knobs"][0].update(maximum=float("inf")), "'tubetwin'"),
    "knobs alike": (lambda d: d["knobs"][1].update(name="VOLUME"), "'knobs'"),
    "65 knobs": (
        lambda d: d.update(knobs=[d["knobs"][0] | {"name": f"K{i}"} for i in range(65)]),
        "'knobs' has 65",
    ),
    "levels no object": (lambda d: d.update(levels=40), "'levels'"),
    "level negative": (lambda d: d["levels"].update(input_full_scale_volts=-1), "'levels'"),
    "level as text": (lambda d: d["levels"].update(input_full_scale_volts="1"), "_volts'"),
    "no architecture": (lambda d: d.pop("architecture"), "'architecture'"),
    "no channels": (lambda d: d["architecture"].update(channels=0), "'channels'"),
    "too many channels": (lambda d: d["architecture"].update(channels=65), "'channels'"),
    "half a channel": (lambda d: d["architecture"].update(channels=1.5), "'channels'"),
    "kernel too long": (lambda d: d["architecture"].update(kernel_size=17), "'kernel_size'"),
    "no layers": (lambda d: d["architecture"].update(dilations=[]), "'layers'"),
    "too many layers": (lambda d: d["architecture"].update(dilations=[1] * 65), "'layers'"),
    "dilation zero": (lambda d: d["architecture"].update(dilations=[1, 0]), "'dilations'"),
    "dilation as text": (lambda d: d["architecture"].update(dilations=[1, "2"]), "dilations[1]"),
    "field too long": (lambda d: d["architecture"].update(dilations=[1, 2**20]), "receptive field"),
    "unknown taps": (lambda d: d["architecture"].update(taps="sparse"), "'taps'"),
    "unknown mix": (lambda d: d["architecture"].update(mix="none"), "'mix'"),
    "scores no object": (lambda d: d.update(scores=[1]), "'scores'"),
    "provenance no object": (lambda d: d.update(provenance="me"), "'provenance'"),
    "licence no text": (lambda d: d.update(licence=None), "'licence'"),
}


@pytest.mark.parametrize("case", DESCRIPTIONS)
def test_a_broken_description_is_refused_by_key(tmp_path: Path, case: str) -> None:
    edit, word = DESCRIPTIONS[case]
    refused(edited(tmp_path, lambda header, about: edit(about)), word)


HEADERS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "not ours": (lambda h: h["__metadata__"].update(format="pt"), "'__metadata__'"),
    "no metadata": (lambda h: h.pop("__metadata__"), "'__metadata__'"),
    "another type": (lambda h: h["head.bias"].update(dtype="I32"), "'head.bias'"),
    "overlapping data": (lambda h: h["head.bias"].update(data_offsets=[0, 4]), "whole twin file"),
    "renamed tensor": (lambda h: h.update(x=h.pop("head.bias")), "'x' does not belong"),
    "misshapen tensor": (lambda h: h["mix.bias"].update(shape=[2, 1]), "'mix.bias' has shape"),
    "a FiLM layer gone": (lambda h: h.update(x=h.pop("film.1.weight")), "'film.1.bias'"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_broken_header_is_refused_by_key(tmp_path: Path, case: str) -> None:
    edit, word = HEADERS[case]
    refused(edited(tmp_path, lambda header, about: edit(header)), word)


def test_a_description_that_is_no_json_is_refused(tmp_path: Path) -> None:
    save(made_up(), tmp_path / "a.twin")
    data = (tmp_path / "a.twin").read_bytes()
    (tmp_path / "a.twin").write_bytes(data.replace(rb"{\"arch", rb"[\"arch", 1))
    refused(tmp_path / "a.twin", "'tubetwin'")


NAN = np.array([np.nan], np.float32)
TENSORS: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"head_bias": None}, "'head.bias' is missing"),
    "missing FiLM": ({"film_0.weight": None}, "'film.0.weight' is missing"),
    "surplus": ({"extra": NAN}, "'extra' does not belong"),
    "misshapen": ({"lift_bias": np.ones(3, np.float32)}, "'lift.bias' has shape"),
    "no dimension": ({"check_input": np.ones((), np.float32)}, "'check.input'"),
    "another type": ({"lift_bias": np.ones(2)}, "'lift.bias' holds float64"),
    "NaN": ({"head_bias": NAN}, "'head.bias' holds numbers"),
    "infinite": ({"head_bias": NAN * 0 + np.float32(np.inf)}, "'head.bias' holds numbers"),
    "alpha zero": ({"snake_alpha": np.zeros((2, 2), np.float32)}, "'snake.alpha'"),
    "check too short": ({"check_input": np.ones(7, np.float32)}, "'check.input'"),
    "no check": ({"check_settings": np.ones((0, 2), np.float32)}, "'check.settings'"),
    "check off the panel": ({"check_settings": np.full((4, 2), 2, np.float32)}, "'check.settings'"),
}


@pytest.mark.parametrize("case", TENSORS)
def test_a_broken_tensor_is_refused_by_name_when_read_and_when_written(
    tmp_path: Path, case: str
) -> None:
    changed, word = TENSORS[case]
    twin = with_tensors(made_up(), **changed)
    with pytest.raises(BadInput, match=re.escape(word)):
        validate(twin)
    with pytest.raises(BadInput, match=re.escape(word)):
        save(twin, tmp_path / "a.twin")
    assert not list(tmp_path.iterdir())
    if case != "another type":  # a file with a float64 tensor is among HEADERS
        about = json.loads(twin_file._description(twin))
        metadata = {"format": "tubetwin", "tubetwin": json.dumps(about)}
        (tmp_path / "a.twin").write_bytes(twin_file._safetensors(twin.tensors, metadata))
        refused(tmp_path / "a.twin", word)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_truncated_twin_is_refused(tmp_path_factory: Any, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.twin"
    save(made_up(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    refused(path, "not a whole twin file")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2500), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_corrupted_twin_is_refused_or_valid(
    tmp_path_factory: Any, changes: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "corrupt.twin"
    save(made_up(), path)
    corrupt = bytearray(path.read_bytes())
    for place, value in changes:
        corrupt[place % len(corrupt)] = value
    path.write_bytes(corrupt)
    with suppress(BadInput):  # any other error fails the test
        validate(load(path))


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200))
def test_no_bytes_at_all_do_worse_than_bad_input(tmp_path_factory: Any, noise: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.twin"
    path.write_bytes(noise)
    refused(path)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    refused(tmp_path / "none.twin", "there is no file")
    refused(tmp_path, "there is no file")
    with pytest.raises(BadInput, match="cannot write"):
        save(made_up(), tmp_path / "none" / "a.twin")


def test_scores_that_are_no_json_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    for scores in ({"esr": float("nan")}, {"esr": np.float32(1)}):
        with pytest.raises(BadInput, match="JSON"):
            save(replace(made_up(), scores=scores), tmp_path / "a.twin")
    assert not list(tmp_path.iterdir())


# ---- Names -------------------------------------------------------------------------------------


def test_bundled_twins_go_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twin_file, "BUNDLED", tmp_path)
    for name in ("standard", "nano"):
        save(made_up(), tmp_path / f"{name}.twin")
    assert bundled("nano") == tmp_path / "nano.twin"
    assert bundled(tmp_path / "standard.twin") == tmp_path / "standard.twin"
    with pytest.raises(BadInput, match=r"there is no twin huge.*nano, standard"):
        bundled("huge")
