"""The engine in WebAssembly plays, and refuses, what the native engine does. Node judges."""

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from page_driver import RATE, broken, refusal
from tubetwin import cabinet, engine


@pytest.mark.parametrize("size", ["standard", "lite", "nano"])
@pytest.mark.parametrize("block", [128, 777])
def test_wasm_plays_what_the_native_engine_plays(
    size: str, block: int, in_node: Any, made_twin: Any, tmp_path: Path
) -> None:
    rng = np.random.default_rng(4)
    t = np.arange(RATE // 2)
    di = (0.4 * np.sin(t * 0.03) + rng.normal(0, 0.1, len(t))).astype(np.float32)
    ir = cabinet.design(RATE)
    files = {"input": di, "cabinet": ir}
    for name, samples in files.items():
        samples.tofile(tmp_path / name)
    path, turns = made_twin(size), [0.85, 0.3, 1.0, 0.0]
    told = in_node(
        twin=path,
        output=tmp_path / "output",
        knobs=turns,
        block=block,
        **{name: tmp_path / name for name in files},
    )
    assert "error" not in told
    with engine.Player(path, cabinet=ir) as player:
        setting = {k.name: k.panel(t) for k, t in zip(player.knobs, turns, strict=True)}
        player.set(setting, jump=True)
        player.reset()
        expected = player.process(di)
    played = np.fromfile(tmp_path / "output", np.float32)
    assert np.abs(expected).max() > 1e-3
    assert np.abs(played - expected).max() <= 1e-5 * max(1.0, float(np.abs(expected).max()))


def test_wasm_refuses_broken_twins_in_the_same_words(
    in_node: Any, first_twin: Path, tmp_path: Path
) -> None:
    path = tmp_path / "broken.twin"
    for what, contents in broken(first_twin.read_bytes()).items():
        path.write_bytes(contents)
        told = in_node(twin=path, input=os.devnull, output=tmp_path / "output")
        assert told == {"error": refusal(path)}, what


def test_wasm_imports_nothing(site: Path) -> None:
    node = shutil.which("node") or pytest.skip("node is absent")
    code = (
        "console.log(WebAssembly.Module.imports(new WebAssembly.Module(fs.readFileSync(0))).length)"
    )
    with (site / "engine.wasm").open("rb") as file:
        done = subprocess.run([node, "-e", code], stdin=file, capture_output=True, check=True)
    assert done.stdout.strip() == b"0"


def test_a_cabinet_is_as_loud_in_the_page_as_in_python(
    in_node: Any, first_twin: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    ir = (rng.normal(size=9000) * np.exp(-np.arange(9000) / 700)).astype(np.float32)
    ir.tofile(tmp_path / "ir")
    told = in_node(
        twin=first_twin, input=os.devnull, output=tmp_path / "output", cabinet=tmp_path / "ir"
    )
    assert told["loudness"] == pytest.approx(cabinet.loudness(ir, RATE), rel=0.02)


def test_the_first_visit_costs_less_than_a_photograph(site: Path) -> None:
    """Page, engine, twins, cabinet and guitar, as a static host would compress them."""
    files = json.loads((site / "page.json").read_bytes())["files"]
    brought = [site / ("index.html" if name == "./" else name) for name in files]
    assert {path.suffix for path in brought} >= {".html", ".js", ".wasm", ".twin", ".wav", ".flac"}
    assert sum(len(gzip.compress(path.read_bytes())) for path in brought) <= 1_500_000
