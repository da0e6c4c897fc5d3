"""The reference amplifier: our own valve amp with two EL84s, as a circuit, solved numerically.

It belongs to the family of the AC20 and AC30: two stages of 12AX7, a top-boost tone stack driven by
a follower, a long-tailed pair, cathode-biased EL84s without feedback, a tube rectifier, a speaker
that pushes back. No amp with exactly these four knobs was measured: it is nobody's product.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

import numpy as np
from scipy.signal import firwin, upfirdn

from tubetwin.files import BadInput
from tubetwin.knobs import Knob, Setting, normalise
from tubetwin.parts import read_netlist
from tubetwin.solver import Circuit, Solver
from tubetwin.spice import deck

KNOBS: tuple[Knob, ...] = (Knob("Volume"), Knob("Treble"), Knob("Bass"), Knob("Mid-Bite"))
FULL_SCALE_VOLTS = 40.0  # at the speaker; music peaks near half of it
LOUDEST_DI_VOLTS = 20.0  # no pickup comes near; ours is solved, and finite, well beyond

NETLIST = """
* part  nodes        value           what it does
* first stage
Rin     u g1         34k             two 68k input resistors side by side
Rg1     g1 0         1M              ties the grid to ground
Ra1     B4 a1        220k            plate load
Rk1     k1 0         1.5k            cathode bias
Ck1     k1 0         25u             full gain down to the low E
Cga1    g1 a1        2p              Miller capacitance
Cc1     a1 vt        4.7n            coupling; with the pot it recovers from blocking in 20 ms
* volume: 1M
Rvu     vt g2        volume_above    3 % taper: clean below 3, edge at 4 to 5, cranked at 10
Rvl     g2 0         volume_below
* second stage, direct into a cathode follower
Ra2     B3 a2        100k            plate load
Rk2     k2 0         1.5k            unbypassed: less gain, more headroom
Cga2    g2 a2        2p              Miller capacitance
Ca2     a2 0         20p             wiring, and the follower's grid
Rk3     k3 0         56k             follower load
* tone stack
Ct      k3 t         56p             treble
Rtu     t w          treble_above    1M, w is the output of the stack
Rtl     w n1         treble_below
Rslope  k3 n2        100k            slope resistor
Cbass   n1 n2        22n
Cmid    n2 n3        22n
Rbass   n1 n3        bass            1M rheostat, 10 % taper
Rmid    n3 0         10k
Cbite   k3 mb        4.7n            Mid-Bite fills the scoop: round the slope resistor
Rbite   mb n2        bite            2.2k and a 500k rheostat
* phase inverter
Rmix    w x          220k            mixer; the other channel's half goes to ground
Rmix2   x 0          220k
Cc2     x g4         47n             coupling
Rg4     g4 tl        1M
Rg5     g5 tl        1M
Cg5     g5 0         100n            the second grid stands still
Rkk     kk tl        1.2k            bias
Rtail   tl 0         47k             the long tail
Ra4     B3 a4        100k            plate loads
Ra5     B3 a5        100k
Cga4    g4 a4        2p              Miller capacitance
Caa     a4 a5        47p             tames the top
* power stage
Cc3     a4 h6        100n            coupling
Cc4     a5 h7        100n
Rg6     h6 0         220k            grid leaks
Rg7     h7 0         220k
Rs6     h6 g6        1.5k            grid stoppers
Rs7     h7 g7        1.5k
Rsc6    B2 s6        1               screens, with the ohm across which their current is read
Rsc7    B2 s7        1
Rk6     k6 0         130             both cathodes: 11.5 V of bias
Ck6     k6 0         220u
* output transformer, 8k to 8 ohms, and the speaker
T6      B1 p6 e      150             half primaries and their winding resistance
T7      p7 B1 e      150
Cw      p6 p7        1n              windings: all of the transformer's loss of treble
Lm      e 0          30m             magnetising: 30 H from plate to plate
Rsec    e out        0.4             secondary winding
Re      out s1       6.4             voice coil
Le      s1 s2        0.6m
Rle     s1 s2        14              eddy currents
Rres    s2 0         25              the cone's resonance at 75 Hz
Cres    s2 0         280u
Lres    s2 0         16m
* supply: what sags
CB1     B1 0         32u             reservoir
Rbleed  B1 0         220k            empties the reservoir when the amp is off
RB2     B1 B2        470             instead of a choke
CB2     B2 0         32u             screens
RB3     B2 B3        10k
CB3     B3 0         16u             follower and phase inverter
RB4     B3 B4        22k
CB4     B4 0         16u             first stage
* tubes
XV1a    a1 g1 k1     triode          12AX7
XV1b    a2 g2 k2     triode
XV2a    B3 a2 k3     triode          the follower
XV3a    a4 g4 kk     triode          phase inverter
XV3b    a5 g5 kk     triode
XV4     p6 s6 g6 k6  pentode         EL84
XV5     p7 s7 g7 k6  pentode
XV6     0 B1         rectifier       EZ81
"""
PARTS = read_netlist(NETLIST)
TURNS = math.sqrt(8000.0 / 8.0) / 2.0  # of half a primary, for each turn of the secondary

MovingSetting = Mapping[str, float | np.ndarray]
"""A setting in which a knob may move: printed name -> panel value, or (samples,) panel values."""


# ---------------------------------------------------------------------------------------- the knobs


def taper(turn: float, ratio: float) -> float:
    """A logarithmic pot: the share, 0…1, of its track below the wiper at `turn`, 0…1."""
    return (math.pow(ratio, turn) - 1.0) / (ratio - 1.0)


def pots(volume: float, treble: float, bass: float, bite: float) -> dict[str, float]:
    """Ohms of the parts that the knobs, each 0…1, move; a wiper has 50 ohms."""
    loud, bright = taper(volume, 1000.0), taper(treble, 9.0)
    return {
        "volume_above": 50.0 + 1e6 * (1.0 - loud),
        "volume_below": 50.0 + 1e6 * loud,
        "treble_above": 50.0 + 1e6 * (1.0 - bright),
        "treble_below": 50.0 + 1e6 * bright,
        "bass": 50.0 + 1e6 * taper(bass, 81.0),
        "bite": 2.2e3 + 500e3 * taper(1.0 - bite, 300.0),
    }


@cache
def circuit() -> Circuit:
    """The amplifier as matrices, made once."""
    return Circuit(PARTS, TURNS, pots(0.5, 0.5, 0.5, 0.5))


def pots_at(setting: MovingSetting, sample: int = 0) -> dict[str, float]:
    """Ohms of the parts that the knobs move, as a setting has them at one sample."""
    given = {name.lower(): np.atleast_1d(value) for name, value in setting.items()}
    positions = []
    for knob in KNOBS:
        curve = given.get(knob.name.lower(), np.array([knob.default]))
        value = float(curve[min(sample, len(curve) - 1)])
        positions.append(knob.normalise(value))
    return pots(*positions)


def check_setting(setting: MovingSetting, samples: int) -> None:
    """Raises BadInput for an unknown knob, a value out of range, or a curve of another length."""
    for name, value in setting.items():
        if np.ndim(value) and np.shape(value) != (samples,):
            length = "x".join(map(str, np.shape(value)))
            raise BadInput(f"knob {name} moves over {length} samples, but the DI has {samples}")
    for extreme in (np.min, np.max):  # NaN is both
        normalise(KNOBS, {n: float(extreme(v)) for n, v in setting.items() if np.size(v)})


def operating_point(setting: Setting | None = None) -> dict[str, float]:
    """Idle volts of every node: what a technician measures with no guitar plugged in."""
    check_setting(setting or {}, 0)
    volts = circuit().idle(pots_at(setting or {})).node_volts
    return dict(zip(circuit().nodes, volts.tolist(), strict=True))


def spice_deck(setting: Setting, drive: str, analysis: str) -> str:
    """The same netlist and tubes as text for ngspice, the judge of our solver.

    Args:
        setting: printed knob name -> panel value.
        drive: ngspice cards that drive node u, such as "Vin u 0 0".
        analysis: control commands, one a line, such as "op" and "print all".
    """
    check_setting(setting, 0)
    return deck(PARTS, pots_at(setting), TURNS, drive, analysis)


# ------------------------------------------------------------------------------- playing through it

MARGIN_SAMPLES = 32  # half the length of either resampling filter
CHUNK_SAMPLES = 48000  # solved at once: bounds memory, and the wait for progress or Ctrl-C
GLIDE_SAMPLES = 64  # a moving knob is read this often, and glides between


@cache
def low_pass(oversampling: int) -> np.ndarray:
    """A linear-phase low pass at 0.92 of the DI's Nyquist frequency, at the oversampled rate."""
    taps = 2 * MARGIN_SAMPLES * oversampling + 1
    return np.asarray(firwin(taps, 0.92 / oversampling, window=("kaiser", 10.0)))


