"""The plugin in Ardour, without a screen: its scanner, and a session by its Lua program.

Runs with `make plugin-test`.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

if not os.environ.get("TUBETWIN_PLUGIN_TESTS"):
    pytest.skip("make plugin-test runs these", allow_module_level=True)

from plugin_hosts import LV2_SEARCH
from plugin_stage import SWITCHES, uri_of

LIBRARY = next(Path("/usr/lib").glob("ardour*/ardour-vst3-scanner"), Path("/no/ardour")).parent
LUA = shutil.which(f"{LIBRARY.name}-lua")
if not LUA:
    pytest.skip("Ardour is not installed: apt-get install ardour", allow_module_level=True)


# Puts each plugin on a track of its own, turns the knob that is named behind it, and prints what it
# is.
SESSION = """
AudioEngine:set_backend("None (Dummy)", "", "")
s = create_session(os.getenv("SESSION"), "amps", 48000)
assert(s, "no session")
for _, plugin in ipairs({PLUGINS}) do
  local kind, id, knob, value = table.unpack(plugin)
  local format = kind == "LV2" and ARDOUR.PluginType.LV2 or ARDOUR.PluginType.VST3
  local track = s:new_audio_track(2, 2, nil, 1, "amp", ARDOUR.PresentationInfo.max_order,
                                  ARDOUR.TrackMode.Normal, true):front()
  local processor = ARDOUR.LuaAPI.new_plugin(s, id, format, "")
  assert(not processor:isnil(), "no plugin " .. id)
  assert(track:add_processor_by_index(processor, 0, nil, true) == 0)
  local inside = processor:to_insert():plugin(0)
  local inputs, names = -1, {}
  for i = 0, inside:parameter_count() - 1 do
    if inside:parameter_is_control(i) and inside:parameter_is_input(i) then
      inputs = inputs + 1
      table.insert(names, inside:parameter_label(i))
      if names[#names] == knob then
        local nth = kind == "LV2" and inputs or i  -- it counts differently
        assert(ARDOUR.LuaAPI.set_processor_param(processor, nth, value))
        assert(math.abs(ARDOUR.LuaAPI.get_processor_param(processor, nth, true) - value) < 1e-4)
        table.insert(names, "turned")
      end
    end
  end
  print(table.concat({kind, inside:name(), processor:to_insert():signal_latency(),
                      table.concat(names, ",")}, "|"))
end
s:save_state("")
close_session()
quit()
"""


@pytest.fixture
def home(plugins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a guitarist who installed all of them."""
    shutil.copytree(plugins / "vst3", tmp_path / ".vst3")
    for program in (tmp_path / ".vst3").rglob("*.so"):
        os.utime(
            program, (1e9, 1e9)
        )  # Ardour takes what was scanned within the second for outdated
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LV2_PATH", f"{plugins / 'lv2'}:{LV2_SEARCH}")
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return tmp_path


def scanned(home: Path, name: str) -> str:
    """What the scanner says, and with which number it will know the plugin."""
    done = subprocess.run(
        [LIBRARY / "ardour-vst3-scanner", "-v", home / ".vst3" / f"{name}.vst3"],
        env={**os.environ, "LD_LIBRARY_PATH": str(LIBRARY)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Found Plugin: {name}\n" in done.stdout
    return done.stdout.split('uid="')[1].split('"')[0]


def test_both_formats_are_found_and_put_on_tracks(home: Path) -> None:
    wanted, ids = [], []
    for name in ("Alpha", "Beta stereo"):
        ids += [scanned(home, name), uri_of(name)]
        wanted += [f'{{"VST3", "{ids[-2]}", "Volume", 8.5}}']
        wanted += [f'{{"LV2", "{ids[-1]}", "Treble", 2.5}}']
    script = home / "session.lua"
    script.write_text(SESSION.replace("PLUGINS", ", ".join(wanted)))
    done = subprocess.run(
        [LUA, script],
        env={**os.environ, "SESSION": str(home / "session")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = [line.split("|") for line in done.stdout.splitlines() if "|" in line]
    assert [line[:3] for line in said] == [
        [kind, name, "0"] for name in ("Alpha", "Beta stereo") for kind in ("VST3", "LV2")
    ], done.stdout + done.stderr
    for *_, names in said:
        assert {"Volume", "Treble", "turned", *SWITCHES} - {"Bypass"} <= set(names.split(","))
    saved = (home / "session" / "amps.ardour").read_text()
    assert all(number in saved for number in ids)
