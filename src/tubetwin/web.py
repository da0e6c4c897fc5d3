"""The page, served on this machine to this machine: any static host would do the same.

`make web` builds its folder; a wheel built afterwards carries it along.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

from tubetwin.files import BadInput, built

HOST = "127.0.0.1"
PORT = 8017
FOLDERS = (  # in a wheel, and in a checkout
    Path(__file__).with_name("page"),
    Path(__file__).parents[2] / "build" / "web",
)
TYPES = {  # what the system says may be wrong: browsers refuse modules of another type
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".twin": "application/octet-stream",
}


class Page(SimpleHTTPRequestHandler):
    """Files with the right types, and silence on the terminal."""

    extensions_map = TYPES

    def end_headers(self) -> None:
        """Ask the browser to look for a newer file each time."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: whoever serves a page to himself knows what he clicks."""


def folder() -> Path:
    """Where the built page lies.

    Raises:
        BadInput: it was not built.
    """
    return built(FOLDERS, "index.html", "page", "web")


@contextmanager
def served(place: Path, port: int = 0) -> Iterator[str]:
    """Serve a folder while the block runs.

    Args:
        place: a folder of static files.
        port: 0 takes any that is free.
    Yields:
        the page's address.
    Raises:
        BadInput: the port is taken.
    """
    try:
        server = ThreadingHTTPServer((HOST, port), partial(Page, directory=str(place)))
    except OSError as error:
        raise BadInput(f"port {port}: {error.strerror}; choose another with --port") from error
    with server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{HOST}:{server.server_port}/"
        finally:
            server.shutdown()


def wait() -> None:
    """Until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        Event().wait()
