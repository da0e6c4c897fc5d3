"""One HTML page with players to enjoy, plots and tables to check, and nothing to download.

Sounds, plots, style and script are all inside the file: it can be mailed, and opens in any browser.
"""

import base64
import re
from collections.abc import Sequence
from html import escape
from importlib import resources
from typing import NamedTuple

# ---- The page ----------------------------------------------------------------------------------


class Clip(NamedTuple):
    """A source to listen to."""

    name: str
    encoded: bytes  # MP3 or Ogg
    kind: str = ""  # "amp" or "twin": the colour of its switch


class Dial(NamedTuple):
    """A knob as it stands, for a small drawing of it."""

    name: str
    value: str  # as printed on the panel
    turns: Sequence[float]  # 0…1 of its travel: where it stands, or where it starts and ends


def _dial(dial: Dial) -> str:
    pointers = "".join(
        f'<path d="M22 22V8" transform="rotate({300 * turn - 150:.0f} 22 22)"/>'
        for turn in dial.turns
    )
    knob = f'<svg viewBox="0 0 44 44" aria-hidden="true"><circle cx="22" cy="22" r="18"/>{pointers}'
    return f"<figure>{knob}</svg><b>{escape(dial.value)}</b>{escape(dial.name)}</figure>"


def _cell(text: str) -> str:
    first, _, more = text.partition("\n")
    small = f"<small>{escape(more)}</small>" if more else ""
    number = ' class="number"' if re.fullmatch(r"-|(?=.*\d)[-+x \d./]+", first) else ""
    return f"<td{number}>{escape(first)}{small}</td>"


class Page:
    """Builds one self-contained HTML page, from top to bottom."""

    def __init__(self, title: str, introduction: str, generator: str = "tubetwin") -> None:
        """Args: the heading, one sentence under it, and what the source names as its maker."""
        self.title, self.generator = title, generator
        self.body = [f"<header><h1>{escape(title)}</h1><p>{escape(introduction)}</p></header>"]
        self.clips: list[bytes] = []  # embedded so far: a sound used twice is stored once
        self.players = 0

    def section(self, heading: str, *paragraphs: str) -> None:
        """Start a section; the paragraphs say in plain words what follows."""
        self.body.append(f"<h2>{escape(heading)}</h2>")
        self.body += [f"<p>{escape(text)}</p>" for text in paragraphs]

    def plots(self, *drawings: str) -> None:
        """SVGs side by side, as many as the screen is wide."""
        figures = "".join(f"<figure>{svg}</figure>" for svg in drawings)
        self.body.append(f'<div class="plots">{figures}</div>')

    def tiles(self, *tiles: tuple[str, str]) -> None:
        """Figures to be read from afar, each with a few words under it."""
        boxes = (f"<div><b>{escape(a)}</b><span>{escape(b)}</span></div>" for a, b in tiles)
        self.body.append(f'<div class="tiles">{"".join(boxes)}</div>')

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table of text; what follows a line break in a cell is smaller print under it."""
        titles = "".join(f"<th>{escape(cell)}</th>" for cell in head)
        lines = ("".join(_cell(cell) for cell in row) for row in rows)
        text = "".join(f"<tr>{line}</tr>" for line in lines)
        table = f"<table><thead><tr>{titles}</tr></thead><tbody>{text}</tbody></table>"
        self.body.append(f'<div class="table">{table}</div>')

    def items(self, *texts: str) -> None:
        """A list of sentences."""
        self.body.append("<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>")

    def rack(self, *players: str) -> None:
        """Players, as made by `player`, side by side."""
        self.body.append(f'<div class="rack">{"".join(players)}</div>')

    def player(
        self,
        name: str,
        clips: Sequence[Clip],
        dials: Sequence[Dial] = (),
        note: str = "",
        chosen: int = 0,
    ) -> str:
        """One player that switches between sources of equal length without losing its place.

        Args:
            name: of the setting.
            clips: what to switch between.
            dials: where the knobs stand.
            note: a few words beside the name.
            chosen: which clip is heard first.
        Returns:
            HTML for `rack`.
        """
        self.players += 1
        switches = "".join(self._switch(clip, i == chosen) for i, clip in enumerate(clips))
        knobs = f'<div class="knobs">{"".join(map(_dial, dials))}</div>' if dials else ""
        head = f'<header><h3>{escape(name)}</h3><span class="note">{escape(note)}</span></header>'
        transport = (
            f'<div class="transport"><button aria-label="Play or pause {escape(name)}">▶</button>'
            f'<input type="range" min="0" max="1" step="any" value="0" aria-label="Position in '
            f'{escape(name)}"><time>0:00</time></div>'
        )
        return (
            f'<section class="player">{head}{knobs}{transport}'
            f'<fieldset class="clips">{switches}</fieldset></section>'
        )

    def _switch(self, clip: Clip, chosen: bool) -> str:
        checked = " checked" if chosen else ""
        choice = f'<input type="radio" name="player-{self.players}"{checked}>'
        return (
            f'<div class="{clip.kind}"><label>{choice}<span>{escape(clip.name)}</span></label>'
            f"<audio controls {self._sound(clip.encoded)}></audio></div>"
        )

    def _sound(self, encoded: bytes) -> str:
        if encoded in self.clips:
            return f'data-same-as="clip-{self.clips.index(encoded)}"'
        self.clips.append(encoded)
        kind = "ogg" if encoded.startswith(b"OggS") else "mpeg"
        data = base64.b64encode(encoded).decode("ascii")
        return f'id="clip-{len(self.clips) - 1}" src="data:audio/{kind};base64,{data}"'

    def html(self) -> str:
        """The whole page."""
        ours = resources.files("tubetwin")
        style = ours.joinpath("report.css").read_text("utf-8")
        script = ours.joinpath("report.js").read_text("utf-8") if self.players else ""
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<meta name="generator" content="{escape(self.generator)}">'
            f"<title>{escape(self.title)}</title>\n<style>\n{style}</style></head>\n<body>\n"
            + "\n".join(self.body)
            + f"\n<script>\n{script}</script>\n</body></html>\n"
        )
