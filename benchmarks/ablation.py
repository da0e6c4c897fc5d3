"""What each ingredient of training is worth: the same steps with one thing changed.

Every variant starts from the same weights and hears the same windows; after equal steps, each with
its own cosine, the ESR at the validation settings is printed as JSON. Budgets in steps, unlike
minutes, mean the same on a busy machine; the CPU seconds stand beside them.

    .venv/bin/python benchmarks/ablation.py SESSION [--size standard] [--steps 2000] [--seeds 3] \\
        [--variants soap adamw no-patience plain-esr short-windows]
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from tubetwin import training
from tubetwin.session import Session
from tubetwin.training import Config, Run


def adamw(run: Run) -> None:
    """The optimiser that everybody else uses, at the rate that suited it best."""
    run.optimiser = torch.optim.AdamW(
        run.network.parameters(), lr=run.config.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4
    )


def as_it_is(run: Run) -> None:
    """Nothing changes once the run is made."""


CONFIGS: dict[str, dict[str, float]] = {
    "adamw": {"learning_rate": 4e-3, "final_learning_rate": 4e-5},
    "no-patience": {"patience": 1e9},
    "plain-esr": {"pre_emphasis": 0.0},
    "short-windows": {"target_samples": 4096, "batch": 8},
    "long-windows": {"target_samples": 16384, "batch": 2},
    "no-averaging": {"averaging": 0.0},
}
CHANGES: dict[str, Callable[[Run], None]] = {"adamw": adamw}


class Steps(Run):
    """A run whose budget is a number of steps."""

    most = 1

    @property
    def spent(self) -> float:
        """Share of the budget."""
        return min(1.0, self.step / self.most)


def trained(session: Session, config: Config, variant: str, steps: int) -> dict[str, object]:
    """One variant's errors after its steps."""
    run = Steps(session, replace(config, **CONFIGS.get(variant, {})), Path("none"))
    run.most = steps
    CHANGES.get(variant, as_it_is)(run)
    start = time.process_time()
    while run.spent < 1.0:
        run._learn()
        if run.step % 100 == 0:
            print(f"\r{variant}: {run.step} of {steps}", end="", file=sys.stderr)
    seconds = time.process_time() - start
    run.network.load_state_dict(run.average)
    with torch.no_grad():
        esrs = run.held_out.esrs(run.play)
    print(f"\r{variant}: median {np.median(esrs):.4f}", file=sys.stderr)
    return {
        "variant": variant,
        "seed": config.seed,
        "steps": steps,
        "cpu_seconds": round(seconds),
        "median": float(np.median(esrs)),
        "geometric_mean": float(np.exp(np.mean(np.log(esrs)))),
        "p90": float(np.percentile(esrs, 90)),
        "worst": float(np.max(esrs)),
    }


def main() -> None:
    """Train all variants in turn, print JSON."""
    names = ["soap", *CONFIGS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("session")
    parser.add_argument("--size", default="standard")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--variants", nargs="+", choices=names, default=["soap", "adamw"])
    arguments = parser.parse_args()
    session = Session.load(arguments.session)
    found = []
    for seed in range(arguments.seeds):
        config = training.Config(arguments.size, seed=seed, threads=arguments.threads)
        found += [trained(session, config, name, arguments.steps) for name in arguments.variants]
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