def raised(di: np.ndarray, oversampling: int) -> np.ndarray:
    """(samples + 2 margins,) -> (samples x oversampling,): no delay, the margins are used up."""
    start = 2 * MARGIN_SAMPLES * oversampling
    wide = upfirdn(low_pass(oversampling) * oversampling, di, up=oversampling)
    return np.asarray(wide[start : start + (len(di) - 2 * MARGIN_SAMPLES) * oversampling])


def lowered(volts: np.ndarray, oversampling: int) -> np.ndarray:
    """((samples + 2 margins) x oversampling, probes) -> (samples, probes), likewise."""
    samples = len(volts) // oversampling - 2 * MARGIN_SAMPLES
    wide = upfirdn(low_pass(oversampling), volts, down=oversampling, axis=0)
    return np.asarray(wide[2 * MARGIN_SAMPLES :][:samples])


def window(di: np.ndarray, start: int, stop: int) -> np.ndarray:
    """di[start:stop], with silence before and after the DI."""
    inside = di[max(start, 0) : max(stop, 0)].astype(float)
    return np.pad(inside, (max(-start, 0), stop - max(start, 0) - len(inside)))


def solved(
    di: np.ndarray, setting: MovingSetting, rate_hz: float, oversampling: int, probes: Sequence[str]
) -> Iterator[np.ndarray]:
    """Oversampled (steps, probes) of node volts, from a margin before the DI to one after it."""
    solver = Solver(circuit(), pots_at(setting), 1.0 / (rate_hz * oversampling), probes)
    moves = any(np.ndim(value) for value in setting.values())
    end = len(di) + MARGIN_SAMPLES
    for start in range(-MARGIN_SAMPLES, end, CHUNK_SAMPLES):
        stop = min(start + CHUNK_SAMPLES, end)
        chunk = raised(window(di, start - MARGIN_SAMPLES, stop + MARGIN_SAMPLES), oversampling)
        if not moves:
            yield solver.run(chunk)
            continue
        arrivals = range(start + GLIDE_SAMPLES, stop + GLIDE_SAMPLES, GLIDE_SAMPLES)
        spans = np.split(chunk, [(at - start) * oversampling for at in arrivals[:-1]])
        runs = [
            solver.run(span, pots_at(setting, max(at, 0)))
            for span, at in zip(spans, arrivals, strict=True)
        ]
        yield np.concatenate(runs)


