"""Test signals find in an amp what was put there."""

import numpy as np
import pytest
from scipy.signal import lfilter

from tubetwin import probes

RATE = 48000


def test_a_chirp_finds_the_response_of_a_filter():
    hz, gain_db = probes.response_db(lfilter([0.5, -0.4], [1, -0.3], probes.chirp(RATE)), RATE)
    z = np.exp(-2j * np.pi * hz / RATE)
    expected_db = 20 * np.log10(np.abs((0.5 - 0.4 * z) / (1 - 0.3 * z)))
    np.testing.assert_allclose(gain_db, expected_db, atol=0.15)


def test_bands_add_up_to_the_power_of_what_lies_in_them():
    n = np.arange(RATE)
    tones = sum(0.1 * np.sin(2 * np.pi * hz / RATE * n) for hz in (100, 1000, 7000))
    hz, db = probes.spectrum_db(tones, RATE)
    power = 10 ** (db / 10)
    assert power.sum() == pytest.approx(3 * 0.1**2 / 2, rel=1e-6)
    loud = hz[np.argsort(power)[-3:]]
    np.testing.assert_allclose(np.sort(loud), [100, 1000, 7000], rtol=2 ** (1 / 12) - 1)


def test_a_tone_grows_by_the_steps_it_says():
    steps = probes.settled(probes.stepped_tone(RATE), RATE)
    peaks_db = 20 * np.log10(steps.max(axis=1))
    np.testing.assert_allclose(peaks_db, probes.STEPS_DB, atol=0.01)


def test_a_staircase_rests_at_each_value_as_long_as_a_step_of_the_tone():
    stairs = probes.staircase([0.0, 5.0, 10.0], RATE)
    assert len(stairs) == len(probes.steady_tone(3, RATE))
    np.testing.assert_array_equal(probes.settled(stairs, RATE).mean(axis=1), [0, 5, 10])


def test_levels_are_those_of_whole_windows():
    x = np.repeat([1.0, 0.1, 0.0], 100)
    np.testing.assert_allclose(probes.levels_db(x[:-1], 100), [0, -20])
    assert probes.levels_db(x, 100)[2] == -120


def test_the_plainest_moment_is_loud_and_smooth():
    n = np.arange(1000)
    soft, smooth, rough = (a * np.sin(w * n) for a, w in ((0.01, 0.01), (0.5, 0.05), (1.0, 1.0)))
    assert probes.plainest(np.concatenate([soft, rough, smooth, rough]), 1000) == 2000
