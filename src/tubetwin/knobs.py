"""The controls of an amp as printed on its panel, and positions of all of them.

Panel values are what the player reads ("Volume 6.5"). The network and the engine see every knob
normalised: 0 at the left end of its travel, 1 at the right end.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tubetwin.files import BadInput, typed

Setting = Mapping[str, float]
"""One position of all knobs: printed name -> printed value."""


@dataclass(frozen=True)
class Knob:
    """One control: its printed name, its printed range, and where it stands at first."""

    name: str
    minimum: float = 0.0
    maximum: float = 10.0
    default: float = 5.0

    def __post_init__(self) -> None:
        values = (self.minimum, self.maximum, self.default)
        if not self.name or not all(math.isfinite(v) for v in values):
            raise BadInput(f"knob {self.name!r} needs a name and finite numbers, not {values}")
        if not self.minimum < self.maximum or not self.minimum <= self.default <= self.maximum:
            raise BadInput(f"knob {self.name!r} needs minimum <= default <= maximum, not {values}")

    def normalise(self, value: float) -> float:
        """Panel value -> 0…1. Raises BadInput outside the printed range."""
        if not self.minimum <= value <= self.maximum:
            raise BadInput(
                f"knob {self.name} goes from {self.minimum:g} to {self.maximum:g}, not {value:g}"
            )
        return (value - self.minimum) / (self.maximum - self.minimum)

    def panel(self, normalised: float) -> float:
        """0…1 -> panel value."""
        return self.minimum + normalised * (self.maximum - self.minimum)

    @classmethod
    def read(cls, data: object, where: str) -> "Knob":
        """From JSON with exactly our fields. Raises BadInput, saying `where`, if it is no knob."""
        numbers = (typed(data, key, float, where) for key in ("minimum", "maximum", "default"))
        return cls(typed(data, "name", str, where), *numbers)

    @property
    def option(self) -> str:
        """The name as a command-line option spells it: "Mid-Bite" -> "mid-bite"."""
        return "-".join(self.name.lower().split())


def normalise(knobs: Sequence[Knob], setting: Setting) -> np.ndarray:
    """A setting as the network sees it; knobs left out stand at their default.

    Args:
        knobs: the amp's panel, in order.
        setting: printed name -> printed value; names match whatever their case.
    Returns:
        (knobs,) float32, each 0…1.
    Raises:
        BadInput: an unknown knob, or a value outside its printed range.
    """
    given = {name.lower(): value for name, value in setting.items()}
    unknown = set(given) - {knob.name.lower() for knob in knobs}
    if unknown:
        names = ", ".join(knob.name for knob in knobs) or "none"
        raise BadInput(f"no knob called {sorted(unknown)[0]!r}: this amp has {names}")
    values = [knob.normalise(float(given.get(knob.name.lower(), knob.default))) for knob in knobs]
    return np.array(values, np.float32)


def setting_at(knobs: Sequence[Knob], normalised: Sequence[float]) -> dict[str, float]:
    """The inverse of `normalise`, printed to a hundredth as a player would read it."""
    return {k.name: round(k.panel(float(n)), 2) for k, n in zip(knobs, normalised, strict=True)}
