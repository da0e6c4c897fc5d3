"""A bad take is found and named, a good one is not refused, and a rig's lag is known to a hair.

`make thorough` sets TUBETWIN_THOROUGH=1 and runs the whole counts; otherwise a few of each.
"""

import os
from functools import cache

import numpy as np
import pytest

from fake_interface import Interface, any_interface, replace
from tubetwin import amp, audio, guitar, passages, reamp
from tubetwin.alignment import Alignment, align
from tubetwin.checks import MENDS, REFUSED, STEP_SAMPLES, Heard, clipped, judge, listen
from tubetwin.reamp import Play

RATE_HZ = 48000
THOROUGH = bool(os.environ.get("TUBETWIN_THOROUGH"))
RIGS, SEEDS, CLEAN, PLACES = (50, 20, 200, 10) if THOROUGH else (4, 1, 3, 3)
LONG_SECONDS = 60 if THOROUGH else 4


@cache
def base(place: int, seconds: float = 4) -> tuple[Play, np.ndarray]:
    """A take of the reference amp at some setting, before any sound card."""
    rng = np.random.default_rng([5, place])
    values = np.round(rng.uniform([1, 0, 0, 0], 10), 1)
    setting = dict(zip([knob.name for knob in amp.KNOBS], values.tolist(), strict=True))
    kind = guitar.playing if place % 2 else passages.passage
    play = reamp.play(kind(seconds, 300 + place), RATE_HZ)
    sound = amp.render(play.samples, setting, oversampling=1)
    return play, (0.9 / np.abs(sound).max() * sound).astype(np.float32)  # as a careful user sets it


@cache
def bare_alignment(place: int) -> Alignment:
    """Of a take that no sound card has touched."""
    play, sound = base(place, LONG_SECONDS)
    return align(play.samples, sound, RATE_HZ, marks=play.marks)


def heard(play: Play, recording: np.ndarray) -> Heard:
    own = slice(play.start_samples, play.start_samples + play.length_samples)
    return listen(play.samples, recording, RATE_HZ, own, play.marks)


def kinds(found: Heard, verdict: str | None = None) -> set[str]:
    return {f.kind for f in judge("a take", found, RATE_HZ) if verdict in (None, f.verdict)}


@pytest.mark.parametrize("seed", range(RIGS))
def test_lag_drift_polarity_and_gain_of_any_rig_are_recovered(seed: int) -> None:
    """Against the same take without a rig: what the amp itself bends is no rig's lag."""
    play, sound = base(seed % PLACES, LONG_SECONDS)
    rig = any_interface(seed)
    bare = bare_alignment(seed % PLACES)
    found = align(play.samples, rig.record(sound, seed), RATE_HZ, marks=play.marks)
    at = found.centre_samples
    true_lag = rig.latency_samples + 1e-6 * rig.drift_ppm * at
    assert found.lag_samples - bare.lag_samples == pytest.approx(true_lag, abs=0.05)
    assert found.drift_ppm == pytest.approx(rig.drift_ppm, abs=0.5)
    assert found.polarity == rig.polarity * bare.polarity
    assert abs(found.step[0]) < STEP_SAMPLES  # another clock is no dropout
    # an overload of the converter apart, hum and noise add less than a thousandth
    assert found.gain == pytest.approx(rig.gain * bare.gain, rel=0.02)


