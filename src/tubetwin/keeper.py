"""The keeper: runs the sound in a process of its own, and starts it again when it falls silent.

Nothing that draws a panel can make that process late. And when a card is unplugged or a server is
killed, some drivers wait for it for ever, or abort: PortAudio 19.6 waits ten minutes for a JACK
server that is gone. A process can be ended whatever it waits for, and a new one finds the new card.
"""

import gc
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from time import monotonic, sleep
from typing import Protocol

import numpy as np

from tubetwin import device
from tubetwin.chain import Chain, Report, Voice
from tubetwin.files import BadInput
from tubetwin.knobs import Setting
from tubetwin.midi import Controller

REPORT_SECONDS = 0.02
START_SECONDS = 20.0  # for Python, the card and the twin, on a machine that is busy
SILENT_SECONDS = 2.0  # without a block: the card is gone; the longest blocks last 0.2 s
RETRY_SECONDS = 1.0
SWITCH_SECONDS = 0.0005  # Python's threads wait 5 ms for each other by default: a whole block


@dataclass(frozen=True)
class Order:
    """What is to be played.

    Attributes:
        ports: card, channels and block.
        twin: the file.
        twin_hz: its sample rate.
        cabinet: (taps,) at that rate, or None.
        setting: the knobs.
        gains_db: in front and behind.
        midi: a part of the MIDI input's name; None: none.
    """

    ports: device.Ports
    twin: str
    twin_hz: int
    cabinet: np.ndarray | None
    setting: Setting
    gains_db: tuple[float, float] = (0.0, 0.0)
    midi: str | None = None


@dataclass(frozen=True)
class Turned:
    """The same twin and cabinet, other knobs."""

    setting: Setting
    gains_db: tuple[float, float]


@dataclass(frozen=True)
class Started:
    """The sound runs.

    Attributes:
        sample_rate_hz: the card's.
        latency_seconds: in and out, as the driver says.
        resampling_seconds: what is added where the card's rate is not the twin's.
    """

    sample_rate_hz: int
    latency_seconds: tuple[float, float]
    resampling_seconds: float


# ---- In the process that sounds ----------------------------------------------------------------


def sound(
    pipe: Connection,
    order: Order,
    open_stream: Callable[..., device.Stream] = device.open_stream,
) -> None:
    """Play until the other end of the pipe closes.

    Args:
        pipe: orders come in, `Started` and `Report`s go out.
        order: what to play first.
        open_stream: as `device.open_stream`.
    Raises:
        BadInput: the card or the twin does not open.
    """
    chains: list[Chain] = []  # the stream needs the callback, the chain the stream's rate
    stream = open_stream(order.ports, order.twin_hz, lambda *block: chains[0].play(*block))
    try:
        rate_hz = round(stream.samplerate)
        voice = _voice(order, rate_hz)
        chains.append(
            Chain(voice, rate_hz, order.ports.input_channel, order.ports.output_channels)
        )
        chains[0].gain(*order.gains_db)
        controller = None if order.midi is None else Controller(order.midi)
        stream.start()
        latency = (float(stream.latency[0]), float(stream.latency[1]))
        pipe.send(Started(rate_hz, latency, voice.latency_samples / rate_hz))
        _serve(pipe, chains[0], rate_hz, controller)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # nobody listens any more: the panel is closed
    finally:
        stream.close()


def _voice(order: Order, rate_hz: int) -> Voice:
    return Voice(order.twin, order.cabinet, order.setting, rate_hz, order.ports.block_samples)


def _serve(
    pipe: Connection, chain: Chain, rate_hz: int, controller: Controller | None
) -> None:
    """Obey and report, until the pipe ends."""
    turned: Turned | None = None
    opening: Future[None] | None = None
    with ThreadPoolExecutor(1) as opener:
        while True:
            while pipe.poll(REPORT_SECONDS if turned is None else 0):
                message = pipe.recv()
                if isinstance(message, Order):
                    opening = opener.submit(lambda o: chain.swap(_voice(o, rate_hz)), message)
                    message = Turned(message.setting, message.gains_db)
                turned = message
            if opening and opening.done():
                opening = opening.result()  # raises what went wrong
            if turned and not opening:
                chain.set(turned.setting)
                chain.gain(*turned.gains_db)
                turned = None
            pipe.send(chain.report(controller.changes() if controller else []))


