"""What a simulated amp plays so that its twin can be judged: every kind of setting and of audio.

Recordings cost nothing here, so nothing has to be shared: playing and test signals, heard in
training and new, at settings it saw and at others, at the panel's corners and along every knob.
Each new setting also has neighbours: the same passage at the training settings next to it is what
one would hear who owned no twin, only the takes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tubetwin import capture, guitar, passages, planning
from tubetwin.files import BadInput
from tubetwin.knobs import Knob, Setting, normalise
from tubetwin.roles import (
    CORNERS,
    INTERIOR,
    PLAYING,
    PRACTICE,
    SIGNALS,
    STAND_IN,
    SWEEP,
    TRAINING,
    Role,
)
from tubetwin.session import Session, Take

MOST_CORNERS = 16
POSITIONS = 11  # of a knob in its sweep
NEIGHBOURS = 3  # training settings beside each new one
HEARD = 0.5  # of the interior settings are also tried with audio that training heard
NEVER_HEARD = 2**40  # passages of training are drawn from seeds below 2^32
SHORTEST_SECONDS, SOFTEST = 0.5, 0.01  # of a passage that can be judged by

Samples = npt.NDArray[np.float32]


class Passage(NamedTuple):
    """What is played: a kind of audio; a new passage by number, or that of a training take."""

    audio: str
    heard: bool
    number: int


class Trial(NamedTuple):
    """One take to record: its setting, what it stands for, what it plays."""

    setting: Setting
    role: Role
    passage: Passage


# ---- Which settings, with which audio ----------------------------------------------------------


def _nearest(knobs: Sequence[Knob], trained: Sequence[Setting], setting: Setting) -> list[int]:
    """Training settings by their distance, the nearest first."""
    places = np.array([normalise(knobs, other) for other in trained])
    apart = np.linalg.norm(places - normalise(knobs, setting), axis=1)
    return [int(i) for i in np.argsort(apart, kind="stable")]


def _table(inside: Setting, number: int, trained: Sequence[Setting], near: int) -> Iterator[Trial]:
    """One new setting beside the training setting next to it, with new and with heard audio."""
    played = [Passage(PLAYING, False, number)]  # turned up all the way, always
    for audio in (PRACTICE, SIGNALS):
        played += [Passage(audio, False, number), Passage(audio, True, near)]
    for passage in played:
        yield Trial(inside, Role(INTERIOR, passage.audio, False, passage.heard), passage)
        yield Trial(trained[near], Role(TRAINING, passage.audio, True, passage.heard), passage)


def _sweeps(knobs: Sequence[Knob], lows: Sequence[float], others: Sequence[Setting],
            trained: Sequence[Setting], first: int) -> Iterator[Trial]:  # fmt: skip
    for i, (knob, low, rest) in enumerate(zip(knobs, lows, others, strict=True)):
        for value in np.linspace(low, knob.maximum, POSITIONS):
            setting = {**rest, knob.name: planning.rounded(knob, value)}
            role = Role(SWEEP + knob.name, PLAYING, setting in trained, False)
            yield Trial(setting, role, Passage(PLAYING, False, first + i))


def trials(
    knobs: Sequence[Knob],
    trained: Sequence[Setting],
    settings: int,
    seed: int,
    floors: Mapping[str, float] | None = None,
) -> list[Trial]:
    """Everything that is recorded to judge twins of one training session.

    Args:
        knobs: the panel; at least one.
        trained: the settings of the training takes; a heard passage goes by its number in them.
        settings: new ones inside the panel; as many sweeps as knobs and 16 corners come on top.
        seed: of everything random here.
        floors: as of `planning.plan`.
    Returns:
        the trials; no passage is played twice at one setting.
    """
    lows = planning.lowest(knobs, floors or {})
    drawn = list(map(np.random.default_rng, np.random.SeedSequence([seed, 2]).spawn(3)))
    taken: list[dict[str, float]] = [dict(setting) for setting in trained]
    inside = planning.held_out(planning.spread(knobs, lows, 1.0, drawn[0]), settings, taken)
    others = planning.held_out(planning.spread(knobs, lows, 1.0, drawn[1]), len(knobs), taken)
    corners = planning.corners(knobs, lows, MOST_CORNERS, drawn[2])
    listed: list[Trial] = []
    for i, setting in enumerate(inside):
        near = _nearest(knobs, trained, setting)[:NEIGHBOURS]
        cells = _table(setting, i, trained, near[0])
        listed += [t for t in cells if t.role.audio == PLAYING or i < settings * HEARD]
        listed += _stand_ins([trained[j] for j in near[1:]], Passage(PLAYING, False, i))
    for i, setting in enumerate(corners, settings):
        known, passage = setting in trained, Passage(PLAYING, False, i)
        listed.append(Trial(setting, Role(CORNERS, PLAYING, known, False), passage))
        near = [] if known else _nearest(knobs, trained, setting)[:NEIGHBOURS]
        listed += _stand_ins([trained[j] for j in near], passage)
    listed += _sweeps(knobs, lows, others, trained, settings + len(corners))
    return list({(tuple(t.setting.items()), t.passage): t for t in reversed(listed)}.values())[::-1]


def _stand_ins(settings: Sequence[Setting], passage: Passage) -> list[Trial]:
    role = Role(STAND_IN, PLAYING, True, False)
    return [Trial(setting, role, passage) for setting in settings]


# ---- What is played ----------------------------------------------------------------------------


def player(session: Session, seconds: float, seed: int) -> Callable[[Passage], Samples]:
    """Passages for `trials` of a session that a synthetic guitar played.

    Practice and signals are cut out of passages as training hears them: the stretches of playing
    of one, or its test signals, joined in their order.

    Args:
        session: the training session.
        seconds: of every passage; signals are less.
        seed: of what is new.
    Returns:
        passage -> (samples,) float32.
    Raises:
        BadInput: another DI was played in the session.
    """
    rate, takes = session.sample_rate_hz, session.of("train")
    plan = [(take.setting, take.split) for take in session.takes]
    seeds = capture.passage_seeds(plan, session.seed or 0)
    heard = [s for s, take in zip(seeds, session.takes, strict=True) if take.split == "train"]
    new = NEVER_HEARD + 2**20 * seed
    length_seconds = takes[0].length_samples / rate

    def passage(wanted: Passage) -> Samples:
        if wanted.audio == PLAYING:
            return guitar.playing(seconds, new + wanted.number, rate)
        if wanted.heard:
            _refuse_another_di(session, takes[wanted.number], heard[wanted.number])
        number = heard[wanted.number] if wanted.heard else new + wanted.number
        played, tests = passages.pieces(length_seconds, number, rate)
        wanted_pieces = played if wanted.audio == PRACTICE else tests
        joined = np.concatenate([*wanted_pieces, np.empty(0, np.float32)])
        return joined[: round(seconds * rate)]

    return cache(passage)


def _refuse_another_di(session: Session, take: Take, seed: int) -> None:
    rate = session.sample_rate_hz
    expected = passages.passage(take.length_samples / rate, seed, rate)
    if not np.array_equal(expected, session.di(take)):
        raise BadInput(
            f"{session.folder} was not played by the synthetic guitar, so what it heard cannot be "
            "told apart: judge its twins by its own test takes"
        )


def record(
    folder: str, session: Session, settings: int, seconds: float, seed: int, amp: capture.Amp,
    floors: Mapping[str, float], processes: int, progress: Callable[[int, int], None],
) -> int:  # fmt: skip
    """Record a session to judge the twins of another one by.

    Args:
        folder: as of `capture.record`.
        session: that the twins are trained on.
        settings, seed, floors: as of `trials`.
        seconds: of every take.
        amp, processes, progress: as of `capture.record`.
    Returns:
        the number of takes; all are of split "test".
    Raises:
        BadInput: as `capture.record` and `player`.
    """
    play = player(session, seconds, seed)
    trained = [take.setting for take in session.of("train")]
    if not trained or not session.knobs:
        raise BadInput(f"{session.folder} has no training settings to judge a twin's knobs by")
    listed = trials(session.knobs, trained, settings, seed, floors)
    listed = [trial for trial in listed if _tells(play(trial.passage), session.sample_rate_hz)]
    capture.record(
        folder,
        rig=session.rig,
        knobs=session.knobs,
        plan=[(trial.setting, "test") for trial in listed],
        passage=partial(_at, [play(trial.passage) for trial in listed]),
        amp=amp,
        sample_rate_hz=session.sample_rate_hz,
        seed=seed,
        levels=session.levels,
        processes=processes,
        progress=progress,
        roles=[trial.role for trial in listed],
    )
    return len(listed)


def _tells(di: Samples, sample_rate_hz: int) -> bool:
    """Whether a take of it says anything: long enough, and not the hiss of a silence alone."""
    return len(di) >= SHORTEST_SECONDS * sample_rate_hz and bool(np.abs(di).max() > SOFTEST)


def _at(listed: Sequence[Samples], number: int) -> Samples:
    return listed[number]
