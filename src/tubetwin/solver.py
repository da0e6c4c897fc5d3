"""Solves a tube circuit sample by sample: Kirchhoff's laws and every tube's equation, all at once.

The nodal DK method (D. Yeh, "Automated physical modeling of nonlinear audio circuits", 2010) with
the trapezoidal rule. Between samples a capacitor or an inductor is a conductance beside a current
source: i = g v - s, where the state s remembers the past. So node volts are linear in x = (states,
tube currents, input, 1), and one matrix takes x to the tube voltages, the next states and the
probes. Only the 17 tube voltages need Newton's iteration.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tubetwin.parts import RECTIFIER_VOLTS, Part, compiled, number, tube_currents

CLOSE_VOLTS = 0.03  # Newton stops here and ends on the tangent: 2e-8 of the output, Kirchhoff exact
PLATE_WEIGHT = 0.02  # a volt at a plate matters 1/50 of a volt at a grid
LONGEST_STEP_VOLTS = 100.0
IDLE_VOLTS = 1e-9  # the idle point is exact, so that silence stays silent
INDUCTOR_AT_DC = 1e3  # siemens

# ------------------------------------------------------------------------ one time step after another


@compiled
def solve(a: np.ndarray, n: int) -> None:
    """Gauss elimination of n equations a[:, :n] z = a[:, n] in place; z is left in a[:, n].

    No pivoting: I + K D of a passive network with tubes keeps its diagonal.
    """
    for j in range(n):
        f = 1.0 / a[j, j]
        for k in range(j + 1, n + 1):
            a[j, k] *= f
        for row in range(j + 1, n):
            f = a[row, j]
            for k in range(j + 1, n + 1):
                a[row, k] -= f * a[j, k]
    for j in range(n - 1, -1, -1):
        z = a[j, n]
        for k in range(j + 1, n):
            z -= a[j, k] * a[k, n]
        a[j, n] = z


@compiled
def newton_step(
    q: np.ndarray, y: np.ndarray, v: np.ndarray, triodes: int, pentodes: int,
    i: np.ndarray, d: np.ndarray, a: np.ndarray,
) -> None:  # fmt: skip
    """Newton's step towards y v + i(v) = q, left in the last column of `a`."""
    ports = len(v)
    tube_currents(v, triodes, pentodes, i, d)
    for row in range(ports):
        residual = q[row] - i[row]
        for c in range(ports):
            a[row, c] = y[row, c]
            residual -= y[row, c] * v[c]
        a[row, ports] = residual
    for row in range(2 * triodes):
        first = row - row % 2
        a[row, first] += d[row, 0]
        a[row, first + 1] += d[row, 1]
    for row in range(2 * triodes, ports - 1):
        first = row - (row - 2 * triodes) % 3
        for c in range(3):
            a[row, first + c] += d[row, c]
    a[ports - 1, ports - 1] += d[ports - 1, 0]
    solve(a, ports)


@compiled
def advance(
    matrix: np.ndarray, glide: np.ndarray, u: np.ndarray, x: np.ndarray, past: np.ndarray,
    weight: np.ndarray, triodes: int, pentodes: int, probed: np.ndarray,
) -> None:  # fmt: skip
    """Run the circuit for len(u) steps.

    Args:
        matrix: (ports + states + probes, states + 2 + ports), see `Solver._matrix_at`.
        glide: what is added to the matrix before every step, or (0, 0) while the knobs rest.
        u: (steps,) input volts.
        x: (states + 2 + ports,) states, input, 1 and tube voltages; kept between calls.
        past: (3, ports) the last tube voltages, newest first; kept between calls.
        weight: (ports,) how much an error of a volt matters.
        triodes, pentodes: how many there are.
        probed: (steps, probes) receives node voltages.
    """
    ports = past.shape[1]
    known = len(x) - ports
    states = known - 2
    y, v = matrix[:ports, known:], x[known:]
    q, i, after = np.empty(ports), np.empty(ports), np.empty(states)
    d, a = np.zeros((ports, 3)), np.empty((ports, ports + 1))
    for step in range(len(u)):
        if len(glide):
            matrix += glide
        x[states] = u[step]
        for j in range(ports):
            total = 0.0
            for c in range(known):
                total += matrix[j, c] * x[c]
            q[j] = total
            v[j] = 3.0 * (past[0, j] - past[1, j]) + past[2, j]
        for attempt in range(60):
            newton_step(q, y, v, triodes, pentodes, i, d, a)
            longest = error = 0.0
            for j in range(ports):
                longest = max(longest, abs(a[j, ports]))
                error = max(error, abs(a[j, ports]) * weight[j])
            shorten = min(1.0, LONGEST_STEP_VOLTS / max(longest, 1.0))
            if attempt >= 5:
                shorten *= 0.5  # breaks the rare two-cycle on the knee of a plate
            for j in range(ports):
                v[j] += shorten * a[j, ports]
            if error < CLOSE_VOLTS:
                break
        for j in range(states + probed.shape[1]):
            total = 0.0
            for c in range(len(x)):
                total += matrix[ports + j, c] * x[c]
            if j < states:
                after[j] = total
            else:
                probed[step, j - states] = total
        x[:states] = after
        past[2], past[1], past[0] = past[1], past[0], v


