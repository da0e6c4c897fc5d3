"""The loudspeaker behind the amp: a made-up 1x12 open-back cabinet, or your own impulse response.

An amp's output straight into headphones is a swarm of wasps; a 12-inch guitar speaker lets little
through above 5 kHz. The design is drawn to what close microphones hear of such speakers: a soft
bump at the cone's resonance, presence near 2.5 kHz, dips where the cone breaks up, a steep fall.
"""

import math
from pathlib import Path

import numpy as np

from tubetwin import audio
from tubetwin.files import BadInput

LONGEST_SECONDS = 2.0  # a cabinet dies away in 0.1 s, a room in 1; longer is no cabinet
IR_SECONDS = 2048 / 48000
FLOOR = 1e-5  # -100 dB: a response of exactly nothing has no logarithm, hence no minimum phase

# Low-passes and the high-pass: (Hz, Q). Bells: (Hz, Q, dB).
RUMBLE = (75.0, 1.0)
BELLS = (
    (95.0, 2.5, 3.0),  # the cone's resonance, soft because the back is open
    (450.0, 0.9, -3.0),  # the hollow between bump and presence
    (2500.0, 1.6, 4.5),  # presence
    (3700.0, 5.0, -5.0),  # cone break-up: its rings move against its centre
    (4400.0, 6.0, -4.0),
)
TOP = ((4050.0, 1.35), (4250.0, 0.7), (5400.0, 0.8))  # the cone is too heavy to follow


def _low_pass(hz: np.ndarray, corner_hz: float, q: float) -> np.ndarray:
    """Magnitude of 1 / (s^2 + s/Q + 1) at s = j f / corner."""
    x = hz / corner_hz
    return 1 / np.hypot(1 - x**2, x / q)


def _bell(hz: np.ndarray, centre_hz: float, q: float, gain_db: float) -> np.ndarray:
    """Magnitude of (s^2 + s A/Q + 1) / (s^2 + s/(A Q) + 1): gain A^2 at the centre."""
    x, a = hz / centre_hz, 10 ** (gain_db / 40)
    return np.hypot(1 - x**2, x * a / q) / np.hypot(1 - x**2, x / (a * q))


def _response(hz: np.ndarray) -> np.ndarray:
    """The designed magnitude."""
    magnitude: np.ndarray = (hz / RUMBLE[0]) ** 2 * _low_pass(hz, *RUMBLE)
    for bell in BELLS:
        magnitude = magnitude * _bell(hz, *bell)
    for corner in TOP:
        magnitude = magnitude * _low_pass(hz, *corner)
    return magnitude


def _minimum_phase(magnitude: np.ndarray) -> np.ndarray:
    """The impulse response with this magnitude (0 Hz to Nyquist) that comes soonest.

    Source: A. Oppenheim and R. Schafer, "Discrete-Time Signal Processing": fold the cepstrum.
    """
    cepstrum = np.fft.irfft(np.log(np.maximum(magnitude, FLOOR)))
    half = len(cepstrum) // 2
    cepstrum[1:half] *= 2
    cepstrum[half + 1 :] = 0
    return np.asarray(np.fft.irfft(np.exp(np.fft.rfft(cepstrum))))


def loudness(ir: np.ndarray, sample_rate_hz: int) -> float:
    """How much louder an IR makes a guitar, as an amplitude ratio.

    The guitar stands as noise from 80 Hz to 5 kHz, pink to 800 Hz and 6 dB an octave steeper
    above, as overdriven guitars are; the ear as the K-weighting of ITU-R BS.1770, which adds 4 dB
    above 2 kHz (its high-pass lies below the guitar). Clean and driven guitars keep their
    loudness within 2 dB.
    """
    size = max(len(ir), 16384)
    hz = np.geomspace(80, 5000, 600)  # even steps in pitch: pink
    power = np.abs(np.fft.rfft(ir, size)) ** 2
    power = np.interp(hz, np.fft.rfftfreq(size, 1 / sample_rate_hz), power)
    shelf = (hz / 1680) ** 2
    weight = (1 + shelf * 10 ** (4 / 10)) / (1 + shelf) / (1 + (hz / 800) ** 2)
    return math.sqrt(float((power * weight).sum() / weight.sum()))


def design(sample_rate_hz: int = 48000, seconds: float = IR_SECONDS) -> np.ndarray:
    """The cabinet of the house.

    Args:
        sample_rate_hz: the response is the same at every rate.
        seconds: what rings on after that fades out over the last tenth.
    Returns:
        (samples,) float32, minimum phase: sound comes from sample 0 on, so it adds no latency.
        As loud as no cabinet, by `loudness`.
    """
    size = 1 << (int(1.4 * sample_rate_hz) - 1).bit_length()  # finer than 1 Hz
    ir = _minimum_phase(_response(np.fft.rfftfreq(size, 1 / sample_rate_hz)))
    ir = ir[: round(seconds * sample_rate_hz)]
    fade = max(len(ir) // 10, 1)
    ir[-fade:] *= 0.5 + 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / fade)
    return np.asarray(ir / loudness(ir, sample_rate_hz), np.float32)


def load(path: Path | str, sample_rate_hz: int) -> np.ndarray:
    """An IR of your own, nothing trimmed, as loud as no cabinet.

    Args:
        path: a sound file at any rate; channels are mixed to one.
        sample_rate_hz: the rate it will be played at.
    Returns:
        (samples,) float32.
    Raises:
        BadInput: as `audio.read` does; or longer than two seconds; or silent.
    """
    sound = audio.read(path)
    if sound.seconds > LONGEST_SECONDS:
        raise BadInput(
            f"{path} lasts {sound.seconds:.1f} s; an impulse response of a cabinet lasts"
            f" {LONGEST_SECONDS:g} s at most: cut it after its tail"
        )
    ir = sound.mono(sample_rate_hz)
    loud = loudness(ir, sample_rate_hz)
    if loud < 1e-9:
        raise BadInput(f"{path} is silent between 80 Hz and 5 kHz: choose another IR")
    return np.asarray(ir / loud, np.float32)
