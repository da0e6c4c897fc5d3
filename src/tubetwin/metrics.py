"""How far a twin is from its amp: one definition of every figure, for training and report alike.

`target` is the amp, `prediction` the twin, both float64 of shape (..., time); figures come back
with shape (...). Cut the warm-up (at least one receptive field) off both first. No function fits
gain or delay: a twin that is too loud or too late has earned its error.

`esr`, `pre_emphasis`, `esr_pre` and `dc_error` also take torch tensors and carry gradients, for
they are the training loss. They use only what both kinds of array know, so torch is never loaded.
"""

from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Array = NDArray[np.floating]
Signal = TypeVar("Signal", Array, "torch.Tensor")

SILENCE = 1e-12  # mean square: levels in dB stop at -120, far below any amp's noise
ENVELOPE_SECONDS = 0.02  # longer than a period of the lowest E (12 ms), shorter than any sag
ASR_SAMPLES = 48_017  # prime, so that the aliases of a tone miss its harmonics
STFT_SIZES = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))  # FFT, hop, window, in samples
THIRD_OCTAVES_HZ = 1000 * 10 ** (np.arange(-13, 13) / 10)  # IEC 61260-1, nominally 50 Hz to 16 kHz
BURST_FROM_SECONDS, BURST_TO_SECONDS, RECOVERY_ENDS_SECONDS = 1.0, 2.0, 5.0
QUIET_DB = -30.0  # small enough to ride on the sagging supply without loading it


# The waveform: the training loss.


def esr(target: Signal, prediction: Signal, power: Signal | float | None = None) -> Signal:
    """Error-to-signal ratio, sum (y - p)^2 / sum y^2: 0 is perfect, 1 is what silence scores.

    Pool inside a setting, then average over settings. When the arrays are windows of a take, pass
    the take's `power`: a window of silence stays finite, and the mean over equal windows is the
    ESR of the take.

    Args:
        target: the amp, (..., time).
        prediction: the twin, (..., time).
        power: mean square to divide by, a number or (...); None: that of `target`.
    Returns:
        (...), a plain ratio; nan or inf where the target is all silence, which has no ESR.
    Source: Wright, Damskägg, Välimäki, "Real-time black-box modelling with recurrent neural
        networks", DAFx 2019, without their pre-emphasis.
    """
    error = _mean_square(target - prediction)
    ratio: Signal = error / (_mean_square(target) if power is None else power)
    return ratio


def pre_emphasis(x: Signal, coefficient: float = 0.95) -> Signal:
    """High-pass 1 - c z^-1, so that the quiet treble weighs more in an error.

    The gain |1 - c exp(-2 pi i f / rate)| depends on f / rate: the same coefficient at 44.1 and at
    48 kHz is two filters, so quote the rate with the figure. Ours are for 48 kHz.

    Args:
        x: (..., time).
        coefficient: 0.95 (Damskägg et al., ICASSP 2019) or 0.85 (Wright et al., DAFx 2019).
    Returns:
        (..., time - 1): the first sample is left out, since its past is unknown.
    """
    return x[..., 1:] - coefficient * x[..., :-1]


def esr_pre(
    target: Signal,
    prediction: Signal,
    coefficient: float = 0.95,
    power: Signal | float | None = None,
) -> Signal:
    """ESR after `pre_emphasis` of both; `power` is then that of the pre-emphasised take."""
    emphasised = pre_emphasis(target, coefficient), pre_emphasis(prediction, coefficient)
    return esr(*emphasised, power)


def dc_error(target: Signal, prediction: Signal, power: Signal | float | None = None) -> Signal:
    """Squared mean error over mean square, (mean (y - p))^2 / mean y^2 (Wright et al., DAFx 2019).

    Pre-emphasis hardly sees an offset; this does. Arguments and result as in `esr`.
    """
    offset = (target - prediction).mean(-1)
    ratio: Signal = offset**2 / (_mean_square(target) if power is None else power)
    return ratio


def _mean_square(x: Signal) -> Signal:
    mean: Signal = (x**2).mean(-1)
    return mean


# The spectrum: where the error lies.


