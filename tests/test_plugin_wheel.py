"""From the wheel, where no compiler is. Runs with `make plugin-test` (it takes a minute)."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
import soundfile

if not os.environ.get("TUBETWIN_PLUGIN_TESTS"):
    pytest.skip("make plugin-test runs these", allow_module_level=True)

import pedalboard

from live_stage import RATE, make_twin
from plugin_stage import ROOT, same


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a new virtual environment that holds nothing but the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["wheel", "--quiet", "--no-build-isolation", "--no-deps", "-w", folder, ROOT]
    place = f"-Cbuild-dir={ROOT / 'build' / 'wheel-test'}"  # kept: the next time is quick
    subprocess.run([sys.executable, "-m", "pip", *build, place], check=True, timeout=900)
    (wheel,) = folder.glob("tubetwin-*.whl")
    venv.create(folder / "new", with_pip=True)
    python = folder / "new" / "bin" / "python"
    install = ["install", "--quiet", "-c", ROOT / "constraints.txt", wheel]
    subprocess.run([python, "-m", "pip", *install], check=True, timeout=900)
    return python


def run(python: Path, *words: str | Path, folder: Path) -> str:
    """A command of the new environment, with nothing else on its path."""
    done = subprocess.run(
        [python.parent / "tubetwin", *words],
        cwd=folder,
        env={"PATH": str(python.parent), "HOME": str(folder), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_a_plugin_and_a_preset_without_a_compiler(
    python: Path, tmp_path: Path, di: np.ndarray
) -> None:
    for tool in ("g++", "cc", "c++", "clang", "cmake"):
        assert not (python.parent / tool).exists()
    make_twin(tmp_path / "hot.twin", 21)
    soundfile.write(tmp_path / "di.wav", di, RATE, "FLOAT")
    said = run(python, "export-plugin", "hot.twin", "--ir", "1x12", "-o", "out", folder=tmp_path)
    assert said.count("\n") == 6
    run(python, "preset", "hot.twin", "--ir", "1x12", "--volume", "8", "-o", "p", folder=tmp_path)
    words = ["render", "di.wav", "--twin", "hot.twin", "--cabinet", "1x12", "--volume", "8"]
    run(python, *words, "-o", "out.wav", folder=tmp_path)
    expected, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")

    plugin = pedalboard.load_plugin(str(tmp_path / "out" / "vst3" / "hot.vst3"))
    plugin.load_preset(str(tmp_path / "p" / "vst3" / "hot" / "hot.vstpreset"))
    plugin.process(np.zeros(RATE, np.float32), RATE, buffer_size=256)
    out = np.ravel(plugin.process(di, RATE, buffer_size=256, reset=True))
    assert same(out, expected[: len(di)])

    daw = pytest.importorskip("dawdreamer", reason="pip install dawdreamer")
    host = daw.RenderEngine(RATE, 256)
    silence = np.zeros(RATE, np.float32)
    guitar = host.make_playback_processor("guitar", np.concatenate([silence, di])[None])
    amp = host.make_plugin_processor("amp", str(tmp_path / "out" / "vst3" / "hot.vst3"))
    (volume,) = (d["index"] for d in amp.get_parameters_description() if d["name"] == "Volume")
    amp.set_parameter(volume, 0.8)
    host.load_graph([(guitar, []), (amp, ["guitar"])])
    host.render(1 + len(di) / RATE)
    assert same(np.asarray(host.get_audio()[0])[RATE : RATE + len(di)], expected[: len(di)])


def test_the_wheel_carries_every_program(python: Path, tmp_path: Path) -> None:
    said = run(python, "export-plugin", "nano", "--format", "jack", "-o", "out", folder=tmp_path)
    program = Path(said.splitlines()[0])
    assert os.access(tmp_path / program, os.X_OK)
