"""Knob settings out of file names: "Drive 7 Master 2.wav" says what was recorded.

A pattern is a file name with every knob's value left out: `Drive {Drive} Master {Master}.wav`.
Without one, the names themselves tell: what stays alike are words, what differs are numbers.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from tubetwin.files import BadInput

NUMBER = r"[-+]?\d+(?:[.,]\d+)?"
FIELD = re.compile(r"\{([^{}]+)\}")
PAIR = re.compile(rf"([A-Za-z][A-Za-z -]*?)[ _=-]*({NUMBER})(?![A-Za-z\d])")


def _value(text: str) -> float:
    return float(text.replace(",", "."))


def by_pattern(names: Sequence[str], pattern: str) -> dict[str, dict[str, float]]:
    """Settings of the files that a pattern fits.

    Args:
        names: file names, without folders.
        pattern: such as "Drive {Drive} Master {Master}.wav"; case and kind of file do not matter.
    Returns:
        name -> knob -> value, of the names that fit.
    Raises:
        BadInput: the pattern names no knob or one twice, or fits no file.
    """
    knobs = FIELD.findall(pattern)
    if not knobs or len(set(knobs)) < len(knobs):
        raise BadInput(f"--pattern {pattern!r} must name each knob once, as in 'Drive {{Drive}}'")
    stem = pattern.rsplit(".", 1)[0] if not pattern.endswith("}") else pattern
    pieces = FIELD.split(stem)[::2]
    text = "".join(
        re.escape(piece) + (f"({NUMBER})" if i < len(knobs) else "")
        for i, piece in enumerate(pieces)
    )
    shape = re.compile(text, re.IGNORECASE)
    found = {name: shape.fullmatch(Path(name).stem) for name in names}
    settings = {
        name: dict(zip(knobs, map(_value, match.groups()), strict=True))
        for name, match in found.items()
        if match
    }
    if not settings:
        raise BadInput(f"no file fits --pattern {pattern!r}; the first is {sorted(names)[0]!r}")
    return settings


def guessed(names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Settings out of words followed by numbers, if every name has the same words.

    Returns:
        name -> knob -> value. A word whose number never changes is no knob; a single file, or
        files without numbers, have no knobs.
    Raises:
        BadInput: the names do not agree about the knobs.
    """
    found = {
        name: {
            re.sub(r"[ _]+", " ", word).strip(" -"): _value(number)
            for word, number in PAIR.findall(Path(name).stem.replace("_", " "))
        }
        for name in names
    }
    first = next(iter(found.values()), {})
    for name, setting in found.items():
        if set(setting) != set(first):
            raise BadInput(
                f"{name!r} names the knobs {sorted(setting) or 'none'} and another file "
                f"{sorted(first) or 'none'}: say how by --pattern 'Drive {{Drive}}.wav', or --csv"
            )
    turned = [knob for knob in first if len({s[knob] for s in found.values()}) > 1]
    if len(names) > 1 and not turned:
        raise BadInput(f"{sorted(names)[0]!r} and the others name no knob: use --pattern or --csv")
    return {name: {knob: setting[knob] for knob in turned} for name, setting in found.items()}
