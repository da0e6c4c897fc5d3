"""Plots as SVG text, ready to stand inside a page.

The amp is always a wide amber line, the twin a thin blue one on top of it, so that where they agree
both show; the colours are from the palette of Okabe and Ito, which the colour-blind can tell apart.
Each is a variable of the page's style sheet, so that light and dark pages may shade it.
matplotlib draws and is loaded with the first plot.
"""

import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Curves = Mapping[str, ArrayLike]
"""What is drawn, by its name in the legend; the names in `LINES` have a look of their own."""

SMALLEST_ESR = 1e-6  # the scale ends here: nothing that was ever trained comes closer
QUIETEST_DB = -120.0  # where a logarithm of nothing is drawn
SIZE = (400, 270)  # of a plot, in CSS pixels: its letters stay readable on a telephone

TEXT, SOFT, EDGE = "#ece4d8", "#a99f92", "#332d27"
LOOK: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "font.size": 11,
    "text.color": TEXT,
    "axes.facecolor": "none",
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": EDGE,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "legend.frameon": False,
    "legend.labelcolor": "linecolor",
}


class Line(NamedTuple):
    """How one source is drawn, in every plot of every page."""

    colour: str
    width: float
    marker: str


LINES = {
    "amp": Line("#e69f00", 5.5, "o"),
    "twin": Line("#56b4e9", 2.0, "x"),
    "error": Line("#cc79a7", 1.4, "+"),
    "seen": Line("#009e73", 1.4, "o"),
    "unseen": Line("#f0e442", 1.4, "x"),
    "corners": Line("#d55e00", 1.4, "o"),
    "nearest take": Line("#d55f01", 1.4, "o"),
    "blend": Line("#cc79a8", 1.4, "+"),
}
OTHER = Line(SOFT, 1.4, "o")
FAMILY = ("#56b4ea", "#009e74", "#f0e443", "#e69f01", "#d55e02")  # cool to hot, for many of a kind

VARIABLES = (
    {TEXT: "text", SOFT: "soft", EDGE: "edge"}
    | {line.colour: name.replace(" ", "-") for name, line in LINES.items()}
    | {colour: f"family-{i}" for i, colour in enumerate(FAMILY, 1)}
)
"""Every colour that is drawn, and the style sheet's name for it; hence no two are quite alike."""


# ---- The axes ----------------------------------------------------------------------------------


class _Plot:
    """A pair of axes in the look of the page."""

    def __init__(self, title: str, x_label: str, y_label: str) -> None:
        import matplotlib
        from matplotlib.figure import Figure

        self.look, self.title = LOOK | {"svg.hashsalt": title + x_label + y_label}, title
        self.context: Callable[..., Any] = matplotlib.rc_context
        with self.context(self.look):
            inches = (SIZE[0] / 72, SIZE[1] / 72)
            self.figure = Figure(inches, facecolor="none")
            self.figure.subplots_adjust(0.15, 0.135, 0.965, 0.91)  # alike, so that axes line up
            self.axes = self.figure.add_subplot(xlabel=x_label, ylabel=y_label)
            self.axes.set_title(title, loc="left", fontsize=12, fontweight="bold")

    def line(self, source: str, x: ArrayLike, y: ArrayLike, **more: Any) -> None:
        look = LINES.get(source, OTHER)
        style: dict[str, Any] = {"color": look.colour, "linewidth": look.width, "label": source}
        self.axes.plot(np.asarray(x), np.asarray(y), **(style | more))

    def dots(self, source: str, x: ArrayLike, y: ArrayLike) -> None:
        look = LINES.get(source, OTHER)
        size = 9.0 if look.marker == "o" else 6.0  # a cross fits into its circle
        hollow = {"markerfacecolor": "none", "markersize": size, "markeredgewidth": 1.6}
        self.line(source, x, y, linestyle="", linewidth=0, marker=look.marker, **hollow)

    def hertz(self, low: float, high: float) -> None:
        ticks = [hz for hz in (50, 100, 200, 500, 1000, 2000, 5000, 10000) if low <= hz <= high]
        self.axes.set(xscale="log", xlim=(low, high))
        self.axes.set_xticks(ticks, [f"{hz / 1000:g}k" if hz >= 1000 else str(hz) for hz in ticks])
        self.axes.minorticks_off()

    def decades(self, ratios: Iterable[NDArray[np.float64]]) -> None:
        """A logarithmic axis of whole decades that holds all ratios."""
        exponents = np.log10(np.concatenate([[0.01], *ratios]))
        low, high = np.floor(exponents.min() - 0.1), np.ceil(exponents.max() + 0.1)
        self.axes.set(yscale="log", ylim=(10**low, 10**high))
        self.axes.yaxis.set_major_formatter("{x:g}")

    def svg(self, legend_inside: bool = False) -> str:
        with self.context(self.look):
            handles = dict(zip(*reversed(self.axes.get_legend_handles_labels()), strict=True))
            above = {
                "loc": "lower right",
                "bbox_to_anchor": (1.02, 0.98),
                "ncols": len(handles) or 1,
            }
            place: dict[str, Any] = {"loc": "upper left", "ncols": 3} if legend_inside else above
            self.axes.legend(
                handles.values(), handles.keys(), handlelength=1.2, columnspacing=1.2, **place
            )
            drawn = io.StringIO()
            nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
            self.figure.savefig(drawn, format="svg", metadata=nothing)
        return _inline(drawn.getvalue(), self.title)