def band_esr(
    target: Array, prediction: Array, sample_rate_hz: float, low_hz: float, high_hz: float = np.inf
) -> Array:
    """ESR after an ideal band-pass of both, low_hz <= f < high_hz.

    Report it above 4 kHz, where an amp has little energy and plain ESR hardly looks.
    """

    def band(x: Array) -> Array:
        spectrum = np.fft.rfft(x)
        frequency_hz = np.fft.rfftfreq(x.shape[-1], 1 / sample_rate_hz)
        outside = (frequency_hz < low_hz) | (frequency_hz >= high_hz)
        spectrum[..., outside] = 0
        return np.fft.irfft(spectrum, x.shape[-1])

    return esr(band(target), band(prediction))


def mr_stft(target: Array, prediction: Array) -> Array:
    """Multi-resolution STFT error: |Y - P| / |Y| (Frobenius) + mean |ln Y - ln P|, mean over three.

    Equals auraloss' `MultiResolutionSTFTLoss()` with its defaults, one excerpt at a time (auraloss
    pools a batch). Other libraries' MR-STFTs are other numbers.

    Args:
        target: the amp, (..., time), more than 600 samples.
        prediction: the twin, (..., time).
    Returns:
        (...), 0 is perfect; no unit.
    Source: Yamamoto, Song, Kim, "Parallel WaveGAN", ICASSP 2020; Steinmetz & Reiss, "auraloss",
        DMRN+15, 2020.
    """
    total = np.zeros(target.shape[:-1])
    for size in STFT_SIZES:
        amp, twin = _magnitudes(target, *size), _magnitudes(prediction, *size)
        total += np.linalg.norm(amp - twin, axis=(-2, -1)) / np.linalg.norm(amp, axis=(-2, -1))
        total += np.abs(np.log(amp / twin)).mean((-2, -1))
    return total / len(STFT_SIZES)


