"""What a take is played for when a twin is judged: what of it training heard, and its family.

A score means something only beside others of its kind: settings that training saw and settings it
never saw, audio it heard and audio it did not, playing and test signals, and of unseen settings
those inside the panel, its corners and its sweeps are three questions, never one mean.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tubetwin.files import BadInput, typed
from tubetwin.knobs import Knob, Setting, normalise

TRAINING, INTERIOR, CORNERS, STAND_IN = "training", "interior", "corners", "stand-in"
SWEEP = "sweep of "
PLAYING, PRACTICE, SIGNALS, RECORDED = "playing", "practice", "signals", "as recorded"
AUDIO = (PLAYING, PRACTICE, SIGNALS, RECORDED)


class Role(NamedTuple):
    """What one take stands for.

    Attributes:
        family: of its setting: "training", "interior", "corners", "sweep of Volume"; or
            "stand-in", a training setting that plays what a neighbour is judged by.
        audio: "playing" by a guitar turned up; "practice", playing as training hears it, mostly
            turned down; "signals", its bursts, sweeps and noise; or, where nobody said,
            "as recorded".
        seen_setting, seen_audio: whether training heard it.
    """

    family: str
    audio: str
    seen_setting: bool
    seen_audio: bool

    @classmethod
    def read(cls, data: object, where: str) -> "Role":
        """From JSON with exactly our fields. Raises BadInput, saying `where`, if it is no role."""
        family, audio = (typed(data, key, str, where) for key in ("family", "audio"))
        known = family.startswith(SWEEP) or family in (TRAINING, INTERIOR, CORNERS, STAND_IN)
        if not known or audio not in AUDIO:
            raise BadInput(f"{where}: a role of family {family!r} and audio {audio!r} is unknown")
        return cls(family, audio, *(typed(data, k, bool, where) for k in cls._fields[2:]))

    def as_json(self) -> dict[str, Any]:
        """What `read` reads."""
        return self._asdict()


def usual(knobs: Sequence[Knob], setting: Setting, split: str, shared_passages: bool) -> Role:
    """The role of a take that was not recorded to judge: told by its split and where it stands.

    Args:
        knobs: the amp's panel.
        setting: of the take.
        split: "train", "validation" or "test".
        shared_passages: whether held-out takes play what training heard.
    """
    if split == "train":
        return Role(TRAINING, RECORDED, True, True)
    ends = np.isin(normalise(knobs, setting), (0.0, 1.0))
    return Role(
        CORNERS if len(ends) > 1 and ends.all() else INTERIOR,
        RECORDED,
        not knobs,  # an amp without knobs has one setting, which training heard
        shared_passages,
    )


def words(role: Mapping[str, Any] | Role) -> tuple[str, str]:
    """A role for a person to read: its settings, its audio."""
    role = role if isinstance(role, Role) else Role(*(role[key] for key in Role._fields))
    heard = "seen" if role.seen_setting else "unseen"
    settings = {TRAINING: "seen", INTERIOR: f"{heard}, interior"}.get(
        role.family, f"{heard}, {role.family}"
    )
    return settings, f"{role.audio}, {'heard' if role.seen_audio else 'new'}"
