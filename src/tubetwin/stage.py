"""Twin and recordings of a report on one stage: what was judged, played again to be listened to."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tubetwin import cabinet, clips, engine
from tubetwin.report import Clip, Page
from tubetwin.session import Session, Take

Samples = npt.NDArray[np.float32]
STEP_SECONDS = 0.8  # of each position in a sweep to listen to


class Pair(NamedTuple):
    """One passage, and the answers of both."""

    di: Samples
    amp: Samples
    twin: Samples


class Stage:
    """Session and twin of a report, to play its takes again.

    Args:
        session: that was judged on.
        twin: the file.
        bare: whether it is an amp without a loudspeaker, which only a cabinet makes bearable.
    """

    def __init__(self, session: Session, twin: Path, bare: bool) -> None:
        self.session, self.twin, self.bare = session, twin, bare
        self.takes = {take.file: take for take in session.takes}

    @property
    def rate(self) -> int:
        """Samples per second."""
        return self.session.sample_rate_hz

    def pair(self, file: str, seconds: float = np.inf) -> Pair:
        """A take, or the beginning of it."""
        take: Take = self.takes[file]
        end = int(min(take.length_samples, seconds * self.rate))
        di = self.session.di(take)[:end]
        return Pair(
            di,
            self.session.recording(take)[:end],
            engine.render(self.twin, di, take.setting),
        )

    def sweep(self, files: Sequence[str]) -> Pair:
        """The beginnings of several takes, one after the other."""
        pairs = [self.pair(file, STEP_SECONDS) for file in files]
        return Pair(*(np.concatenate(signals) for signals in zip(*pairs, strict=True)))


def player(
    page: Page, stage: Stage, name: str, pair: Pair, setting: Mapping[str, Any], note: str
) -> str:
    """Amp, twin and their difference at one gain, and the dry guitar: HTML for `Page.rack`."""
    wet = {"amp": pair.amp, "twin": pair.twin, "": pair.twin - pair.amp}
    if stage.bare:
        ir = cabinet.design(stage.rate)
        wet = {kind: clips.through(ir, sound) for kind, sound in wet.items()}
    gain = clips.gain_for(wet.values())
    named = {"amp": "Amp", "twin": "Twin", "": "What is wrong"}
    sounds = [
        Clip(named[kind], clips.encoded(gain * sound, stage.rate), kind)
        for kind, sound in wet.items()
    ]
    dry = clips.gain_for([pair.di]) * pair.di
    sounds.append(Clip("Dry DI", clips.encoded(dry, stage.rate)))
    return page.player(name, sounds, clips.dials(stage.session.knobs, setting), note)


def stage_of(report: Mapping[str, Any]) -> Stage | None:
    """Twin and session of a report, if both are still where they were."""
    folder, twin = Path(str(report.get("session", ""))), Path(report["twin"])
    if not twin.is_file() or not (folder / "session.json").is_file():
        return None
    return Stage(Session.load(folder), twin, bool(report["simulated"]))
