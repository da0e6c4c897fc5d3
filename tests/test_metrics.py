"""Every figure equals its closed form, so that the report can be checked with pencil and paper."""

import subprocess
import sys

import numpy as np
import pytest

from tubetwin import metrics
from tubetwin.metrics import asr, asr_probe, click, esr, harmonics, mr_stft, recovery

RATE_HZ = 48_000
SECONDS = np.arange(RATE_HZ) / RATE_HZ  # one second: every whole frequency makes whole periods


def sine(frequency_hz: float, seconds: np.ndarray = SECONDS) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz * seconds)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


# ESR and its kin


def test_esr_of_a_perfect_twin_is_0_and_of_a_silent_one_is_1():
    amp = noise(1000)
    assert esr(amp, amp) == 0
    assert esr(amp, 0 * amp) == 1


def test_esr_of_a_gain_error_of_1_db_is_0_0149():
    amp = noise(1000)
    assert esr(amp, amp * 10 ** (1 / 20)) == pytest.approx((10 ** (1 / 20) - 1) ** 2)
    assert esr(amp, amp * 10 ** (1 / 20)) == pytest.approx(0.0149, abs=5e-5)


@pytest.mark.parametrize(("tone_hz", "expected"), [(200, 0.0007), (1000, 0.0171), (5000, 0.41)])
def test_esr_of_one_sample_of_delay_is_2_minus_2_cos_w(tone_hz, expected):
    amp = sine(tone_hz)
    late = esr(amp, np.roll(amp, 1))
    assert late == pytest.approx(2 - 2 * np.cos(2 * np.pi * tone_hz / RATE_HZ))
    assert late == pytest.approx(expected, rel=0.03)


def test_esr_weighs_each_item_of_a_batch_by_its_own_energy():
    amp = noise(2, 3, 500)
    twin = amp + 0.1 * noise(2, 3, 500, seed=1)
    loud = np.array([[1.0], [10.0], [100.0]])
    assert esr(amp, twin).shape == (2, 3)
    np.testing.assert_allclose(esr(amp * loud, twin * loud), esr(amp, twin))


def test_mean_esr_of_windows_with_the_takes_power_is_the_esr_of_the_take():
    amp = noise(8, 500) * np.linspace(0, 1, 8)[:, None]  # the first window is silent
    twin = amp + 0.1 * noise(8, 500, seed=1)
    windows = esr(amp, twin, power=np.mean(amp**2))
    assert windows.mean() == pytest.approx(esr(amp.ravel(), twin.ravel()))


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
@pytest.mark.parametrize("coefficient", [0.85, 0.95])
def test_pre_emphasis_of_a_sine_has_the_gain_of_its_formula(rate_hz, coefficient):
    tone = sine(1000, np.arange(rate_hz + 1) / rate_hz)
    rms = np.sqrt(np.mean(metrics.pre_emphasis(tone, coefficient) ** 2))
    gain = abs(1 - coefficient * np.exp(-2j * np.pi * 1000 / rate_hz))
    assert rms == pytest.approx(gain / np.sqrt(2))


def test_esr_pre_weighs_the_error_by_the_filters_gain():
    seconds = np.arange(RATE_HZ + 1) / RATE_HZ
    amp, error = sine(200, seconds), 0.01 * sine(5000, seconds)
    low, high = (abs(1 - 0.95 * np.exp(-2j * np.pi * f / RATE_HZ)) for f in (200, 5000))
    assert metrics.esr_pre(amp, amp + error) == pytest.approx((0.01 * high / low) ** 2)


def test_an_offset_is_dc_error_and_pre_emphasis_hardly_sees_it():
    amp = sine(1000)
    assert metrics.dc_error(amp, amp + 0.1) == pytest.approx(0.01 / 0.5)
    assert metrics.dc_error(amp, amp + 0.1) == pytest.approx(esr(amp, amp + 0.1))
    seconds = np.arange(RATE_HZ + 1) / RATE_HZ
    gain = abs(1 - 0.95 * np.exp(-2j * np.pi * 1000 / RATE_HZ))
    emphasised = metrics.esr_pre(sine(1000, seconds), sine(1000, seconds) + 0.1)
    assert emphasised == pytest.approx((0.05 * 0.1 / gain) ** 2 / 0.5)  # an eighth of its ESR


