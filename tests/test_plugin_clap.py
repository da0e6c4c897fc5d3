"""The plugin as CLAP and LV2: a CLAP host of our own, qtractor's scanner, jalv, sord_validate.

As test_plugin.py, with `make plugin-test`; those of CLAP also with `make plugin-sanitize`.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

if not os.environ.get("TUBETWIN_PLUGIN_TESTS"):
    pytest.skip("make plugin-test runs these", allow_module_level=True)

from live_stage import PANEL, RATE
from plugin_hosts import LV2_SEARCH, ClapHost, through_jalv
from plugin_stage import CLAP_HOST, SANITIZED, SWITCHES, lag_of, same, uri_of
from test_engine_door import Door

NOT_SANITIZED = pytest.mark.skipif(SANITIZED, reason="the host is not built for that")


def parts(chunk: bytes) -> tuple[bytes, bytes, bytes]:
    """A saved state as what is before the twin's text, the text, and the rest."""
    at = chunk.index(b"\0twin\0") + 6
    end = chunk.index(b"\0", at)
    return chunk[:at], chunk[at:end], chunk[end:]


@pytest.mark.parametrize(
    "fault", ["older", "not base64", "bit", "cut", "empty", "other knobs", "noise"]
)
def test_nonsense_in_the_state_leaves_the_twin_playing(
    fault: str, plugins: Path, tmp_path: Path, di: np.ndarray
) -> None:
    """Through the CLAP host, which hands over states as they are."""
    with ClapHost(CLAP_HOST, plugins / "clap" / "Alpha.clap", tmp_path) as host:
        expected = host.play(di)
    with ClapHost(CLAP_HOST, plugins / "clap" / "Beta.clap", tmp_path) as host:
        assert host.ask(f"save {tmp_path / 'beta'}") == "1"
    with ClapHost(CLAP_HOST, plugins / "clap" / "Gamma.clap", tmp_path) as host:
        assert host.ask(f"save {tmp_path / 'gamma'}") == "1"
    before, text, rest = parts((tmp_path / "beta").read_bytes())
    before = before.replace(b"cabinet\0none", b"cabinet\0nonsense")
    broken = {
        "older": b"0:" + text[2:],
        "not base64": text[:500] + b"*" + text[501:],
        "bit": text[:-400] + (b"A" if text[-400:-399] != b"A" else b"B") + text[-399:],
        "cut": text[: len(text) // 8 * 4 + 2],
        "empty": b"1:",
        "other knobs": parts((tmp_path / "gamma").read_bytes())[1],
        "noise": np.random.default_rng(1).bytes(5000).replace(b"\0", b"x").replace(b"\xfe", b"x"),
    }[fault]
    state = tmp_path / "broken"
    state.write_bytes(before + broken + rest)
    with ClapHost(CLAP_HOST, plugins / "clap" / "Alpha.clap", tmp_path) as host:
        host.ask(f"load {state}")
        assert np.array_equal(host.play(di), expected)


# ---- CLAP ---------------------------------------------------------------------------------------


def test_in_a_clap_host(
    plugins: Path, native: Callable[..., np.ndarray], di: np.ndarray, tmp_path: Path
) -> None:
    with ClapHost(CLAP_HOST, plugins / "clap" / "Alpha.clap", tmp_path, block=100) as host:
        identity, name, *features = host.ask("about").split("\t")
        assert identity.startswith("tubetwin:amp:")
        assert (name, features[-1]) == ("Alpha", "mono")
        assert host.ask("latency") == "0"
        shown = host.parameters()
        assert {knob.name: (knob.minimum, knob.maximum, knob.default) for knob in PANEL} == {
            knob.name: shown[knob.name] for knob in PANEL
        }
        assert set(shown) == {*(knob.name for knob in PANEL), *SWITCHES}
        assert same(host.play(di), native("Alpha", di))
        host.say("set 8 Volume")
        host.play(np.zeros(RATE, np.float32))
        turned = host.play(di)
        assert host.ask(f"save {tmp_path / 'state'}") == "1"
    with ClapHost(CLAP_HOST, plugins / "clap" / "Alpha.clap", tmp_path, block=100) as host:
        assert host.ask(f"load {tmp_path / 'state'}") == "1"
        assert host.parameters()["Volume"][2] == 8
        host.play(np.zeros(RATE, np.float32))
        assert same(host.play(di), turned)


def test_a_clap_host_with_two_channels_at_another_rate(
    plugins: Path, at_rate: Callable[[str, int], Door], di: np.ndarray, tmp_path: Path
) -> None:
    right = di[::-1].copy()
    with ClapHost(CLAP_HOST, plugins / "clap" / "Beta stereo.clap", tmp_path, 96000, 256) as host:
        out = host.play(di, right)
        assert int(host.ask("latency")) == at_rate("Beta", 96000)("latency")
    for heard, played in zip(out, (di, right), strict=True):
        assert same(heard, at_rate("Beta", 96000).play(played)[0])


@pytest.mark.parametrize("rate", [44100, 48000, 88200, 96000, 192000])
@pytest.mark.parametrize("name", ["Beta", "Delta"])  # twins at 48 and 44.1 kHz
def test_blocks_of_any_length_in_turn(
    name: str, rate: int, plugins: Path, at_rate: Callable[[str, int], Door], tmp_path: Path
) -> None:
    """Here and not in pedalboard, which starts anew when the length changes."""
    di = (0.2 * np.random.default_rng(6).standard_normal(30000)).astype(np.float32)
    with ClapHost(CLAP_HOST, plugins / "clap" / f"{name}.clap", tmp_path, rate, 8192) as host:
        host.say("vary")
        assert same(host.play(di), at_rate(name, rate).play(di)[0])


@NOT_SANITIZED
def test_qtractor_lists_it(plugins: Path) -> None:
    scanners = [*Path("/usr/lib").glob("*/qtractor/qtractor_plugin_scan")]
    if not scanners:
        pytest.skip("qtractor is not installed: apt-get install qtractor")
    done = subprocess.run(
        [scanners[0]],
        input=f"CLAP:{plugins / 'clap' / 'Alpha.clap'}\n",
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "CLAP|Alpha|1:1|0:0|7:0|" in done.stdout, done.stdout + done.stderr


# ---- LV2 ----------------------------------------------------------------------------------------


@NOT_SANITIZED
def test_lv2_descriptions_are_valid(plugins: Path, panel_plugins: Path) -> None:
    if not shutil.which("sord_validate"):
        pytest.skip("sord_validate is not installed")
    schemas = sorted(Path("/usr/lib/lv2").glob("*/*.ttl"))
    assert schemas
    for folder, count in ((plugins, 3 * 8), (panel_plugins, 3 * 2)):  # with a window and without
        ours = sorted(folder.glob("lv2/*.lv2/*.ttl"))
        assert len(ours) == count
        done = subprocess.run(["sord_validate", *schemas, *ours], capture_output=True, text=True)
        assert "Found 0 errors" in done.stdout + done.stderr, done.stdout + done.stderr


@NOT_SANITIZED
def test_in_jalv(
    plugins: Path,
    native: Callable[..., np.ndarray],
    di: np.ndarray,
    tmp_path: Path,
) -> None:
    if not shutil.which("jalv") or not shutil.which("jackd"):
        pytest.skip("jalv or jackd is not installed")
    soundfile.write(tmp_path / "di.wav", di, RATE, "FLOAT")
    name = f"tubetwin-plugin-{os.getpid()}"
    through_jalv(uri_of("Alpha"), plugins / "lv2", tmp_path / "di.wav", tmp_path / "out.wav", name)
    out, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert lag_of(out, native("Alpha", di)) is not None


@NOT_SANITIZED
@pytest.mark.parametrize("name", ["Alpha", "Beta stereo"])
def test_in_lv2_hosts_that_offer_nothing(
    name: str,
    plugins: Path,
    native: Callable[..., np.ndarray],
    di: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not shutil.which("lv2apply"):
        pytest.skip("lv2apply is not installed: apt-get install lilv-utils")
    monkeypatch.setenv("LV2_PATH", f"{plugins / 'lv2'}:{LV2_SEARCH}")
    sides = [di, di[::-1]] if name.endswith("stereo") else [di]
    soundfile.write(tmp_path / "di.wav", np.stack(sides, axis=1), RATE, "FLOAT")
    words = ["-i", tmp_path / "di.wav", "-o", tmp_path / "out.wav", "-c", "knob_volume", "5"]
    subprocess.run(["lv2apply", *words, uri_of(name)], check=True, timeout=60)
    out, _ = soundfile.read(tmp_path / "out.wav", dtype="float32", always_2d=True)
    for heard, played in zip(out.T, sides, strict=True):
        assert np.abs(heard - native(name.split()[0], played)).max() <= 1e-5  # it writes 24 bits
    done = subprocess.run(
        ["lv2bench", "-n", "9600", "-b", "512", uri_of(name)], capture_output=True, text=True
    )
    seconds, uri = done.stdout.split()
    assert (done.returncode, uri) == (0, uri_of(name))
    assert float(seconds) > 0


@NOT_SANITIZED
def test_a_knob_turned_by_an_lv2_host_that_offers_nothing(
    plugins: Path, di: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which("lv2apply"):
        pytest.skip("lv2apply is not installed: apt-get install lilv-utils")
    monkeypatch.setenv("LV2_PATH", f"{plugins / 'lv2'}:{LV2_SEARCH}")
    soundfile.write(tmp_path / "di.wav", di, RATE, "FLOAT")
    for file, knob in (("on", "1"), ("off", "0")):
        words = ["-i", tmp_path / "di.wav", "-o", tmp_path / file, "-c", "lv2_enabled", knob]
        subprocess.run(["lv2apply", *words, uri_of("Alpha")], check=True, timeout=60)
    amp, guitar = (soundfile.read(tmp_path / f, dtype="float32")[0] for f in ("on", "off"))
    assert np.abs(guitar[2000:] - di[2000:]).max() < 1e-5  # the crossing takes 20 ms
    assert np.abs(amp - di).max() > 0.01
