"""An evening with a real amp: take by take, as the plan says, through a sound card.

The player turns the knobs and presses Enter; everything else is done here. Each take is checked
while the knobs still stand: a bad one is kept aside and asked for again. A take is on disk, whole,
before the next one begins, so nothing that happens costs more than the take being recorded.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from math import sqrt
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np

from tubetwin import audio, capture, reamp, reel, schedule
from tubetwin.alignment import Alignment, straightened
from tubetwin.checks import DOUBTFUL, REFUSED, Finding, judge, listen
from tubetwin.device import Ports
from tubetwin.files import BadInput, replacing
from tubetwin.reamp import Play
from tubetwin.reel import Rolled
from tubetwin.schedule import Schedule
from tubetwin.session import SPLITS, Session, Take

Roll = Callable[[np.ndarray, int, Callable[[float, float], None]], Rolled]
"""(samples to play, their rate, who looks at share and peak) -> what came back."""

SITTINGS = "sittings.json"
PHASE_SAMPLES = 2.5  # by which an amp's own phase moves a take's lag; more is the card's
KEYS = "Enter records, r repeats the last take, b goes back, s skips, q stops for today"


def full_scale_volts(dbu: float) -> float:
    """Peak volts of a sine at full scale, from its level in dBu (0 dBu is 0.775 V RMS)."""
    return float(sqrt(0.6) * 10 ** (dbu / 20) * sqrt(2))


@dataclass(frozen=True)
class Wishes:
    """Besides the plan.

    Attributes:
        loopback: measure the card's latency through a cable first.
        output_dbu: of a sine at full scale, at the amp's input jack; None: unknown.
        input_dbu: of a sine that reaches full scale of the recording; None: unknown.
    """

    loopback: bool = True
    output_dbu: float | None = None
    input_dbu: float | None = None

    @property
    def levels(self) -> dict[str, float] | None:
        """As a session stores them."""
        if self.output_dbu is None or self.input_dbu is None:
            return None
        return {
            "input_full_scale_volts": full_scale_volts(self.output_dbu),
            "output_full_scale_volts": full_scale_volts(self.input_dbu),
        }


# ---- What is played ------------------------------------------------------------------------------


def _passages(plan: Schedule, folder: Path) -> Callable[[int], np.ndarray]:
    if plan.di:
        di = audio.read_mono(folder / plan.di, plan.sample_rate_hz)
        return capture.windows(di, round(plan.seconds * plan.sample_rate_hz))
    from tubetwin import guitar, passages  # need numba; a DI of one's own does without

    rate = {"sample_rate_hz": plan.sample_rate_hz}
    return capture.apart(
        partial(passages.passage, plan.seconds, **rate),
        partial(guitar.playing, plan.seconds, **rate),
    )


def _takes(plan: Schedule) -> tuple[list[Take], list[int]]:
    """All takes with their places in the DI, and the seeds of the passages in it."""
    length = round(plan.seconds * plan.sample_rate_hz)
    once = plan.takes[:-1] if plan.repeats else plan.takes
    takes = [
        Take(f"takes/{i + 1:04}.wav", s, split, i * length, length)
        for i, (s, split) in enumerate(once)
    ]
    first = {tuple(sorted(take.setting.items())): take for take in reversed(takes)}
    every = list(once)
    for setting in [takes[0].setting, *plan.added] if plan.repeats else plan.added:
        file = f"takes/{len(takes) + 1:04}.wav"
        again = first.get(tuple(sorted(setting.items())))
        if again:  # over its passage: they can be compared
            takes.append(replace(again, file=file))
            continue
        takes.append(Take(file, setting, "train", len(every) * length, length))
        every.append((setting, "train"))
    return takes, capture.passage_seeds(every, plan.seed)


def _di(plan: Schedule, folder: Path, seeds: list[int]) -> np.ndarray:
    """The session's DI, made on the first day and kept; takes added later make it longer."""
    path, length = folder / "di.wav", round(plan.seconds * plan.sample_rate_hz)
    made = audio.read(path).samples[:, 0] if path.is_file() else np.zeros(0, np.float32)
    if missing := seeds[len(made) // length :]:
        passage = _passages(plan, folder)
        made = np.concatenate([made, *(passage(seed) for seed in missing)])
        audio.write(path, made, plan.sample_rate_hz)
    return audio.read(path).samples[:, 0]


# ---- The evening ---------------------------------------------------------------------------------


class Evening:
    """One sitting at a session; `run` goes through the takes that are not there yet."""

    def __init__(
        self,
        folder: Path,
        roll: Roll,
        ask: Callable[[str], str],
        say: Callable[[str], None],
        look: Callable[[float, float], None],
        wishes: Wishes,
    ) -> None:
        """Prepare.

        Args:
            folder: holds plan.json.
            roll: plays and records, as `reel.roll`.
            ask: shows a prompt and gives the line that was typed; raises EOFError at the end.
            say: shows a line.
            look: shows a level while a take runs.
            wishes: loopback and levels.
        Raises:
            BadInput: no plan, a broken one, or a session that is finished.
        """
        self.folder, self.wishes = folder, wishes
        self.plan = schedule.load(folder)
        self._roll, self._ask, self._say, self._look = roll, ask, say, look
        self.takes, seeds = _takes(self.plan)
        for name in ("takes", "raw"):
            (folder / name).mkdir(exist_ok=True)
        if not (folder / "session.json").exists():  # nobody shall train on half of it
            with replacing(folder / capture.PARTIAL) as temporary:
                temporary.write_text(json.dumps({"plan": schedule.FILE}), "utf-8")
        elif all(self.is_there(i) for i in range(len(self.takes))) or not self.plan.added:
            raise BadInput(
                f"{folder} is recorded: train on it, or plan --next or --again for more takes"
            )
        self.di = _di(self.plan, folder, seeds)
        self.reference: float | None = None  # the card's latency, in samples
        self.upright = 1

    # ---- once a sitting

    def loopback(self) -> None:
        """Measure the card alone, through a cable from its output to its input."""
        rate = self.plan.sample_rate_hz
        play = reamp.play(np.zeros(rate // 10, np.float32), rate)
        while (
            self._ask("Connect the output to the input by a cable; Enter measures, s skips") != "s"
        ):
            rolled = self._roll(play.samples, rate, self._look)
            heard = listen(play.samples, rolled.samples, rate, marks=play.marks)
            a = heard.alignment
            bad = [
                f
                for f in judge("the cable", heard, rate)
                if f.kind not in ("hum", "noise", "drift")
            ]
            if not bad and a.explained > 0.98:
                self.reference, self.upright = a.lag_at(0), a.polarity
                self._note(a, "loopback")
                self._say(
                    f"Round trip {self.reference:.2f} samples, gain {audio.db(a.gain):+.1f} dB"
                    f"{', polarity swapped' if a.polarity < 0 else ''}"
                )
                self._ask("Now connect the reamp box and the amp; Enter goes on")
                return
            self._say(bad[0].words if bad else "What comes back is no cable's: take the amp out")

    def _note(self, a: Alignment, how: str) -> None:
        """Append to the log of sittings."""
        sittings = self._sittings()
        sittings.append(
            {
                "began": datetime.now(UTC).isoformat(timespec="seconds"),
                "measured_by": how,
                "latency_samples": self.reference,
                "drift_ppm": a.drift_ppm,
                "polarity": a.polarity,
                "gain_db": audio.db(a.gain),
                "output_dbu": self.wishes.output_dbu,
                "input_dbu": self.wishes.input_dbu,
            }
        )
        with replacing(self.folder / SITTINGS) as temporary:
            temporary.write_text(json.dumps(sittings, indent=1), "utf-8")

    def _sittings(self) -> list[Any]:
        path = self.folder / SITTINGS
        return list(json.loads(path.read_text("utf-8"))) if path.is_file() else []

    # ---- take by take

    def is_there(self, index: int) -> bool:
        """Whether a take is recorded."""
        return (self.folder / self.takes[index].file).is_file()

    def run(self) -> bool:
        """Go through the takes. Returns whether the session is complete."""
        if self.wishes.loopback:
            self.loopback()
        index, skipped = 0, set[int]()
        try:
            while index < len(self.takes):
                if self.is_there(index) or index in skipped:
                    index += 1
                    continue
                index = self._one(index, skipped)
        except (EOFError, StopIteration):
            pass
        return self._end()

    def _one(self, index: int, skipped: set[int]) -> int:
        """Ask, and do what is answered. Returns the take to go on with."""
        words = self.plan.printed(self.takes[index].setting)
        key = self._ask(f"Take {index + 1} of {len(self.takes)}: {words}; Enter").strip().lower()
        if key == "q":
            raise StopIteration
        if key == "s":
            skipped.add(index)
        elif key in ("b", "r"):
            back = max(index - 1, 0)
            skipped.discard(back)
            (self.folder / self.takes[back].file).unlink(missing_ok=True)
            return back
        elif key:
            self._say(KEYS)
        elif self._record(index):
            return index + 1
        return index

    def _record(self, index: int) -> bool:
        """Record a take; keep it if it is good, else put it aside."""
        take, rate = self.takes[index], self.plan.sample_rate_hz
        play = reamp.play(self.di[take.start_samples : take.end_samples], rate)
        rolled = self._roll(play.samples, rate, self._look)
        own = slice(play.start_samples, play.start_samples + play.length_samples)
        heard = listen(play.samples, rolled.samples, rate, own, play.marks)
        findings = [f for f in judge(take.file, heard, rate) if f.kind != "drift"]  # is taken out
        if rolled.missed:
            what = f"the card missed {rolled.missed} blocks"
            findings.append(Finding("dropout", REFUSED, take.file, what))
        alignment = heard.alignment
        if not any(f.verdict == REFUSED for f in findings):
            alignment, late = self._laid(heard.alignment, take.file)
            findings += late
        for finding in findings:
            self._say(f"{finding.verdict}: {finding.words}")
        if any(f.verdict == REFUSED for f in findings):
            self._put_aside(take, rolled, findings)
            return False
        self._keep(take, play, rolled, alignment)
        self._say(
            f"Take {index + 1} is good: peak {heard.peak_dbfs:.1f} dBFS"
            + (f", noise {heard.noise_db:.0f} dB" if heard.noise_db is not None else "")
        )
        return True

    def _laid(self, a: Alignment, file: str) -> tuple[Alignment, list[Finding]]:
        """A take laid by the card's latency, and whether that has changed since it was measured."""
        if self.reference is None:
            self.reference = self._kept_latency(a.lag_at(0))
            self._note(a, "first take")
        off = a.lag_at(0) - self.reference
        found = []
        if abs(off) > PHASE_SAMPLES:
            what = f"the card is {off:+.1f} samples later than when it was measured"
            found = [Finding("latency", DOUBTFUL, file, what)]
            off -= round(off)
        return replace(a, lag_samples=a.lag_samples - off), found

    def _kept_latency(self, now: float) -> float:
        """The last sitting's, if the card kept it: this take's lag has its knobs' phase in it."""
        earlier = [sitting["latency_samples"] for sitting in self._sittings()]
        return earlier[-1] if earlier and abs(now - earlier[-1]) <= PHASE_SAMPLES else now

    def _keep(self, take: Take, play: Play, rolled: Rolled, a: Alignment) -> None:
        rate = self.plan.sample_rate_hz
        straight = straightened(rolled.samples, a, len(play.samples))
        passage = straight[play.start_samples :][: play.length_samples] * self.upright
        audio.write(self.folder / "raw" / Path(take.file).name, rolled.samples, rate)
        audio.write(self.folder / take.file, passage, rate)  # last: now the take is there

    def _put_aside(self, take: Take, rolled: Rolled, findings: list[Finding]) -> None:
        aside = self.folder / "aside"
        aside.mkdir(exist_ok=True)
        stem = Path(take.file).stem
        number = sum(1 for _ in aside.glob(f"{stem}-*.wav")) + 1
        audio.write(aside / f"{stem}-{number}.wav", rolled.samples, self.plan.sample_rate_hz)
        reasons = aside / f"{stem}-{number}.txt"
        with replacing(reasons) as temporary:
            temporary.write_text("\n".join(f.words for f in findings) + "\n", "utf-8")

    # ---- the end

    def _end(self) -> bool:
        """Write session.json if all takes are there."""
        there = [take for i, take in enumerate(self.takes) if self.is_there(i)]
        left = len(self.takes) - len(there)
        if left:
            self._say(
                f"{len(there)} of {len(self.takes)} takes are recorded: the same command goes on"
                " where this stopped, on any day; --finish makes a session of what there is"
            )
            return False
        self.finish()
        return True

    def finish(self) -> None:
        """Make a session of the takes that there are. Raises BadInput if a split has none."""
        there = [take for i, take in enumerate(self.takes) if self.is_there(i)]
        for split in SPLITS:
            if not any(take.split == split for take in there):
                raise BadInput(f"{self.folder} has no {split} take yet: record one, then finish")
        session = Session(
            folder=self.folder,
            rig=self.plan.rig,
            sample_rate_hz=self.plan.sample_rate_hz,
            knobs=self.plan.knobs,
            takes=tuple(there),
            seed=self.plan.seed,
            levels=self.wishes.levels or self._earlier_levels(),
            latency_samples=round(self.reference or 0),
        )
        # First: killed behind both, it is a session; between them, the same command saves it again.
        (self.folder / capture.PARTIAL).unlink(missing_ok=True)
        session.save()
        self._say(f"{self.folder} is a session: {len(there)} takes. Next: tubetwin check")

    def _earlier_levels(self) -> dict[str, float] | None:
        for sitting in reversed(self._sittings()):
            earlier = Wishes(False, sitting["output_dbu"], sitting["input_dbu"])
            if earlier.levels:
                return earlier.levels
        return None


def evening(
    folder: Path,
    ports: Ports,
    wishes: Wishes,
    finish: bool,
    ask: Callable[[str], str],
    say: Callable[[str], None],
    look: Callable[[float, float], None],
) -> bool:
    """Record what is missing of a planned session. Returns whether it is complete.

    Raises:
        BadInput: no plan, no card, or another capture is at this session.
    """

    def roll(samples: np.ndarray, rate: int, look: Callable[[float, float], None]) -> Rolled:
        return reel.roll(ports, samples, rate, sleep, look)

    if not folder.is_dir():
        raise BadInput(f"{folder} is no session folder: make one with tubetwin plan -o {folder}")
    with capture.alone(folder):
        tonight = Evening(folder, roll, ask, say, look, wishes)
        if finish:
            tonight.finish()
            return True
        return tonight.run()
