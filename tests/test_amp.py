"""The reference amp obeys Ohm, Kirchhoff, Koren and ngspice, and behaves as a guitarist expects."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tubetwin import amp
from tubetwin.files import BadInput
from tubetwin.metrics import click, esr, harmonics
from tubetwin.parts import number
from tubetwin.solver import Solver

RATE = 48000
NGSPICE = shutil.which("ngspice")
needs_ngspice = pytest.mark.skipif(NGSPICE is None, reason="ngspice is not on PATH")


def tone(hz: float, volts: float, seconds: float) -> np.ndarray:
    return volts * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)


def pluck(seconds: float) -> np.ndarray:
    """A loud low A, all partials in random phases, 0.68 V at its peak."""
    t = np.arange(round(seconds * RATE)) / RATE
    phases = np.random.default_rng(1).uniform(0, 2 * np.pi, 19)
    partials = [np.sin(2 * np.pi * 110 * (k + 1) * t + phases[k]) / (k + 1) for k in range(19)]
    wave = np.sum(partials, 0) * np.exp(-5 * t) * np.minimum(1, t / 0.005)
    return 0.68 * wave / np.abs(wave).max()


def response_db(setting: dict[str, float], hz: list[float]) -> np.ndarray:
    """Small-signal gain from jack to speaker, by the answer to an impulse of 1 mV."""
    impulse = np.zeros(RATE // 10)
    impulse[100] = 1e-3
    spectrum = np.fft.rfft(amp.simulate(impulse, setting)[:, 0]) / 1e-3
    at = np.rint(np.array(hz) * len(impulse) / RATE).astype(int)
    return 20 * np.log10(np.abs(spectrum[at]))


# The judge: ngspice plays the same netlist.


def ngspice(folder: Path, deck: str) -> str:
    (folder / "amp.cir").write_text(deck)
    command = [NGSPICE, "-b", "amp.cir"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert "aborted" not in run.stdout + run.stderr, run.stdout + run.stderr
    return run.stdout


@needs_ngspice
def test_idles_where_ngspice_idles(tmp_path):
    printed = ngspice(tmp_path, amp.spice_deck({}, "Vin u 0 0", "op\nprint all"))
    theirs = dict(line.split()[::2] for line in printed.splitlines() if line.count(" = ") == 1)
    for node, volts in amp.operating_point().items():
        assert float(theirs[node.lower()]) == pytest.approx(volts, abs=0.001), node


@needs_ngspice
@pytest.mark.parametrize(
    "setting",
    [
        {"Volume": 3},
        {"Volume": 10},
        {"Volume": 8, "Treble": 10, "Bass": 2, "Mid-Bite": 9},
    ],
    ids=["clean", "cranked", "bright"],
)
def test_plays_what_ngspice_plays(tmp_path, setting):
    times, margin = 8, amp.MARGIN_SAMPLES
    di = pluck(0.1)
    volts = amp.raised(np.pad(di, 2 * margin), times)  # from one margin before the DI, as ours
    seconds = np.arange(len(volts)) / (RATE * times)
    np.savetxt(tmp_path / "di.txt", np.column_stack([seconds, volts]), fmt="%.9e")
    drive = (
        'Adi %v([u]) di\n.model di filesource (file="di.txt" amploffset=[0] amplscale=[1] '
        "timeoffset=0 timescale=1 timerelative=false amplstep=false)"
    )
    analysis = (
        f"save v(out)\nset wr_singlescale\nset numdgt=9\n"
        f"tran {1 / RATE / times:.9g} {seconds[-1]:.9g} 0 {1 / 96000:.9g}\n"
        "linearize\nwrdata out.txt v(out)"
    )
    ngspice(tmp_path, amp.spice_deck(setting, drive, analysis))
    theirs = amp.lowered(np.loadtxt(tmp_path / "out.txt")[:, 1:], times)[:, 0]
    ours = amp.simulate(di, setting, oversampling=times)[:, 0]
    heard = min(len(ours), len(theirs))
    assert heard > 0.09 * RATE
    assert esr(theirs[:heard], ours[:heard]) < 3e-6


# The laws: Ohm, Kirchhoff, the tube equations.


def triode_amperes(plate: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """All the current of a 12AX7's cathode, from volts to it: Koren, and Dempwolf and Zölzer."""
    e = plate / 600 * np.logaddexp(0, 600 * (1 / 100 + grid / np.sqrt(300 + plate**2)))
    into_grid = 6.177e-4 * (np.logaddexp(0, 9.901 * grid) / 9.901) ** 1.314
    return 2 * e**1.4 / 1060 + 1e-9 * plate + into_grid


def every_step(setting: dict[str, float]) -> dict[str, np.ndarray]:
    """All node volts, at the oversampled rate, of half a second of loud playing."""
    circuit = amp.circuit()
    solver = Solver(circuit, amp.pots_at(setting), 1 / (4 * RATE), circuit.nodes)
    volts = solver.run(amp.raised(pluck(0.5), 4))
    return dict(zip(circuit.nodes, volts.T, strict=True))


