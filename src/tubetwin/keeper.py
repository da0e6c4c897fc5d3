"""The keeper: runs the sound in a process of its own, and starts it again when it falls silent.

Nothing that draws a panel can make that process late. And when a card is unplugged or a server is
killed, some drivers wait for it for ever, or abort: PortAudio 19.6 waits ten minutes for a JACK
server that is gone. A process can be ended whatever it waits for, and a new one finds the new card.
"""

import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from time import monotonic, sleep
from typing import Protocol

from tubetwin import booth
from tubetwin.booth import REPORT_SECONDS, Order, Started, Turned
from tubetwin.chain import Report
from tubetwin.files import BadInput

START_SECONDS = 20.0  # for Python, the card and the twin, on a machine that is busy
SILENT_SECONDS = 2.0  # without a block: the card is gone; the longest blocks last 0.2 s
RETRY_SECONDS = 1.0


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
    process = context.Process(target=booth.in_process, args=(there, order), daemon=True)
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
        self._early: list[Report] = []
        self._begin()
        while not self.started:
            self._early = self.collect()
            sleep(REPORT_SECONDS)

    def _begin(self) -> None:
        again = self.started is not None
        self._process, self._pipe = self._start(replace(self.order, again=again))
        self._blocks = -1
        self._deadline = monotonic() + START_SECONDS

    def tell(self, order: Order) -> None:
        """Play something else: knobs glide; another twin or cabinet takes over without a gap."""
        same = order.twin == self.order.twin and order.cabinet is self.order.cabinet
        self.order = order
        if self._process:
            try:
                self._pipe.send(Turned(order.setting, order.gains_db) if same else order)
            except OSError:
                self._lost(RuntimeError("the sound ended"))

    def collect(self) -> list[Report]:
        """What was played since the last call; begins again if nothing is."""
        reports, self._early = self._early, []
        if not self._process and monotonic() > self._deadline:
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
