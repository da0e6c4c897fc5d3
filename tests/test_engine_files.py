"""The engine refuses every kind of broken twin, naming the file, the key and the fault."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from numpy_network import Network, make
from tubetwin.engine import Player
from tubetwin.files import BadInput


def changed(**changes: object) -> Callable[[Network], bytes]:
    """The twin with other tensors; None takes one away."""

    def build(network: Network) -> bytes:
        tensors = network.tensors | {k.replace("__", "."): v for k, v in changes.items()}
        tensors = {k: v for k, v in tensors.items() if v is not None}
        return replace(network, tensors=tensors).file()

    return build


def described(path: str, value: object) -> Callable[[Network], bytes]:
    """The twin with another value in its description; ... takes a key away."""

    def build(network: Network) -> bytes:
        description = json.loads(json.dumps(network.description()))
        *parents, key = path.split(".")
        place = description
        for parent in parents:
            place = place[int(parent) if parent.isdigit() else parent]
        place[key] = value
        if value is ...:
            del place[key]
        return network.file(description)

    return build


def reheaded(change: Callable[[dict], None]) -> Callable[[Network], bytes]:
    """The twin with a forged safetensors header."""

    def build(network: Network) -> bytes:
        file = network.file()
        size = int.from_bytes(file[:8], "little")
        header = json.loads(file[8 : 8 + size])
        change(header)
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + file[8 + size :]

    return build


def poisoned(name: str, value: float) -> Callable[[Network], bytes]:
    def build(network: Network) -> bytes:
        tensor = network.tensors[name].copy()
        tensor.flat[-1] = value
        return changed(**{name.replace(".", "__"): tensor})(network)

    return build


BROKEN: dict[str, tuple[Callable[[Network], bytes], str]] = {
    "empty": (lambda n: b"", "too short"),
    "text": (lambda n: b"hello, I am not a twin at all", "not a twin"),
    "truncated header": (lambda n: n.file()[:500], "header stops short"),
    "truncated data": (lambda n: n.file()[:-100], "truncated: tensor"),
    "a byte too many": (lambda n: n.file() + b"\0", "1 bytes behind"),
    "header of zeros": (lambda n: (8).to_bytes(8, "little") + bytes(8), "header is not JSON"),
    "overlap": (
        reheaded(lambda h: h["lift.bias"].update(data_offsets=h["lift.weight"]["data_offsets"])),
        "overlaps|hole",
    ),
    "huge shape": (reheaded(lambda h: h["lift.bias"].update(shape=[2**40, 2**40])), "lift.bias"),
    "negative shape": (reheaded(lambda h: h["lift.bias"].update(shape=[-4])), "bad shape"),
    "half": (reheaded(lambda h: h["lift.bias"].update(dtype="F16")), "lift.bias is of type F16"),
    "other metadata": (reheaded(lambda h: h.update(__metadata__={"format": "pt"})), "no twin"),
    "description no JSON": (
        reheaded(lambda h: h["__metadata__"].update(tubetwin="{'")),
        "description is not JSON",
    ),
    "deep": (reheaded(lambda h: h["__metadata__"].update(tubetwin="[" * 9999)), "nested too deep"),
    "half a surrogate": (
        reheaded(lambda h: h["__metadata__"].update(tubetwin=r'{"a": "\ud800"}')),
        "surrogate",
    ),
    "format 2": (described("format", 2), "format 2; this program reads format 1"),
    "no name": (described("name", ...), "lacks name"),
    "rate": (described("sample_rate_hz", 0), "sample_rate_hz is 0"),
    "knob range": (described("knobs.0.minimum", 10), "Volume, needs minimum <= default"),
    "knob default": (described("knobs.0.default", 11), "Volume, needs minimum <= default"),
    "knob twice": (described("knobs.1.name", "volume"), "two knobs are called volume"),
    "knob no number": (described("knobs.0.default", "5"), "knob 1: default is of the wrong type"),
    "channels": (described("architecture.channels", 65), "channels is 65"),
    "kernel": (described("architecture.kernel_size", 2.5), "kernel_size is 2.5"),
    "no layers": (described("architecture.dilations", []), "0 dilations"),
    "many layers": (described("architecture.dilations", [1] * 65), "65 dilations"),
    "dilation 0": (described("architecture.dilations", [1, 0]), "a dilation is 0"),
    "long": (described("architecture.dilations", [2**19, 1]), "receptive field is longer"),
    "taps": (described("architecture.taps", "double"), 'taps is "double"'),
    "missing": (changed(taps__bias=None), "tensor taps.bias is missing"),
    "surplus": (changed(extra=np.zeros(3, np.float32)), "tensor extra is no part"),
    "misshapen": (
        changed(head__weight=np.zeros((30, 5), np.float32)),
        r"head.weight has the shape \(30, 5\), not \(30, 4\)",
    ),
    "NaN": (poisoned("mix.weight", np.nan), "mix.weight holds a value that is not finite"),
    "infinite": (poisoned("film.0.bias", np.inf), "film.0.bias holds a value that is not finite"),
    "alpha": (poisoned("snake.alpha", 0), "snake.alpha holds a value that is not above 0"),
    "film gap": (changed(film__1__weight=None), "film.0.weight has the shape"),
    "short check": (
        changed(
            check__input=np.zeros(6139, np.float32), check__output=np.zeros((2, 6139), np.float32)
        ),
        "6139 samples, not more",
    ),
    "check setting": (poisoned("check.settings", 1.5), "check.settings"),
    "wrong sound": (
        lambda n: changed(lift__weight=n.tensors["lift.weight"] * 1.01)(n),
        "answers its check signal wrongly",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_twin_is_refused_by_name_and_key(kind: str, tmp_path: Path) -> None:
    build, fault = BROKEN[kind]
    path = tmp_path / "broken.twin"
    path.write_bytes(build(make("nano")[0]))
    with pytest.raises(BadInput, match=fault) as refusal:
        Player(path)
    assert str(refusal.value).startswith(f"{path}: ")


def test_no_cut_of_a_twin_is_taken_for_one() -> None:
    file = make("one layer")[1]
    for size in range(0, len(file), max(1, len(file) // 300)):
        with pytest.raises(BadInput):
            Player(file[:size])


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.twin: cannot be opened"):
        Player(tmp_path / "none.twin")
    with pytest.raises(BadInput, match="cannot be"):
        Player(tmp_path)
