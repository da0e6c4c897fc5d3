"""The tape machine: writes what is played while it is played, the amp and the dry guitar.

The dry guitar is kept so that it can be played through another amp another day.
"""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import soundfile

from tubetwin.files import BadInput, replacing


class Recorder:
    """Two float WAVs, NAME.wav and NAME-di.wav; they appear, whole, when the recording ends.

    Args:
        path: of the amp, ends in .wav.
        sample_rate_hz: of both.
    Raises:
        BadInput: another ending, or a folder that cannot be written.
    """

    def __init__(self, path: Path, sample_rate_hz: int) -> None:
        if path.suffix.lower() != ".wav":
            raise BadInput(f"cannot record {path}: name it .wav")
        self.sample_rate_hz = sample_rate_hz
        with ExitStack() as opened:  # closes the first if the second cannot be opened
            self._di, self._amp = (
                opened.enter_context(self._file(opened.enter_context(replacing(name))))
                for name in (path.with_stem(f"{path.stem}-di"), path)
            )
            self._files = opened.pop_all()

    def _file(self, path: Path) -> soundfile.SoundFile:
        return soundfile.SoundFile(path, "w", self.sample_rate_hz, 1, "FLOAT", format="WAV")

    def write(self, heard: np.ndarray) -> None:
        """Append (samples, 2): DI and amp."""
        self._di.write(heard[:, 0])
        self._amp.write(heard[:, 1])

    def close(self) -> None:
        """End the recording."""
        self._files.close()
