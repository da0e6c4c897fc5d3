"""The page is served with its types, to this machine only."""

import urllib.request
from pathlib import Path

import pytest

from tubetwin import web
from tubetwin.files import BadInput


def test_files_are_served_with_their_types_to_this_machine_only(tmp_path: Path) -> None:
    for name in ("index.html", "page.js", "engine.wasm", "a.twin"):
        (tmp_path / name).write_bytes(b"x")
    with web.served(tmp_path) as address:
        assert address.startswith("http://127.0.0.1:")
        types = {
            name: urllib.request.urlopen(address + name).headers["Content-Type"].split(";")[0]
            for name in ("", "page.js", "engine.wasm", "a.twin")
        }
        with pytest.raises(BadInput, match="--port"), web.served(tmp_path, int(address[17:-1])):
            pass
    assert types == {
        "": "text/html",
        "page.js": "text/javascript",
        "engine.wasm": "application/wasm",
        "a.twin": "application/octet-stream",
    }


def test_a_page_that_was_not_built_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(web, "FOLDERS", (tmp_path,))
    with pytest.raises(BadInput, match="make web"):
        web.folder()
