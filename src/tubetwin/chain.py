"""The signal chain: what happens to one block of guitar between the card's input and its output.

No card is needed here: a callback, real or not, calls `Chain.play`. Everything else may be called
from one other thread, while it plays. What sounds is the engine's; here it is counted and kept.
"""

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from tubetwin.engine import Player
from tubetwin.knobs import Setting

MOST_HEARD_BLOCKS = 20_000  # while nobody collects them: about two minutes of 256 samples


@dataclass
class Report:
    """What was played since the last report, and how hard it was.

    Attributes:
        heard: (samples, 2) float32: the DI as it came in, and what went out before any clipping.
        blocks: played since the beginning.
        missed: how often the card said that samples were lost.
        load: seconds of work per second of sound, on the mean and in the worst block.
        moved: MIDI controllers that moved: (controller, value).
    """

    heard: np.ndarray
    blocks: int
    missed: int
    load: tuple[float, float]
    moved: list[tuple[int, int]]


class Chain:
    """Guitar in, amp out: gains, a twin, a cabinet, and others in their place without a gap.

    Args:
        twin: the file that plays first.
        cabinet: (taps,) at the twin's rate, or None.
        setting: where the knobs stand.
        gains_db: in front and behind.
        card_hz: the card's sample rate.
        input_channel: counted from 1.
        output_channels: counted from 1; (): all.
    Raises:
        BadInput: as `engine.Player`.
    """

    def __init__(
        self,
        twin: str | Path,
        cabinet: np.ndarray | None,
        setting: Setting,
        gains_db: tuple[float, float],
        card_hz: int,
        input_channel: int,
        output_channels: tuple[int, ...] = (),
    ) -> None:
        self._twin = twin
        self._player = Player(twin, cabinet=cabinet)
        self.turn(setting, gains_db)
        self._player.prepare(card_hz)
        self._card_hz = card_hz
        self._entry = input_channel - 1
        self._exits = [channel - 1 for channel in output_channels] or slice(None)
        self._heard: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=MOST_HEARD_BLOCKS)
        self._loads: deque[tuple[float, float]] = deque(maxlen=MOST_HEARD_BLOCKS)
        self._blocks = self._missed = 0

    @property
    def latency_samples(self) -> int:
        """What the engine adds, at the card's rate: 0 if that is the twin's."""
        return self._player.latency_samples

    # ---- From any other thread ----

    def turn(self, setting: Setting, gains_db: tuple[float, float]) -> None:
        """Turn the knobs of the twin that came last, and both gains; the sound glides there."""
        self._player.set(setting)
        self._player.gain(*gains_db)

    def swap(self, twin: str | Path, cabinet: np.ndarray | None, setting: Setting) -> None:
        """Let another twin or cabinet take over.

        It first listens, unheard, until it knows all that it would, had it always played.
        """
        if twin != self._twin:
            self._player.load_twin(twin)
            self._twin = twin
        self._player.set(setting)
        self._player.load_cabinet(cabinet)

    def report(self, moved: list[tuple[int, int]]) -> Report:
        """Collect what was played."""
        heard = [self._heard.popleft() for _ in range(len(self._heard))]
        loads = [self._loads.popleft() for _ in range(len(self._loads))]
        work, time = (sum(column) for column in zip((0.0, 0.0), *loads, strict=True))
        worst = max((w / t for w, t in loads), default=0.0)
        columns = [np.stack(pair, axis=1) for pair in heard] or [np.zeros((0, 2), np.float32)]
        mean = work / time if time else 0.0
        return Report(np.concatenate(columns), self._blocks, self._missed, (mean, worst), moved)

    # ---- From the card's thread ----

    def play(self, sound: np.ndarray, out: np.ndarray, missed: bool) -> None:
        """The callback.

        Args:
            sound: (frames, inputs) float32.
            out: (frames, outputs), written; cut to full scale, as the card would.
            missed: the card lost samples before this block.
        """
        start = perf_counter()
        di = np.nan_to_num(sound[:, self._entry], posinf=0.0, neginf=0.0)
        wet = self._player.process(di)
        out.fill(0)
        out[:, self._exits] = np.clip(wet, -1, 1)[:, None]
        self._heard.append((di, wet))
        self._blocks += 1
        self._missed += missed
        self._loads.append((perf_counter() - start, len(di) / self._card_hz))
