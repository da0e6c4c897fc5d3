"""The parts that a tube amplifier is built from: how a netlist names them, how each tube conducts.

Volts, amperes, ohms, farads and henries throughout. Sources of the tube equations:

* plate currents: N. Koren, "Improved vacuum tube models for SPICE simulations" (1996), with his
  parameters for the 12AX7 and those of S. Malcolm-Brown (2008, after Mullard's sheet) for the EL84;
* grid current: K. Dempwolf and U. Zölzer, "A physically-motivated triode model for circuit
  simulations", DAFx-11, equation 9 and table 1 (tube RSD-1), without its constant 80 nA.
"""

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """To machine code at the first call, kept on disk for the next time.

    What is kept follows changes of a function's own file only: after changing a tube here, touch
    `solver.py`, which calls it.
    """
    fast: Any = njit(cache=True, fastmath=True, error_model="numpy")(function)
    return cast(Function, fast)


# -------------------------------------------------------------------------------------- the netlist


class Part(NamedTuple):
    """One line of a netlist; the first letter of the name is the kind of part, as in SPICE.

    R, C, L: resistor, capacitor, inductor between two nodes. T: half a push-pull primary with its
    winding resistance, nodes (one end, other end, secondary). X: a tube, its value is its type.
    """

    name: str
    nodes: tuple[str, ...]
    value: str
    remark: str

    @property
    def kind(self) -> str:
        """R, C, L, T or X."""
        return self.name[0]


def read_netlist(table: str) -> tuple[Part, ...]:
    """Read lines of name, nodes, value and remark, at least two blanks apart; `*` is a comment."""
    lines = [line.strip() for line in table.splitlines()]
    rows = [re.split(r"\s{2,}", line, maxsplit=3) for line in lines if line and line[0] != "*"]
    return tuple(Part(row[0], tuple(row[1].split()), row[2], "".join(row[3:])) for row in rows)