# ------------------------------------------------------------------------------- from netlist to matrix

GRID, PLATE = 1.0, PLATE_WEIGHT
TUBE_PORTS = {  # type -> across which of its nodes, and how much a volt there matters
    "triode": ((0, 2, PLATE), (1, 2, GRID)),
    "pentode": ((0, 3, PLATE), (1, 3, PLATE), (2, 3, GRID)),
    "rectifier": ((0, 1, PLATE),),
}


class Idle(NamedTuple):
    """A circuit at rest: (nodes,) volts, (ports,) volts across and amperes through its tubes."""

    node_volts: np.ndarray
    port_volts: np.ndarray
    port_amperes: np.ndarray


class Circuit:
    """A netlist as arrays: all that neither a knob nor the sample rate changes.

    Args:
        parts: linear parts in any order; triodes, then pentodes, then one rectifier. "0" is
            ground, "u" is the input, which only resistors may touch.
        turns: a T part adds this many times its secondary's volts to its own.
    """

    def __init__(self, parts: Sequence[Part], turns: float) -> None:
        self.linear = [part for part in parts if part.kind != "X"]
        tubes = [part for part in parts if part.kind == "X"]
        named = dict.fromkeys(node for part in parts for node in part.nodes)
        self.nodes = [node for node in named if node not in ("0", "u")]
        rows = np.array([self._across(part.nodes, (1.0, -1.0, -turns)) for part in self.linear])
        self.incidence, self.driven = rows[:, :-1], rows[:, -1]
        self.kinds = np.array([part.kind for part in self.linear])
        self.reactive = np.isin(self.kinds, ("C", "L"))
        self.triodes = sum(part.value == "triode" for part in tubes)
        self.pentodes = sum(part.value == "pentode" for part in tubes)
        ports = [(part.nodes, *port) for part in tubes for port in TUBE_PORTS[part.value]]
        across = [self._across((nodes[a], nodes[b]), (1.0, -1.0)) for nodes, a, b, _ in ports]
        self.ports = np.array(across)[:, :-1].T  # (nodes, ports)
        self.weight = np.array([weight for *_, weight in ports])
        self.offset = np.zeros(len(ports))
        self.offset[-1] = RECTIFIER_VOLTS
        self._resting_port_volts: np.ndarray | None = None

    def _across(self, nodes: Sequence[str], signs: Sequence[float]) -> np.ndarray:
        """(nodes + 1,) how node voltages, and last the input, add up to the volts across a part."""
        row = np.zeros(len(self.nodes) + 1)
        for node, sign in zip(nodes, signs, strict=False):
            if node != "0":
                row[-1 if node == "u" else self.nodes.index(node)] += sign
        return row

    def values(self, pots: Mapping[str, float]) -> np.ndarray:
        """(linear parts,) ohms, farads or henries, with the pots where they stand."""
        return np.array([pots[p.value] if p.value in pots else number(p.value) for p in self.linear])

    def conductances(self, values: np.ndarray, step_seconds: float) -> np.ndarray:
        """(linear parts,) siemens by the trapezoidal rule; an infinite step means at rest."""
        choices = [2.0 * values / step_seconds, step_seconds / (2.0 * values)]
        g = np.select([self.kinds == "C", self.kinds == "L"], choices, 1.0 / values)
        return np.minimum(g, INDUCTOR_AT_DC)

    def node_volts_from(self, g: np.ndarray, currents: np.ndarray) -> np.ndarray:
        """Node volts caused by currents that flow into the nodes; both (nodes, ...)."""
        return np.linalg.solve((self.incidence.T * g) @ self.incidence, currents)

    def idle(self, values: np.ndarray) -> Idle:
        """The circuit at rest with no input, exact to rounding.

        Raises:
            RuntimeError: no such point was found.
        """
        from_tubes = self.node_volts_from(self.conductances(values, math.inf), -self.ports)
        y = np.linalg.inv(-self.ports.T @ from_tubes)
        ports = len(y)
        i, d, a = np.zeros(ports), np.zeros((ports, 3)), np.empty((ports, ports + 1))
        first = self._resting_port_volts is None
        v = np.zeros(ports) if first else self._resting_port_volts.copy()
        for mains in np.linspace(0.02, 1.0, 50) if first else (1.0,):  # switched on gently
            for _ in range(200):
                newton_step(y @ (mains * self.offset), y, v, self.triodes, self.pentodes, i, d, a)
                longest = np.abs(a[:, -1]).max()
                v += a[:, -1] * min(1.0, 5.0 / max(longest, 5.0))
                if longest < (IDLE_VOLTS if mains == 1.0 else 1e-3):
                    break
            else:
                raise RuntimeError("the circuit has no idle point")
        self._resting_port_volts = v
        tube_currents(v, self.triodes, self.pentodes, i, d)
        return Idle(from_tubes @ i, v, i)


