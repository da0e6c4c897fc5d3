"""The made-up cabinet has the figures of real ones; your own is taken as it is, but as loud."""

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import fftconvolve, lfilter

from tubetwin import audio, cabinet
from tubetwin.files import BadInput

RATE = 48000


def response(ir: np.ndarray, rate: int = RATE) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and level in dB against the mean of 315-2,000 Hz, as speakers are compared."""
    hz = np.geomspace(30, 15000, 2000)
    spectrum = np.abs(np.fft.rfft(ir, 65536))
    level = 20 * np.log10(np.interp(hz, np.fft.rfftfreq(65536, 1 / rate), spectrum))
    return hz, level - level[(hz > 315) & (hz < 2000)].mean()


@pytest.fixture(scope="module")
def ir() -> np.ndarray:
    return cabinet.design()


def test_the_design_has_the_figures_of_real_speakers(ir: np.ndarray) -> None:
    hz, level = response(ir)

    def at(wanted_hz: float) -> float:
        return float(np.interp(wanted_hz, hz, level))

    def peak(low_hz: float, high_hz: float) -> tuple[float, float]:
        best = np.argmax(np.where((hz > low_hz) & (hz < high_hz), level, -np.inf))
        return float(hz[best]), float(level[best])

    bump_hz, bump_db = peak(50, 250)
    assert 80 <= bump_hz <= 130
    assert 2 <= bump_db <= 6
    assert at(40) < -6
    assert -4 <= at(450) <= -2
    presence_hz, presence_db = peak(1500, 3500)
    assert 2400 <= presence_hz <= 2800
    assert 4 <= presence_db <= 7
    assert at(3700) < (at(3200) + at(4050)) / 2  # a break-up dip
    assert 5000 <= hz[(hz > 2500) & (level > -10)].max() <= 5700
    assert -30 <= at(8000) <= -27
    assert at(12000) < -45


def test_the_design_is_short_and_dies_like_a_speaker(ir: np.ndarray) -> None:
    assert ir.shape == (2048,)
    assert ir.dtype == np.float32
    left = np.cumsum(ir[::-1].astype(float) ** 2)[::-1]
    decay_ms = 1000 * np.argmax(left < left[0] / 1000) / RATE
    # Close microphones hear 18-30 ms from speakers with +9 dB at 62 Hz; the bump here is half that.
    assert 6 < decay_ms < 30
    assert left[-205] < 1e-6 * left[0]  # the fade at the end has next to nothing to fade


def test_the_design_is_minimum_phase(ir: np.ndarray) -> None:
    # Of all responses with one magnitude, the minimum-phase one never has less energy so far.
    energy = np.cumsum(ir.astype(float) ** 2)
    later = np.fft.irfft(np.abs(np.fft.rfft(ir, 8192)))  # same magnitude, zero phase, rolled
    other = np.cumsum(np.roll(later, 1024)[:2048] ** 2)
    assert (energy >= other * (1 - 1e-6)).all()
    assert np.argmax(np.abs(ir)) < 0.0004 * RATE
    # Its phase is the Hilbert transform of its log magnitude: all cepstrum lies at positive time.
    size = 1 << 17
    spectrum = np.fft.fft(ir, size)
    phase = np.unwrap(np.angle(spectrum[: size // 2]))
    assert abs(phase[-1] - phase[0]) < 2.1 * np.pi  # no zero outside: the phase does not wind


@pytest.mark.parametrize("rate", [44100, 96000])
def test_the_design_sounds_the_same_at_every_rate(ir: np.ndarray, rate: int) -> None:
    hz, level = response(ir)
    _, other = response(cabinet.design(rate), rate)
    assert np.abs(level - other)[(hz > 50) & (hz < 8000)].max() < 0.3


def test_the_design_never_changes(ir: np.ndarray) -> None:
    np.testing.assert_array_equal(ir, cabinet.design())


@pytest.mark.parametrize("drive", [0.1, 3, 30])
def test_a_guitar_stays_about_as_loud(ir: np.ndarray, drive: float) -> None:
    # Loudness as broadcasters measure it: ITU-R BS.1770's two filters at 48 kHz, then the power.
    def loudness_db(sound: np.ndarray) -> float:
        shelved = lfilter(
            [1.53512485958697, -2.69169618940638, 1.19839281085285],
            [1, -1.69065929318241, 0.73248077421585],
            sound,
        )
        return audio.rms_dbfs(
            lfilter([1, -2, 1], [1, -1.99004745483398, 0.99007225036621], shelved)
        )

    rng = np.random.default_rng(3)
    notes = np.zeros(4 * RATE)
    for start in range(0, len(notes) - RATE, RATE // 4):  # decaying sawtooths stand for plucks
        t = np.arange(RATE) / RATE
        wave = (t * 82.4 * 2 ** (rng.integers(0, 30) / 12)) % 1 - 0.5
        notes[start : start + RATE] += wave * np.exp(-4 * t)
    driven = np.tanh(drive * lfilter([0.2], [1, -0.8], notes))
    through = fftconvolve(driven, ir)[: len(driven)]
    assert abs(loudness_db(through) - loudness_db(driven)) < 2
    assert cabinet.loudness(ir, RATE) == pytest.approx(1, rel=1e-5)


def test_your_own_ir_is_taken_whole_and_levelled(tmp_path: Path) -> None:
    path = tmp_path / "mine.wav"
    own = np.zeros(3000, np.float32)
    own[[100, 180]] = 0.02, -0.01
    audio.write(path, own, RATE)
    loaded = cabinet.load(path, RATE)
    assert loaded.dtype == np.float32
    assert cabinet.loudness(loaded, RATE) == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(loaded / loaded[100], own / own[100], atol=1e-6)
    audio.write(path, np.stack([own, own], axis=1), RATE)
    np.testing.assert_allclose(cabinet.load(path, RATE), loaded, atol=1e-6)
    assert len(cabinet.load(path, 96000)) == 6000


def test_an_ir_keeps_its_response_at_another_rate(tmp_path: Path, ir: np.ndarray) -> None:
    audio.write(tmp_path / "mine.wav", cabinet.design(44100), 44100)
    hz, level = response(ir)
    _, other = response(cabinet.load(tmp_path / "mine.wav", RATE))
    assert np.abs(level - other)[(hz > 50) & (hz < 8000)].max() < 0.5


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.ones(2 * RATE + 1), "lasts 2.0 s.*cut it"),
        (np.ones(5 * RATE), "lasts 5.0 s.*cut it"),
        (np.zeros(2048), "is silent"),
    ],
)
def test_what_is_no_cabinet_is_refused(tmp_path: Path, samples: np.ndarray, reason: str) -> None:
    audio.write(tmp_path / "mine.wav", samples, RATE)
    with pytest.raises(BadInput, match=reason):
        cabinet.load(tmp_path / "mine.wav", RATE)
