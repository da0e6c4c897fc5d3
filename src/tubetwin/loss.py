"""How wrong a network is: the loss that training lowers, and the verdict that decides what is kept.

Both see DI and takes at the network's own level. Signals are (batch, time); a window is measured
against the power of the whole take it comes from, so that a quiet setting counts as a loud one.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tubetwin import metrics, together
from tubetwin.files import BadInput
from tubetwin.session import Session, Take

TRAINING_RMS = 0.5  # the network sees DI and take at this level, whatever the session's
# Of the loudest take: 50 dB below it a take is nearly silence, not a sound to match.
QUIETEST = 1e-5
LEAST = 1e-6  # of a window's loss and of an ESR, as its logarithm goes: none is better
LATELY = 0.99  # of the typical loss is what it was a step ago


@dataclass(frozen=True, kw_only=True)
class Weighting:
    """What a loss is made of."""

    pre_emphasis: float = 0.85  # Wright's high-pass, gentler than the 0.95 that is reported
    plain_esr: float = 0.25  # weight beside the pre-emphasised ESR
    dc: float = 0.1
    patience: float = 0.1  # loss beyond which a window pulls no harder, at most: see Loss
    least_patience: float = 0.003  # and at least


class Loss:
    """How wrong a batch is, and the levels at which the network sees the world.

    From the patience on, a window's loss counts by its logarithm: what is far worse than the rest
    pulls no harder. Patience is the typical loss of late, so that late in a training, when cranked
    settings err ten times as much as clean ones, the clean ones still pull; but no less than a
    little, so that the cranked ones do not give back what they had won.
    """

    def __init__(self, session: Session, takes: Sequence[Take], config: Weighting) -> None:
        self.config = config
        recordings = [session.recording(take).astype(np.float64) for take in takes]
        plain = np.array([np.mean(r**2) for r in recordings])
        emphasised = np.array(
            [np.mean(metrics.pre_emphasis(r, config.pre_emphasis) ** 2) for r in recordings]
        )
        played = np.mean([np.mean(session.di(take).astype(np.float64) ** 2) for take in takes])
        if plain.max() <= 0 or played <= 0:
            raise BadInput(f"{session.folder}: every training take is silent, or the DI is")
        self.input_gain = float(TRAINING_RMS / math.sqrt(played))
        self.output_gain = float(TRAINING_RMS / math.sqrt(plain.mean()))
        self.floor = QUIETEST * plain.max() * self.output_gain**2
        self.typical = config.patience  # loss of a window, lately: its geometric mean
        self._plain = self._powers(plain)
        self._emphasised = self._powers(emphasised)

    def _powers(self, powers: np.ndarray) -> Tensor:
        return torch.tensor(powers * self.output_gain**2 + self.floor, dtype=torch.float32)

    def __call__(self, target: Tensor, prediction: Tensor, take_index: np.ndarray) -> Tensor:
        """(batch, time) at training level, and which takes they come from -> one number."""
        index = torch.from_numpy(take_index)
        plain, emphasised = self._plain[index], self._emphasised[index]
        plain, emphasised = plain.to(target.device), emphasised.to(target.device)
        c = self.config
        pre = metrics.esr(
            metrics.pre_emphasis(target, c.pre_emphasis),
            metrics.pre_emphasis(prediction, c.pre_emphasis),
            emphasised,
        )
        loss = pre + c.plain_esr * metrics.esr(target, prediction, plain)
        loss = loss + c.dc * metrics.dc_error(target, prediction, plain)
        now = float(together.mean(loss.detach().clamp_min(LEAST).log().mean()).exp())
        if math.isfinite(now):
            self.typical = self.typical**LATELY * now ** (1 - LATELY)
        patience = min(c.patience, max(c.least_patience, self.typical))
        return patience * torch.log1p(loss / patience).mean()


class Validation:
    """The held-out settings that decide which weights are kept."""

    def __init__(self, session: Session, history: int, loss: Loss) -> None:
        self.history, self.loss = history, loss
        takes = session.of("validation")
        if not takes:
            raise BadInput(f"{session.folder} has no validation takes: capture some")
        self.takes = [(session.di(t), session.recording(t), session.setting(t)) for t in takes]

    def esr(self, play: Callable[[Tensor, Tensor], Tensor]) -> float:
        """Of all takes in one number: the geometric mean, in which every setting has a say.

        By the median of two dozen takes a run once kept a lucky moment from before half its time.
        """
        return float(np.exp(np.log(np.maximum(self.esrs(play), LEAST)).mean()))

    def esrs(self, play: Callable[[Tensor, Tensor], Tensor]) -> list[float]:
        """ESR of each take behind its first receptive field, which has no whole history."""
        found = []
        for di, recording, setting in self.takes:
            played = torch.from_numpy(di)[None] * self.loss.input_gain
            out = play(played, torch.from_numpy(setting)[None])[0].double()
            target = torch.from_numpy(recording)[self.history :].double() * self.loss.output_gain
            power = target.pow(2).mean() + self.loss.floor
            found.append(float(metrics.esr(target, out.to("cpu"), power)))
        return found