class Solver:
    """A circuit being played: it starts at rest and keeps its state from call to call.

    Args:
        circuit: what is played.
        pots: ohms of the parts that the knobs move.
        step_seconds: one over the oversampled rate.
        probes: names of the nodes to listen to.
    """

    def __init__(
        self, circuit: Circuit, pots: Mapping[str, float], step_seconds: float, probes: Sequence[str]
    ) -> None:
        self.circuit, self.step_seconds = circuit, step_seconds
        self.probed = [circuit.nodes.index(node) for node in probes]
        values, on = circuit.values(pots), circuit.reactive
        idle = circuit.idle(values)
        g, g_rest = (circuit.conductances(values, h)[on] for h in (step_seconds, math.inf))
        states = (g - g_rest) * (circuit.incidence[on] @ idle.node_volts)
        self._x = np.concatenate([states, [0.0, 1.0], idle.port_volts])
        self._past = np.tile(idle.port_volts, (3, 1))
        self._matrix = self._matrix_at(values)

    def _matrix_at(self, values: np.ndarray) -> np.ndarray:
        """(ports + states + probes, states + 2 + ports), what multiplies x of `advance`.

        Seen by the tubes, all the rest is a current source q beside an admittance y (Norton). The
        first rows make q of what is known, and hold y; the others, given the tube voltages too,
        make the next states and the probes.
        """
        c, on = self.circuit, self.circuit.reactive
        g = c.conductances(values, self.step_seconds)
        sign = np.where(c.kinds[on] == "C", 1.0, -1.0)  # s' = +-(2 g v - s): capacitor, inductor
        incidence = c.incidence[on]
        by_input = -(c.incidence.T * g) @ c.driven
        currents = np.column_stack([incidence.T, by_input, np.zeros(len(c.nodes)), -c.ports])
        nodes = c.node_volts_from(g, currents)
        ports = c.ports.T @ nodes
        ports[:, len(sign) + 1] += c.offset
        states = (sign * 2.0 * g[on])[:, None] * (incidence @ nodes)
        states[:, : len(sign)] -= np.diag(sign)
        known = len(sign) + 2
        y = np.linalg.inv(-ports[:, known:])
        norton = y @ ports[:, :known]
        rest = np.vstack([states, nodes[self.probed]])
        rest[:, :known] += rest[:, known:] @ norton
        rest[:, known:] = -rest[:, known:] @ y
        return np.ascontiguousarray(np.vstack([np.hstack([norton, y]), rest]))

    def run(self, input_volts: np.ndarray, pots: Mapping[str, float] | None = None) -> np.ndarray:
        """Play on.

        Args:
            input_volts: (steps,) at the input.
            pots: where the knobs arrive, gliding, at the end of this call; None: they rest.
        Returns:
            (steps, probes) node volts.
        Raises:
            RuntimeError: the solution ran away.
        """
        c = self.circuit
        arrival = self._matrix if pots is None else self._matrix_at(c.values(pots))
        glide = np.empty((0, 0)) if pots is None else (arrival - self._matrix) / len(input_volts)
        probed = np.empty((len(input_volts), len(self.probed)))
        advance(
            self._matrix, glide, input_volts, self._x, self._past, c.weight, c.triodes, c.pentodes, probed
        )
        self._matrix = arrival
        if not np.isfinite(probed).all():
            raise RuntimeError("the circuit's solution ran away")
        return probed
