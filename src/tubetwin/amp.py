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
from tubetwin.knobs import Knob, normalise
from tubetwin.parts import read_netlist
from tubetwin.solver import Circuit, Solver
from tubetwin.spice import deck

KNOBS: tuple[Knob, ...] = (Knob("Volume"), Knob("Treble"), Knob("Bass"), Knob("Mid-Bite"))
FULL_SCALE_VOLTS = 40.0  # at the speaker; music peaks near half of it

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
Rsc6    B2 s6        1
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
TURNS = math.sqrt(8000.0 / 8.0) / 2.0  # of a half primary, for each turn of the secondary


# ----------------------------------------------------------------------------------------- the knobs


def taper(turn: float, ratio: float) -> float:
    """A logarithmic pot: the share of its track below the wiper, 0…1, at `turn` 0…1."""
    return (ratio**turn - 1.0) / (ratio - 1.0)


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
    return Circuit(PARTS, TURNS)


def curves(setting: Mapping[str, float | np.ndarray], samples: int) -> np.ndarray:
    """Every knob, 0…1: (1, knobs) if they rest, (samples, knobs) if one of them moves.

    Raises:
        BadInput: an unknown knob, a value outside its range, a curve of another length.
    """
    given = {name.lower(): np.asarray(value, float) for name, value in setting.items()}
    for name, value in given.items():
        if value.ndim and value.shape != (samples,):
            raise BadInput(f"knob {name} moves over {value.shape} samples, the DI has {samples}")
    if samples:
        for extreme in (np.min, np.max):
            normalise(KNOBS, {name: float(extreme(value)) for name, value in given.items()})
    columns = [
        (given.get(knob.name.lower(), np.asarray(knob.default)) - knob.minimum)
        / (knob.maximum - knob.minimum)
        for knob in KNOBS
    ]
    return np.stack(np.broadcast_arrays(*(np.atleast_1d(column) for column in columns)), -1)


# --------------------------------------------------------------------------------- playing through it

MARGIN_SAMPLES = 32  # half of each resampling filter; the circuit also starts and ends this much apart
CHUNK_SAMPLES = 48000  # at once, for a bounded memory
GLIDE_SAMPLES = 64  # a moving knob is looked at this often, the circuit glides between


@cache
def half_band(oversampling: int) -> np.ndarray:
    """A linear-phase low pass at 0.92 of the DI's Nyquist frequency, at the oversampled rate."""
    return firwin(2 * MARGIN_SAMPLES * oversampling + 1, 0.92 / oversampling, window=("kaiser", 10.0))


def raised(di: np.ndarray, oversampling: int) -> np.ndarray:
    """(samples + 2 margins,) -> (samples x oversampling,): no delay, the margins are used up."""
    start = 2 * MARGIN_SAMPLES * oversampling
    wide = upfirdn(half_band(oversampling) * oversampling, di, up=oversampling)
    return wide[start : start + (len(di) - 2 * MARGIN_SAMPLES) * oversampling]


def lowered(volts: np.ndarray, oversampling: int) -> np.ndarray:
    """((samples + 2 margins) x oversampling, probes) -> (samples, probes), likewise."""
    samples = len(volts) // oversampling - 2 * MARGIN_SAMPLES
    wide = upfirdn(half_band(oversampling), volts, down=oversampling, axis=0)
    return wide[2 * MARGIN_SAMPLES :][:samples]


