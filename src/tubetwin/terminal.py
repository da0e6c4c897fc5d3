"""What the commands share: knobs as options, a progress bar, levels in words.

Progress and what a person reads go to standard error; standard output is for what was asked for.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from tubetwin.files import BadInput
from tubetwin.knobs import Knob

KNOB_HELP = """\
Knobs are options too, named as on the amp's panel, with panel values: --volume 7 --treble 4.5.
Those left out stay at their default. A range, --mid-bite 0:10, sweeps the knob over the whole file.
"""
WITH_KNOBS = {"ignore_unknown_options": True, "allow_extra_args": True}

console = Console(stderr=True)


def knob_options(
    arguments: Sequence[str], knobs: Sequence[Knob], samples: int
) -> dict[str, float | np.ndarray]:
    """Options left over by click, as a setting.

    Args:
        arguments: such as ["--volume", "7", "--mid-bite=0:10"].
        knobs: the amp's panel.
        samples: over which a range sweeps.
    Returns:
        printed name -> panel value, or (samples,) panel values.
    Raises:
        BadInput: no knob of that name, no number, or a value outside the printed range.
    """
    by_option = {f"--{knob.option}": knob for knob in knobs}
    setting: dict[str, float | np.ndarray] = {}
    pending = list(arguments)
    while pending:
        option, equals, value = pending.pop(0).partition("=")
        if option not in by_option:
            raise BadInput(
                f"no option or knob {option}: this amp has {', '.join(by_option) or 'no knobs'}"
            )
        if not equals:
            if not pending:
                raise BadInput(f"{option} needs a value, such as {option} 5")
            value = pending.pop(0)
        knob = by_option[option]
        try:
            ends = [float(end) for end in value.split(":")]
        except ValueError:
            ends = []
        if len(ends) not in (1, 2):
            raise BadInput(f"{option} takes a number or a range such as 2:8, not {value!r}")
        for end in ends:
            knob.normalise(end)
        setting[knob.name] = ends[0] if len(ends) == 1 else np.linspace(ends[0], ends[1], samples)
    return setting


def one_setting(arguments: Sequence[str], knobs: Sequence[Knob]) -> dict[str, float]:
    """As `knob_options`, where a range makes no sense and is refused."""
    setting = {}
    for name, value in knob_options(arguments, knobs, samples=0).items():
        if isinstance(value, np.ndarray):
            raise BadInput(f"{name} takes one value here: a range sweeps over a file")
        setting[name] = value
    return setting


def impulse_response(cabinet: str | None, sample_rate_hz: int) -> np.ndarray | None:
    """What `--cabinet` names: nothing, the cabinet that ships, or a file."""
    from tubetwin import cabinet as room

    if cabinet is None:
        return None
    return room.design(sample_rate_hz) if cabinet == "1x12" else room.load(cabinet, sample_rate_hz)


def levels(samples: np.ndarray) -> str:
    """Peak and RMS in words."""
    from tubetwin import audio

    return f"peak {audio.peak_dbfs(samples):.1f} dBFS, RMS {audio.rms_dbfs(samples):.1f} dBFS"


@contextmanager
def progress(what: str) -> Iterator[Callable[[float], None]]:
    """A bar on standard error; yields what takes the finished share, 0…1."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share: bar.update(task, completed=share)
