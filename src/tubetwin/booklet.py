"""The booklet of the demo: what twin and amp played, as a page of players, plots and tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tubetwin import cabinet, datasheet, metrics, playlist, plots, probes, sounds
from tubetwin.clips import dials, encoded, gain_for, through
from tubetwin.duet import Answers
from tubetwin.playlist import STAIRS, SWEEP, Jobs, Samples
from tubetwin.report import Clip, Page
from tubetwin.twin import Twin

EXCERPT_SECONDS = 0.02  # of a waveform: more than a period of the low E, and still readable
WINDOW_SECONDS = 0.25  # of an error that is followed over time
SOFT_DB, HARD_DB = -24.0, -6.0  # of the tones whose harmonics are shown

FIGURES: dict[str, tuple[str, Callable[..., Any]]] = {  # how it is written, how it is measured
    "ESR": (".4f", lambda y, p, _: metrics.esr(y, p)),
    "ESR pre-emphasised": (".4f", lambda y, p, _: metrics.esr_pre(y, p)),
    "ESR above 4 kHz": (".4f", lambda y, p, rate: metrics.band_esr(y, p, rate, 4000.0)),
    "level error (dB)": ("+.2f", lambda y, p, _: metrics.gain_error_db(y, p)),
    "spectrum error (dB)": (".2f", metrics.spectrum_error_db),
    "envelope error (dB)": (".2f", metrics.envelope_error_db),
}


# ---- What was heard ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Heard:
    """All answers, cut to the part of the music that is compared."""

    twin: Twin
    jobs: Jobs  # music and test signals, cut likewise
    answers: Mapping[str, Answers]  # "amp" if there is one, and "twin"

    @property
    def rate(self) -> int:
        """Samples per second."""
        return self.twin.sample_rate_hz

    @property
    def volts(self) -> float | None:
        """What full scale is at the speaker, if anyone knows."""
        return (self.twin.levels or {}).get("output_full_scale_volts")

    @property
    def music(self) -> list[str]:
        """The names of the settings, and of the sweep."""
        return list(sounds.settings_for(self.twin.knobs)) + [SWEEP] * bool(self.twin.knobs)

    def of(self, name: str) -> dict[str, Samples]:
        """Source -> its answer to one job, the amp first so that it is drawn below."""
        return {source: answers[name] for source, answers in self.answers.items()}

    def figures(self) -> dict[str, dict[str, float]]:
        """How far the twin is off, for every piece of music; nothing without an amp."""
        if "amp" not in self.answers:
            return {}
        pairs = {n: [a.astype(float) for a in self.of(n).values()] for n in self.music}
        return {
            name: {key: float(figure(*pair, self.rate)) for key, (_, figure) in FIGURES.items()}
            for name, pair in pairs.items()
        }


# ---- The page ----------------------------------------------------------------------------------

CIRCUIT = (
    "The amp is an EL84 amp of our own design, solved as a circuit at four times the sample rate: "
    "it is simulated, and nobody's product.",
    "No training ever heard this music; whether the settings are new to the twin depends on its "
    "session.",
)


def _listen(page: Page, heard: Heard, esr: Mapping[str, float]) -> None:
    """The players: DI, twin, and the cabinet behind twin and amp, at gains that all share."""
    ir = cabinet.design(heard.rate)
    di = heard.jobs[heard.music[0]].di
    every = [sound for name in heard.music for sound in heard.of(name).values()]
    dry_gain, cabinet_gain = gain_for(every), gain_for(through(ir, sound) for sound in every)
    di_clip = Clip("Dry DI", encoded(gain_for([di]) * di, heard.rate))
    players = []
    for name in heard.music:
        sounds = heard.of(name)
        clips = [di_clip, Clip("Twin", encoded(dry_gain * sounds["twin"], heard.rate), "twin")]
        for source in reversed(sounds):
            wet = encoded(cabinet_gain * through(ir, sounds[source]), heard.rate)
            clips.append(Clip(f"{source.capitalize()} + cabinet", wet, source))
        note = f"ESR {esr[name]:.4f}" if name in esr else ""
        players.append(
            page.player(
                name, clips, dials(heard.twin.knobs, heard.jobs[name].setting), note, chosen=2
            )
        )
    page.section(
        "Hear it",
        "Press play, then switch the source: it changes at once and keeps its place. All settings "
        "share one gain without and one with the cabinet, so that a clean amp stays as much "
        "softer than a cranked one as it is on stage.",
    )
    page.rack(*players)


def _figures(page: Page, figures: Mapping[str, Mapping[str, float]]) -> None:
    page.section(
        "How close it comes",
        "ESR is the energy of the error over that of the amp: 0 is perfect, 1 is what silence "
        "scores, 0.01 is an error 20 dB below the sound. No gain or delay was fitted.",
    )
    page.table(
        ("", *FIGURES),
        [
            (name, *(format(value, FIGURES[key][0]) for key, value in row.items()))
            for name, row in figures.items()
        ],
    )


def _waveforms(page: Page, heard: Heard) -> None:
    di = heard.jobs[heard.music[0]].di
    length = round(EXCERPT_SECONDS * heard.rate)
    start = probes.plainest(di, length)
    page.section(
        "Waveforms",
        "A loud and plain moment, close up: look where the blue line leaves the amber one.",
    )
    page.plots(
        *(
            plots.waveforms(
                name,
                {source: y[start : start + length] for source, y in heard.of(name).items()},
                heard.rate,
                heard.volts,
            )
            for name in heard.music
        )
    )


def _spectra(page: Page, heard: Heard) -> None:
    page.section(
        "Spectra",
        "The whole excerpt in twelfths of an octave, without the cabinet: look at the treble, "
        "where twins go wrong first.",
    )
    drawings = []
    for name in heard.music:
        found = {source: probes.spectrum_db(y, heard.rate) for source, y in heard.of(name).items()}
        hz = found["twin"][0]
        drawings.append(plots.spectra(name, hz, {source: db for source, (_, db) in found.items()}))
    page.plots(*drawings)


def _distortion(page: Page, heard: Heard) -> None:
    """Transfer curves, then the harmonics of a soft and a hard tone."""
    names = playlist.shown(sounds.settings_for(heard.twin.knobs))
    unit = "V" if heard.volts else "full scale"
    curves: list[str] = []
    soft: list[str] = []
    hard: list[str] = []
    for name in names:
        steady = {
            source: probes.settled(y, heard.rate) for source, y in heard.of(f"tone {name}").items()
        }
        edges = {
            source: np.stack([y.max(axis=1), y.min(axis=1)]) * (heard.volts or 1.0)
            for source, y in steady.items()
        }
        curves.append(plots.transfer(name, probes.STEPS_DB, edges, unit))
        for drawings, db in ((soft, SOFT_DB), (hard, HARD_DB)):
            step = int(np.argmin(np.abs(probes.STEPS_DB - db)))
            levels = {
                source: metrics.harmonics(y[step], probes.TONE_HZ, heard.rate)
                for source, y in steady.items()
            }
            drawings.append(plots.harmonics(f"{name}, tone at {db:g} dB", levels))
    page.section(
        "Transfer curves",
        f"The highest and the lowest point of a {probes.TONE_HZ:g} Hz tone that grows: where the "
        "lines stop fanning out it clips, and where up and down differ it makes even harmonics.",
    )
    page.plots(*curves)
    page.section(
        "Harmonics",
        "What the amp adds to that tone, soft and hard: each blue cross belongs inside its amber "
        "circle.",
    )
    page.plots(*soft, *hard)


def _responses(heard: Heard) -> list[str]:
    """What every knob but the first does to a soft sound."""
    levels = heard.twin.levels or {}
    ratio = levels.get("output_full_scale_volts", 1.0) / levels.get("input_full_scale_volts", 1.0)
    drawings = []
    for knob in heard.twin.knobs[1:]:
        gains: dict[str, dict[str, Any]] = {source: {} for source in heard.answers}
        for value in map("{:g}".format, playlist.travel(knob)):
            for source, y in heard.of(f"{knob.name} {value}").items():
                hz, gain_db = probes.response_db(y, heard.rate)
                gains[source][value] = gain_db + 20 * np.log10(ratio)
        drawings.append(plots.responses(knob.name, hz, gains))
    return drawings


def _stairs(heard: Heard) -> str:
    """How loud a tone is at each position of the first knob."""
    knob = heard.twin.knobs[0]
    steady = {source: probes.settled(y, heard.rate) for source, y in heard.of(STAIRS).items()}
    db = {source: probes.levels_db(y.ravel(), y.shape[1]) for source, y in steady.items()}
    positions = playlist.travel(knob, playlist.STAIRS_STEPS)
    return plots.levels(knob.name, f"{knob.name} on the panel", positions, db)


def _sweep(heard: Heard) -> str:
    """The music and its error over the position of the turning knob."""
    knob = heard.twin.knobs[0]
    sounds = heard.of(SWEEP)
    window = min(round(WINDOW_SECONDS * heard.rate), len(sounds["twin"]))
    if "amp" in sounds:
        sounds["error"] = sounds["twin"] - sounds["amp"]
    db = {source: probes.levels_db(y, window) for source, y in sounds.items()}
    positions = np.asarray(heard.jobs[SWEEP].setting[knob.name])[window // 2 :: window]
    turned = positions[: len(db["twin"])]
    return plots.levels(SWEEP, f"{knob.name}, turning while the music plays", turned, db)


def _knobs(page: Page, heard: Heard) -> None:
    if heard.twin.knobs:
        page.section(
            "Knobs",
            f"At {probes.CHIRP_PEAK:g} of full scale, what each tone control does from end to end; "
            "how loud a tone gets; and the music again while the knob turns without a pause, where "
            "the error should stay as far below the sound as it does when nothing moves.",
        )
        page.plots(*_responses(heard), _stairs(heard), _sweep(heard))


def build(heard: Heard, measured: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The page as HTML, and the figures on it."""
    figures = heard.figures()
    introduction = (
        "One small file that answers to its knobs, beside the circuit it learned from."
        if figures
        else "One small file that answers to its knobs."
    )
    page = Page(f"Hear the twin: {heard.twin.name}", introduction, "tubetwin demo")
    _listen(page, heard, {name: row["ESR"] for name, row in figures.items()})
    if figures:
        _figures(page, figures)
    for part in (_waveforms, _spectra, _distortion, _knobs):
        part(page, heard)
    page.section("The numbers", "Measured just now, on this machine, on the twin as loaded.")
    page.table(("", "value", "how it was measured"), datasheet.table(measured))
    jack = (heard.twin.levels or {}).get("input_full_scale_volts")
    page.section("How this page was made")
    page.items(
        "The twin is played by the native engine, sample for sample as it plays live.",
        f"Players, plots and errors cover the first {playlist.COMPARED_SECONDS:g} s of playing; "
        "the twin's WAV files beside this page hold all of it, uncompressed.",
        "The cabinet is one impulse response, the same for twin and amp, as loud as none.",
        *([f"Full scale of the DI counts as {jack:g} V at the jack."] if jack else []),
        *(CIRCUIT if figures else ()),
    )
    return page.html(), figures