def solved(
    di: np.ndarray, turns: np.ndarray, sample_rate_hz: float, oversampling: int, probes: Sequence[str]
) -> Iterator[np.ndarray]:
    """Chunks of (steps, probes) volts at the oversampled rate, from one margin before the DI on."""
    solver = Solver(circuit(), pots(*turns[0]), 1.0 / (sample_rate_hz * oversampling), probes)
    padded = np.pad(di, 2 * MARGIN_SAMPLES)
    moves = len(turns) > 1
    for start in range(0, len(di) + 2 * MARGIN_SAMPLES, CHUNK_SAMPLES):
        chunk = raised(padded[start : start + CHUNK_SAMPLES + 2 * MARGIN_SAMPLES], oversampling)
        if not moves:
            yield solver.run(chunk)
            continue
        span = GLIDE_SAMPLES * oversampling
        ends = start - MARGIN_SAMPLES + GLIDE_SAMPLES * np.arange(1, len(chunk) // span + 2)
        aims = turns[np.clip(ends, 0, len(turns) - 1)]
        yield np.concatenate(
            [
                solver.run(chunk[k * span : (k + 1) * span], pots(*aim))
                for k, aim in enumerate(aims)
                if k * span < len(chunk)
            ]
        )


def simulate(
    di: np.ndarray,
    setting: Mapping[str, float | np.ndarray],
    sample_rate_hz: float = 48000,
    oversampling: int = 4,
    probes: Sequence[str] = ("out",),
    progress: Callable[[float], None] | None = None,
) -> np.ndarray:
    """Play a DI and listen to any nodes of the circuit.

    Args: as of `render`, and
        probes: names of nodes in `NETLIST`.
    Returns:
        (samples, probes) volts.
    Raises:
        BadInput: as of `render`, or an unknown node.
    """
    di = np.asarray(di, float)
    if di.ndim != 1 or not np.isfinite(di).all():
        raise BadInput("the DI holds NaN or infinite samples or several channels: export it again")
    if unknown := set(probes) - set(circuit().nodes):
        raise BadInput(f"no node {sorted(unknown)[0]!r}: there are {', '.join(circuit().nodes)}")
    volts = np.empty((len(di), len(probes)))
    turns, done, held = curves(setting, len(di)), 0, np.empty((0, len(probes)))
    if not len(di):
        return volts
    for chunk in solved(di, turns, sample_rate_hz, oversampling, probes):
        held = np.concatenate([held, chunk])
        if len(held) <= 2 * MARGIN_SAMPLES * oversampling:
            continue
        ready = lowered(held, oversampling)
        volts[done : done + len(ready)] = ready
        done += len(ready)
        held = held[-2 * MARGIN_SAMPLES * oversampling :]
        if progress:
            progress(done / len(di))
    return volts


def render(
    di: np.ndarray,
    setting: Mapping[str, float | np.ndarray],
    sample_rate_hz: float = 48000,
    oversampling: int = 4,
    progress: Callable[[float], None] | None = None,
) -> np.ndarray:
    """Play a DI through the amplifier.

    Args:
        di: (samples,) at the input jack, 1.0 is one volt.
        setting: printed knob name -> panel value, or (samples,) panel values of a knob that moves.
        sample_rate_hz: of DI and output.
        oversampling: steps of the circuit per sample.
        progress: is called now and then with the finished share, 0…1.
    Returns:
        (samples,) float32 speaker volts over `FULL_SCALE_VOLTS`, with no delay but the circuit's.
    Raises:
        BadInput: a DI that is not finite, or a setting that this panel cannot show.
    """
    volts = simulate(di, setting, sample_rate_hz, oversampling, ("out",), progress)
    return (volts[:, 0] / FULL_SCALE_VOLTS).astype(np.float32)


def operating_point(setting: Mapping[str, float] | None = None) -> dict[str, float]:
    """Idle volts of every node: what a technician measures with no guitar plugged in."""
    amp = circuit()
    idle = amp.idle(amp.values(pots(*curves(setting or {}, 1)[0])))
    return dict(zip(amp.nodes, idle.node_volts.tolist(), strict=True))


def spice_deck(setting: Mapping[str, float], drive: str, analysis: str) -> str:
    """The same netlist and tubes for ngspice, the judge of our solver.

    Args:
        setting: printed knob name -> panel value.
        drive: ngspice cards that drive node u, as "Vin u 0 0".
        analysis: control commands, as "op" and "print all".
    """
    return deck(PARTS, pots(*curves(setting, 1)[0]), TURNS, drive, analysis)
