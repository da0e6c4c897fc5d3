"""What a sound card costs a twin: the same takes through a rig and rendered directly.

The whole evening runs unattended through the fake card of the tests (latency, hum, noise, the
calibration of every take): plan, capture of 20 takes, check, train, evaluate. Beside it the same
passages are rendered at the same settings without any card. Both train for equally many steps of
one schedule, so that what else the machine does decides nothing: as many as `train --quick` took
on two idle cores (docs/numbers.md).

    .venv/bin/python benchmarks/rig.py [--seconds 8] [--steps 9158] [--size standard]

Prints both twins' ESR at the settings and passages held out, and the ratio of their medians.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import numpy as np

from test_studio import Player, direct, plan
from tubetwin import audio, cli, training
from tubetwin.session import Session

SETTINGS = 13  # to train on; with those to judge by and the repeat: 20 takes


def through_the_rig(place: Path, seconds: float) -> Session:
    """Plan, capture and check, with somebody who does as asked."""
    folder = place / "session"
    if not (folder / "session.json").exists():
        place.mkdir(parents=True, exist_ok=True)
        plan(folder, SETTINGS, seconds)
        player = Player(place / "card", folder)
        if player.play():
            raise SystemExit("".join(player.said))
    if cli.main(["check", str(folder)]):
        raise SystemExit(f"{folder} does not pass its check")
    return Session.load(folder)


def rendered(session: Session, folder: Path) -> Session:
    """The same takes, by the circuit alone."""
    copy = replace(session, folder=folder)
    if not (folder / "session.json").exists():
        (folder / "takes").mkdir(parents=True, exist_ok=True)
        audio.write(folder / "di.wav", session.whole_di, session.sample_rate_hz)
        for take in session.takes:
            sound = direct(session, take).astype(np.float32)
            audio.write(folder / take.file, sound, session.sample_rate_hz)
        copy.save()
    return copy


class Counted(training.Run):
    """A run whose budget is spent by steps, whatever the clock says."""

    steps = 0

    def _learn(self) -> float:
        self.seconds += 60 * self.config.minutes / self.steps
        return super()._learn()


def tell(now: training.Progress) -> None:
    """On standard error: the result alone goes to standard output."""
    print(f"{now.spent:.0%}, step {now.step}, ESR {now.validation_esr}", file=sys.stderr)


def trained(session: Session, size: str, steps: int) -> Path:
    """A twin by so many steps; the one that is there, if it was made so."""
    path = session.folder.with_suffix(f".{size}.{steps}.twin")
    if not path.exists():
        Counted.steps = steps
        training.Run = Counted
        training.time = SimpleNamespace(monotonic=lambda: 0.0)  # stands still: only steps count
        training.train(session, path, training.Config(size=size), tell)
    return path


def verdict(path: Path, session: Session) -> float:
    """Median ESR at unseen settings and passages, by `tubetwin evaluate`."""
    command = [sys.executable, "-m", "tubetwin.cli", "evaluate", str(path), str(session.folder)]
    told = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout
    return float(json.loads(told)["unseen"]["median"])


def main() -> None:
    """Both ways, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--steps", type=int, default=9158)
    parser.add_argument("--size", default="standard")
    parser.add_argument("--place", default="build/rig")
    arguments = parser.parse_args()
    place = Path(arguments.place).resolve()
    recorded = through_the_rig(place, arguments.seconds)
    sessions = [recorded, rendered(recorded, place / "direct")]
    rig, bare = (
        verdict(trained(session, arguments.size, arguments.steps), session) for session in sessions
    )
    print(json.dumps({"through the rig": rig, "rendered directly": bare, "ratio": rig / bare}))


if __name__ == "__main__":
    main()