def _inline(svg: str, title: str) -> str:
    """matplotlib's SVG file as an element of a page: no prologue, no names that could clash."""
    body = svg[svg.index("<defs>", svg.index("<svg")) :]
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, count=1, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    for colour, name in VARIABLES.items():
        body = body.replace(f": {colour}", f": var(--{name}, {colour})")
    box = f'viewBox="0 0 {SIZE[0]} {SIZE[1]}"'
    return f'<svg {box} role="img" aria-label="{escape(title)}">{body}'


def _finite_db(values: ArrayLike) -> NDArray[np.float64]:
    """Decibels that can be drawn."""
    numbers = np.nan_to_num(np.asarray(values, float), nan=QUIETEST_DB, neginf=QUIETEST_DB)
    return np.asarray(np.maximum(numbers, QUIETEST_DB))


def _real(values: ArrayLike) -> NDArray[np.float64]:
    """Ratios that a logarithmic scale can show, those that do not exist left out."""
    numbers = np.asarray(values, float)
    return np.asarray(np.maximum(numbers[np.isfinite(numbers)], SMALLEST_ESR))


# ---- Sound -------------------------------------------------------------------------------------


def waveforms(
    title: str, curves: Curves, sample_rate_hz: float, full_scale_volts: float | None = None
) -> str:
    """The same few milliseconds of every source, over each other.

    Args:
        title: printed above.
        curves: source -> (samples,), full scale 1.0.
        sample_rate_hz: of all of them.
        full_scale_volts: what 1.0 was at the speaker; None: the axis stays in full scale.
    Returns:
        SVG, as of all plots here.
    """
    unit = "speaker (V)" if full_scale_volts else "output (full scale = 1)"
    plot = _Plot(title, "time (ms)", unit)
    for source, samples in curves.items():
        volts = np.asarray(samples, float) * (full_scale_volts or 1.0)
        plot.line(source, 1000 * np.arange(len(volts)) / sample_rate_hz, volts)
    plot.axes.margins(x=0)
    return plot.svg()


def spectra(title: str, hz: ArrayLike, curves_db: Curves, range_db: float = 60.0) -> str:
    """Levels over frequency, as far as they lie within `range_db` of the loudest."""
    plot = _Plot(title, "frequency (Hz)", "level (dBFS)")
    frequency = np.asarray(hz, float)
    levels = {source: _finite_db(level) for source, level in curves_db.items()}
    for source, level in levels.items():
        plot.line(source, frequency, level)
    plot.hertz(float(frequency.min()), float(frequency.max()))
    loudest = max(float(level.max()) for level in levels.values())
    plot.axes.set_ylim(loudest - range_db, loudest + 5)
    return plot.svg()


def transfer(title: str, input_db: ArrayLike, peaks: Mapping[str, ArrayLike], unit: str) -> str:
    """Both peaks of the answer to a tone, over the level of the tone: where it bends it distorts.

    Args:
        title: printed above.
        input_db: (steps,) peak of the tone, in dB re full scale.
        peaks: source -> (2, steps), the highest and the lowest point of its answer.
        unit: of the answer.
    """
    plot = _Plot(title, "tone at the jack (dB re full scale)", f"peaks of the answer ({unit})")
    for source, both in peaks.items():
        for edge in np.asarray(both, float):
            plot.line(source, input_db, edge)
    return plot.svg()


def harmonics(title: str, levels_db: Curves, floor_db: float = -90.0) -> str:
    """Every harmonic of a tone relative to the fundamental: source -> (harmonics,) dB, H1 first."""
    plot = _Plot(title, "harmonic", "dB re fundamental")
    count = 1
    for source, levels in levels_db.items():
        level = _finite_db(levels)
        count = max(count, len(level))
        order = np.arange(1, len(level) + 1)
        plot.dots(source, order[level >= floor_db], level[level >= floor_db])
    plot.axes.set(xlim=(0.5, count + 0.5), ylim=(floor_db, 6))
    plot.axes.set_xticks(np.arange(1, count + 1))
    plot.axes.grid(visible=False, axis="x")
    return plot.svg()


