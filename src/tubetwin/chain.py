"""The signal chain: what happens to one block of guitar between the card's input and its output.

No card is needed here: a callback, real or not, calls `Chain.play`. Everything else may be called
from one other thread, while it plays.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import soxr

from tubetwin.engine import Player
from tubetwin.knobs import Setting

FADE_SECONDS = 0.02
PAST_SECONDS = 3.0  # more than any twin and cabinet remember
MOST_HEARD_BLOCKS = 20_000  # while nobody collects them: about two minutes of 256 samples


# ---- A twin at the card's sample rate ----------------------------------------------------------


class Bridge:
    """Carries sound from the card's sample rate to the twin's and back.

    Args:
        twin_hz: the twin's rate.
        card_hz: the card's.
        block_samples: what `play` will mostly be given.
    Attributes:
        latency_samples: what both ways add, at the card's rate; measured by an impulse.
    """

    def __init__(self, twin_hz: int, card_hz: int, block_samples: int) -> None:
        # The fixed-rate kind of soxr works in long chunks: 40 ms late, the variable-rate kind 10.
        self._to_twin = soxr.ResampleStream(card_hz, twin_hz, 1, "float32", "HQ", vr=True)
        self._to_card = soxr.ResampleStream(twin_hz, card_hz, 1, "float32", "HQ", vr=True)
        self._ready = np.zeros(0, np.float32)
        blocks = np.zeros((card_hz // block_samples // 2 + 1, block_samples), np.float32)
        self._play_through(blocks)  # now `_ready` holds what it takes never to run dry
        blocks[0, 0] = 1.0
        response = self._play_through(blocks)
        middle = response @ np.arange(len(response)) / response.sum()  # the delay of low notes
        self.latency_samples = round(float(middle))

    def _play_through(self, blocks: np.ndarray) -> np.ndarray:
        return np.concatenate([self.play(block, lambda sound: sound) for block in blocks])

    def play(self, di: np.ndarray, amp: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """As many samples as came in, `amp` having played them at its own rate."""
        inside = self._to_twin.resample_chunk(di)
        wet = self._to_card.resample_chunk(amp(inside)) if len(inside) else inside
        missing = np.zeros(max(len(di) - len(self._ready) - len(wet), 0), np.float32)
        ready = np.concatenate([missing, self._ready, wet])
        self._ready = ready[len(di) :]
        return ready[: len(di)]


class Voice:
    """A twin and a cabinet, at any sample rate.

    Args:
        twin: the file.
        cabinet: (taps,) at the twin's rate, or None.
        setting: where the knobs stand.
        card_hz: the rate of what is played.
        block_samples: what `play` will mostly be given.
    Raises:
        BadInput: as `engine.Player`.
    """

    def __init__(
        self,
        twin: str | Path,
        cabinet: np.ndarray | None,
        setting: Setting,
        card_hz: int,
        block_samples: int,
    ) -> None:
        self._player = Player(twin, cabinet=cabinet)
        self._player.set(setting, jump=True)
        self._player.reset()
        twin_hz = self._player.sample_rate_hz
        same = twin_hz == card_hz
        self._bridge = None if same else Bridge(twin_hz, card_hz, block_samples or 256)
        self.latency_samples = self._bridge.latency_samples if self._bridge else 0
        shape = self._player.description["architecture"]
        field = (shape["kernel_size"] - 1) * sum(shape["dilations"])
        remembered = field + (0 if cabinet is None else len(cabinet))
        self.memory_samples = remembered * card_hz // twin_hz + 2 * self.latency_samples

    def set(self, setting: Setting) -> None:
        """Turn knobs; the sound glides there."""
        self._player.set(setting)

    def play(self, di: np.ndarray) -> np.ndarray:
        """(samples,) in, (samples,) out."""
        if self._bridge:
            return self._bridge.play(di, self._player.process)
        return self._player.process(di)


# ---- The whole ---------------------------------------------------------------------------------


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
        voice: what plays first.
        card_hz: the card's sample rate.
        input_channel: counted from 1.
        output_channels: counted from 1; (): all.
    """

    def __init__(
        self, voice: Voice, card_hz: int, input_channel: int, output_channels: tuple[int, ...] = ()
    ) -> None:
        self._voice = self._newest = voice
        self._next: Voice | None = None
        self._coming: deque[tuple[Voice, int]] = deque()
        self._gone: list[Voice] = []
        self._card_hz = card_hz
        self._entry = input_channel - 1
        self._exits = [channel - 1 for channel in output_channels] or slice(None)
        self._gains = self._wanted_gains = (1.0, 1.0)
        self._faded = 0
        self._fade_samples = round(FADE_SECONDS * card_hz)
        self._past: deque[tuple[int, np.ndarray]] = deque()  # blocks behind the input gain
        self._past_samples = 0
        self._heard: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=MOST_HEARD_BLOCKS)
        self._loads: deque[tuple[float, float]] = deque(maxlen=MOST_HEARD_BLOCKS)
        self._blocks = self._missed = 0

    # ---- From any other thread ----

    def set(self, setting: Setting) -> None:
        """Turn the knobs of the voice that came last."""
        self._newest.set(setting)

    def gain(self, input_db: float, output_db: float) -> None:
        """Set both gains; the sound glides there within a block."""
        self._wanted_gains = (10 ** (input_db / 20), 10 ** (output_db / 20))

    def swap(self, voice: Voice) -> None:
        """Let another voice take over, in one piece.

        It first plays, unheard, all that it would remember, had it played from the beginning; what
        comes in meanwhile it catches up on in the callback.
        """
        self._gone.clear()  # freed here, not in the callback
        blocks = self._since(-1)
        forgotten = sum(len(block) for _, block in blocks) - voice.memory_samples
        last = -1
        while blocks:
            for last, block in blocks:  # noqa: B007
                forgotten -= len(block)
                if forgotten < 0:
                    voice.play(block)
            blocks = self._since(last)[:-1]  # the very last one is cheap enough for the callback
        self._newest = voice
        self._coming.append((voice, last))

    def report(self, moved: list[tuple[int, int]]) -> Report:
        """Collect what was played."""
        heard = [self._heard.popleft() for _ in range(len(self._heard))]
        loads = [self._loads.popleft() for _ in range(len(self._loads))]
        work, time = (sum(column) for column in zip((0.0, 0.0), *loads, strict=True))
        worst = max((w / t for w, t in loads), default=0.0)
        columns = [np.stack(pair, axis=1) for pair in heard] or [np.zeros((0, 2), np.float32)]
        mean = work / time if time else 0.0
        return Report(np.concatenate(columns), self._blocks, self._missed, (mean, worst), moved)

    def _since(self, last: int) -> list[tuple[int, np.ndarray]]:
        """The blocks of the past that came after block `last`."""
        return [(number, block) for number, block in list(self._past) if number > last]

    # ---- From the card's thread ----

    def play(self, sound: np.ndarray, out: np.ndarray, missed: bool) -> None:
        """The callback.

        Args:
            sound: (frames, inputs) float32.
            out: (frames, outputs), written; cut to full scale, as the card would.
            missed: the card lost samples before this block.
        """
        start = perf_counter()
        raw = np.nan_to_num(sound[:, self._entry], posinf=0.0, neginf=0.0)
        before, after = (np.linspace(*ends, len(raw), dtype=np.float32) for ends in self._ramps())
        di = raw * before
        wet = self._crossed(di, self._voice.play(di)) * after
        out.fill(0)
        out[:, self._exits] = np.clip(wet, -1, 1)[:, None]
        self._remember(di)
        self._heard.append((raw, wet))
        self._blocks += 1
        self._missed += missed
        self._loads.append((perf_counter() - start, len(raw) / self._card_hz))

    def _ramps(self) -> list[tuple[float, float]]:
        """Where both gains start and end in this block."""
        ramps = list(zip(self._gains, wanted := self._wanted_gains, strict=True))
        self._gains = wanted
        return ramps

    def _remember(self, di: np.ndarray) -> None:
        self._past.append((self._blocks, di))
        self._past_samples += len(di)
        while self._past_samples > PAST_SECONDS * self._card_hz:
            self._past_samples -= len(self._past.popleft()[1])

    def _crossed(self, di: np.ndarray, old: np.ndarray) -> np.ndarray:
        """The old voice, or on the way from it to the next one."""
        if self._next is None:
            if not self._coming:
                return old
            self._next, last = self._coming.popleft()
            self._faded = 0
            for _, block in self._since(last):
                self._next.play(block)
        at = self._faded + np.arange(1, len(di) + 1, dtype=np.float32)
        self._faded += len(di)
        new = self._next.play(di)
        mixed: np.ndarray = old + np.minimum(at / self._fade_samples, 1) * (new - old)
        if self._faded >= self._fade_samples:
            self._gone.append(self._voice)
            self._voice, self._next = self._next, None
        return mixed
