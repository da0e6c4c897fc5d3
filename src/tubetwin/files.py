"""The ground floor: the error that a user can mend, files never half-written, JSON not trusted."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class BadInput(ValueError):
    """Something from outside (a file, a value, a device) is wrong, and the user can mend it.

    The message is one sentence that names the file or value, what is wrong with it and the mend.
    The command line prints it and exits with code 2; nothing else of ours is caught there.
    """


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it onto `path` only if the block succeeds.

    Raises:
        BadInput: the folder is missing or not writable, or the disk is full.
    """
    path = Path(path)
    try:
        handle, name = tempfile.mkstemp(path.suffix, f".{path.stem}-", path.parent)
        os.close(handle)
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror or error}") from error
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes private files; ours are ordinary ones
        os.replace(temporary, path)
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def typed(data: object, key: str, kind: type, where: str) -> Any:
    """One value of a JSON object, of the type its format says (a bool is no number here).

    Args:
        data: what `json` read.
        key: the value's name.
        kind: int, float, str, bool, list or dict; a float may be written without a point.
        where: the file and the place in it, for the error.
    Raises:
        BadInput: there is no such value, or it is of another type.
    """
    if not isinstance(data, dict) or key not in data:
        raise BadInput(f"{where} lacks {key!r}")
    value = data[key]
    if kind is float and type(value) is int and abs(value) < 2**53:
        value = float(value)
    if type(value) is not kind:
        raise BadInput(f"{where}: {key!r} must be of type {kind.__name__}, not {value!r}")
    return value


def built(places: Iterable[Path], file: str, what: str, target: str) -> Path:
    """Where something that `make` builds beside the package lies: in a checkout, or in a wheel.

    Args:
        places: folders, the first of them with it is taken.
        file: by which it is known.
        what: it is, in a word.
        target: of make.
    Raises:
        BadInput: it was not built.
    """
    for place in places:
        if (place / file).is_file():
            return place
    raise BadInput(
        f"this tubetwin came without the {what}: run `make {target}` in a checkout of it; a wheel"
        f" built there afterwards carries the {what} along"
    )
