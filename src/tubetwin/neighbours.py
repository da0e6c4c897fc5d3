"""Does a take sound as its knobs say? Takes at like settings sound alike, so the rest can tell.

Every take is put into a few numbers: how loud it is in bands of a third of an octave, and how bent.
A smooth surface over the panel (a Gaussian process: C. Rasmussen and C. Williams, "Gaussian
Processes for Machine Learning", 2006, 5.4.2 for leaving one out) says what each take should be,
from all the others; each knob has a reach and a taper of its own. Then other labels are tried: one
knob elsewhere, another take's label, or anything. A take whose sound is far likelier under another
label than under its own has probably another setting than it says, or the gain was moved.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tubetwin.alignment import response

Array = NDArray[np.float64]

BANDS_HZ = 62.5 * 2 ** (np.arange(23) / 3)  # 62.5 Hz to 10 kHz
FEWEST = 10  # takes, and at least three for each knob: fewer are no neighbourhood
REACHES = (0.3, 0.6, 1.2, 2.5, 6.0)  # of the surface along one knob, in its travels
TAPERS = (0.35, 0.6, 1.0, 1.7)  # a knob's travel to this power: pots seldom are linear
NOISES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)  # of the features, as a share of their variance
COMPONENTS = 6
QUIET_DB = -45.0  # re the loudest take: below it noise and crosstalk are heard, not the amp
ELSEWHERE = 200  # settings anywhere that are tried as explanations
STEPS = np.linspace(0, 1, 21)  # of one knob, as well
TAILS = 4  # degrees of freedom of a surprise (Student's): corners surprise more than they should
SURE = 8.5  # log likelihood by which another label must fit better


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


class Surface(NamedTuple):
    """How one feature moves over the panel."""

    reaches: Array  # (knobs,)
    tapers: Array  # (knobs,)
    noise: float


def _kernel(one: Array, other: Array, reaches: Array) -> Array:
    """How alike the surface is at (n, knobs) and (m, knobs) settings: (n, m)."""
    apart = (((one[:, None] - other[None]) / reaches) ** 2).sum(axis=2)
    straight = (one - 0.5) @ (other - 0.5).T / max(one.shape[1], 1)
    return np.asarray(np.exp(-0.5 * apart) + straight)


def _inverse(points: Array, surface: Surface) -> Array:
    bent = points**surface.tapers
    noise = surface.noise * np.eye(len(points))
    return np.asarray(np.linalg.inv(_kernel(bent, bent, surface.reaches) + noise))


def _scale(inverse: Array, values: Array) -> float:
    """Of the surface's variance, from the median surprise: a few wrong takes do not stretch it."""
    return float(np.median((inverse @ values) ** 2 / np.diag(inverse)) / 0.455 + 1e-9)


def _surprise(error: Array, variance: Array) -> Array:
    """Negative log likelihood of errors, up to a constant."""
    tails = (TAILS + 1) / 2 * np.log1p(error**2 / (TAILS * variance))
    return np.asarray(0.5 * np.log(variance) + tails)


def _unlikely(points: Array, values: Array, surface: Surface) -> float:
    """How little probable each value is by all the others: the mean negative log likelihood."""
    inverse = _inverse(points, surface)
    variance = _scale(inverse, values) / np.diag(inverse)
    return float(np.mean(_surprise(inverse @ values / np.diag(inverse), variance)))


def _surface(points: Array, values: Array) -> Surface:
    """The likeliest surface: one knob after the other, twice."""
    knobs = points.shape[1]
    best = Surface(np.full(knobs, 1.2), np.ones(knobs), 0.03)
    for _ in range(2):
        for knob in range(knobs):
            this = np.arange(knobs) == knob
            tried = [
                Surface(np.where(this, r, best.reaches), np.where(this, t, best.tapers), best.noise)
                for r in REACHES
                for t in TAPERS
            ]
            best = min(tried, key=lambda surface: _unlikely(points, values, surface))
        tried = [best._replace(noise=noise) for noise in NOISES]
        best = min(tried, key=lambda surface: _unlikely(points, values, surface))
    return best


