"""A sound for a plugin, as a file that its host loads: how the knobs stand, the twin, the cabinet.

VST3 has presets, LV2 folders with presets in them, CLAP what hosts keep in their projects. All
hold what the plugin itself would save (plugin/plugin.cpp), so the sound is whole on any machine.
"""

import base64
import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tubetwin import bundle, preset, sounds, twin
from tubetwin.bundle import Amp, file_name
from tubetwin.files import BadInput, replacing
from tubetwin.knobs import Knob, Setting, normalise
from tubetwin.preset import Preset

FORMATS = ("vst3", "lv2", "clap")
VERSION = "1:"  # of what a project keeps of a twin and a cabinet: plugin/amp.h
TURTLE = """\
@prefix lv2: <http://lv2plug.in/ns/lv2core#> .
@prefix pset: <http://lv2plug.in/ns/ext/presets#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix state: <http://lv2plug.in/ns/ext/state#> .
"""


def sound_of(source: str, program: str | None = None) -> tuple[str, Preset]:
    """The sound that a word names, and what to call it.

    Args:
        source: a preset file (.json), a bundled twin's name, or a twin file.
        program: one of the positions of the knobs that the twin's plugin offers.
    Raises:
        BadInput: the file is no preset, there is no such twin, or no such program.
    """
    sound = preset.load(source) if source.lower().endswith(".json") else Preset(source)
    if program is None:
        return Path(source).stem, sound
    offered = sounds.settings_for(twin.load(twin.bundled(sound.twin)).knobs)
    for name, setting in offered.items():
        if name.lower() == program.lower():
            return name, replace(sound, knobs=setting)
    raise BadInput(f"the plugin has no program {program!r}: choose of {', '.join(offered)}")