def test_dc_error_of_a_wrong_tone_is_0():
    assert metrics.dc_error(sine(1000), sine(3000)) == pytest.approx(0, abs=1e-20)


LOSSES = [esr, metrics.esr_pre, metrics.dc_error]


@pytest.mark.parametrize("loss", LOSSES)
def test_numpy_and_torch_agree(loss):
    torch = pytest.importorskip("torch")
    amp, twin = noise(4, 500), noise(4, 500, seed=1)
    there = loss(torch.from_numpy(amp), torch.from_numpy(twin))
    np.testing.assert_allclose(there.numpy(), loss(amp, twin), rtol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_of_a_loss_are_those_of_finite_differences(loss):
    torch = pytest.importorskip("torch")
    amp, twin = torch.from_numpy(noise(2, 20)), torch.from_numpy(noise(2, 20, seed=1))
    assert torch.autograd.gradcheck(lambda p: loss(amp, p), twin.requires_grad_())


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_stay_finite_for_a_perfect_twin_and_for_silent_windows(loss):
    torch = pytest.importorskip("torch")
    amp = torch.zeros(2, 20)
    amp[0] = 1
    twin = amp.clone().requires_grad_()
    loss(amp, twin, power=0.5).sum().backward()
    assert torch.equal(twin.grad, torch.zeros_like(twin))


def test_the_room_opens_without_torch():
    check = "import sys, tubetwin.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


# The spectrum


@pytest.mark.parametrize("samples", [4800, 4801])
def test_band_esr_over_the_whole_band_is_esr(samples):
    amp, twin = noise(samples), noise(samples, seed=1)
    assert metrics.band_esr(amp, twin, RATE_HZ, 0) == pytest.approx(esr(amp, twin))


def test_band_esr_sees_only_the_error_and_the_target_inside_its_band():
    amp = sine(1000) + 0.5 * sine(6000)
    twin = 0.9 * sine(1000) + 0.4 * sine(6000)
    assert metrics.band_esr(amp, twin, RATE_HZ, 0, 4000) == pytest.approx(0.1**2)
    assert metrics.band_esr(amp, twin, RATE_HZ, 4000) == pytest.approx(0.2**2)
    assert metrics.band_esr(amp, twin, RATE_HZ, 1000, 6000) == pytest.approx(0.1**2)


def test_mr_stft_of_a_perfect_twin_is_0_and_of_any_other_positive():
    amp = noise(2, 4800)
    assert mr_stft(amp, amp) == pytest.approx([0, 0], abs=0)
    assert (mr_stft(amp, amp + 1e-3 * noise(2, 4800, seed=1)) > 0).all()


def test_mr_stft_of_a_gain_error_is_that_error_plus_its_logarithm():
    amp = noise(4800)
    assert mr_stft(amp, 0.9 * amp) == pytest.approx(0.1 - np.log(0.9))


def test_mr_stft_stays_finite_in_silence_and_does_not_hear_what_lies_under_its_floor():
    amp = noise(9600) * (np.arange(9600) < 4800)
    assert mr_stft(amp, amp) == 0
    assert mr_stft(amp, amp + 1e-9 * noise(9600, seed=1)) < 1e-6


def test_mr_stft_follows_its_definition_through_torch_stft():
    torch = pytest.importorskip("torch")
    amp, twin = noise(4801), noise(4801, seed=1)
    expected = 0.0
    for fft, hop, window in [(1024, 120, 600), (2048, 240, 1200), (512, 50, 240)]:
        hann = torch.hann_window(window, dtype=torch.float64)
        y, p = (
            torch.stft(torch.from_numpy(x), fft, hop, window, hann, return_complex=True).abs()
            for x in (amp, twin)
        )
        expected += float((y - p).norm() / y.norm() + (y.log() - p.log()).abs().mean()) / 3
    assert mr_stft(amp, twin) == pytest.approx(expected)


def test_a_tone_lies_in_its_own_third_octave_alone():
    levels_db = metrics.third_octaves_db(sine(1000), RATE_HZ)
    own = np.argmin(abs(metrics.THIRD_OCTAVES_HZ - 1000))
    assert levels_db[own] == pytest.approx(10 * np.log10(0.5))
    assert np.delete(levels_db, own).max() == -120


@pytest.mark.parametrize(("tone_hz", "band_hz"), [(1122, 1000), (1123, 1259), (892, 1000)])
def test_third_octaves_meet_a_twentieth_of_a_decade_from_their_centres(tone_hz, band_hz):
    own = np.argmax(metrics.third_octaves_db(sine(tone_hz), RATE_HZ))
    assert metrics.THIRD_OCTAVES_HZ[own] == pytest.approx(band_hz, rel=1e-3)


def test_third_octaves_share_out_all_energy_from_45_hz_to_18_khz():
    tones = sine(46) + sine(440) + sine(3000) + sine(17_000)
    total = (10 ** (metrics.third_octaves_db(tones, RATE_HZ) / 10)).sum()
    assert total == pytest.approx(4 * 0.5)


def test_third_octaves_stop_below_half_the_sample_rate():
    assert metrics.third_octaves_db(noise(8000), 8000).shape == (19,)  # 50 Hz to 3150 Hz


def test_spectrum_error_is_the_rms_of_the_bands_errors_in_db():
    amp = sine(100) + sine(1000) + sine(10_000) + sine(12_600)
    twin = amp + (10 ** (6 / 20) - 1) * sine(1000)
    assert metrics.spectrum_error_db(amp, twin, RATE_HZ) == pytest.approx(6 / np.sqrt(4))


def test_spectrum_error_ignores_phase_and_bands_60_db_down():
    amp = sine(1000) + 0.9e-3 * sine(10_000)
    assert metrics.spectrum_error_db(amp, -np.roll(sine(1000), 9), RATE_HZ) < 1e-9


@pytest.mark.parametrize(
    "figure",
    [
        lambda amp, twin: metrics.band_esr(amp, twin, RATE_HZ, 4000),
        lambda amp, twin: metrics.spectrum_error_db(amp, twin, RATE_HZ),
        lambda amp, twin: metrics.envelope_error_db(amp, twin, RATE_HZ),
        metrics.gain_error_db,
        mr_stft,
    ],
)
def test_a_batch_scores_item_by_item(figure):
    amp = noise(2, 2, 4800) * np.array([1, 100])[:, None]
    twin = amp + noise(2, 2, 4800, seed=1)
    singly = [
        [figure(a, t) for a, t in zip(*row, strict=True)] for row in zip(amp, twin, strict=True)
    ]
    np.testing.assert_allclose(figure(amp, twin), singly)


# Aliasing and harmonics


def test_asr_of_a_straight_wire_is_0():
    assert asr(asr_probe()).ratio < 1e-25


def test_asr_counts_a_stray_tone_as_the_ratio_of_energies():
    stray = 0.01 * asr_probe(k0=20_000)
    assert asr(asr_probe() + stray).ratio == pytest.approx(1e-4)


def test_asr_of_an_offset_is_alias_as_published_and_0_without_dc():
    found = asr(asr_probe(amplitude=0.5) + 0.1)
    assert found.ratio == pytest.approx(4 * 0.1**2 / 0.5**2)
    assert found.ratio_without_dc < 1e-25


def test_asr_of_a_square_law_is_its_dc_alone():
    x = asr_probe(amplitude=1.0)
    found = asr(x + x**2)  # DC 1/2, H1 of amplitude 1, H2 of amplitude 1/2
    assert found.ratio == pytest.approx((1 / 2) ** 2 / (1 / 4 + 1 / 16))
    assert found.ratio_without_dc < 1e-20


def test_asr_of_a_cubed_tone_above_a_sixth_of_the_rate_is_one_ninth():
    found = asr(asr_probe(k0=12_000) ** 3, k0=12_000)  # sin^3 = (3 sin x - sin 3x) / 4, 3x folds
    assert found.ratio == pytest.approx(1 / 9)


def test_asr_of_a_symmetric_hard_clipper_is_positive_and_grows_with_the_tone():
    low, high = (asr(np.clip(10 * asr_probe(k0), -1, 1), k0) for k0 in (1249, 5000))
    assert 1e-4 < low.ratio < high.ratio
    assert low.ratio == pytest.approx(low.ratio_without_dc)


def test_asr_of_a_half_wave_clipper_has_the_dc_of_a_rectified_sine():
    found = asr(np.maximum(asr_probe(), 0))  # mean A / pi, mean square A^2 / 4
    dc, harmonic = 1 / np.pi**2, (1 / 4 - 1 / np.pi**2) / 2
    assert found.ratio - found.ratio_without_dc == pytest.approx(dc / harmonic, rel=1e-4)
    assert found.ratio_without_dc > 1e-6


def test_harmonic_energy_tells_a_quiet_twin_from_a_clean_one():
    loud, quiet = asr(asr_probe(amplitude=0.5)), asr(asr_probe(amplitude=0.05))
    assert loud.harmonic_energy / quiet.harmonic_energy == pytest.approx(100)
    assert loud.harmonic_energy == pytest.approx((0.5 * metrics.ASR_SAMPLES / 2) ** 2)


def test_asr_hears_an_onset_only_when_the_warm_up_is_too_short():
    memory = np.ones(1000) / 1000  # an amp that remembers 1000 samples
    ratios = [
        asr(np.convolve(asr_probe(warm_up_samples=n), memory)[: n + metrics.ASR_SAMPLES]).ratio
        for n in (0, 999)
    ]
    assert ratios[0] > 1e-3
    assert ratios[1] < 1e-20


def test_asr_refuses_an_answer_shorter_than_the_probe():
    with pytest.raises(ValueError, match="48017 samples of answer, not 100"):
        asr(np.zeros(100))


def test_harmonics_of_chebyshev_polynomials_are_their_weights():
    x = np.cos(2 * np.pi * 441.3 * SECONDS)  # no whole number of periods
    t2, t3 = 2 * x**2 - 1, 4 * x**3 - 3 * x
    levels_db = harmonics(0.3 * (x + 0.1 * t2 + 0.01 * t3), 441.3, RATE_HZ, count=6)
    assert levels_db[:3] == pytest.approx([0, -20, -40], abs=1e-5)
    assert levels_db[3:].max() < -140


def test_harmonics_ignore_an_offset():
    assert harmonics(sine(110) + 1, 110, RATE_HZ)[1:].max() < -140


def test_harmonics_end_at_half_the_sample_rate():
    levels_db = harmonics(sine(5000) + sine(18_000), 5000, RATE_HZ, count=6)  # 6 x 5 kHz folds
    assert levels_db[4:].tolist() == [-np.inf, -np.inf]
    assert np.isfinite(levels_db[:4]).all()


def chebyshev(*weights_db: float) -> np.ndarray:
    """A tone whose harmonics from H2 on have these levels."""
    x = np.cos(2 * np.pi * 441.3 * SECONDS)
    weights = [0, 1, *(10 ** (db / 20) for db in weights_db)]
    return np.polynomial.chebyshev.chebval(x, weights)


def test_harmonic_error_is_the_rms_of_the_harmonics_errors_in_db():
    amp, twin = chebyshev(-20, -40), chebyshev(-23, -36)
    expected = np.sqrt((3**2 + 4**2) / 2)
    assert metrics.harmonic_error_db(amp, twin, 441.3, RATE_HZ) == pytest.approx(expected, rel=1e-4)
    assert metrics.harmonic_error_db(amp, 0.1 * amp + 1, 441.3, RATE_HZ) < 1e-4  # level, offset


def test_harmonics_60_db_down_do_not_count_and_a_pure_tone_has_no_error():
    amp, twin = chebyshev(-20, -61), chebyshev(-20, -50)
    assert metrics.harmonic_error_db(amp, twin, 441.3, RATE_HZ) < 1e-4
    assert np.isnan(metrics.harmonic_error_db(sine(440), sine(440), 440, RATE_HZ))


# Level, sag, recovery, clicks


def test_gain_error_is_signed_and_in_db():
    assert metrics.gain_error_db(sine(440), 2 * sine(440)) == pytest.approx(20 * np.log10(2))
    assert metrics.gain_error_db(2 * sine(440), sine(440)) == pytest.approx(-20 * np.log10(2))


def test_envelope_of_a_sine_is_its_rms_level():
    level_db = metrics.envelope_db(0.1 * sine(1000), RATE_HZ)  # whole periods in 20 ms
    assert level_db == pytest.approx(np.full(RATE_HZ - 959, -20 + 10 * np.log10(0.5)))


def test_envelope_stays_exact_in_the_quiet_after_a_burst_and_in_float32():
    x = (np.where(SECONDS < 0.5, 1.0, 1e-4) * sine(1000)).astype(np.float32)
    assert metrics.envelope_db(x, RATE_HZ)[-1] == pytest.approx(-80 + 10 * np.log10(0.5), abs=1e-3)


def test_a_twin_that_ignores_a_20_percent_sag_is_1_8_db_off():
    sag = 1 - 0.2 * (1 - np.exp(-SECONDS / 0.1))
    ignored_db = metrics.envelope_error_db(sag * sine(220), sine(220), RATE_HZ)
    assert ignored_db == pytest.approx(1.8, abs=0.05)


def test_envelope_error_of_a_gain_error_is_that_gain():
    amp = np.exp(-3 * SECONDS) * sine(220)
    assert metrics.envelope_error_db(amp, amp / 2, RATE_HZ) == pytest.approx(20 * np.log10(2))


def test_envelope_error_ignores_what_lies_40_db_under_the_peak():
    amp = np.where(SECONDS < 0.5, 1, 1e-3) * sine(1000)
    twin = np.where(SECONDS < 0.5, amp, 0)
    assert metrics.envelope_error_db(amp, twin, RATE_HZ) < 0.5
    assert metrics.envelope_error_db(twin, amp, RATE_HZ) < 0.5


def recovering_amp(depth_db: float, tau_seconds: float) -> np.ndarray:
    """An amp whose gain falls by `depth_db` in the burst of the probe and comes back."""
    probe = metrics.recovery_probe(220, RATE_HZ)
    since = np.arange(len(probe)) / RATE_HZ - 2
    gain_db = np.where(since < 0, 0, -depth_db * np.exp(-np.maximum(since, 0) / tau_seconds))
    return 3 * probe * 10 ** (gain_db / 20)


def test_recovery_probe_is_30_db_louder_in_its_burst():
    level_db = metrics.envelope_db(metrics.recovery_probe(1000, RATE_HZ), RATE_HZ)
    assert level_db[[0, 72_000, -1]] == pytest.approx([-33.01, -3.01, -33.01], abs=0.01)


def test_a_memoryless_amp_has_nothing_to_recover_from():
    distorted = np.tanh(3 * metrics.recovery_probe(220, RATE_HZ)) + 0.2
    assert np.abs(recovery(distorted, 220, RATE_HZ)).max() < 0.02


@pytest.mark.parametrize("tau_seconds", [0.05, 0.2, 0.6])
def test_recovery_shows_depth_and_time_of_a_sagging_supply(tau_seconds):
    gain_db = recovery(recovering_amp(3.0, tau_seconds), 220, RATE_HZ)
    window = 4 / 220 / tau_seconds  # the first figure is the mean over four periods
    assert gain_db[0] == pytest.approx(-3 * (1 - np.exp(-window)) / window, rel=0.01)
    assert metrics.recovery_seconds(gain_db, RATE_HZ) == pytest.approx(tau_seconds, rel=0.01)


def test_recovery_is_timed_from_its_deepest_point():
    falling, rising = np.linspace(0, -3, 100), -3 * np.exp(-np.arange(5000) / 480)
    seconds = metrics.recovery_seconds(np.concatenate([falling, rising]), RATE_HZ)
    assert seconds == pytest.approx(0.01, abs=2 / RATE_HZ)


def test_recovery_that_never_comes_takes_forever():
    assert metrics.recovery_seconds(np.full(1000, -3.0), RATE_HZ) == float("inf")


def test_an_edge_of_height_h_clicks_by_3_h_over_the_steady_tone():
    edge = np.where(SECONDS < 0.5, 0, 0.1)  # 4th differences of a step: h, -3 h, 3 h, -h
    steady = (2 * np.sin(np.pi * 220 / RATE_HZ)) ** 4
    ratio = click(sine(220) + edge, 24_000, 24_001)
    assert ratio == pytest.approx(3 * 0.1 / steady, rel=1e-4)


def test_a_slow_fade_does_not_click():
    fade = 1 - 0.3 * np.clip((SECONDS - 0.5) / 0.02, 0, 1)
    smooth = 1 - 0.15 * (1 - np.cos(np.pi * np.clip((SECONDS - 0.5) / 0.02, 0, 1)))
    assert click(smooth * sine(220), 23_990, 25_000) < 1.5
    assert click(fade * sine(220), 23_990, 25_000) > click(smooth * sine(220), 23_990, 25_000)


def test_an_edge_is_found_wherever_in_the_move_it_lies():
    for at in (24_000, 24_050, 24_099):
        x = sine(220) + np.where(np.arange(RATE_HZ) < at, 0, 0.1)
        assert click(x, 24_000, 24_100) > 1e4
