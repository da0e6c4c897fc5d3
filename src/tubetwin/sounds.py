"""Five positions of the knobs worth hearing: the demo plays them, a plugin has them as programs."""

from collections.abc import Sequence

from tubetwin.knobs import Knob, Setting

SETTINGS: dict[str, Setting] = {  # of the reference amp: clean up to 3, blocking at 10
    "Clean": {"Volume": 2.5, "Treble": 6.0, "Bass": 5.0, "Mid-Bite": 3.0},
    "Edge": {"Volume": 4.5, "Treble": 5.0, "Bass": 5.0, "Mid-Bite": 4.0},
    "Crunch": {"Volume": 6.5, "Treble": 6.0, "Bass": 4.0, "Mid-Bite": 5.0},
    "Lead": {"Volume": 8.0, "Treble": 5.0, "Bass": 4.0, "Mid-Bite": 8.0},
    "Cranked": {"Volume": 10.0, "Treble": 6.0, "Bass": 3.0, "Mid-Bite": 6.0},
}


def settings_for(knobs: Sequence[Knob]) -> dict[str, Setting]:
    """Five positions worth hearing: chosen for the reference amp, spread evenly for others."""
    if {knob.name for knob in knobs} == set(SETTINGS["Clean"]):
        return SETTINGS
    if not knobs:
        return {"As it is": {}}
    first = knobs[0]
    panel = [round(first.panel(turn), 2) for turn in (0.2, 0.4, 0.6, 0.8, 1.0)]
    return {f"{first.name} {value:g}": {first.name: value} for value in panel}
