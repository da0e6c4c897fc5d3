"""The booth: the process that sounds. Orders come in through a pipe, reports go out."""

import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np

from tubetwin import device
from tubetwin.chain import Chain
from tubetwin.files import BadInput
from tubetwin.knobs import Setting
from tubetwin.midi import Controller

REPORT_SECONDS = 0.02
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
        again: it was played before: then a MIDI input that is missing is waited for.
    """

    ports: device.Ports
    twin: str
    twin_hz: int
    cabinet: np.ndarray | None
    setting: Setting
    gains_db: tuple[float, float] = (0.0, 0.0)
    midi: str | None = None
    again: bool = False


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
        channels = order.ports.input_channel, order.ports.output_channels
        where = order.setting, order.gains_db
        chain = Chain(order.twin, order.cabinet, *where, rate_hz, *channels)
        chains.append(chain)
        controller = None if order.midi is None else Controller(order.midi, wait=order.again)
        stream.start()
        latency = (float(stream.latency[0]), float(stream.latency[1]))
        pipe.send(Started(rate_hz, latency, chain.latency_samples / rate_hz))
        _serve(pipe, chain, controller)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # nobody listens any more: the panel is closed
    finally:
        stream.close()


def _serve(pipe: Connection, chain: Chain, controller: Controller | None) -> None:
    """Obey and report, until the pipe ends."""
    turned: Turned | None = None
    opening: Future[None] | None = None
    with ThreadPoolExecutor(1) as opener:
        while True:
            if pipe.poll(REPORT_SECONDS):
                message = pipe.recv()
                if isinstance(message, Order):
                    others = message.twin, message.cabinet, message.setting
                    opening = opener.submit(chain.swap, *others)
                    message = Turned(message.setting, message.gains_db)
                turned = message
            if opening and opening.done():
                opening = opening.result()  # raises what went wrong
            if turned and not opening:
                chain.turn(turned.setting, turned.gains_db)
                turned = None
            pipe.send(chain.report(controller.changes() if controller else []))


def in_process(pipe: Connection, order: Order) -> None:
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