def test_tube_equations_and_kirchhoff_hold_at_every_step():
    v = every_step({"Volume": 10})
    assert v["g2"].min() < -5  # the grid is driven hard, and blocks
    into_k2 = triode_amperes(v["a2"] - v["k2"], v["g2"] - v["k2"])
    np.testing.assert_allclose(into_k2, v["k2"] / 1.5e3, rtol=0, atol=5e-6)
    phase_inverter = [triode_amperes(v[f"a{n}"] - v["kk"], v[f"g{n}"] - v["kk"]) for n in "45"]
    error = sum(phase_inverter) - (v["kk"] - v["tl"]) / 1.2e3
    assert np.abs(error).max() < 5e-6  # of a milliampere, where Newton stops a little early
    assert np.sqrt(np.mean(error**2)) < 3e-8


def test_kirchhoff_holds_where_no_tube_is():
    v = every_step({"Volume": 7})
    into_tail = (v["kk"] - v["tl"]) / 1.2e3 + (v["g4"] + v["g5"] - 2 * v["tl"]) / 1e6
    np.testing.assert_allclose(into_tail, v["tl"] / 47e3, rtol=0, atol=1e-12)


def test_idle_currents_add_up_at_every_node():
    volts = amp.operating_point() | {"0": 0.0, "u": 0.0}
    leaving = dict.fromkeys(volts, 0.0)
    for part in amp.PARTS:
        if part.kind in "RT":
            ohms = amp.pots_at({}).get(part.value) or number(part.value)
            current = (volts[part.nodes[0]] - volts[part.nodes[1]]) / ohms
            leaving[part.nodes[0]] += current
            leaving[part.nodes[1]] -= current
    supply = 1.5e-4 * (400 - volts["B1"]) ** 1.5
    assert leaving["B1"] == pytest.approx(supply, abs=1e-10)
    cathode = triode_amperes(volts["a1"] - volts["k1"], volts["g1"] - volts["k1"])
    assert leaving["k1"] == pytest.approx(cathode, abs=1e-10)
    for node in ("g1", "vt", "g4", "tl", "n2", "w", "x", "out", "e"):  # fed by no tube at idle
        assert leaving[node] == pytest.approx(0, abs=2e-9), node  # grids take nearly nothing


