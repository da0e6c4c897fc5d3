"""What the plugin costs above the engine: the CLAP plugin in a host against tubetwin_pace, in turn.

    make bench-plugin

Prints, for each bundled twin without a cabinet and 1, 8 and 64 instances in blocks of 64 samples:
how many times faster than real time all of them play together on one core, and the cost of a block
relative to that of a single player of the engine. With one instance that is the cost of the
wrapper; with more, what it costs that their memories share a cache. Each figure is the median over
rounds in which both ran one after the other.
"""

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


def compare(plugin: Path, path: Path, count: int) -> tuple[float, float]:
    """Times real time, and the cost of a block relative to the engine's."""
    host, engine = start(HOST, plugin, RATE, BLOCK), start(ENGINE, path, BLOCK)
    total = SAMPLES * count if count > 1 else 10 * SAMPLES
    ratios, speeds = [], []
    for _ in range(ROUNDS):
        alone = ask(engine, str(total))
        together = ask(host, f"pace {count} {total // count}")
        ratios.append(together / alone)
        speeds.append(total / count / RATE / together)
    for process in (host, engine):
        process.communicate()
    return statistics.median(speeds), statistics.median(ratios)


def main() -> None:
    """Print the table."""
    print("| twin | instances | times real time, together | cost of a block, engine = 1 |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(twin.BUNDLED.glob("*.twin")):
            plugin = bundle.export(path, folder, name=path.stem, formats=["clap"])[0]
            for count in (1, 8, 64):
                speed, ratio = compare(plugin, path, count)
                print(f"| {path.stem} | {count} | {speed:.3g} | {ratio:.3f} |", flush=True)


main()
