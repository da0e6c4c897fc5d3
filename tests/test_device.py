"""Cards, cables and controllers: what there is, is found; what there is not, is named."""

import sys
from pathlib import Path

import numpy as np
import pytest

from live_stage import BLOCK, RATE, SOLO, FakeRtMidi, portaudio
from tubetwin import device, loopback, midi
from tubetwin.files import BadInput


def nothing(*_: object) -> None:
    pass


def test_no_card_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    portaudio(monkeypatch, [])
    with pytest.raises(BadInput, match=r"there is no sound card.*plug in an interface"):
        device.open_stream(device.Ports(), RATE, nothing)
    assert device.listing() == []


@pytest.mark.parametrize(
    ("wish", "complaint"),
    [
        (device.Ports(devices=("Duet",)), "no input device 'Duet'"),
        (device.Ports(input_channel=2), "Solo has 1 input channels, not 2"),
        (device.Ports(output_channels=(1, 4)), "Solo has 1 output channels, not 4"),
        (device.Ports(sample_rate_hz=96000), "does not open.*Invalid sample rate"),
    ],
)
def test_what_the_card_has_not_is_refused(
    monkeypatch: pytest.MonkeyPatch, wish: device.Ports, complaint: str
) -> None:
    portaudio(monkeypatch, [SOLO], 96000)
    with pytest.raises(BadInput, match=complaint):
        device.open_stream(wish, RATE, nothing)


def test_the_twins_rate_is_preferred_and_the_cards_own_will_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    portaudio(monkeypatch, [SOLO])
    assert device.open_stream(device.Ports(), RATE, nothing).samplerate == RATE
    fake = portaudio(monkeypatch, [SOLO], RATE)
    assert device.open_stream(device.Ports(block_samples=64), RATE, nothing).samplerate == 44100
    assert fake.wishes[-1]["blocksize"] == 64
    assert fake.wishes[-1]["channels"] == (1, 1)
    assert device.listing()[0]["system"] == "ALSA"


def test_missing_software_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(BadInput, match="pip install"):
        device.listing()


def test_portaudio_missing_is_named_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The wheel for Linux comes without the library; importing it then raises OSError."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    with pytest.raises(BadInput, match="apt install libportaudio2"):
        device.listing()


@pytest.mark.parametrize(
    ("devices", "channels", "expected"),
    [
        ((), None, device.Ports((), 1, ())),
        (("3",), "2", device.Ports((3,), 2, ())),
        (("in", "out"), "2:3,4", device.Ports(("in", "out"), 2, (3, 4))),
    ],
)
def test_channels_read_as_printed(
    devices: tuple[str, ...], channels: str | None, expected: device.Ports
) -> None:
    assert device.ports(devices, channels, 256, None) == expected


@pytest.mark.parametrize("channels", ["0", "1:0", "x", "1:1;2", "1:-2", "9999"])
def test_channels_of_another_form_are_refused(channels: str) -> None:
    with pytest.raises(BadInput, match="--channels counts from 1"):
        device.ports((), channels, 256, None)
    with pytest.raises(BadInput, match="--device"):
        device.ports(("a", "b", "c"), None, 256, None)


@pytest.mark.parametrize(("delay", "gain"), [(BLOCK, 1.0), (777, 0.1), (9001, -0.3)])
def test_a_loopback_is_measured_to_the_sample(delay: int, gain: float) -> None:
    test = loopback.Loopback(1, RATE)
    cable, noise = np.zeros(delay), np.random.default_rng(1)
    while not test.done:
        out = np.zeros((BLOCK, 2), np.float32)
        back = gain * cable[:BLOCK] + noise.normal(0, 1e-3, BLOCK)
        test.play(back[:, None].astype(np.float32), out, False)
        cable = np.concatenate([cable[BLOCK:], out[:, 1]])
    assert test.delays() == [delay] * loopback.BURSTS


def test_without_a_cable_nothing_is_measured() -> None:
    test = loopback.Loopback(1, RATE)
    noise = np.random.default_rng(1)
    while not test.done:
        hum = noise.normal(0, 0.01, (BLOCK, 1)).astype(np.float32)
        test.play(hum, np.zeros((BLOCK, 2), np.float32), False)
    assert test.delays() == []


def test_controllers_are_heard_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeRtMidi()
    monkeypatch.setitem(sys.modules, "rtmidi", fake)
    monkeypatch.setattr(midi, "LOOK_SECONDS", 0.0)
    assert midi.inputs() == fake.ports
    pedal = midi.Controller("pedal")
    assert fake.opened == "Pedal 20:0"
    note_on, clock = [0x90, 60, 100], [0xF8]
    for message in ([0xB0, 20, 1], note_on, clock, [0xBF, 7, 127]):
        fake.queue.append((message, 0.0))
    assert pedal.changes() == [(20, 1), (7, 127)]
    fake.ports = ["Synth 16:0"]
    assert pedal.changes() == []
    fake.ports = ["Synth 16:0", "Pedal 24:0"]
    assert pedal.changes() == []
    assert fake.opened == "Pedal 24:0"
    with pytest.raises(BadInput, match=r"no MIDI input is called 'knobs'.*Synth 16:0, Pedal 24:0"):
        midi.Controller("knobs")
    midi.Controller("knobs", wait=True)


def test_midi_without_rtmidi_names_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rtmidi", None)
    with pytest.raises(BadInput, match="pip install"):
        midi.inputs()
