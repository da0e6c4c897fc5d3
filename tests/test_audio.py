"""What goes into a file comes out again; what is no sound is refused with its reason."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tubetwin import audio
from tubetwin.files import BadInput

RATE = 48000


def sine(hz: float, seconds: float = 1.0, rate: int = RATE, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype("f4")


def noise(*shape: int) -> np.ndarray:
    return (0.3 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


@pytest.mark.parametrize("shape", [(1000,), (1000, 1), (1000, 3)])
def test_a_float_wav_gives_back_every_bit(tmp_path: Path, shape: tuple[int, ...]) -> None:
    samples = 5 * noise(*shape)  # beyond full scale on purpose
    audio.write(tmp_path / "a.wav", samples, 44100)
    sound = audio.read(tmp_path / "a.wav")
    assert sound.sample_rate_hz == 44100
    assert sound.seconds == 1000 / 44100
    assert sound.samples.dtype == np.float32
    np.testing.assert_array_equal(sound.samples, samples.reshape(1000, -1))


@pytest.mark.parametrize(
    ("name", "subtype", "bits"),
    [("a.flac", None, 24), ("a.wav", "PCM_24", 24), ("a.wav", "PCM_16", 16), ("A.FLAC", None, 24)],
)
def test_integers_round_by_one_step(tmp_path: Path, name: str, subtype: str, bits: int) -> None:
    samples = sine(440, level=1.0)
    audio.write(tmp_path / name, samples, RATE, subtype)
    assert soundfile.info(tmp_path / name).subtype == f"PCM_{bits}"
    back = audio.read(tmp_path / name).samples[:, 0]
    assert np.abs(back - samples).max() <= 2.0 ** (1 - bits)


@pytest.mark.parametrize(("name", "subtype"), [("a.flac", None), ("a.wav", "PCM_24")])
def test_integers_refuse_to_clip(tmp_path: Path, name: str, subtype: str | None) -> None:
    with pytest.raises(BadInput, match=r"would clip.*2\.000.*lower it by 6\.0 dB"):
        audio.write(tmp_path / name, np.array([0.0, -2.0]), RATE, subtype)
    assert not list(tmp_path.iterdir())


def bad_file(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / f"{kind}.wav"
    whole = tmp_path / "whole.wav"
    soundfile.write(whole, noise(1000), RATE, "PCM_16")
    good = whole.read_bytes()
    whole.unlink()
    match kind:
        case "folder":
            path.mkdir()
        case "nothing":
            path.write_bytes(b"")
        case "text":
            path.write_text("dear guitar, " * 100)
        case "header only":
            path.write_bytes(good[:30])
        case "cut off":
            path.write_bytes(good[:-500])
        case "no frames":
            soundfile.write(path, np.zeros(0), RATE)
        case "nan":
            soundfile.write(path, np.array([0.0, np.nan, 0.1]), RATE, "FLOAT")
        case "inf":
            soundfile.write(path, np.array([0.0, np.inf, 0.1]), RATE, "FLOAT")
        case "slow":
            soundfile.write(path, noise(100), 7)
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "No such file"),
        ("folder", "not a file"),
        ("nothing", "no sound file"),
        ("text", "no sound file"),
        ("header only", "no sound file"),
        ("cut off", "cut off.*holds 1500 of 2000 bytes"),
        ("no frames", "is empty"),
        ("nan", "not finite"),
        ("inf", "not finite"),
        ("slow", "claims 7 Hz"),
    ],
)
def test_each_bad_file_has_its_own_reason(tmp_path: Path, kind: str, reason: str) -> None:
    path = bad_file(tmp_path, kind)
    with pytest.raises(BadInput, match=reason) as error:
        audio.read(path)
    assert str(path) in str(error.value)


def test_headerless_raw_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(1000))
    with pytest.raises(BadInput, match="no sound file"):
        audio.read(tmp_path / "a.raw")


@pytest.mark.parametrize("suffix", ["aiff", "flac"])
def test_other_formats_tell_too_when_cut_off(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, noise(50000), RATE)
    path.write_bytes(path.read_bytes()[:-20000])
    with pytest.raises(BadInput, match=r"cut off|no sound file"):
        audio.read(path)


def test_chunks_of_odd_length_before_the_sound_are_stepped_over(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(1000), RATE, "PCM_16")
    wav = path.read_bytes()
    at = wav.index(b"data")
    wav = wav[:at] + b"note" + struct.pack("<I", 3) + b"abc\0" + wav[at:]
    path.write_bytes(wav[:4] + struct.pack("<I", len(wav) - 8) + wav[8:])
    assert audio.read(path).samples.shape == (1000, 1)
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(BadInput, match="1998 of 2000"):
        audio.read(path)


def test_a_wav_written_to_a_pipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(1000), RATE, "PCM_16")
    wav = bytearray(path.read_bytes())
    at = wav.index(b"data") + 4
    wav[at : at + 4] = wav[4:8] = b"\xff" * 4
    path.write_bytes(wav)
    assert len(audio.read(path).samples) == 1000


def test_eight_hours_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, noise(10), RATE, "PCM_16")
    wav = bytearray(path.read_bytes())
    size = 8 * 3600 * RATE * 2
    wav[4:8], wav[40:44] = struct.pack("<I", size + 36), struct.pack("<I", size)
    with path.open("wb") as file:
        file.write(wav)
        file.truncate(size + 44)  # sparse: takes no room on the disk

    def never(*args: object, **more: object) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr(soundfile.SoundFile, "read", never)
    with pytest.raises(BadInput, match=r"too long: 480 minutes .* the most is 120: cut it"):
        audio.read(path)


def test_writing_needs_a_known_suffix_and_real_samples(tmp_path: Path) -> None:
    for name, samples, reason in (
        ("a.mp3", noise(10), "name it .wav or .flac"),
        ("a.wav", np.zeros(0), "empty"),
        ("a.wav", np.array([np.nan]), "not finite"),
        ("no/folder/a.wav", noise(10), "No such file"),
    ):
        with pytest.raises(BadInput, match=reason):
            audio.write(tmp_path / name, samples, RATE)
    with pytest.raises(BadInput, match="PCM_99"):
        audio.write(tmp_path / "a.wav", noise(10), RATE, "PCM_99")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    audio.write(path, noise(10), RATE)
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        with open("/dev/full", "wb", buffering=0) as device:
            return device.write(data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(BadInput, match="No space left"):
        audio.write(path, noise(20), RATE)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("from_hz", "to_hz"), [(44100, 48000), (48000, 44100), (96000, 48000)])
def test_resampling_keeps_level_pitch_and_time(from_hz: int, to_hz: int) -> None:
    out = audio.resample(sine(1000, 1, from_hz), from_hz, to_hz)
    assert out.dtype == np.float32
    assert len(out) == to_hz
    error = (out - sine(1000, 1, to_hz))[to_hz // 10 : -to_hz // 10]
    assert audio.peak_dbfs(error) < -110


def test_resampling_keeps_channels_apart_and_refuses_odd_rates() -> None:
    out = audio.resample(np.stack([sine(500), 0 * sine(500)], axis=1), 48000, 44100)
    assert out.shape == (44100, 2)
    assert not out[:, 1].any()
    for rates in ((0, 48000), (48000, -1), (48000, 10**9)):
        with pytest.raises(BadInput, match="sample rate"):
            audio.resample(sine(500), *rates)


def test_mono_is_the_mean_of_the_channels_that_sound(tmp_path: Path) -> None:
    left, right = noise(2000), noise(4000)[2000:]
    for channels, mono in (
        ([left, right], (left + right) / 2),
        ([left, 0 * left], left),
        ([0 * left, 0 * left], 0 * left),
    ):
        audio.write(tmp_path / "a.wav", np.stack(channels, axis=1), RATE)
        np.testing.assert_allclose(audio.read_mono(tmp_path / "a.wav", RATE), mono, atol=1e-7)
    audio.write(tmp_path / "a.wav", sine(1000, 1, 44100), 44100)
    assert audio.read_mono(tmp_path / "a.wav", RATE).shape == (RATE,)


def test_levels_are_what_they_say() -> None:
    assert audio.db(10) == 20
    assert audio.db(-0.5) == pytest.approx(-6.0206, abs=1e-4)
    assert audio.peak_dbfs(np.array([0.1, -1.0])) == 0
    assert audio.rms_dbfs(sine(1000, level=1.0)) == pytest.approx(-3.0103, abs=1e-3)
    assert audio.rms_dbfs(np.ones(9)) == 0
    assert audio.db(0) == audio.rms_dbfs(np.zeros(9)) == audio.peak_dbfs(np.zeros(0)) == -np.inf