def responses(title: str, hz: ArrayLike, curves_db: Mapping[str, Mapping[str, ArrayLike]]) -> str:
    """Frequency responses at several positions of one knob, named where they are furthest apart.

    Args:
        title: printed above, the knob's name as a rule.
        hz: (frequencies,).
        curves_db: source -> position as printed -> (frequencies,) gain in dB.
    """
    plot = _Plot(title, "frequency (Hz)", "gain (dB)")
    frequency = np.asarray(hz, float)
    for source, positions in curves_db.items():
        for gain_db in positions.values():
            plot.line(source, frequency, _finite_db(gain_db))
    named = {name: _finite_db(gain) for name, gain in next(iter(curves_db.values())).items()}
    gaps = np.diff(np.sort(np.stack(list(named.values())), axis=0), axis=0)
    edge = len(frequency) // 8  # names stay off the axes
    widest = edge + int(gaps[:, edge:-edge].min(axis=0, initial=np.inf).argmax())
    for name, level in named.items():
        place: dict[str, Any] = {"xytext": (0, 7), "textcoords": "offset points", "ha": "center"}
        plot.axes.annotate(name, (frequency[widest], level[widest]), color=TEXT, **place)
    plot.hertz(float(frequency.min()), float(frequency.max()))
    return plot.svg()


def levels(title: str, x_label: str, x: ArrayLike, curves_db: Curves) -> str:
    """Levels over a knob or over time: source -> (points,) dB."""
    plot = _Plot(title, x_label, "level (dBFS)")
    for source, level in curves_db.items():
        plot.line(source, x, _finite_db(level))
    plot.axes.margins(x=0.02)
    plot.axes.locator_params(axis="y", integer=True)  # "-12.5" would push the label out
    return plot.svg()


def esr_by_setting(title: str, groups: Curves) -> str:
    """The ESR of every setting, best to worst, with the median of each group as a line.

    Args:
        title: printed above.
        groups: "seen", "unseen" or another name -> (settings,) ESR; NaN is left out.
    """
    plot = _Plot(title, "settings, from best to worst (%)", "ESR")
    ranked = {source: np.sort(_real(values)) for source, values in groups.items()}
    plot.decades(ranked.values())
    for source, esr in ranked.items():
        if len(esr):
            plot.dots(source, 100 * (np.arange(len(esr)) + 0.5) / len(esr), esr)
            plot.axes.axhline(float(np.median(esr)), color=LINES.get(source, OTHER).colour, lw=1)
    plot.axes.set_xlim(0, 100)
    return plot.svg()


def esr_over(title: str, x_label: str, groups: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> str:
    """The ESR of every setting over something: where a knob stands, how far the next take was.

    Args:
        title: printed above.
        x_label: what is along the axis.
        groups: name -> its values, and the ESR there.
    """
    plot = _Plot(title, x_label, "ESR")
    plot.decades(_real(esr) for _, esr in groups.values())
    for source, (values, esr) in groups.items():
        known = np.isfinite(np.asarray(esr, float))
        plot.dots(source, np.asarray(values, float)[known], _real(esr))
    return plot.svg()


def family(title: str, x_label: str, x: ArrayLike, esr: Curves) -> str:
    """The ESR over one thing for several settings, the first the coolest, the last the hottest."""
    plot = _Plot(title, x_label, "ESR")
    plot.decades(_real(values) for values in esr.values())
    for i, (name, values) in enumerate(esr.items()):
        known = np.isfinite(np.asarray(values, float))
        colour = FAMILY[i % len(FAMILY)]
        plot.line(name, np.asarray(x, float)[known], _real(values), color=colour, marker="o")
    plot.axes.set_ylim(top=10 * plot.axes.get_ylim()[1])  # room for the names
    return plot.svg(legend_inside=True)


def gains(title: str, x_label: str, x: ArrayLike, curves_db: Curves) -> str:
    """A gain that comes back to 0 dB over time: source -> (points,) dB."""
    plot = _Plot(title, x_label, "gain (dB)")
    for source, level in curves_db.items():
        plot.line(source, x, _finite_db(level))
    plot.axes.margins(x=0)
    low, high = plot.axes.get_ylim()
    plot.axes.set_ylim(max(low, -3.0), min(max(high, 1.5), 3.0))  # of interest is the way back
    return plot.svg()


def by_name(title: str, y_label: str, names: Sequence[str], curves_db: Curves) -> str:
    """One figure in dB for each of several things: source -> (names,)."""
    plot = _Plot(title, "", y_label)
    for source, level in curves_db.items():
        plot.dots(source, np.arange(len(names)), _finite_db(level))
    plot.axes.set_xticks(np.arange(len(names)), names, fontsize=9)
    plot.axes.margins(x=0.1, y=0.2)
    return plot.svg()
