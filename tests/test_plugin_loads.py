"""Plugins come and go, and nothing of them stays.

Runs with `make plugin-test`, where the process must not grow, and with `make plugin-sanitize`,
where AddressSanitizer and LeakSanitizer look at every byte.
"""

import os
import subprocess
from pathlib import Path

import pytest

if not os.environ.get("TUBETWIN_PLUGIN_TESTS"):
    pytest.skip("make plugin-test runs these", allow_module_level=True)

from plugin_hosts import ClapHost
from plugin_stage import CLAP_HOST, MADE, SANITIZED

ROUNDS = 200
GROWTH_KB = 600  # of 200 rounds; a player and its state have more than 3 each


def test_clap_instances(plugins: Path, tmp_path: Path) -> None:
    with ClapHost(CLAP_HOST, plugins / "clap" / "Alpha.clap", tmp_path) as host:
        host.ask("again 50")
        before = host.memory_kb()
        host.ask(f"again {ROUNDS}")
        assert SANITIZED or host.memory_kb() - before < GROWTH_KB


@pytest.mark.parametrize("name", ["Alpha", "Beta stereo"])
def test_vst3_programs(name: str, plugins: Path) -> None:
    """Loaded, played, saved, restored, given nonsense, unloaded."""
    (program,) = (plugins / "vst3" / f"{name}.vst3").rglob("*.so")
    done = subprocess.run(
        [MADE / "plugin" / "vst3_loads", program, str(ROUNDS)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    sizes = [int(line) for line in done.stdout.splitlines()]
    assert len(sizes) == 10
    assert done.stderr.count("the amp stays as it was") == ROUNDS
    assert SANITIZED or sizes[-1] - sizes[1] < GROWTH_KB
