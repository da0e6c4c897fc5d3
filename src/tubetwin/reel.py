"""Play a sound out of the card and record what comes back, as long as it takes, block by block."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tubetwin import audio
from tubetwin.device import Ports, open_stream
from tubetwin.files import BadInput

EXTRA_SECONDS = 1.0  # recorded behind the end: no card is later
STUCK_SECONDS = 10.0  # without a block: the card is gone


class Reel:
    """One take on its way: what is still to be played, and what came back so far."""

    def __init__(self, samples: np.ndarray, extra_samples: int, input_channel: int) -> None:
        """Args: (samples,) to play; samples to record behind them; the input, counted from 1."""
        self.heard = np.zeros(len(samples) + extra_samples, np.float32)
        self.missed = 0
        self.at = 0
        self.peak = 0.0  # since somebody last looked
        self._out = np.concatenate([samples, np.zeros(extra_samples)]).astype(np.float32)
        self._input = input_channel - 1

    @property
    def done(self) -> bool:
        """All was played and recorded."""
        return self.at >= len(self.heard)

    def play(self, sound: np.ndarray, out: np.ndarray, missed: bool) -> None:
        """The callback."""
        self.missed += bool(missed) and self.at > 0
        count = min(len(out), len(self.heard) - self.at)
        part = slice(self.at, self.at + count)
        out.fill(0)
        out[:count] = self._out[part, None]
        self.heard[part] = sound[:count, self._input]
        self.peak = max(self.peak, float(np.abs(sound[:count, self._input]).max(initial=0.0)))
        self.at += count


@dataclass(frozen=True)
class Rolled:
    """What came back: (samples,) at the rate asked for, and how often the card missed a block."""

    samples: np.ndarray
    missed: int


def roll(
    wish: Ports,
    samples: np.ndarray,
    sample_rate_hz: int,
    wait: Callable[[float], None],
    look: Callable[[float, float], None] | None = None,
) -> Rolled:
    """Play and record.

    Args:
        wish: card and channels.
        samples: (samples,), full scale 1.0.
        sample_rate_hz: of them, and of the result whatever the card's rate is.
        wait: sleeps so many seconds.
        look: called now and then with the share done and the peak since the last call.
    Raises:
        BadInput: as `open_stream`, or the card falls silent.
    """
    box: list[Reel] = []
    stream = open_stream(wish, sample_rate_hz, lambda *block: box[0].play(*block))
    try:
        card_hz = round(stream.samplerate)
        there = audio.resample(samples, sample_rate_hz, card_hz)
        box.append(Reel(there, round(EXTRA_SECONDS * card_hz), wish.input_channel))
        reel, stuck, before = box[0], 0.0, -1
        stream.start()
        while not reel.done:
            wait(0.05)
            stuck = stuck + 0.05 if reel.at == before else 0.0
            before = reel.at
            if stuck > STUCK_SECONDS:
                raise BadInput("the sound card fell silent: plug it in, or start its server")
            if look:
                look(reel.at / len(reel.heard), reel.peak)
                reel.peak = 0.0
    finally:
        stream.close()
    return Rolled(audio.resample(reel.heard, card_hz, sample_rate_hz), reel.missed)
