"""The sound card: which ones there are, and a stream through one.

By way of the optional sounddevice and PortAudio, loaded when the first card is asked for.
"""

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from tubetwin.files import BadInput

Play = Callable[[np.ndarray, np.ndarray, bool], None]
"""What fills (frames, outputs) from (frames, inputs); True: the card missed samples before."""

NO_CARD = "plug in an interface or start the JACK or PipeWire server, then try tubetwin live --list"


class Stream(Protocol):
    """What we use of a sounddevice.Stream."""

    samplerate: float
    latency: tuple[float, float]

    def start(self) -> None:
        """Let samples run."""

    def close(self) -> None:
        """Stop, and free the card."""


@dataclass(frozen=True)
class Ports:
    """Where the guitar comes in and the amp goes out.

    Attributes:
        devices: one for both ways, or input and output; parts of names, or numbers; (): the
            system's choice.
        input_channel: counted from 1, as printed on the card.
        output_channels: the same; the sound comes from all of them. (): both of a stereo card.
        block_samples: per callback; 0 leaves it to the card.
        sample_rate_hz: of the card; None: the twin's if it can, its own otherwise.
    """

    devices: tuple[str | int, ...] = ()
    input_channel: int = 1
    output_channels: tuple[int, ...] = ()
    block_samples: int = 256
    sample_rate_hz: int | None = None


def ports(devices: tuple[str, ...], channels: str | None, block: int, rate: int | None) -> Ports:
    """`Ports` from words of the command line; channels such as "1", "2:1" or "1:3,4".

    Raises:
        BadInput: more than two devices, or channels of another form.
    """
    if len(devices) > 2:
        raise BadInput("--device goes once for both ways, or twice: input, then output")
    chosen = tuple(int(d) if d.isdecimal() else d for d in devices)
    come, _, go = (channels or "1").partition(":")
    try:
        entry, exits = int(come), tuple(int(channel) for channel in go.split(",") if go)
    except ValueError:
        entry, exits = 0, ()
    if min((entry, *exits)) < 1 or max((entry, *exits)) > 256:
        raise BadInput(f"--channels counts from 1, as in 1:1,2 (input:outputs), not {channels!r}")
    return Ports(chosen, entry, exits, block, rate)


def _sounddevice() -> ModuleType:
    try:
        return importlib.import_module("sounddevice")
    except ModuleNotFoundError as error:
        raise BadInput("a sound card needs sounddevice: pip install 'tubetwin[live]'") from error
    except OSError as error:  # the wheel for Linux comes without PortAudio itself
        raise BadInput("PortAudio is missing: apt install libportaudio2") from error


@contextmanager
def hushed() -> Iterator[None]:
    """Keep off the terminal what drivers say of every system that does not run here."""
    before, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nowhere)


def listing() -> list[dict[str, Any]]:
    """Every sound card: number, name, system, inputs, outputs, sample rate."""
    sd = _sounddevice()
    systems = sd.query_hostapis()
    return [
        {
            "number": number,
            "name": card["name"],
            "system": systems[card["hostapi"]]["name"],
            "inputs": card["max_input_channels"],
            "outputs": card["max_output_channels"],
            "sample_rate_hz": round(card["default_samplerate"]),
        }
        for number, card in enumerate(sd.query_devices())
    ]


def _card(sd: ModuleType, wish: str | int | None, kind: str, channel: int) -> dict[str, Any]:
    """One way of the card, checked to have the channel."""
    try:
        card: dict[str, Any] = sd.query_devices(wish, kind)
    except (ValueError, sd.PortAudioError) as error:
        if wish is None or not len(sd.query_devices()):
            raise BadInput(f"there is no sound card to use as {kind}: {NO_CARD}") from error
        raise BadInput(f"no {kind} device {wish!r} ({error}): see tubetwin live --list") from error
    most = card[f"max_{kind}_channels"]
    if channel > most:
        raise BadInput(
            f"{card['name']} has {most} {kind} channels, not {channel}: choose others by --channels"
        )
    return card


def open_stream(wish: Ports, twin_rate_hz: int, play: Play) -> Stream:
    """A stream through the card, not yet started.

    Args:
        wish: which card and channels.
        twin_rate_hz: taken if the card can and `wish` names no other.
        play: called for every block, from the card's thread.
    Returns:
        the stream; `samplerate` and `latency` are what the card gave.
    Raises:
        BadInput: no such card or channel, or the card refuses.
    """
    sd = _sounddevice()
    both: tuple[Any, ...] = wish.devices or (None,)
    entry = _card(sd, both[0], "input", wish.input_channel)
    exit_ = _card(sd, both[-1], "output", max(wish.output_channels, default=1))
    outputs = max(wish.output_channels, default=min(2, exit_["max_output_channels"]))

    def callback(sound: np.ndarray, out: np.ndarray, frames: int, time: Any, status: Any) -> None:
        play(sound, out, bool(status))

    refusal: Exception | None = None
    own_hz = round(entry["default_samplerate"])
    for rate_hz in [wish.sample_rate_hz] if wish.sample_rate_hz else [twin_rate_hz, own_hz]:
        try:
            stream: Stream = sd.Stream(
                samplerate=rate_hz,
                blocksize=wish.block_samples,
                device=(both[0], both[-1]),
                channels=(wish.input_channel, outputs),
                dtype="float32",
                latency="low",
                callback=callback,
            )
            return stream
        except (sd.PortAudioError, ValueError) as error:
            refusal = error
    raise BadInput(
        f"{entry['name']} does not open ({refusal}): close other programs that use it,"
        " or try another --rate, --block or --device"
    ) from refusal
