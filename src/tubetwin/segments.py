"""Random windows of a session's takes, with the history that a network needs before them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tubetwin.files import BadInput
from tubetwin.session import Samples, Session, Take


class Windows(NamedTuple):
    """A batch of training examples; `history` leading samples of the DI carry no target."""

    di: npt.NDArray[np.float32]  # (batch, history + target)
    recording: npt.NDArray[np.float32]  # (batch, target), aligned with the end of `di`
    settings: npt.NDArray[np.float32]  # (batch, knobs), normalised to 0…1
    take_index: npt.NDArray[np.int64]  # (batch,), into `Segments.takes`


def _in_line(session: Session, takes: Sequence[Take]) -> Samples:
    """All recordings one after another, filled in place so that they are in memory only once."""
    line = np.empty(sum(take.length_samples for take in takes), np.float32)
    end = 0
    for take in takes:
        start, end = end, end + take.length_samples
        line[start:end] = session.recording(take)
    return line


class Segments:
    """Random training windows over the takes of one split, drawn alike for one seed.

    Every take is as likely as every other, and within it every window that fits. The recordings
    of the split are held in memory, and all of the DI: 4 bytes a sample each, so 400 takes of ten
    seconds at 48 kHz take 1.5 GB.

    Attributes:
        takes: of the split; `Windows.take_index` points into it.
        settings: (takes, knobs) float32, normalised to 0…1.
        energies: (takes,) float32, the mean square of each recording: a loss divides by it, so
            that a quiet setting counts as much as a loud one.
        nbytes: of audio in memory.
    """

    def __init__(
        self, session: Session, split: str, history_samples: int, target_samples: int, seed: int
    ) -> None:
        """Read the takes of `split`.

        Args:
            session: to draw from.
            split: "train", "validation" or "test".
            history_samples: of DI before the first target; the receptive field less one.
            target_samples: that count in the loss.
            seed: of the draws.
        Raises:
            BadInput: the split has no take, a take is shorter than a window, or audio is bad.
        """
        self.takes = session.of(split)
        self.history_samples, self.target_samples = history_samples, target_samples
        window = history_samples + target_samples
        if not self.takes:
            raise BadInput(f"{session.folder} has no {split} takes")
        for take in self.takes:
            if take.length_samples < window:
                raise BadInput(
                    f"{session.folder / take.file} is too short: a training window needs {window} "
                    f"samples, and it has {take.length_samples}"
                )
        self._di = session.whole_di
        self._recordings = _in_line(session, self.takes)
        lengths = np.array([take.length_samples for take in self.takes])
        self._di_starts = np.array([take.start_samples for take in self.takes])
        self._recording_starts = np.cumsum(lengths) - lengths
        self._starts_that_fit = lengths - window + 1
        self.settings = np.stack([session.setting(take) for take in self.takes])
        takes = np.split(self._recordings, self._recording_starts[1:])
        self.energies = np.array(
            [np.square(take).mean(dtype=np.float64) for take in takes], np.float32
        )
        self.nbytes = self._di.nbytes + self._recordings.nbytes
        self._rng = np.random.default_rng(seed)

    @property
    def state(self) -> dict[str, Any]:
        """Of the random draws, as plain numbers; set it to go on exactly where it was read."""
        return dict(self._rng.bit_generator.state)

    @state.setter
    def state(self, state: Mapping[str, Any]) -> None:
        self._rng.bit_generator.state = dict(state)

    def draw(self, batch: int) -> Windows:
        """The next `batch` windows, copied out of the takes."""
        take_index = self._rng.integers(len(self.takes), size=batch)
        offsets = self._rng.integers(self._starts_that_fit[take_index])
        di_starts = self._di_starts[take_index] + offsets
        starts = self._recording_starts[take_index] + offsets + self.history_samples
        window = self.history_samples + self.target_samples
        return Windows(
            di=np.stack([self._di[s : s + window] for s in di_starts]),
            recording=np.stack([self._recordings[s : s + self.target_samples] for s in starts]),
            settings=self.settings[take_index],
            take_index=take_index,
        )
