"""Prints a netlist as an ngspice deck: a simulator that everyone trusts then judges our solver.

The tubes' equations are those of `parts`, written once more in ngspice's own language.
"""

from collections.abc import Mapping, Sequence

from tubetwin.parts import (
    LEAK,
    PENTODE,
    RECTIFIER_PERVEANCE,
    RECTIFIER_VOLTS,
    TINY,
    TRIODE,
    Part,
    Tube,
    number,
)


def softplus(x: str) -> str:
    """ln(1 + e^x)."""
    return f"(max({x},0)+ln(1+exp(-abs({x}))))"


def power(x: str, exponent: float) -> str:
    """x to a power, zero below zero."""
    return f"exp({exponent}*ln(max({x},{TINY})))"


def grid(tube: Tube) -> str:
    """The grid current of a tube."""
    return f"""\
Bl l 0 V={softplus(f"{tube.grid_knee}*V(g,k)")}/{tube.grid_knee}
Bg g k I={tube.grid_perveance}*{power("V(l)", tube.grid_exponent)}"""


def tubes() -> str:
    """Triode, pentode and rectifier as subcircuits; the sources are named in `parts`."""
    t, p = TRIODE, PENTODE
    refused = f"(1.5707963267948966-atan(V(a,k)/{p.plate_knee}))"
    rise = f"max({RECTIFIER_VOLTS}-V(c),0)"
    return f"""\
.subckt triode a g k
Bx x 0 V={t.knee}*({1.0 / t.mu!r}+V(g,k)/sqrt({t.plate_knee}+max(V(a,k),0)*max(V(a,k),0)))
Be e 0 V=max(V(a,k),0)*{softplus("V(x)")}/{t.knee}
Ba a k I=2*{power("V(e)", t.exponent)}/{t.plate_factor}+{LEAK}*V(a,k)
{grid(t)}
.ends
.subckt pentode a s g k
Bx x 0 V={p.knee}*({1.0 / p.mu!r}+V(g,k)/max(V(s,k),1))
Be e 0 V=max(V(s,k),1)*{softplus("V(x)")}/{p.knee}
Bt t 0 V=2*{power("V(e)", p.exponent)}/{p.plate_factor}
Ba a k I=V(t)*atan(V(a,k)/{p.plate_knee})+{LEAK}*V(a,k)
Bs s k I=V(t)*{refused}+{power("V(e)", 1.5)}/{p.screen_factor}
{grid(p)}
.ends
.subckt rectifier a c
Bd a c I={RECTIFIER_PERVEANCE}*{rise}*sqrt({rise}+1e-12)
.ends"""


def card(part: Part, value: str, turns: float) -> str:
    """The line, or lines, of one part."""
    name, nodes = part.name, part.nodes
    if part.kind != "T":
        return f"{name} {' '.join(nodes)} {value}"
    a, b, secondary = nodes  # an ideal transformer: volts one way, the current back
    return f"""\
R{name} {a} {name}1 {value}
E{name} {name}1 {name}2 {secondary} 0 {turns!r}
V{name} {name}2 {b} 0
F{name} 0 {secondary} V{name} {turns!r}"""


def deck(
    parts: Sequence[Part], pots: Mapping[str, float], turns: float, drive: str, analysis: str
) -> str:
    """The text of an ngspice deck.

    Args:
        parts: the netlist.
        pots: ohms of the parts that the knobs move.
        turns: of half a primary, for each turn of the secondary.
        drive: cards that drive node u.
        analysis: what stands between .control and .endc.
    """
    lines = ["* printed by tubetwin", tubes(), drive]
    for part in parts:
        is_number = part.kind != "X" and part.value not in pots
        value = repr(number(part.value)) if is_number else str(pots.get(part.value, part.value))
        lines.append(card(part, value, turns))
    # pivrel: farads on 320 V beside the screens' one ohm need careful pivots in the first steps
    lines += [".options reltol=1e-4 abstol=1e-9 vntol=1e-5 chgtol=1e-15 pivrel=0.1 method=trap"]
    return "\n".join([*lines, ".control", analysis, ".endc", ".end", ""])
