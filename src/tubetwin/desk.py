"""All that a player can turn: the twin's knobs and two gains, by keys or by MIDI."""

from collections.abc import Sequence

from tubetwin.knobs import Knob, Setting, normalise
from tubetwin.preset import MOST_DB, Preset

INPUT, OUTPUT = "Input dB", "Output dB"
GAINS = (Knob(INPUT, -MOST_DB, MOST_DB, 0.0), Knob(OUTPUT, -MOST_DB, MOST_DB, 0.0))
STEPS = {"left": -0.01, "right": 0.01, "page down": -0.1, "page up": 0.1}  # of the whole travel


class Desk:
    """All that can be turned: the twin's knobs and two gains; keys and MIDI turn it.

    Attributes:
        controls: the knobs, then the gains.
        values: name -> panel value.
        selected: which one arrow keys turn.
        learning: the next MIDI controller that moves shall turn the selected one.
        controllers: MIDI controller -> name.
    """

    def __init__(self, knobs: Sequence[Knob], controllers: dict[int, str] | None = None) -> None:
        self.controls: list[Knob] = []
        self.values: dict[str, float] = {}
        self.selected = 0
        self.learning = False
        self.controllers = dict(controllers or {})
        self.fit(knobs)

    def fit(self, knobs: Sequence[Knob]) -> None:
        """Take the knobs of another twin; those of the same name and range stay where they are."""
        old, values = {knob.name: knob for knob in self.controls}, self.values
        self.controls = [*knobs, *GAINS]
        self.values = {
            k.name: min(max(values[k.name], k.minimum), k.maximum) if k.name in old else k.default
            for k in self.controls
        }
        self.selected = min(self.selected, len(self.controls) - 1)

    def call_up(self, preset: Preset) -> None:
        """Stand as a preset says; knobs that it leaves out go to their default.

        Raises:
            BadInput: a knob the twin has not, or a value outside its range.
        """
        knobs = self.controls[: -len(GAINS)]
        printed = {knob.name.lower(): knob.name for knob in knobs}
        normalise(knobs, preset.knobs)  # refuses what makes no sense
        self.values = {knob.name: knob.default for knob in knobs}
        self.values |= {printed[name.lower()]: value for name, value in preset.knobs.items()}
        self.values |= {INPUT: preset.input_db, OUTPUT: preset.output_db}

    @property
    def setting(self) -> Setting:
        """The twin's knobs."""
        return {knob.name: self.values[knob.name] for knob in self.controls[: -len(GAINS)]}

    @property
    def gains_db(self) -> tuple[float, float]:
        """Input and output."""
        return self.values[INPUT], self.values[OUTPUT]

    def press(self, key: str) -> bool:
        """Do what a key says; False if it says nothing here."""
        knob = self.controls[self.selected]
        at = knob.normalise(self.values[knob.name])
        if key in ("up", "down"):
            self.selected = (self.selected + (1 if key == "down" else -1)) % len(self.controls)
        elif key in STEPS:
            self._turn(knob, at + STEPS[key])
        elif key.isdecimal() and key.isascii():
            self._turn(knob, int(key) / 10)
        elif key == "l":
            self.learning = not self.learning
        else:
            return False
        return True

    def move(self, controller: int, value: int) -> None:
        """A MIDI controller moved, to 0…127."""
        if self.learning:
            self.controllers[controller] = self.controls[self.selected].name
            self.learning = False
        for knob in self.controls:
            if knob.name == self.controllers.get(controller):
                self._turn(knob, value / 127)

    def _turn(self, knob: Knob, normalised: float) -> None:
        self.values[knob.name] = round(knob.panel(min(max(normalised, 0.0), 1.0)), 3)
