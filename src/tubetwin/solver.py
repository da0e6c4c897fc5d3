"""Solves a tube circuit sample by sample: Kirchhoff's laws and every tube's equation, all at once.

The nodal DK method (D. Yeh, "Automated physical modeling of nonlinear audio circuits", 2010) with
the trapezoidal rule. For the length of a step a capacitor or an inductor is a conductance beside a
current source, i = g v - s, and its state s is all that it remembers. What the tubes then see is a
linear network, that is (Norton) a current source q beside an admittance y, for each of their ports:

    y v + i(v) = q      Newton's iteration finds the port voltages v that satisfy the tubes, i(v)

States, input and v then give the next states and every node's voltage by one matrix.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tubetwin.parts import RECTIFIER_VOLTS, Part, compiled, number, tube_currents

CLOSE_VOLTS = 0.03  # Newton's last step: what remains is its square, 2e-8 of the output
LONGEST_STEP_VOLTS = 100.0
MOST_STEPS = 60  # in practice 1.0 to 1.3 on guitar, 3 on loud noise
IDLE_VOLTS = 1e-9  # the idle point is exact, so that silence stays silent
INDUCTOR_AT_REST_SIEMENS = 1e3
RUNAWAY_VOLTS = 1e5
GLIDE_STEPS = 4  # while a knob moves, the matrix moves once in so many steps

# ---------------------------------------------------------------------- one time step after another


@compiled
def solve(a: np.ndarray, n: int) -> None:
    """Gauss elimination of n equations a[:, :n] z = a[:, n] in place; z is left in a[:, n].

    No pivoting: a passive network beside tubes keeps its diagonal large.
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
    """Newton's step (y + di/dv) dv = q - y v - i(v); dv is left in the last column of `a`."""
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
        glide: what moves the matrix every `GLIDE_STEPS`, or (0, 0) while the knobs rest.
        u: (steps,) input volts.
        x: (states + 2 + ports,) states, input, 1 and port volts; kept between calls.
        past: (3, ports) the last port volts, newest first; kept between calls.
        weight: (ports,) how much a volt of error matters.
        triodes, pentodes: how many there are.
        probed: (steps, probes) receives node volts.
    """
    ports = past.shape[1]
    known = len(x) - ports
    states = known - 2
    y, v = matrix[:ports, known:], x[known:]
    q, i, after = np.empty(ports), np.empty(ports), np.empty(states)
    d, a = np.zeros((ports, 3)), np.empty((ports, ports + 1))
    for step in range(len(u)):
        if step % GLIDE_STEPS == 0:
            for row in range(len(glide)):
                for c in range(len(x)):
                    matrix[row, c] += glide[row, c]
        x[states] = u[step]
        for row in range(ports):
            total = 0.0
            for c in range(known):
                total += matrix[row, c] * x[c]
            q[row] = total
            v[row] = 3.0 * (past[0, row] - past[1, row]) + past[2, row]
        for attempt in range(MOST_STEPS):
            newton_step(q, y, v, triodes, pentodes, i, d, a)
            longest = error = 0.0
            for row in range(ports):
                longest = max(longest, abs(a[row, ports]))
                error = max(error, abs(a[row, ports]) * weight[row])
            share = min(1.0, LONGEST_STEP_VOLTS / max(longest, 1.0))
            if attempt >= 5:
                share *= 0.5  # breaks the rare two-cycle on the knee of a plate
            for row in range(ports):
                v[row] += share * a[row, ports]
            if error < CLOSE_VOLTS:
                break
        for row in range(states + probed.shape[1]):
            total = 0.0
            for c in range(len(x)):
                total += matrix[ports + row, c] * x[c]
            if row < states:
                after[row] = total
            else:
                probed[step, row - states] = total
        x[:states] = after
        past[2], past[1], past[0] = past[1], past[0], v


# --------------------------------------------------------------------------- from netlist to matrix

GRID, PLATE = 1.0, 0.02
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
        parts: the netlist; its tubes are triodes, then pentodes, then one rectifier. "0" is
            ground, "u" is the input, which only resistors may touch.
        turns: of half a primary, for each turn of the secondary: what T parts are made of.
        pots: ohms of the parts that the knobs move, anywhere.
    """

    def __init__(self, parts: Sequence[Part], turns: float, pots: Mapping[str, float]) -> None:
        linear = [part for part in parts if part.kind != "X"]
        tubes = [part for part in parts if part.kind == "X"]
        named = dict.fromkeys(node for part in parts for node in part.nodes)
        self.nodes = [node for node in named if node not in ("0", "u")]
        rows = np.array([self._across(part.nodes, (1.0, -1.0, -turns)) for part in linear])
        self.incidence, self.driven = rows[:, :-1], rows[:, -1]
        kinds = np.array([part.kind for part in linear])
        self.capacitive, self.inductive = kinds == "C", kinds == "L"
        self.reactive = self.capacitive | self.inductive
        self._values = np.array([pots.get(p.value) or number(p.value) for p in linear])
        self._moved = {p.value: at for at, p in enumerate(linear) if p.value in pots}
        self.triodes = sum(part.value == "triode" for part in tubes)
        self.pentodes = sum(part.value == "pentode" for part in tubes)
        ports = [(part.nodes, *port) for part in tubes for port in TUBE_PORTS[part.value]]
        across = [self._across((nodes[a], nodes[b]), (1.0, -1.0)) for nodes, a, b, _ in ports]
        self.ports = np.array(across)[:, :-1].T  # (nodes, ports)
        self.weight = np.array([weight for *_, weight in ports])
        self.emf_volts = np.zeros(len(ports))
        self.emf_volts[-1] = RECTIFIER_VOLTS
        self._warm_port_volts = self._switched_on()

    def _across(self, nodes: Sequence[str], signs: Sequence[float]) -> np.ndarray:
        """(nodes + 1,) how node voltages, and last the input, add up to the volts across a part."""
        row = np.zeros(len(self.nodes) + 1)
        for node, sign in zip(nodes, signs, strict=False):
            if node != "0":
                row[-1 if node == "u" else self.nodes.index(node)] += sign
        return row

    def values(self, pots: Mapping[str, float]) -> np.ndarray:
        """(linear parts,) ohms, farads or henries, with the pots where they stand."""
        values = self._values.copy()
        for name, at in self._moved.items():
            values[at] = pots[name]
        return values

    def conductances(self, values: np.ndarray, step_seconds: float) -> np.ndarray:
        """(linear parts,) siemens by the trapezoidal rule; an infinite step means at rest."""
        g = 1.0 / values
        g[self.capacitive] = 2.0 * values[self.capacitive] / step_seconds
        g[self.inductive] *= step_seconds / 2.0
        g[self.inductive] = np.minimum(g[self.inductive], INDUCTOR_AT_REST_SIEMENS)
        return g

    def node_volts_from(self, g: np.ndarray, amperes: np.ndarray) -> np.ndarray:
        """Node volts caused by currents into the nodes; both (nodes, ...)."""
        return np.linalg.solve((self.incidence.T * g) @ self.incidence, amperes)

    def _settled(
        self, values: np.ndarray, emf_volts: np.ndarray, start_volts: np.ndarray, close_volts: float
    ) -> Idle:
        """Rest, from a first guess of the port volts."""
        from_tubes = self.node_volts_from(self.conductances(values, math.inf), -self.ports)
        y = np.linalg.inv(-self.ports.T @ from_tubes)
        ports, v = len(y), start_volts.copy()
        i, d, a = np.zeros(ports), np.zeros((ports, 3)), np.empty((ports, ports + 1))
        for _ in range(200):
            newton_step(y @ emf_volts, y, v, self.triodes, self.pentodes, i, d, a)
            longest = np.abs(a[:, -1]).max()
            v += a[:, -1] * min(1.0, 5.0 / max(longest, 5.0))
            if longest < close_volts:
                tube_currents(v, self.triodes, self.pentodes, i, d)
                return Idle(from_tubes @ i, v, i)
        raise RuntimeError("the circuit finds no rest")

    def _switched_on(self) -> np.ndarray:
        """(ports,) volts at rest; the mains rise gently, so that Newton never loses its way."""
        v = np.zeros(self.ports.shape[1])
        for mains in np.linspace(0.02, 1.0, 50):
            v = self._settled(self._values, mains * self.emf_volts, v, 1e-3).port_volts
        return v

    def idle(self, pots: Mapping[str, float]) -> Idle:
        """The circuit at rest with no input, exact but for rounding."""
        return self._settled(self.values(pots), self.emf_volts, self._warm_port_volts, IDLE_VOLTS)


