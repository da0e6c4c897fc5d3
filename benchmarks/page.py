"""How fast the page is: its engine against the native one, its first sound, and what it weighs.

WebAssembly has vectors of four floats, as SSE has; the native player is held to these by
TUBETWIN_ISA=baseline. Both take turns in short rounds, so that a busy machine hurts them alike; a
ratio is the median of the rounds' ratios. `make bench-web` builds what is needed and prints JSON:

    .venv/bin/python benchmarks/page.py [--block 128] [--rounds 100] [--visits 5]
"""

import argparse
import gzip
import json
import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tubetwin import twin, web
from tubetwin.files import BadInput

ROOT = Path(__file__).parents[1]
RATE_HZ = 48000
TURN_SAMPLES = 12_000  # a quarter of a second of sound: a few milliseconds of work


# ---- The engine --------------------------------------------------------------------------------


@contextmanager
def pacer(*words: object) -> Iterator[subprocess.Popen[str]]:
    """engine/pace.cpp or web/pace.mjs, running."""
    pipe = subprocess.PIPE
    only_sse = {**os.environ, "TUBETWIN_ISA": "baseline"}
    with subprocess.Popen(
        [str(word) for word in words], stdin=pipe, stdout=pipe, text=True, env=only_sse
    ) as process:
        yield process
        process.stdin.close()


def seconds_per_sample(process: subprocess.Popen[str], samples: int) -> float:
    """Let one of them play."""
    process.stdin.write(f"{samples}\n")
    process.stdin.flush()
    return float(process.stdout.readline()) / samples


def speeds(path: Path, page: Path, block: int, rounds: int) -> dict[str, float]:
    """One twin, native and in WebAssembly."""
    with ExitStack() as running:
        programs = {
            "native": (ROOT / "build" / "tests" / "tubetwin_pace",),
            "wasm": ("node", ROOT / "web" / "pace.mjs", page / "engine.wasm"),
        }
        both = {
            name: running.enter_context(pacer(*words, path, block))
            for name, words in programs.items()
        }
        for process in both.values():
            seconds_per_sample(process, 10 * TURN_SAMPLES)  # node compiles what it runs often
        took: dict[str, list[float]] = {name: [] for name in both}
        for _ in range(rounds):
            for name, process in both.items():
                took[name].append(seconds_per_sample(process, TURN_SAMPLES))
    ratios = [w / n for w, n in zip(took["wasm"], took["native"], strict=True)]
    found = {}
    for name, times in took.items():
        found[f"{name}_times_real_time"] = round(1 / (RATE_HZ * statistics.median(times)), 1)
        found[f"{name}_times_real_time_best"] = round(1 / (RATE_HZ * min(times)), 1)
    return {**found, "wasm_over_native_time": round(statistics.median(ratios), 3)}


def of_size(size: str, folder: Path) -> tuple[Path, str]:
    """The bundled twin of a size; where there is none, one with random weights, as fast."""
    try:
        return twin.bundled(size), "bundled"
    except BadInput:
        from tubetwin import amp, network, training

        net = network.WaveNet(network.SIZES[size])
        shape = twin.Architecture(
            net.shape.channels,
            net.shape.kernel_size,
            net.shape.dilations,
            net.shape.taps,
            net.shape.mix,
        )
        path = folder / f"{size}.twin"
        twin.save(twin.Twin(size, RATE_HZ, amp.KNOBS, shape, training.tensors(net)), path)
        return path, "random weights"


# ---- The page ----------------------------------------------------------------------------------


def weights(page: Path) -> dict[str, int]:
    """Bytes of all that a first visit brings, compressed as a static host would: file -> bytes."""
    files = json.loads((page / "page.json").read_bytes())["files"]
    names = ["index.html" if name == "./" else name for name in files]
    return {name: len(gzip.compress((page / name).read_bytes())) for name in names}


def first_blocks(page: Path, visits: int) -> list[float]:
    """Seconds from navigation to the first block that the worklet has played, each visit anew."""
    from playwright.sync_api import sync_playwright

    found = []
    with sync_playwright() as playwright, web.served(page) as address:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"],
        )
        for _ in range(visits):
            context = chromium.new_context()  # nothing is cached
            tab = context.new_page()
            tab.goto(address)
            tab.wait_for_selector("html[data-ready]")
            mark = "performance.getEntriesByName('first-block')[0]?.startTime"
            while (when := tab.evaluate(mark)) is None:
                tab.wait_for_timeout(20)
            found.append(when / 1000)
            context.close()
        chromium.close()
    return found


def measure(block: int, rounds: int, visits: int) -> dict[str, Any]:
    """Everything."""
    page = web.folder()
    engine = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in ("standard", "nano"):
            path, source = of_size(size, Path(folder))
            engine[size] = {"twin": source, **speeds(path, page, block, rounds)}
    sizes, blocks = weights(page), first_blocks(page, visits)
    return {
        "block_samples": block,
        "rounds": rounds,
        "engine": engine,
        "first_block_seconds": {
            "median": round(statistics.median(blocks), 3),
            "worst": round(max(blocks), 3),
            "visits": visits,
        },
        "download_bytes_compressed": {"all": sum(sizes.values()), **sizes},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--block", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--visits", type=int, default=5)
    print(json.dumps(measure(**vars(parser.parse_args())), indent=1))
