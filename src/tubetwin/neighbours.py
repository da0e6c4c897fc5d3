"""Does a take sound as its knobs say? Takes at like settings sound alike, so the rest can tell.

Every take is put into a few numbers: how loud it is in bands of a third of an octave, and how bent.
A smooth surface over the panel (a Gaussian process: C. Rasmussen and C. Williams, "Gaussian
Processes for Machine Learning", 2006, 5.4.2 for leaving one out) says what each take should be,
from all the others. A take far off that, in decibels and in doubts of the surface, has probably
another setting than its label says, or the gain was moved.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tubetwin.alignment import response

Array = NDArray[np.float64]

BANDS_HZ = 125 * 2 ** (np.arange(17) / 3)  # 125 Hz to 5 kHz
FEWEST = 10  # takes, and at least three for each knob: fewer are no neighbourhood
REACHES = (0.3, 0.6, 1.2, 2.5, 6.0)  # of the surface along one knob, in its travels
NOISES = (0.003, 0.03, 0.2)  # of the features, as a share of their variance
COMPONENTS = 4
QUIET_DB = -45.0  # re the loudest take: below it noise and crosstalk are heard, not the amp
ELSEWHERE = 400  # other settings that are tried as explanations
FAR_DOUBTS, SURER = 8.5, 100.0  # of the surface at its own label; log likelihood of another label


def features(
    di: NDArray[np.float32], recording: NDArray[np.float32], sample_rate_hz: float
) -> Array:
    """Level in each band in dB, RMS ratio in dB, and the share that no filter explains in dB."""
    filter_, coherence = response(di, recording)
    hz = np.fft.rfftfreq(2 * (len(filter_) - 1), 1 / sample_rate_hz)
    power = np.abs(filter_) ** 2
    bands = [
        np.average(power[near], weights=coherence[near] + 1e-6)
        for band in BANDS_HZ
        if (near := np.abs(np.log2(np.maximum(hz, 1) / band)) < 1 / 5).any()
    ]
    whole = np.mean(np.square(recording, dtype=float)) / np.mean(np.square(di, dtype=float))
    bent = 1 - np.average(coherence, weights=np.abs(filter_) + 1e-9)
    return np.asarray(10 * np.log10(np.array([*bands, whole, max(bent, 0.01)]) + 1e-12))


def _kernel(one: Array, other: Array, reaches: Array) -> Array:
    """How alike the surface is at (n, knobs) and (m, knobs) settings: (n, m)."""
    apart = (((one[:, None] - other[None]) / reaches) ** 2).sum(axis=2)
    straight = (one - 0.5) @ (other - 0.5).T / max(one.shape[1], 1)
    return np.asarray(np.exp(-0.5 * apart) + straight)


def _unlikely(points: Array, values: Array, reaches: Array, noise: float) -> float:
    """How little probable each value is by all the others: the mean negative log likelihood."""
    inverse = np.linalg.inv(_kernel(points, points, reaches) + noise * np.eye(len(points)))
    variance = 1 / np.diag(inverse)
    error = inverse @ values * variance
    scale = np.median(error**2 / variance) / 0.455 + 1e-9  # a few wrong takes must not stretch it
    return float(np.mean(np.log(variance * scale) + np.log1p(error**2 / (4 * variance * scale))))


def _shape(points: Array, values: Array) -> tuple[Array, float]:
    """The reach along each knob, and the noise, of the likeliest surface: one after the other."""
    reaches, noise = np.full(points.shape[1], 1.2), 0.03
    for _ in range(2):
        for knob in range(len(reaches)):
            tried = [np.where(np.arange(len(reaches)) == knob, reach, reaches) for reach in REACHES]
            reaches = min(tried, key=lambda r: _unlikely(points, values, r, noise))
        noise = min(NOISES, key=lambda n: _unlikely(points, values, reaches, n))
    return reaches, noise


def _by_the_others(
    points: Array, values: Array, index: int, there: Array, reaches: Array, noise: float
) -> tuple[Array, Array]:
    """What all takes but one say of the settings `there`: mean and variance, (m,) each."""
    rest = np.delete(np.arange(len(points)), index)
    kernel = _kernel(points[rest], points[rest], reaches) + noise * np.eye(len(rest))
    inverse = np.linalg.inv(kernel)
    across = _kernel(there, points[rest], reaches)
    variance = 1 + noise + ((there - 0.5) ** 2).mean(axis=1)
    variance = variance - np.einsum("ij,jk,ik->i", across, inverse, across)
    error = inverse @ values[rest] / np.diag(inverse)
    scale = np.median(error**2 * np.diag(inverse)) / 0.455 + 1e-9
    return across @ inverse @ values[rest], np.maximum(variance, noise) * scale


class Misfit(NamedTuple):
    """A take whose label is doubtful: how many doubts off, and the label that fits best."""

    take: int
    doubts: float
    rather: Array  # (knobs,), each 0…1


def misfits(settings: Array, described: Array) -> list[Misfit]:
    """Takes that do not fit their knobs, the worst first.

    Args:
        settings: (takes, knobs), each 0…1.
        described: (takes, features) in dB, as from `features`.
    Returns:
        those that fit far better elsewhere; empty if there are too few takes to say.
    """
    loudest = described[:, -2].max()
    heard = np.flatnonzero(described[:, -2] > loudest + QUIET_DB)
    found: list[Misfit] = []
    while len(heard) >= max(FEWEST, 3 * settings.shape[1]) and len(found) <= len(settings) // 4:
        worst = _worst(settings[heard], described[heard])
        if not worst:
            break
        found.append(worst._replace(take=int(heard[worst.take])))
        heard = np.delete(heard, worst.take)
    return found


def _worst(points: Array, described: Array) -> Misfit | None:
    values = described - described.mean(axis=0)
    axes = np.linalg.svd(values, full_matrices=False)[2][:COMPONENTS]
    parts = values @ axes.T
    parts = parts / (parts.std(axis=0) + 0.1)
    shapes = [_shape(points, part) for part in parts.T]
    elsewhere = np.random.default_rng(0).uniform(size=(ELSEWHERE, points.shape[1]))
    worst: Misfit | None = None
    for i in range(len(points)):
        there = np.concatenate([points[i : i + 1], elsewhere])
        off, own = np.zeros(len(there)), 0.0
        for part, shape in zip(parts.T, shapes, strict=True):
            mean, variance = _by_the_others(points, part, i, there, *shape)
            off += (part[i] - mean) ** 2 / variance + np.log(variance)
            own += (part[i] - mean[0]) ** 2 / variance[0]
        doubts = float(np.sqrt(own / len(shapes)))
        best = int(off.argmin())
        sure = 0.5 * (off[0] - off[best])
        if doubts > FAR_DOUBTS and sure > SURER and (not worst or doubts > worst.doubts):
            worst = Misfit(i, doubts, there[best])
    return worst