class Solver:
    """A circuit being played: it starts at rest and keeps its state from call to call.

    Args:
        circuit: what is played.
        pots: ohms of the parts that the knobs move.
        step_seconds: one over the oversampled rate.
        probes: names of the nodes to listen to.
    """

    def __init__(
        self,
        circuit: Circuit,
        pots: Mapping[str, float],
        step_seconds: float,
        probes: Sequence[str],
    ) -> None:
        self.circuit, self.step_seconds = circuit, step_seconds
        self.probed = [circuit.nodes.index(node) for node in probes]
        idle, values, on = circuit.idle(pots), circuit.values(pots), circuit.reactive
        g, g_rest = (circuit.conductances(values, h)[on] for h in (step_seconds, math.inf))
        states = (g - g_rest) * (circuit.incidence[on] @ idle.node_volts)  # s = g v - i
        self._x = np.concatenate([states, [0.0, 1.0], idle.port_volts])
        self._past = np.tile(idle.port_volts, (3, 1))
        self._matrix = self._matrix_at(pots)

    def _matrix_at(self, pots: Mapping[str, float]) -> np.ndarray:
        """(ports + states + probes, states + 2 + ports), what multiplies x of `advance`.

        The first rows make q of states, input and 1, and hold y; the others make the next states
        and the probes of all of x.
        """
        c, on = self.circuit, self.circuit.reactive
        g = c.conductances(c.values(pots), self.step_seconds)
        sign = np.where(c.capacitive[on], 1.0, -1.0)  # next s = +-(2 g v - s), - for an inductor
        known = len(sign) + 2
        by_input = -(c.incidence.T * g) @ c.driven
        amperes = [c.incidence[on].T, by_input, np.zeros(len(c.nodes)), -c.ports]
        nodes = c.node_volts_from(g, np.column_stack(amperes))
        ports = c.ports.T @ nodes
        ports[:, known - 1] += c.emf_volts
        y = np.linalg.inv(-ports[:, known:])
        q = y @ ports[:, :known]
        states = (sign * 2.0 * g[on])[:, None] * (c.incidence[on] @ nodes)
        states[:, : known - 2] -= np.diag(sign)
        rest = np.vstack([states, nodes[self.probed]])  # of tube currents; i = q - y v
        rest = np.hstack([rest[:, :known] + rest[:, known:] @ q, -rest[:, known:] @ y])
        return np.vstack([np.hstack([q, y]), rest])

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
        c, arrival, glide = self.circuit, self._matrix, np.empty((0, 0))
        if pots is not None:
            arrival = self._matrix_at(pots)
            glide = (arrival - self._matrix) / math.ceil(len(input_volts) / GLIDE_STEPS)
        probed = np.empty((len(input_volts), len(self.probed)))
        advance(
            self._matrix, glide, input_volts, self._x, self._past,
            c.weight, c.triodes, c.pentodes, probed,
        )  # fmt: skip
        self._matrix = arrival
        if not np.abs(probed).max(initial=0.0) < RUNAWAY_VOLTS:
            raise RuntimeError("the circuit's solution ran away")
        return probed
