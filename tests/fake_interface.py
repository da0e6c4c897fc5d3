"""A fake interface: what an amp's sound goes through on its way into a file.

Latency, another clock, gain, polarity, hum, noise, clipping, lost and repeated samples, each on
purpose. The amp in front of it is real circuit simulation or anything else.
"""

from dataclasses import dataclass, replace

import numpy as np

from tubetwin.alignment import moved


@dataclass(frozen=True)
class Interface:
    """One sound card, and what is wrong with it. Levels in dB are re the recording's RMS."""

    latency_samples: float = 310.37
    drift_ppm: float = 0.0
    gain: float = 0.5
    polarity: int = 1
    noise_db: float = -60.0
    hum_db: float = -50.0
    mains_hz: float = 50.0
    clips_at: float = 1.0  # re full scale
    fault: str = ""  # zeros, lost, twice
    fault_at: float = 0.5  # of the sound
    fault_samples: int = 128

    def record(self, sound: np.ndarray, seed: int, sample_rate_hz: int = 48000) -> np.ndarray:
        """What ends up in the file: (samples,) float32, a little longer than what came in."""
        rng = np.random.default_rng(seed)
        stretch = 1e-6 * self.drift_ppm
        length = len(sound) + 2 * round(abs(self.latency_samples)) + 2000
        slope = -stretch / (1 + stretch)  # sample n hears the sound's (n - latency) / (1 + stretch)
        late = moved(sound, -self.latency_samples, slope, self.latency_samples, length)
        rms = np.sqrt(np.mean(sound.astype(float) ** 2))
        t = np.arange(length) / sample_rate_hz
        lines = sum(np.sin(2 * np.pi * k * self.mains_hz * t + k) / k for k in (1, 2, 3, 5))
        late = late + rms * 10 ** (self.noise_db / 20) * rng.standard_normal(length)
        late += rms * 10 ** (self.hum_db / 20) * lines / np.sqrt(np.mean(lines**2))
        heard = np.clip(self.polarity * self.gain * late, -self.clips_at, self.clips_at)
        heard = np.round(heard * 2**23) / 2**23
        at = round(self.fault_at * len(sound) + self.latency_samples)
        block = slice(at, at + self.fault_samples)
        if self.fault == "zeros":
            heard[block] = 0
        elif self.fault == "lost":
            heard = np.delete(heard, block)
        elif self.fault == "twice":
            heard = np.insert(heard, at + self.fault_samples, heard[block])
        return heard.astype(np.float32)


def any_interface(seed: int) -> Interface:
    """A good one of the shop: 60 dB over its noise, with hum, and a clock of its own."""
    rng = np.random.default_rng([seed, 99])
    return Interface(
        latency_samples=rng.uniform(-500, 4000),
        drift_ppm=rng.uniform(-8, 8),
        gain=rng.uniform(0.2, 1.0),
        polarity=int(rng.choice([-1, 1])),
        hum_db=rng.uniform(-55, -45),
        mains_hz=float(rng.choice([50.0, 60.0])) * (1 + rng.uniform(-5e-4, 5e-4)),
    )


__all__ = ["Interface", "any_interface", "replace"]