def _elsewhere(points: Array, index: int) -> Array:
    """Labels that a take may have instead, its own first: (labels, knobs)."""
    own = points[index]
    lines = np.repeat(own[None], len(own) * len(STEPS), axis=0)
    for knob in range(len(own)):
        lines[knob * len(STEPS) : (knob + 1) * len(STEPS), knob] = STEPS
    anywhere = np.random.default_rng(0).uniform(size=(ELSEWHERE, len(own)))
    return np.concatenate([own[None], lines, np.delete(points, index, axis=0), anywhere])


class Misfit(NamedTuple):
    """A take whose label is doubtful, by which log likelihood, and the label that fits best."""

    take: int
    doubts: float
    rather: Array  # (knobs,), each 0…1


def _doubts(points: Array, described: Array) -> list[Misfit]:
    """Of every take, by all the others."""
    values = described - described.mean(axis=0)
    axes = np.linalg.svd(values, full_matrices=False)[2][:COMPONENTS]
    parts = (values @ axes.T).T
    parts = parts / (parts.std(axis=1, keepdims=True) + 0.1)
    labels = [_elsewhere(points, i) for i in range(len(points))]
    unlikely = [np.zeros(len(there)) for there in labels]
    for part in parts:
        surface = _surface(points, part)
        inverse = _inverse(points, surface)
        scale = _scale(inverse, part)
        for i, there in enumerate(labels):
            error, variance = _by_the_others(points, part, i, there, surface, inverse)
            unlikely[i] += _surprise(error, variance * scale)
    bests = [int(u.argmin()) for u in unlikely]
    return [
        Misfit(i, float(u[0] - u[best]), labels[i][best])
        for i, (u, best) in enumerate(zip(unlikely, bests, strict=True))
    ]


def _by_the_others(
    points: Array, values: Array, index: int, there: Array, surface: Surface, inverse: Array
) -> tuple[Array, Array]:
    """How far a take is off what all the others say of the labels `there`, and the variance."""
    rest = np.delete(np.arange(len(points)), index)
    own = inverse[rest, index]
    without = inverse[np.ix_(rest, rest)] - np.outer(own, own) / inverse[index, index]
    bent = there**surface.tapers
    across = _kernel(bent, points[rest] ** surface.tapers, surface.reaches)
    variance = 1 + surface.noise + ((bent - 0.5) ** 2).mean(axis=1)
    variance = variance - ((across @ without) * across).sum(axis=1)
    error = values[index] - across @ (without @ values[rest])
    return error, np.maximum(variance, surface.noise)


def doubts(settings: Array, described: Array) -> list[Misfit]:
    """How little each take fits its knobs by all the others, the least sure first.

    Args:
        settings: (takes, knobs), each 0…1.
        described: (takes, features) in dB, as from `features`.
    Returns:
        one for every take that is no near silence; empty if there are too few takes to say.
    """
    heard = np.flatnonzero(described[:, -2] > described[:, -2].max() + QUIET_DB)
    if len(heard) < max(FEWEST, 3 * settings.shape[1]):
        return []
    found = _doubts(settings[heard], described[heard])
    found.sort(key=lambda misfit: -misfit.doubts)
    return [misfit._replace(take=int(heard[misfit.take])) for misfit in found]


def misfits(settings: Array, described: Array) -> list[Misfit]:
    """Takes that do not fit their knobs, the worst first: those that fit far better elsewhere.

    Arguments as of `doubts`.
    """
    left, found = np.arange(len(settings)), list[Misfit]()
    while len(found) <= len(settings) // 4:
        worst = next(iter(doubts(settings[left], described[left])), None)
        if worst is None or worst.doubts < SURE:
            break
        found.append(worst._replace(take=int(left[worst.take])))
        left = np.delete(left, worst.take)  # it misled the others: judge them again without it
    return found
