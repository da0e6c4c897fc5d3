"""What the plugin costs above the engine: the CLAP plugin in a host against tubetwin_pace, in turn.

    make bench-plugin

Prints, for each bundled twin without a cabinet and 1, 8 and 64 instances in blocks of 64 samples:
how many times faster than real time all of them play together on one core, and the cost of a block
relative to that of as many players of the engine, which take turns as the instances do. That is
the cost of the wrapper. The last column is relative to a single player: with more instances, what
it costs besides that their memories share a cache. Each figure is the median over rounds in which
all ran one after the other.
"""

import os
import statistics
import subprocess
import tempfile
from pathlib import Path

from tubetwin import bundle, twin

ROOT = Path(__file__).parents[1]
RATE, BLOCK, ROUNDS = 48000, 64, 21
SAMPLES = 12800  # of each instance in a round
HOST = ROOT / "build" / "plugin-make" / "plugin" / "clap_host"
ENGINE = ROOT / "build" / "tests" / "tubetwin_pace"


def start(*words: object) -> "subprocess.Popen[str]":
    """A program that answers numbers on its standard output."""
    pipe = subprocess.PIPE
    return subprocess.Popen(list(map(str, words)), stdin=pipe, stdout=pipe, text=True)


def ask(process: "subprocess.Popen[str]", line: str) -> float:
    """One command, one number."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def compare(plugin: Path, path: Path, count: int) -> tuple[float, float, float]:
    """Times real time, and the cost of a block relative to as many players and to one."""
    host = start(HOST, plugin, RATE, BLOCK)
    single, many = start(ENGINE, path, BLOCK), start(ENGINE, path, BLOCK, count)
    each = SAMPLES if count > 1 else 10 * SAMPLES
    rounds = []
    for _ in range(ROUNDS):
        alone, engine = ask(single, str(each * count)), ask(many, str(each))
        together = ask(host, f"pace {count} {each}")
        rounds.append((each / RATE / together, together / engine, together / alone))
    for process in (host, single, many):
        process.communicate()
    speed, wrapper, shared = map(statistics.median, zip(*rounds, strict=True))
    return speed, wrapper, shared


def main() -> None:
    """Print the table."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # or cores would be compared
    print("| twin | instances | times real time, together | as many players = 1 | one player = 1 |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(twin.BUNDLED.glob("*.twin")):
            plugin = bundle.export(path, folder, name=path.stem, formats=["clap"])[0]
            for count in (1, 8, 64):
                speed, *costs = compare(plugin, path, count)
                shown = " | ".join(f"{cost:.3f}" for cost in costs)
                print(f"| {path.stem} | {count} | {speed:.3g} | {shown} |", flush=True)


main()
