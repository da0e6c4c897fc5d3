"""What a sound card costs a twin: the same takes through a rig and rendered directly.

The whole evening runs unattended through the fake card of the tests (latency, hum, noise, the
calibration of every take): plan, capture of 20 takes, check, `train --quick`, evaluate. Beside it
the same passages are rendered at the same settings without any card, and train as long, at the same
time, one thread each, so that a busy machine hurts both alike.

    .venv/bin/python benchmarks/rig.py [--seconds 8] [--minutes 5] [--place build/rig]

Prints both twins' ESR at the settings and passages held out, and the ratio of their medians.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import numpy as np

from test_studio import Player, direct, plan
from tubetwin import audio, cli
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


def trained(sessions: list[Session], size: str, minutes: float) -> list[Path]:
    """A twin of each, at the same time."""
    tubetwin = [sys.executable, "-m", "tubetwin.cli"]
    twins = [session.folder.with_suffix(f".{size}.twin") for session in sessions]
    running = [
        subprocess.Popen([
            *tubetwin, "train", str(session.folder), "--size", size, "--minutes", str(minutes),
            "--threads", "1", "-o", str(path),
        ])
        for session, path in zip(sessions, twins, strict=True)
    ]  # fmt: skip
    if any(run.wait() for run in running):
        raise SystemExit("a training failed")
    return twins


def verdict(path: Path, session: Session) -> float:
    """Median ESR at unseen settings and passages, by `tubetwin evaluate`."""
    command = [sys.executable, "-m", "tubetwin.cli", "evaluate", str(path), str(session.folder)]
    told = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout
    return float(json.loads(told)["unseen"]["median"])


def main() -> None:
    """Both ways, side by side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--size", default="standard")
    parser.add_argument("--place", default="build/rig")
    arguments = parser.parse_args()
    place = Path(arguments.place).resolve()
    recorded = through_the_rig(place, arguments.seconds)
    sessions = [recorded, rendered(recorded, place / "direct")]
    twins = trained(sessions, arguments.size, arguments.minutes)
    rig, bare = (verdict(path, session) for path, session in zip(twins, sessions, strict=True))
    print(json.dumps({"through the rig": rig, "rendered directly": bare, "ratio": rig / bare}))


if __name__ == "__main__":
    main()
