"""Writes a picture for the documents, small enough for the repository."""

import io
from pathlib import Path

from PIL import Image

COLOURS = 256  # a palette keeps a picture of wood and brass below 300 kB


def save(taken: bytes | Image.Image, path: Path, colours: int | None = COLOURS) -> None:
    """With a palette of so many, or as it is; `taken` is a picture or a file of one."""
    image = Image.open(io.BytesIO(taken)) if isinstance(taken, bytes) else taken
    image = image.convert("RGB")
    if colours:
        image = image.quantize(colours, kmeans=2, dither=Image.Dither.FLOYDSTEINBERG)
    image.save(path, optimize=True)
    print(f"{path}: {image.width} x {image.height}, {path.stat().st_size / 1000:.0f} kB")