def test_coupling_capacitor_is_3_db_down_where_the_formula_says():
    corner_hz = 1 / (2 * np.pi * 4.7e-9 * 1.0001e6)  # Cc1 and the volume pot, at its top
    hz = round(corner_hz)
    di = tone(hz, 1e-3, 1)
    first, second = amp.simulate(di, {"Volume": 10}, probes=("a1", "g2"))[RATE // 2 :].T
    carrier = np.exp(-2j * np.pi * hz * np.arange(RATE // 2) / RATE)
    lost_db = 20 * np.log10(abs(np.mean(second * carrier)) / abs(np.mean(first * carrier)))
    assert lost_db == pytest.approx(-3.01, abs=0.1)


# What a guitarist expects.


@pytest.mark.parametrize("volume", [0, 5, 10])
def test_silence_stays_silent_from_the_first_sample(volume):
    out = amp.render(np.zeros(RATE // 4), {"Volume": volume, "Treble": 10})
    assert np.abs(out).max() < 1e-6


def test_volume_only_ever_gets_louder():
    gains_db = np.array([response_db({"Volume": v}, [1000])[0] for v in range(11)])
    assert (np.diff(gains_db) > 3).all()
    loud = [amp.render(tone(220, 0.3, 0.3), {"Volume": v})[9600:].std() for v in (0, 2, 4, 6)]
    assert (np.diff(loud) > 0).all()


@pytest.mark.parametrize(
    ("knob", "hz", "least_db", "most_db"),
    [("Treble", 5000, 2, 5), ("Bass", 100, 12, 17), ("Mid-Bite", 1500, 7, 9)],
)
def test_tone_knobs_do_what_they_say(knob, hz, least_db, most_db):
    at = [100, 1500, 5000]
    rise_db = response_db({"Volume": 3, knob: 10}, at) - response_db({"Volume": 3, knob: 0}, at)
    assert least_db < rise_db[at.index(hz)] < most_db
    assert rise_db.argmax() == at.index(hz)


def test_even_harmonics_rise_with_drive():
    outs = [amp.render(tone(220, v, 0.5), {"Volume": 2})[-12000:] for v in (0.03, 0.1, 0.3, 1.0)]
    second_db = np.array([harmonics(out, 220, RATE)[1] for out in outs])
    assert (np.diff(second_db) > 3).all()
    cranked = amp.render(tone(220, 1.0, 0.5), {"Volume": 10})[-12000:]
    assert harmonics(cranked, 220, RATE)[1] > -15


def test_screens_sag_under_a_burst_and_recover():
    di = np.concatenate([np.zeros(4800), tone(110, 1.0, 1.0), np.zeros(RATE)])
    screens = amp.simulate(di, {"Volume": 7}, probes=("B2",))[:, 0]
    idle, burst, rest = screens[:4000], screens[43200:52000], screens[-4800:]
    assert idle.mean() == pytest.approx(320.7, abs=0.1)
    assert idle.mean() - burst.mean() == pytest.approx(68, abs=5)
    assert rest.mean() == pytest.approx(idle.mean(), abs=1)


def test_a_cranked_amp_blocks_after_a_burst_and_comes_back():
    quiet = tone(1000, 0.003, 1.5)
    di = np.concatenate([quiet[:24000], tone(110, 1.0, 0.5), quiet[:38400]])
    out = amp.render(di, {"Volume": 10})
    turned = out * np.exp(-2j * np.pi * 1000 * np.arange(len(out)) / RATE)
    windows = np.abs(turned.reshape(-1, 480).mean(1))  # 10 ms each, whole periods
    gain_db = 20 * np.log10(windows / windows[35:48].mean())
    assert gain_db[101] < -25
    assert gain_db[102] < gain_db[105] < 0
    assert np.abs(gain_db[110:]).max() < 1


def test_four_times_oversampling_is_enough():
    di = pluck(0.3)
    fine = amp.render(di, {"Volume": 10}, oversampling=8)
    assert esr(fine, amp.render(di, {"Volume": 10})) < 1e-4


def test_output_has_no_dc():
    out = amp.render(np.concatenate([pluck(1.0), np.zeros(RATE // 2)]), {"Volume": 10})
    assert abs(out.mean(dtype=float)) < 3e-4 * out.std()


def test_a_tone_is_as_loud_at_any_sample_rate():
    levels = []
    for rate in (44100, 48000, 96000):
        di = 0.01 * np.sin(2 * np.pi * 1000 * np.arange(rate // 4) / rate)
        levels.append(20 * np.log10(amp.render(di, {}, rate)[rate // 10 :].std()))
    assert np.ptp(levels) < 0.02


# Moving knobs, long files.


def test_a_knob_that_does_not_move_is_the_same_as_a_number():
    di = pluck(0.2)
    moving = amp.render(di, {"Volume": np.full(len(di), 8.0), "treble": 3})
    np.testing.assert_allclose(moving, amp.render(di, {"Volume": 8.0, "Treble": 3}), atol=1e-6)


def test_a_sweep_arrives_and_never_clicks():
    di = tone(110, 0.05, 1.0)
    turn = np.clip((np.arange(len(di)) - 12000) / 19200, 0, 1)
    sweep = 4.0 - 2.0 * np.cos(np.pi * turn)  # a hand has no corners either
    out = amp.simulate(di, {"Volume": sweep})[:, 0]  # float32 would hide what is looked for
    assert click(out[4800:-4800], 7200, 28800) < 1.2
    start, end = (amp.simulate(di, {"Volume": v})[:, 0] for v in (2.0, 6.0))
    assert esr(start[:11900], out[:11900]) < 1e-6
    assert esr(end[-4800:], out[-4800:]) < 1e-4  # the supply still remembers


def test_chunks_leave_no_seams(monkeypatch):
    di, setting, shares = pluck(0.3), {"Volume": 7}, []
    whole = amp.render(di, setting)
    monkeypatch.setattr(amp, "CHUNK_SAMPLES", 64 * 20)
    np.testing.assert_allclose(amp.render(di, setting, progress=shares.append), whole, atol=1e-7)
    assert shares == sorted(set(shares))
    assert shares[-1] == 1.0


@pytest.mark.parametrize("samples", [0, 1, 31, 65])
def test_even_the_shortest_di_plays(samples):
    out = amp.render(np.full(samples, 0.1, np.float32), {})
    assert out.shape == (samples,)
    assert out.dtype == np.float32


# What cannot be played is refused by name.


@pytest.mark.parametrize(
    ("di", "reason"),
    [
        (np.array([0.0, np.nan]), "finite"),
        (np.array([0.0, -np.inf]), "finite"),
        (np.zeros((4, 2)), "one channel"),
        (np.array([0.0, -3e4]), "one volt"),
    ],
)
def test_a_di_that_is_none_is_refused(di, reason):
    with pytest.raises(BadInput, match=reason):
        amp.render(di, {})


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"Volume": 11}, "Volume goes from 0 to 10"),
        ({"Volume": np.linspace(0, 10.1, 100)}, "Volume goes from 0 to 10"),
        ({"Bass": np.full(100, np.nan)}, "Bass goes from 0 to 10"),
        ({"Bass": np.zeros(99)}, "Bass moves over 99 samples, but the DI has 100"),
        ({"Presence": 5}, "no knob called 'presence'"),
    ],
)
def test_a_setting_that_the_panel_has_not_is_refused(setting, reason):
    with pytest.raises(BadInput, match=reason):
        amp.render(np.zeros(100), setting)


def test_an_unknown_node_is_refused():
    with pytest.raises(BadInput, match="no node 'B9'"):
        amp.simulate(np.zeros(100), {}, probes=("B2", "B9"))


def test_schematic_numbers_are_read():
    read = [number(text) for text in ("4.7n", "1M", "30m", "220")]
    assert read == pytest.approx([4.7e-9, 1e6, 0.03, 220])
