"""A knob turned on a playing twin, against the quasi-static truth of the simulated amp.

The truth: at every moment, what the amp would answer had its knob always stood where it stands at
that moment. No click hides in it, because each of its parts is a steady tone.
"""

import numpy as np
import pytest

from tubetwin import amp, engine, metrics, twin
from tubetwin.knobs import Setting

RATE, PERIOD, GLIDE = 48000, 200, 960  # a tone of 240 Hz; 20 ms
START = 24000  # of the glide: by then the amp is in its steady state
TONE = 0.3 * np.sin(2 * np.pi / PERIOD * np.arange(START + 9600)).astype(np.float32)
STEPS = 8  # static amps along the glide, blended between


def quasi_static(knob: str, low: float, high: float, rest: Setting) -> np.ndarray:
    place = np.clip((np.arange(len(TONE)) - START) / GLIDE, 0, 1) * STEPS
    statics = [
        amp.render(TONE, {**rest, knob: low + (high - low) * step / STEPS})
        for step in range(STEPS + 1)
    ]
    return sum(np.maximum(0, 1 - np.abs(place - step)) * out for step, out in enumerate(statics))


def turned(knob: str, low: float, high: float, rest: Setting, ramp_samples: int) -> np.ndarray:
    with engine.Player(twin.bundled("standard")) as player:
        player.set({**rest, knob: low}, jump=True)
        before = player.process(TONE[:START])
        player.set({knob: high}, jump=ramp_samples == 0)
        return np.concatenate([before, player.process(TONE[START:])])


def outside(sound: np.ndarray) -> float:
    """Energy outside the spectra of static amps, which hold nothing but harmonics of the tone.

    Tilted by 12 dB an octave, because a click is told by its treble.
    """
    change = sound[PERIOD:] - sound[:-PERIOD]
    heard = slice(START - 2 * PERIOD, START + GLIDE + 6400)
    return float(np.sum(np.diff(change[heard], n=2) ** 2))


def click(sound: np.ndarray) -> float:
    return float(metrics.click(sound[PERIOD:], START - PERIOD, START + GLIDE + 6139))


@pytest.mark.parametrize(
    ("knob", "low", "high"),
    [("Volume", 4.0, 5.0), ("Treble", 2.0, 8.0), ("Bass", 2.0, 8.0), ("Mid-Bite", 1.0, 9.0)],
)
def test_a_turned_knob_leaves_no_more_outside_the_tone_than_the_amp_does(knob, low, high):
    rest = {"Volume": 4.0, "Treble": 5.0, "Bass": 5.0, "Mid-Bite": 5.0}
    truth = quasi_static(knob, low, high, rest)
    glide, jump = (turned(knob, low, high, rest, ramp) for ramp in (GLIDE, 0))
    assert outside(glide) < 2 * outside(truth)
    assert outside(jump) > 5 * outside(glide)  # the measure hears clicks
    assert click(jump) > 10 * click(glide)
    assert metrics.esr(truth[START:], glide[START:]) < 0.02  # with the 20 ms of the way there