def played(
    di: np.ndarray, setting: MovingSetting, rate_hz: float, oversampling: int, probes: Sequence[str]
) -> Iterator[np.ndarray]:
    """Node volts at the DI's rate, (samples, probes) at a time.

    Raises:
        BadInput: what `render` cannot play.
    """
    check_setting(setting, len(di))
    if di.ndim != 1 or not np.isfinite(di).all():
        raise BadInput("the DI must be one channel of finite samples: export it again")
    if len(di) and max(di.max(), -di.min()) > LOUDEST_DI_VOLTS:
        raise BadInput(f"the DI exceeds {LOUDEST_DI_VOLTS:g} V: scale it so that 1.0 is one volt")
    held = np.empty((0, len(probes)))
    for steps in solved(di, setting, rate_hz, oversampling, probes) if len(di) else ():
        held = np.concatenate([held, steps])
        if len(held) > 2 * MARGIN_SAMPLES * oversampling:
            yield lowered(held, oversampling)
            held = held[-2 * MARGIN_SAMPLES * oversampling :]


def simulate(
    di: np.ndarray,
    setting: MovingSetting,
    sample_rate_hz: float = 48000,
    oversampling: int = 4,
    probes: Sequence[str] = ("out",),
) -> np.ndarray:
    """Play a DI through the amplifier and listen anywhere inside.

    Args:
        di, setting, sample_rate_hz, oversampling: as of `render`.
        probes: names of nodes in `NETLIST`, such as "B2", the screens' supply.
    Returns:
        (samples, probes) volts.
    Raises:
        BadInput: as of `render`, or a node that is not there.
    """
    if unknown := set(probes) - set(circuit().nodes):
        raise BadInput(f"no node {min(unknown)!r}: this amp has {', '.join(circuit().nodes)}")
    parts = played(np.asarray(di), setting, sample_rate_hz, oversampling, probes)
    return np.concatenate([np.empty((0, len(probes))), *parts])


def render(
    di: np.ndarray,
    setting: MovingSetting,
    sample_rate_hz: float = 48000,
    oversampling: int = 4,
    progress: Callable[[float], None] | None = None,
) -> np.ndarray:
    """Play a DI through the amplifier.

    Args:
        di: (samples,) volts at the input jack.
        setting: printed knob name -> panel value, or (samples,) panel values of a moving knob.
        sample_rate_hz: of DI and output.
        oversampling: steps of the circuit per sample.
        progress: is called now and then with the finished share, 0…1.
    Returns:
        (samples,) float32 speaker volts / `FULL_SCALE_VOLTS`, with no delay but the circuit's own.
    Raises:
        BadInput: a DI that is not finite or not a guitar's, or a setting that this panel has not.
    """
    di = np.asarray(di)
    out, done = np.empty(len(di), np.float32), 0
    for volts in played(di, setting, sample_rate_hz, oversampling, ("out",)):
        out[done : done + len(volts)] = volts[:, 0] / FULL_SCALE_VOLTS
        done += len(volts)
        if progress:
            progress(done / len(di))
    return out
