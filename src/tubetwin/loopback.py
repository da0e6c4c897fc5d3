"""How late the sound card is: noise goes out, through a cable, and back in."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tubetwin.device import Ports, open_stream
from tubetwin.files import BadInput

BURSTS, BURST_SECONDS, PAUSE_SECONDS = 5, 0.1, 0.5
BURST_LEVEL = 0.25  # -12 dBFS: loud enough for a cable, gentle on ears if it is no cable
CLEAREST_OF = 8.0  # how far a true echo stands above the rest of a correlation


@dataclass
class Loopback:
    """Plays bursts of noise and listens for them: out of the card, through a cable, back in."""

    input_channel: int
    sample_rate_hz: int

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        self.burst = rng.choice(
            [-BURST_LEVEL, BURST_LEVEL], round(BURST_SECONDS * self.sample_rate_hz)
        )
        self.period = round((BURST_SECONDS + PAUSE_SECONDS) * self.sample_rate_hz)
        self.heard = np.zeros(self.period * BURSTS, np.float32)
        one = np.concatenate([self.burst, np.zeros(self.period - len(self.burst))])
        self._out = np.tile(one, BURSTS).astype(np.float32)
        self._at = 0

    @property
    def done(self) -> bool:
        """All was played."""
        return self._at >= len(self.heard)

    def play(self, sound: np.ndarray, out: np.ndarray, missed: bool) -> None:
        """The callback."""
        count = min(len(out), len(self.heard) - self._at)
        part = slice(self._at, self._at + count)
        out.fill(0)
        out[:count] = self._out[part, None]
        self.heard[part] = sound[:count, self.input_channel - 1]
        self._at += count

    def delays(self) -> list[int]:
        """The delay of each burst that came back, in samples."""
        found = []
        size = 1 << (2 * self.period).bit_length()
        for start in range(0, len(self.heard), self.period):
            spectrum = np.fft.rfft(self.heard[start : start + self.period], size)
            echo = np.fft.irfft(spectrum * np.conj(np.fft.rfft(self.burst, size)), size)
            echo = np.abs(echo[: self.period - len(self.burst)])  # a cable may swap the polarity
            if echo.max() > CLEAREST_OF * np.sqrt(np.mean(echo**2)):
                found.append(int(echo.argmax()))
        return found


def measure_latency(wish: Ports, rate_hz: int, wait: Callable[[float], None]) -> dict[str, float]:
    """How long the way out of the card and back in takes, measured through a cable.

    Args:
        wish: which card and channels.
        rate_hz: preferred.
        wait: sleeps so many seconds.
    Returns:
        median, least and largest delay in samples; the sample rate; the seconds the card claims.
    Raises:
        BadInput: as `open_stream`, or nothing came back.
    """
    box: list[Loopback] = []
    stream = open_stream(wish, rate_hz, lambda *block: box[0].play(*block))
    box.append(Loopback(wish.input_channel, round(stream.samplerate)))
    stream.start()
    for _ in range(round(20 * BURSTS * (BURST_SECONDS + PAUSE_SECONDS) / 0.1)):
        if box[0].done:
            break
        wait(0.1)
    stream.close()
    delays = box[0].delays()
    if len(delays) <= BURSTS // 2:
        raise BadInput(
            f"{len(delays)} of {BURSTS} bursts came back: connect an output to input"
            f" {wish.input_channel} with a cable, turn its gain up, and measure again"
        )
    return {
        "samples": float(np.median(delays)),
        "least_samples": min(delays),
        "largest_samples": max(delays),
        "sample_rate_hz": stream.samplerate,
        "claimed_seconds": sum(stream.latency),
    }
