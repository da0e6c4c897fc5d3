"""A small amp, captured as training would have it, and once more to judge its twins by."""

from functools import partial
from pathlib import Path

import numpy as np

from tubetwin import capture, guitar, judging, passages, planning
from tubetwin.knobs import Knob
from tubetwin.session import Session

KNOBS = (Knob("Volume"), Knob("Tone"), Knob("Bass"))
FLOORS = {"Volume": 1.0}


def faint(di: np.ndarray, setting) -> np.ndarray:
    """An amp without memory that obeys its knobs."""
    drive = 0.5 + setting["Volume"]
    return (np.tanh(drive * di) + 0.01 * setting["Tone"] * di).astype(np.float32)


def captured(folder: Path, passage=None, amp=faint) -> Session:
    """A training session of 12 takes of 5 seconds; by the synthetic guitar, unless told."""
    kinds = partial(passages.passage, 5.0), partial(guitar.playing, 5.0)
    capture.record(
        folder,
        rig="an amp (simulated)",
        knobs=KNOBS,
        plan=planning.plan(KNOBS, 12, 3, FLOORS),
        passage=passage or capture.apart(*kinds),
        amp=amp,
        sample_rate_hz=48000,
        seed=3,
        processes=1,
    )
    return Session.load(folder)


def to_judge_by(folder: Path, session: Session, amp=faint) -> Session:
    """A session to judge by, with 4 settings inside the panel and takes of a second."""
    judging.record(str(folder), session, 4, 1.0, 1, amp, FLOORS, 1, lambda done, takes: None)
    return Session.load(folder)