def _in_process(pipe: Connection, order: Order) -> None:
    """The process: sounds, and tells why if it cannot."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the panel's
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # drivers chat there, across the panel
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()  # what is loaded by now need not be searched for garbage again
    try:
        sound(pipe, order)
    except BadInput as error:
        pipe.send(error)
    except Exception:
        pipe.send(RuntimeError(traceback.format_exc()))


# ---- In the process that keeps it --------------------------------------------------------------


class Process(Protocol):
    """What we use of a multiprocessing.Process."""

    def kill(self) -> None:
        """End it, whatever it waits for."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""


def start(order: Order) -> tuple[Process, Connection]:
    """A new process that sounds, and the pipe to it."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_in_process, args=(there, order), daemon=True)
    process.start()
    there.close()
    return process, here


class Keeper:
    """Keeps a sound alive.

    Args:
        order: what to play.
        begin: as `start`.
    Attributes:
        started: card and latency of the latest process.
        restarts: how often the sound had to be begun again.
        trouble: why there is no sound now; "" if there is.
    Raises:
        BadInput: the sound cannot even begin.
    """

    def __init__(
        self,
        order: Order,
        begin: Callable[[Order], tuple[Process, Connection]] = start,
    ) -> None:
        self.order = order
        self.started: Started | None = None
        self.restarts = 0
        self.trouble = ""
        self._start = begin
        self._process: Process | None = None
        self._begin()
        while not self.started:
            self.collect()
            sleep(REPORT_SECONDS)

    def _begin(self) -> None:
        self._process, self._pipe = self._start(self.order)
        self._blocks = -1
        self._deadline = monotonic() + START_SECONDS

    def tell(self, order: Order) -> None:
        """Play something else: knobs glide; another twin or cabinet takes over without a gap."""
        same = order.twin == self.order.twin and order.cabinet is self.order.cabinet
        self.order = order
        if not self.trouble:
            try:
                self._pipe.send(Turned(order.setting, order.gains_db) if same else order)
            except OSError:
                self._lost(RuntimeError("the sound ended"))

    def collect(self) -> list[Report]:
        """What was played since the last call; begins again if nothing is."""
        reports: list[Report] = []
        if self.trouble and monotonic() > self._deadline and not self._process:
            self._begin()
        try:
            while self._process and self._pipe.poll():
                self._hear(self._pipe.recv(), reports)
        except (EOFError, OSError):
            self._lost(RuntimeError("the sound ended"))
        if self._process and monotonic() > self._deadline:
            self._lost(BadInput("the sound card fell silent: plug it in, or start its server"))
        return reports

    def _hear(self, message: object, reports: list[Report]) -> None:
        if isinstance(message, Exception):
            self._lost(message)
        elif isinstance(message, Report):
            reports.append(message)
            if message.blocks > self._blocks:
                self._blocks = message.blocks
                self._deadline = monotonic() + SILENT_SECONDS
        elif isinstance(message, Started):
            self.restarts += bool(self.started)
            self.started, self.trouble = message, ""

    def _lost(self, why: Exception) -> None:
        """End the process and try again soon; raise if it never played."""
        self._end(0.0)
        if not self.started:
            raise why
        self.trouble = str(why).strip().rsplit("\n", 1)[-1]
        self._deadline = monotonic() + RETRY_SECONDS

    def _end(self, patience_seconds: float) -> None:
        if self._process:
            self._pipe.close()
            self._process.join(patience_seconds)
            self._process.kill()
            self._process.join()
            self._process = None

    def close(self) -> None:
        """End the sound: politely, so that the card is free at once; by force if it is stuck."""
        self._end(SILENT_SECONDS)