def number(text: str) -> float:
    """The number that a schematic prints: "4.7n" is 4.7e-9, "1M" is 1e6."""
    scale = {"p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6}.get(text[-1])
    return float(text) if scale is None else float(text[:-1]) * scale


# ---------------------------------------------------------------------------------------- the tubes


class Tube(NamedTuple):
    """Koren's parameters, then those of the grid current; a triode has no screen factor."""

    mu: float
    exponent: float
    plate_factor: float
    knee: float
    plate_knee: float
    screen_factor: float
    grid_perveance: float
    grid_exponent: float
    grid_knee: float


TRIODE = Tube(100.0, 1.4, 1060.0, 600.0, 300.0, math.inf, 6.177e-4, 1.314, 9.901)  # 12AX7
PENTODE = Tube(21.29, 1.24, 401.7, 111.04, 17.9, 4500.0, 1.0e-3, 1.4, 8.0)  # EL84, grid assumed
RECTIFIER_VOLTS = 400.0  # EZ81 and mains transformer as one, averaged over the mains cycle: no hum
RECTIFIER_PERVEANCE = 1.5e-4
LEAK = 1e-9  # siemens across every plate: keeps a cut-off tube's plate voltage defined
TINY = 1e-30  # keeps logarithms of vanishing currents finite


@compiled
def softplus(x: float) -> tuple[float, float]:
    """ln(1 + e^x) and its slope, for any x."""
    if abs(x) > 40.0:  # exact to rounding, and tubes spend half of their lives there
        return max(x, 0.0), (1.0 if x > 0.0 else 0.0)
    e = math.exp(-abs(x))
    slope = 1.0 / (1.0 + e)
    return max(x, 0.0) + math.log1p(e), slope if x > 0.0 else e * slope


@compiled
def grid_current(tube: Tube, vg: float) -> tuple[float, float]:
    """Current into the control grid and its slope (Dempwolf and Zölzer, equation 9)."""
    smooth, slope = softplus(tube.grid_knee * vg)
    if smooth == 0.0:
        return 0.0, LEAK
    bend = smooth / tube.grid_knee
    power = tube.grid_perveance * math.exp((tube.grid_exponent - 1.0) * math.log(bend))
    return power * bend, tube.grid_exponent * power * slope + 1e-12


@compiled
def triode(v: np.ndarray, i: np.ndarray, d: np.ndarray) -> None:
    """Plate and grid current of a 12AX7 at (plate, grid) volts, and their slopes d = di/dv."""
    va, vg = max(v[0], 0.0), v[1]
    r = math.sqrt(TRIODE.plate_knee + va * va)
    smooth, slope = softplus(TRIODE.knee * (1.0 / TRIODE.mu + vg / r))
    e = max(va * smooth / TRIODE.knee, TINY)
    power = 2.0 / TRIODE.plate_factor * math.exp((TRIODE.exponent - 1.0) * math.log(e))
    steep = TRIODE.exponent * power
    i[0] = power * e + LEAK * v[0]
    d[0, 0] = steep * (smooth / TRIODE.knee - slope * vg * va * va / (r * r * r)) + LEAK
    d[0, 1] = steep * va * slope / r
    i[1], d[1, 1] = grid_current(TRIODE, vg)
    d[1, 0] = 0.0


@compiled
def pentode(v: np.ndarray, i: np.ndarray, d: np.ndarray) -> None:
    """Plate, screen and grid current of an EL84 at (plate, screen, grid) volts, and their slopes.

    The screen takes what a bottomed plate refuses (our addition to Koren's screen current): idle
    screens come near Mullard's 5 mA, and they surge in overdrive, which is what makes them sag.
    """
    va, vs, vg = v[0], max(v[1], 1.0), v[2]
    smooth, slope = softplus(PENTODE.knee * (1.0 / PENTODE.mu + vg / vs))
    e = max(vs * smooth / PENTODE.knee, TINY)
    e_by_vs = smooth / PENTODE.knee - slope * vg / vs
    power = 2.0 / PENTODE.plate_factor * math.exp((PENTODE.exponent - 1.0) * math.log(e))
    total, steep = power * e, PENTODE.exponent * power
    z = va / PENTODE.plate_knee
    taken, by_va = math.atan(z), 1.0 / (PENTODE.plate_knee * (1.0 + z * z))
    refused = 0.5 * math.pi - taken
    koren = math.sqrt(e) / PENTODE.screen_factor
    steep_screen = steep * refused + 1.5 * koren
    i[0], i[1] = total * taken + LEAK * va, total * refused + koren * e
    d[0, 0], d[0, 1], d[0, 2] = total * by_va + LEAK, steep * taken * e_by_vs, steep * taken * slope
    d[1, 0], d[1, 1], d[1, 2] = -total * by_va, steep_screen * e_by_vs, steep_screen * slope
    i[2], d[2, 2] = grid_current(PENTODE, vg)
    d[2, 0] = d[2, 1] = 0.0


@compiled
def tube_currents(v: np.ndarray, triodes: int, pentodes: int, i: np.ndarray, d: np.ndarray) -> None:
    """Currents through all tubes and their slopes, for triodes, then pentodes, then one rectifier.

    Args:
        v: (ports,) volts across every port.
        triodes, pentodes: how many there are.
        i: (ports,) receives amperes.
        d: (ports, 3) receives each current's slopes over the voltages of its own tube.
    """
    for k in range(triodes):
        j = 2 * k
        triode(v[j : j + 2], i[j : j + 2], d[j : j + 2])
    for k in range(pentodes):
        j = 2 * triodes + 3 * k
        pentode(v[j : j + 3], i[j : j + 3], d[j : j + 3])
    j = len(v) - 1
    x = max(v[j], 0.0)
    root = math.sqrt(x)
    i[j] = RECTIFIER_PERVEANCE * x * root
    d[j, 0] = 1.5 * RECTIFIER_PERVEANCE * root + LEAK
