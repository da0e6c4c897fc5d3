"""The demo: hear a twin at five settings and on a turning knob, beside the amp it was made from.

The playlist goes through the twin's engine and, if the twin's rig is the simulated reference amp,
through that circuit as well. No training ever heard this audio, so that whatever the page shows is
what the twin does with a guitar it does not know.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tubetwin import audio, booklet, cabinet, datasheet, duet, playlist
from tubetwin.booklet import Heard
from tubetwin.clips import gain_for, through
from tubetwin.files import BadInput, replacing
from tubetwin.playlist import Samples
from tubetwin.twin import bundled, load

MANIFEST = "demo.json"
MADE_BY = "tubetwin demo"
UNFINISHED = ".unfinished-"


# ---- The folder --------------------------------------------------------------------------------


def _earlier(folder: Path) -> list[Path]:
    """The files of an earlier demo in the folder, which a new one replaces.

    Raises:
        BadInput: there is anything else in it.
    """
    if not folder.exists():
        return []
    if not folder.is_dir():
        raise BadInput(f"{folder} is a file: give a folder for the demo")
    ours: set[str] = set()
    with suppress(OSError, ValueError, KeyError, TypeError):
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        if manifest["made_by"] == MADE_BY:
            ours = {MANIFEST, *manifest["files"]}
    found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    for path in found:
        if path.name not in ours:
            raise BadInput(f"{folder} holds {path.name}, which no demo made: choose another folder")
    return found


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """Yield an empty folder whose files move to `folder` together, if the block succeeds.

    It lies inside, so that the folder may be a mounted volume or the one the user stands in.
    """
    earlier, fresh = _earlier(folder), not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder))
    except OSError as error:
        raise BadInput(f"cannot write into {folder}: {error.strerror or error}") from error
    try:
        yield unfinished
        for path in earlier:
            path.unlink()
        for path in unfinished.iterdir():
            os.replace(path, folder / path.name)
    except OSError as error:
        raise BadInput(f"cannot write into {folder}: {error.strerror or error}") from error
    finally:
        for left in folder.glob(UNFINISHED + "*"):  # also of a demo that was killed
            shutil.rmtree(left, ignore_errors=True)
        if fresh:
            with suppress(OSError):  # it is not empty: all went well
                folder.rmdir()


def _write_sounds(folder: Path, di: Samples, sounds: Mapping[str, Samples], rate: int) -> None:
    """WAV files without and with the cabinet, one gain for all of each kind."""
    audio.write(folder / "0-di.wav", min(1.0, gain_for([di])) * di, rate, "PCM_24")
    ir = cabinet.design(rate)
    dry_gain = gain_for(sounds.values())
    cabinet_gain = gain_for(through(ir, sound) for sound in sounds.values())
    for name, sound in sounds.items():
        audio.write(folder / f"{name}.wav", dry_gain * sound, rate, "PCM_24")
        wet = cabinet_gain * through(ir, sound)
        audio.write(folder / f"{name}-cabinet.wav", wet, rate, "PCM_24")


# ---- The demo ----------------------------------------------------------------------------------


def run(
    folder: Path | str,
    di: Path | str | None = None,
    twin: Path | str = "standard",
    compare: bool = True,
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Render a twin at five settings and on one knob sweep, and write sounds and a page.

    Args:
        folder: new, empty, or holding an earlier demo, which is replaced.
        di: a recording of a dry guitar, up to ten minutes; None: a synthetic one.
        twin: a bundled twin's name, or a file.
        compare: also solve the reference amp, for the first seconds of the DI, if it is the
            twin's rig.
        progress: called now and then with the finished share, 0…1.
    Returns:
        The page, `index.html`. Beside it are WAV files, 24 bit, where one gain holds for all
        without a cabinet and another for all with one; and demo.json with the figures.
    Raises:
        BadInput: the folder holds something else or cannot be written; no such twin; a DI that is
            no sound, silent or too long. Nothing is left half-written.
    """
    folder, path = Path(folder), bundled(twin)
    loaded = load(path)
    rate = loaded.sample_rate_hz
    samples = playlist.read_di(Path(di) if di else None, rate)
    with _whole(folder) as unfinished:
        music = playlist.music(loaded.knobs, samples)
        signals = playlist.signals(loaded.knobs, rate)
        part = playlist.excerpt(samples, rate)
        compared = {name: job.part(part) for name, job in music.items()} | signals
        solved = compared if compare and duet.is_reference(loaded) else {}
        twin_answers, amp_answers = duet.play(path, music | signals, solved, rate, progress)

        sounds = {f"{i}-{_slug(n)}-twin": twin_answers[n] for i, n in enumerate(music, 1)}
        if solved:
            sounds |= {f"{i}-{_slug(n)}-amp": amp_answers[n] for i, n in enumerate(music, 1)}
        _write_sounds(unfinished, samples, sounds, rate)

        cut = {name: y[part] if name in music else y for name, y in twin_answers.items()}
        answers = ({"amp": amp_answers} if solved else {}) | {"twin": cut}
        _write_page(unfinished, Heard(loaded, compared, answers), path)
    return folder / "index.html"


def _slug(name: str) -> str:
    """A name as part of a file's."""
    return re.sub(r"[^\w.]+", "-", name.lower())


def _write_page(folder: Path, heard: Heard, twin: Path) -> None:
    page, figures = booklet.build(heard, datasheet.measure(twin))
    with replacing(folder / "index.html") as temporary:
        temporary.write_text(page, "utf-8")
    files = sorted(path.name for path in folder.iterdir())
    manifest = {"made_by": MADE_BY, "twin": str(twin), "files": files, "figures": figures}
    with replacing(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(manifest, indent=1), "utf-8")