def _magnitudes(x: Array, fft: int, hop: int, window: int) -> Array:
    hann = np.hanning(window + 1)[:-1]  # periodic, as spectral analysis wants it
    padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(window // 2, window // 2)], mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, window, axis=-1)[..., ::hop, :]
    spectrum = np.fft.rfft(frames * hann, fft)  # (..., frames, bins)
    return np.maximum(np.abs(spectrum), 1e-4)  # auraloss: power no smaller than 1e-8


def third_octaves_db(x: Array, sample_rate_hz: float) -> Array:
    """Long-term average spectrum: mean square in each third octave, in dB re 1.

    Returns:
        (..., bands): `THIRD_OCTAVES_HZ`, as far as whole bands lie below half the sample rate.
    """
    samples = x.shape[-1]
    edges_hz = THIRD_OCTAVES_HZ[0] * 10 ** ((np.arange(len(THIRD_OCTAVES_HZ) + 1) - 0.5) / 10)
    edges = np.ceil(edges_hz[edges_hz <= sample_rate_hz / 2] * samples / sample_rate_hz).astype(int)
    energy = 2 * np.abs(np.fft.rfft(x)) ** 2 / samples**2
    below = np.cumsum(energy, axis=-1, dtype=np.float64)[..., edges - 1]
    return _db(np.diff(below, axis=-1))


def spectrum_error_db(target: Array, prediction: Array, sample_rate_hz: float) -> Array:
    """RMS difference in dB of the third octaves that lie within 60 dB of the amp's loudest."""
    amp = third_octaves_db(target, sample_rate_hz)
    twin = third_octaves_db(prediction, sample_rate_hz)
    return _rms_where(amp - twin, amp > amp.max(-1, keepdims=True) - 60)


# The distortion: which tones are new, and which of them are wrong.


class Aliasing(NamedTuple):
    """What `asr` finds. First see that E_H is within 1 dB of the amp's: silence never aliases."""

    ratio: Array  # E_A / E_H as published: a DC offset counts as alias
    ratio_without_dc: Array  # the same without bin 0: asymmetric amps make honest DC
    harmonic_energy: Array  # E_H, squared DFT bins summed over the harmonics


def asr_probe(k0: int = 1249, amplitude: float = 0.5, warm_up_samples: int = ASR_SAMPLES) -> Array:
    """The sine that `asr` listens through: a warm-up, then `k0` whole periods in `ASR_SAMPLES`.

    Args:
        k0: its DFT bin; the tone is k0 / 48,017 of the sample rate, 1248.6 Hz at 48 kHz.
        amplitude: peak, full scale = 1.
        warm_up_samples: at least the receptive field, else the onset counts as alias.
    Returns:
        (warm_up_samples + ASR_SAMPLES,).
    """
    n = np.arange(-warm_up_samples, ASR_SAMPLES)
    return amplitude * np.sin(2 * np.pi * (k0 * n % ASR_SAMPLES) / ASR_SAMPLES)


def asr(output: Array, k0: int = 1249) -> Aliasing:
    """Alias-to-signal ratio E_A / E_H of the answer to `asr_probe(k0)`.

    E_H is the energy on the harmonics m k0, E_A all the rest up to half the rate. For a recorded
    amp that rest is hum and noise: its own ratio is the floor to compare a twin with.

    Args:
        output: the answer, (..., time); its last `ASR_SAMPLES` are used.
        k0: as given to `asr_probe`.
    Raises:
        ValueError: the answer is shorter than `ASR_SAMPLES`.
    Source: Sato & Smith, "Aliasing reduction in neural amp modeling by smoothing activations",
        DAFx 2025.
    """
    if output.shape[-1] < ASR_SAMPLES:
        raise ValueError(f"ASR needs {ASR_SAMPLES} samples of answer, not {output.shape[-1]}")
    energy = np.abs(np.fft.rfft(output[..., -ASR_SAMPLES:])) ** 2
    harmonic = np.arange(energy.shape[-1]) % k0 == 0
    dc, harmonic[0] = energy[..., 0], False
    wanted = energy[..., harmonic].sum(-1)
    without_dc = energy[..., ~harmonic][..., 1:].sum(-1)
    return Aliasing((dc + without_dc) / wanted, without_dc / wanted, wanted)


def harmonics(
    output: Array, fundamental_hz: float, sample_rate_hz: float, count: int = 10
) -> Array:
    """Levels of the harmonics of a steady tone, in dB relative to the fundamental.

    The tone need not fit the excerpt: a Kaiser window keeps all others 150 dB down, given at least
    14 periods.

    Returns:
        (..., count): H1 (0 dB by definition), H2, ...; -inf at and above half the sample rate.
    """
    order = np.arange(1, count + 1)
    n = np.arange(output.shape[-1])
    carriers = np.exp(-2j * np.pi * np.outer(n, order) * fundamental_hz / sample_rate_hz)
    amplitude = np.abs((output * np.kaiser(len(n), 20)) @ carriers)
    amplitude[..., order * fundamental_hz >= sample_rate_hz / 2] = 0
    with np.errstate(divide="ignore"):  # the missing ones are at -inf dB
        levels_db: Array = 20 * np.log10(amplitude / amplitude[..., :1])
    return levels_db


def harmonic_error_db(
    target: Array, prediction: Array, fundamental_hz: float, sample_rate_hz: float, count: int = 10
) -> Array:
    """How wrong the timbre of a steady tone is: RMS difference in dB of its harmonics from H2 on.

    Only those count that the amp has within 60 dB of the fundamental; what the twin adds where the
    amp has none is for `asr` and `esr` to find.

    Returns:
        (...); nan where the amp is that clean.
    """
    amp = harmonics(target, fundamental_hz, sample_rate_hz, count)[..., 1:]
    twin = harmonics(prediction, fundamental_hz, sample_rate_hz, count)[..., 1:]
    counts = amp > -60
    with np.errstate(invalid="ignore"):  # -inf - -inf, and the mean of nothing
        error_db = np.where(counts, np.maximum(twin, -120) - amp, 0)
        rms: Array = np.sqrt((error_db**2).sum(-1) / counts.sum(-1))
    return rms


# The dynamics: level, sag, recovery, clicks.


def gain_error_db(target: Array, prediction: Array) -> Array:
    """How much louder the twin is than the amp, as RMS levels in dB; negative if it is quieter."""
    return _db(_mean_square(prediction)) - _db(_mean_square(target))


def envelope_db(x: Array, sample_rate_hz: float) -> Array:
    """RMS level over the last 20 ms, in dB re 1: (..., time - window + 1)."""
    return _db(_running_mean(x**2, round(ENVELOPE_SECONDS * sample_rate_hz)))


def envelope_error_db(target: Array, prediction: Array, sample_rate_hz: float) -> Array:
    """RMS difference of the envelopes in dB, while the amp is within 40 dB of its peak.

    Does the twin sag and bloom as the amp does? One that ignores a 20 % sag is 1.8 dB off.
    """
    amp, twin = envelope_db(target, sample_rate_hz), envelope_db(prediction, sample_rate_hz)
    return _rms_where(amp - twin, amp > amp.max(-1, keepdims=True) - 40)


def recovery_probe(tone_hz: float, sample_rate_hz: float) -> Array:
    """A tone of peak 1 (full scale) between 1 and 2 s, 30 dB quieter before and until 5 s."""
    seconds = np.arange(round(RECOVERY_ENDS_SECONDS * sample_rate_hz)) / sample_rate_hz
    burst = (seconds >= BURST_FROM_SECONDS) & (seconds < BURST_TO_SECONDS)
    return np.where(burst, 1, 10 ** (QUIET_DB / 20)) * np.sin(2 * np.pi * tone_hz * seconds)


def recovery(output: Array, tone_hz: float, sample_rate_hz: float) -> Array:
    """The small-signal gain after a burst, in dB relative to the amp at rest.

    Args:
        output: the answer to `recovery_probe` of the same tone and rate, (..., time).
        tone_hz: the tone; it alone is measured, its harmonics and any offset all but cancel.
        sample_rate_hz: samples per second.
    Returns:
        (..., time after the burst): gain over the 20 ms that start at each sample.
    """
    start, stop = (round(s * sample_rate_hz) for s in (BURST_FROM_SECONDS, BURST_TO_SECONDS))
    rest_db = _tone_db(output[..., start // 2 : start], tone_hz, sample_rate_hz)
    after_db = _tone_db(output[..., stop:], tone_hz, sample_rate_hz)
    gain_db: Array = after_db - rest_db.mean(-1, keepdims=True)
    return gain_db


def recovery_seconds(gain_db: Array, sample_rate_hz: float) -> float:
    """Time from the deepest point of one `recovery` until 1/e of it is left; inf if never.

    If the recovery is exponential, that is its time constant.
    """
    depth_db = np.abs(gain_db)
    after = depth_db[depth_db.argmax() :]
    back = np.flatnonzero(after <= after[0] / np.e)
    return float(back[0] / sample_rate_hz) if len(back) else float("inf")


def click(output: Array, start: int, stop: int) -> Array:
    """How far a moving knob clicks: peak 4th difference around the move over that of the rest.

    The 4th difference rises 24 dB an octave, so a steady tone leaves little and an edge stands out.

    Args:
        output: a steady tone played while a knob moves, warm-up cut off, (..., time).
        start: first sample of the move.
        stop: one past its last, plus a receptive field.
    Returns:
        (...), a ratio: about 1 if nothing clicks.
    """
    edge = np.abs(np.diff(output, n=4))  # edge[i] sees samples i to i + 4
    moving = np.zeros(edge.shape[-1], bool)
    moving[max(start - 4, 0) : stop] = True
    ratio: Array = edge[..., moving].max(-1) / edge[..., ~moving].max(-1)
    return ratio


def _tone_db(x: Array, tone_hz: float, sample_rate_hz: float) -> Array:
    periods = max(1, round(ENVELOPE_SECONDS * tone_hz))  # whole ones, so that harmonics cancel
    turned = x * np.exp(-2j * np.pi * tone_hz / sample_rate_hz * np.arange(x.shape[-1]))
    return _db(np.abs(_running_mean(turned, round(periods * sample_rate_hz / tone_hz))) ** 2)


def _running_mean(x: np.ndarray, window: int) -> np.ndarray:
    total = np.cumsum(np.insert(x, 0, 0, axis=-1), axis=-1, dtype=np.result_type(x, np.float64))
    mean: np.ndarray = (total[..., window:] - total[..., :-window]) / window
    return mean


def _rms_where(x: Array, counts: NDArray[np.bool_]) -> Array:
    rms: Array = np.sqrt(np.mean(x**2, axis=-1, where=counts))
    return rms


def _db(mean_square: Array) -> Array:
    level_db: Array = 10 * np.log10(np.maximum(mean_square, SILENCE))
    return level_db