def export(
    path: Path | str,
    folder: Path | str,
    sound: Preset,
    *,
    title: str,
    plugin: str | None = None,
    cabinet: np.ndarray | None = None,
    cabinet_name: str = "",
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """Write a sound for the plugins that `bundle.export` makes of a twin, for one side and for two.

    Args:
        path: the twin; it goes into the files.
        folder: where they go, each format into a folder of its own if there are several.
        sound: knobs and gains. Its twin and cabinet are the next argument's and `cabinet`'s.
        title: what hosts call the sound.
        plugin: the plugins' name; None: what the twin calls itself.
        cabinet: (taps,) impulse response at the twin's sample rate; None: none.
        cabinet_name: what the plugin's window calls it.
        formats: of FORMATS.
    Returns:
        what was written.
    Raises:
        BadInput: no twin, a knob that it lacks or a value outside its range, an unknown format, a
            title or a name that is empty or too long, or a folder that takes nothing.
    """
    for kind in formats:
        if kind not in FORMATS:
            raise BadInput(f"there are no presets for {kind!r}: choose of {', '.join(FORMATS)}")
    if not title.strip() or len(title) > bundle.LONGEST_NAME or not title.isprintable():
        raise BadInput(f"a preset's title has 1 to {bundle.LONGEST_NAME} letters, not {title!r}")
    amps, knobs = bundle.described(path, plugin, cabinet, cabinet_name), twin.load(path).knobs
    normalise(knobs, sound.knobs)  # what the panel refuses, the plugin would
    values = _values(knobs, sound)
    written = []
    for kind in formats:
        place = Path(folder) / kind if len(formats) > 1 else Path(folder)
        bundle.make_folder(place)
        written += MAKERS[kind](amps, values, title, place)
    return written


def _values(knobs: Sequence[Knob], sound: Preset) -> dict[str, float]:
    """Every parameter of the plugin but bypass, by its symbol (plugin/plugin.cpp)."""
    given: Setting = {name.lower(): value for name, value in sound.knobs.items()}
    turned = {
        s: given.get(k.name.lower(), k.default) for s, k in zip(symbols(knobs), knobs, strict=True)
    }
    gains = {"input_db": sound.input_db, "output_db": sound.output_db}
    return {**turned, **gains, "gate_db": -100.0, "cabinet": 1}


def symbols(knobs: Sequence[Knob]) -> list[str]:
    """What the plugin calls the knobs in files: "Mid-Bite" -> "knob_mid_bite"."""
    spelt = ["knob_" + "".join(map(_letter, knob.name.encode())) for knob in knobs]
    return [s if spelt.count(s) == 1 else f"{s}_{i}" for i, s in enumerate(spelt, 1)]


def _letter(byte: int) -> str:
    return chr(byte).lower() if byte < 128 and chr(byte).isalnum() else "_"


def _kept(amp: Amp) -> dict[str, str]:
    """Twin and cabinet as a project keeps them."""
    files = {"twin": amp.twin, "cabinet": amp.cabinet}
    return {k: VERSION + base64.b64encode(b).decode() if b else "none" for k, b in files.items()}


def _state(amp: Amp, values: Mapping[str, float]) -> bytes:
    """As DPF writes it into projects: words with a zero byte behind each."""
    words = ["__dpf_state_begin__"]
    for key, text in _kept(amp).items():
        words += [key, text]
    words += ["__dpf_state_end__", "__dpf_parameters_begin__"]
    for symbol, value in (*values.items(), ("dpf_bypass", 0)):
        words += [symbol, f"{value:.9g}"]
    words += ["__dpf_parameters_end__"]
    return "".join(word + "\0" for word in words).encode() + b"\xfe\0"


def _vst3(amps: Sequence[Amp], values: Mapping[str, float], title: str, place: Path) -> list[Path]:
    """A file for each plugin, in a folder of the plugin's name, as hosts look for them."""
    written = []
    for amp in amps:
        bundle.make_folder(place / amp.file_name)
        written.append(place / amp.file_name / f"{file_name(title)}.vstpreset")
        with replacing(written[-1]) as temporary:
            temporary.write_bytes(_vstpreset(amp, _state(amp, values)))
    return written


def _vstpreset(amp: Amp, state: bytes) -> bytes:
    """Steinberg's file: 48 bytes, the state, and a list of what is where."""
    own = int(amp.identity[-8:], 16)  # the number in plugin/plugin.cpp
    plugin_id = struct.pack("<4s4sII", b" FPD", b"salc", own, 0).hex().upper().encode()  # DPF's
    header = b"VST3" + struct.pack("<i32sq", 1, plugin_id, 48 + len(state))
    return header + state + b"List" + struct.pack("<i4sqq", 1, b"Comp", 48, len(state))


def _clap(amps: Sequence[Amp], values: Mapping[str, float], title: str, place: Path) -> list[Path]:
    """One file for both sides: what a CLAP plugin saves does not say which plugin it is."""
    written = place / f"{file_name(title)}.clap-state"
    with replacing(written) as temporary:
        temporary.write_bytes(_state(amps[0], values))
    return [written]


def _lv2(amps: Sequence[Amp], values: Mapping[str, float], title: str, place: Path) -> list[Path]:
    """A folder to put beside the plugins, for both sides."""
    folder = place / f"{amps[0].file_name} - {file_name(title)}.preset.lv2"
    plugins = ", ".join(f"<urn:{amp.identity.decode()}>" for amp in amps)
    own = hashlib.sha256(f"{amps[0].name}\0{title}".encode()).hexdigest()[:16]
    label = title.replace("\\", "\\\\").replace('"', '\\"')
    about = f'a pset:Preset ; lv2:appliesTo {plugins} ; rdfs:label "{label}"'
    head = f"{TURTLE}\n<urn:tubetwin:preset:{own}> {about} ;\n"
    kept = " ; ".join(f'<urn:distrho:{key}> "{text}"' for key, text in _kept(amps[0]).items())
    ports = " , ".join(
        f'[ lv2:symbol "{symbol}" ; pset:value {value:.9g} ]'
        for symbol, value in (*values.items(), ("lv2_enabled", 1))
    )
    files = {
        "manifest.ttl": f"{head} rdfs:seeAlso <preset.ttl> .\n",
        "preset.ttl": f"{head} lv2:port {ports} ;\n state:state [ {kept} ] .\n",
    }
    with bundle.replacing_folder(folder, "preset.ttl", "preset") as fresh:
        for name, text in files.items():
            (fresh / name).write_text(text, encoding="utf-8")
    return [folder]


MAKERS = {"vst3": _vst3, "lv2": _lv2, "clap": _clap}
