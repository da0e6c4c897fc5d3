"""The house keeps its order: imports, names, and a README that tells the truth."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEADERS = sorted((ROOT / "engine" / "include" / "tubetwin").glob("*.h"))


def test_imports_point_down() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_playing_loads_neither_torch_nor_scipy_nor_matplotlib() -> None:
    heavy = "{'torch', 'scipy', 'numba', 'matplotlib'} & set(sys.modules)"
    code = f"import sys, tubetwin.engine, tubetwin.cli; assert not {heavy}, {heavy}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_engine_stays_readable() -> None:
    """No file over 400 lines, no function over 60; that headers compile alone, CMake sees to."""
    for path in [
        p for d in ("engine", "plugin") for p in (ROOT / d).rglob("*") if p.suffix in {".h", ".cpp"}
    ]:
        lines = path.read_text("utf-8").splitlines()
        assert len(lines) <= 400, f"{path.name}: {len(lines)} lines"
        indents = [len(line) - len(line.lstrip()) for line in lines]
        code = [bool(line.strip()) and not line.startswith("#") for line in lines]
        for end in [i for i, line in enumerate(lines) if line.strip() == "}"]:
            start = end - 1
            while not code[start] or indents[start] > indents[end]:
                start -= 1
            assert end - start < 60, f"{path.name}:{start + 1}: {end - start + 1} lines"


def test_no_room_is_called_utils() -> None:
    vague = {"utils", "core", "common", "helpers", "misc"}
    names = {path.stem for path in [*(ROOT / "src" / "tubetwin").rglob("*.py"), *HEADERS]}
    assert not names & vague


@pytest.mark.parametrize(
    "document",
    [
        *("README.md", "CONTRIBUTING.md"),
        *(f"docs/{name}.md" for name in ("numbers", "live", "presets", "plugin")),
    ],
)
def test_links_inside_the_repository_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    missing = [link for link in links if not ((ROOT / document).parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("document", ["README.md", "docs/live.md", "docs/plugin.md"])
def test_every_command_in_the_documents_exists(document: str) -> None:
    """Every `tubetwin` line is spelt right: its command and options are known."""
    from tubetwin import amp
    from tubetwin.cli import cli

    text = (ROOT / document).read_text("utf-8")
    lines = re.findall(r"^    tubetwin (.+)$", text.replace("\\\n", " "), re.MULTILINE)
    assert lines
    knobs = {f"--{knob.option}" for knob in amp.KNOBS}
    for line in lines:
        name, *words = line.split("#")[0].split()
        known = {o for p in cli.commands[name].params for o in p.opts} | {"--help"} | knobs
        unknown = {word for word in words if word.startswith("-")} - known
        assert not unknown, f"{line}: {unknown}"
