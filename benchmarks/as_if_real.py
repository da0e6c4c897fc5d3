"""The simulated amp recorded as sparingly as a real one: an evening of takes, and nothing else.

Sixty settings spread over the panel and its sixteen corners, 45 seconds each. Six of the sixty are
not trained on: they decide which weights are kept, since a real session has no others to ask.

    .venv/bin/python benchmarks/as_if_real.py build/as-if-real/session [--processes 2]
    tubetwin capture --amp reference --judge build/as-if-real/session -o build/as-if-real/judge
    tubetwin train build/as-if-real/session -o build/as-if-real/standard.twin
    tubetwin evaluate build/as-if-real/standard.twin build/as-if-real/judge

Interrupted, the same commands go on.
"""

import argparse
import sys
from functools import partial

from tubetwin import amp, capture, guitar, passages, planning

SPREAD, CORNERS, SECONDS = 60, 16, 45.0
FLOORS = {"Volume": 1.0}  # at 0 it mutes the amp


def evening() -> planning.Plan:
    """The takes: (setting, split)."""
    planned = planning.plan(amp.KNOBS, SPREAD + CORNERS, 1, FLOORS)
    heard = [setting for setting, split in planned if split == "train"]
    asked = heard[CORNERS + 2 :: SPREAD // 6]
    return [(setting, "validation" if setting in asked else "train") for setting in heard]


def main() -> None:
    """Record what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("session")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    kinds = (partial(kind, SECONDS) for kind in (passages.passage, guitar.playing))
    capture.record(
        arguments.session, rig="tubetwin reference amp (simulated)", knobs=amp.KNOBS,
        plan=evening(), passage=capture.apart(*kinds), amp=amp.render, sample_rate_hz=48000,
        seed=1, processes=arguments.processes,
        levels={"input_full_scale_volts": 1.0, "output_full_scale_volts": amp.FULL_SCALE_VOLTS},
        progress=lambda done, takes: print(f"\r{done} of {takes} takes", end="", file=sys.stderr),
    )  # fmt: skip


if __name__ == "__main__":
    main()
