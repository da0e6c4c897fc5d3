"""tubetwin: a guitar tube amplifier, knobs and all, as one small file that plays in real time."""

__version__ = "0.1.0"
