"""The tuner reads strings to a cent, and nothing where there is no note."""

import numpy as np
import pytest

from live_stage import RATE
from tubetwin import tuner

STRINGS = (
    *(("E1", 41.20), ("E2", 82.41), ("A2", 110.0), ("D3", 146.83), ("G3", 196.0), ("B3", 246.94)),
    *(("E4", 329.63), ("E6", 1318.51)),
)


def string(hz: float, rate: int) -> np.ndarray:
    t = np.arange(4096 * rate // 48000) / rate
    return sum(0.3 / k * np.sin(2 * np.pi * hz * k * t + k) for k in range(1, 8))  # type: ignore[return-value]


@pytest.mark.parametrize("rate", [44100, 48000, 96000])
@pytest.mark.parametrize("note", STRINGS)
@pytest.mark.parametrize("cents", [-20.0, 0.0, 7.0])
def test_the_tuner_reads_strings_to_a_cent(
    note: tuple[str, float], cents: float, rate: int
) -> None:
    name, hz = note
    found = tuner.pitch(string(hz * 2 ** (cents / 1200), rate), rate)
    assert found
    assert found.note == name
    assert found.cents == pytest.approx(cents, abs=1.0)


def test_the_tuner_is_silent_where_there_is_no_note() -> None:
    rng = np.random.default_rng(0)
    chord = string(110, RATE) + string(155.6, RATE) + string(233.1, RATE)
    for sound in (np.zeros(4096), rng.normal(0, 0.1, 4096), 1e-4 * string(110, RATE), chord[:99]):
        assert tuner.pitch(sound, RATE) is None