FAULTS: dict[str, tuple[dict[str, object], str]] = {
    "clipped": ({"gain": 1.6}, "clipped"),
    "hum": ({"hum_db": -15.0}, "hum"),
    "noise": ({"noise_db": -18.0}, "noise"),
    "drift": ({"drift_ppm": 60.0}, "drift"),
    "a block of zeros": ({"fault": "zeros"}, "dropout"),
    "a block lost": ({"fault": "lost"}, "dropout"),
    "a block twice": ({"fault": "twice"}, "dropout"),
}


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_card_is_found_and_named(fault: str, seed: int) -> None:
    changes, kind = FAULTS[fault]
    play, sound = base(seed % PLACES)
    rng = np.random.default_rng([seed, 7])
    middle = (play.start_samples + rng.uniform(0.1, 0.9) * play.length_samples) / len(sound)
    at = loud_place(sound, middle)
    rig = replace(
        any_interface(seed), gain=0.5, fault_at=at, fault_samples=int(rng.choice([64, 128, 512]))
    )
    recording = replace(rig, **changes).record(sound, seed)
    assert kind in kinds(heard(play, recording))


def loud_place(sound: np.ndarray, near: float) -> float:
    """Where the amp sounds, at or after a share of the take: silence that is lost is no loss."""
    blocks = np.sqrt(np.mean(sound[: len(sound) // 480 * 480].reshape(-1, 480) ** 2, axis=1))
    loud = np.flatnonzero(blocks > 0.5 * np.sqrt(np.mean(sound**2)))
    behind = loud[loud >= near * len(blocks)]
    return float((behind[0] if len(behind) else loud[-5]) * 480 / len(sound))


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("fault", ["silent", "wrong file", "cut off", "wrong rate", "polarity"])
def test_a_fault_of_the_hand_is_found_and_named(fault: str, seed: int) -> None:
    play, sound = base(seed % PLACES)
    rig = replace(any_interface(seed), drift_ppm=0.0)
    recording = rig.record(sound, seed)
    if fault == "silent":
        recording = 1e-4 * np.random.default_rng(seed).standard_normal(len(sound))
    elif fault == "wrong file":
        recording = rig.record(base((seed + 1) % PLACES)[1], seed)
    elif fault == "cut off":
        recording = recording[: round(len(recording) * (0.4 + 0.02 * seed))]
    elif fault == "wrong rate":
        recording = audio.resample(recording, 48000, 44100)
    found = heard(play, np.asarray(recording, np.float32))
    if fault == "polarity":  # against another take of the same session
        upright = heard(play, replace(rig, polarity=-rig.polarity).record(sound, seed))
        assert found.alignment.polarity == -upright.alignment.polarity
    else:
        assert fault in kinds(found, REFUSED)


@pytest.mark.parametrize("seed", range(CLEAN))
def test_no_clean_take_is_refused(seed: int) -> None:
    play, sound = base(seed % PLACES)
    rig = replace(any_interface(1000 + seed), drift_ppm=0.0)
    rig = replace(rig, gain=0.9 * rig.gain)  # hum on top of the loudest sample still fits
    assert not kinds(heard(play, rig.record(sound, seed)))


def test_a_waves_own_top_is_no_clipping() -> None:
    t = np.arange(48000) / 48000
    for hz in (82.4, 110.0, 440.0):
        wave = np.round(np.sin(2 * np.pi * hz * t) * 2**15) / 2**15
        assert clipped(np.float32(0.7 * np.sin(2 * np.pi * hz * t))) == 0
        assert clipped(np.clip(np.float32(1.2 * wave), -1, 1)) > 1000


def test_every_finding_says_what_to_do() -> None:
    assert all(len(mend.split()) > 4 for mend in MENDS.values())
    silent = listen(base(0)[0].samples, np.zeros(1000, np.float32), RATE_HZ)
    (finding,) = judge("takes/0007.wav", silent, RATE_HZ)
    assert finding.words.startswith("takes/0007.wav: silent: ")
    assert MENDS["silent"] in finding.words


def test_the_interface_does_what_it_says() -> None:
    """The judge is judged: an ideal card with a whole lag gives the very samples, later."""
    sound = np.random.default_rng(1).uniform(-0.5, 0.5, 4000).astype(np.float32)
    ideal = Interface(40, 0, 1.0, 1, -300, -300)
    assert ideal.record(sound, 0)[40:4040] == pytest.approx(sound, abs=1e-6)
