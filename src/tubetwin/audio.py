"""Sound files in and out, resampling and levels; the sample rate is always said aloud.

Samples are float32 and full scale is 1.0. Two-dimensional sound is (frames, channels).
"""

import io
import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from tubetwin.files import BadInput, replacing

MOST_SAMPLES = 3600 * 48000 * 2  # an hour of stereo at 48 kHz: 1.4 GB, longer than any session
RATES_HZ = (8000, 384000)  # from telephones to the fastest converters; beyond that a header lies
SUBTYPES = {".wav": "FLOAT", ".flac": "PCM_24"}  # float cannot clip; FLAC has no float
UNKNOWN_LENGTH = 2**63 - 1  # what libsndfile says of a stream that does not tell


@dataclass(frozen=True)
class Sound:
    """What a sound file holds."""

    samples: np.ndarray  # (frames, channels) float32
    sample_rate_hz: int

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return len(self.samples) / self.sample_rate_hz

    def mono(self, sample_rate_hz: int) -> np.ndarray:
        """The mean of all channels that carry sound, at another rate: (samples,) float32.

        A guitar on one side of a stereo file keeps its level, as the empty side is left out.
        """
        alive = self.samples[:, self.samples.any(axis=0)]
        mixed = alive.mean(axis=1) if alive.shape[1] else self.samples[:, 0]
        return resample(mixed, self.sample_rate_hz, sample_rate_hz)


def read(path: Path | str) -> Sound:
    """Read a whole sound file: WAV, FLAC, AIFF and whatever else libsndfile knows.

    Returns:
        the samples as stored, and their sample rate.
    Raises:
        BadInput: the file is missing, no sound, empty, cut off, over-long, or holds NaN.
    """
    path = Path(path)
    _refuse_cut_off(path)
    try:
        with soundfile.SoundFile(path) as file:
            frames = _plausible_frames(path, file)
            samples = file.read(dtype="float32", always_2d=True)
            rate = int(file.samplerate)
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: a headerless .raw
        reason = str(error).rsplit(": ", 1)[-1].rstrip(".")
        raise BadInput(f"{path} is no sound file that can be read ({reason}): use a WAV") from error
    if len(samples) < frames:
        raise BadInput(f"{path} is cut off after {len(samples)} of {frames} frames: copy it again")
    if not np.isfinite(samples).all():
        raise BadInput(f"{path} holds samples that are not finite numbers: export it again")
    return Sound(samples, rate)


def _refuse_cut_off(path: Path) -> None:
    """Compare what a WAV or AIFF claims to hold with what it holds; libsndfile would not tell."""
    if path.exists() and not path.is_file():
        raise BadInput(f"{path} is not a file: give the path of a sound file")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            order = {b"RIFF": "<", b"FORM": ">"}.get(file.read(12)[:4])
            while order and len(head := file.read(8)) == 8:
                name, claimed = struct.unpack(order + "4sI", head)
                held = size - file.tell()
                if name in (b"data", b"SSND"):
                    if held < claimed < 2**32 - 1:  # all ones: written to a pipe, length unknown
                        raise BadInput(
                            f"{path} is cut off: it holds {held} of {claimed} bytes of sound:"
                            " copy or export it again"
                        )
                    return
                file.seek(claimed + claimed % 2, io.SEEK_CUR)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error


def _plausible_frames(path: Path, file: soundfile.SoundFile) -> int:
    """The frames a header promises, refused before anything is allocated for them."""
    frames, channels, rate = int(file.frames), int(file.channels), int(file.samplerate)
    if frames == 0:
        raise BadInput(f"{path} is empty: it holds no sound")
    if frames == UNKNOWN_LENGTH:
        raise BadInput(f"{path} does not say how long it is: save it again as WAV")
    if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
        raise BadInput(
            f"{path} claims {rate} Hz: use {RATES_HZ[0] // 1000} to {RATES_HZ[1] // 1000} kHz"
        )
    if frames * channels > MOST_SAMPLES:
        raise BadInput(
            f"{path} is too long: {frames / rate / 60:.0f} minutes of {channels} channel(s) at"
            f" {rate} Hz, and the most is {MOST_SAMPLES / channels / rate / 60:.0f}: cut it"
        )
    return frames


def read_mono(path: Path | str, sample_rate_hz: int) -> np.ndarray:
    """Read a file as (samples,) float32 at `sample_rate_hz`; raises as `read` does."""
    return read(path).mono(sample_rate_hz)


def write(
    path: Path | str, samples: np.ndarray, sample_rate_hz: int, subtype: str | None = None
) -> None:
    """Write a WAV or FLAC, whole or not at all.

    Args:
        path: ends in .wav (32-bit float, which cannot clip) or .flac (24 bit).
        samples: (frames,) or (frames, channels), full scale 1.0.
        sample_rate_hz: of the samples; nothing is resampled here.
        subtype: libsndfile's name of another encoding, such as "PCM_16" or "PCM_24".
    Raises:
        BadInput: an unknown suffix or encoding, samples that would clip or that `read` would
            refuse, or a folder or disk that takes no more.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in SUBTYPES:
        raise BadInput(f"cannot write {path}: name it .wav or .flac")
    subtype = subtype or SUBTYPES[kind]
    samples = np.asarray(samples, np.float32)
    if not 0 < samples.size <= MOST_SAMPLES or not np.isfinite(samples).all():
        raise BadInput(f"cannot write {path}: empty, over an hour, or samples not finite")
    peak = float(np.abs(samples).max())
    if peak > 1.0 and subtype not in ("FLOAT", "DOUBLE"):
        raise BadInput(
            f"{path} would clip as {subtype}, its peak is {peak:.3f}:"
            f" lower it by {db(peak):.1f} dB or write a .wav in 32-bit float"
        )
    encoded = io.BytesIO()  # so that a full disk is an error of ours, with the system's reason
    try:
        soundfile.write(encoded, samples, sample_rate_hz, subtype, format=kind[1:])
    except (soundfile.SoundFileError, ValueError) as error:
        wanted = f"{path} as {subtype} at {sample_rate_hz} Hz"
        raise BadInput(f"cannot write {wanted}: {error}") from error
    with replacing(path) as temporary:
        temporary.write_bytes(encoded.getbuffer())


def resample(samples: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """The same sound at another rate (soxr, its best quality, no delay).

    Args:
        samples: (frames,) or (frames, channels).
    Returns:
        float32 of the same shape but for round(frames * to_hz / from_hz) frames.
    Raises:
        BadInput: a rate out of range.
    """
    for rate in (from_hz, to_hz):
        if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
            raise BadInput(f"sample rate {rate} Hz: use {RATES_HZ[0]} to {RATES_HZ[1]} Hz")
    samples = np.asarray(samples, np.float32)
    if from_hz == to_hz:
        return samples
    return np.asarray(soxr.resample(samples, from_hz, to_hz, quality="VHQ"), np.float32)


def db(ratio: float) -> float:
    """An amplitude ratio in decibels; nothing at all is -inf dB."""
    return 20 * math.log10(abs(ratio)) if ratio else -math.inf


def peak_dbfs(samples: np.ndarray) -> float:
    """The largest sample, 0 at full scale, -inf for silence."""
    return db(float(np.abs(samples).max(initial=0.0)))


def rms_dbfs(samples: np.ndarray) -> float:
    """The root of the mean square: a full-scale sine has -3.0, silence -inf."""
    power = np.mean(np.square(samples, dtype=np.float64)) if np.size(samples) else 0.0
    return db(math.sqrt(power))
