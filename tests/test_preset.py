"""Presets: what was saved comes back, here and on the page; nonsense is refused by name."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tubetwin.files import BadInput
from tubetwin.preset import MOST_DB, Preset, load, save

GAINS = st.floats(-MOST_DB, MOST_DB)
KNOBS = st.dictionaries(st.text(min_size=1), st.floats(allow_nan=False, allow_infinity=False))
LEAD = Preset("standard", "1x12", {"Volume": 7.5, "Mid-Bite": 3}, 2.0, -6.5)


@settings(max_examples=30, deadline=None)
@given(KNOBS, GAINS, GAINS)
def test_a_round_trip_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    knobs: dict[str, float],
    input_db: float,
    output_db: float,
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.json"
    preset = Preset("standard", None, knobs, input_db, output_db)
    save(preset, path)
    assert load(path) == preset


def test_the_file_is_the_one_of_the_document(tmp_path: Path) -> None:
    """The example of docs/presets.md is a preset, and saving it writes the same JSON."""
    document = (Path(__file__).parents[1] / "docs" / "presets.md").read_text("utf-8")
    example = document.split("```json\n")[1].split("```")[0]
    path = tmp_path / "a.json"
    path.write_text(example)
    save(load(path), tmp_path / "b.json")
    assert json.loads((tmp_path / "b.json").read_text()) == json.loads(example)


def test_what_is_left_out_stands_at_its_default(tmp_path: Path) -> None:
    path = tmp_path / "short.json"
    path.write_text('{"format": 1, "twin": "nano"}')
    assert load(path) == Preset("nano", None, {}, 0.0, 0.0)


def test_a_folder_with_a_preset_and_its_files_can_be_moved(tmp_path: Path) -> None:
    for name in ("my.twin", "room.wav"):
        (tmp_path / name).touch()
    here = Preset(str(tmp_path / "my.twin"), str(tmp_path / "room.wav"))
    save(here, tmp_path / "a.json")
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    found = load(moved / "a.json")
    assert (found.twin, found.cabinet) == (str(moved / "my.twin"), str(moved / "room.wav"))


def test_files_elsewhere_are_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "presets").mkdir()
    (tmp_path / "my.twin").touch()
    monkeypatch.chdir(tmp_path)
    save(Preset("my.twin"), tmp_path / "presets" / "a.json")
    monkeypatch.chdir("/")
    assert Path(load(tmp_path / "presets" / "a.json").twin) == tmp_path / "my.twin"


BROKEN = (
    ("", "not JSON"),
    ("[" * 5000, "not JSON"),
    ('{"format": 1, "twin": "a", "output_db": NaN}', "'output_db' goes from"),
    ("[]", "lacks 'format'"),
    ('{"twin": "nano"}', "lacks 'format'"),
    ('{"format": 2, "twin": "nano"}', "'format' must be 1"),
    ('{"format": 1}', "lacks 'twin'"),
    ('{"format": 1, "twin": 3}', "'twin' must be of type str"),
    ('{"format": 1, "twin": ""}', "names its twin"),
    ('{"format": 1, "twin": "a", "cabinet": ""}', "no cabinet is null"),
    ('{"format": 1, "twin": "a", "cabinet": false}', "'cabinet' must be of type str"),
    ('{"format": 1, "twin": "a", "knobs": [5]}', "'knobs' must be of type dict"),
    ('{"format": 1, "twin": "a", "knobs": {"Volume": "loud"}}', "'Volume' must be of type"),
    ('{"format": 1, "twin": "a", "knobs": {"Volume": 1e999}}', "'Volume' needs a finite"),
    ('{"format": 1, "twin": "a", "input_db": 90}', "'input_db' goes from -40 to 40, not 90"),
    ('{"format": 1, "twin": "a", "knob": {}}', "no preset has a 'knob'"),
)


@pytest.mark.parametrize(("text", "complaint"), BROKEN)
def test_a_broken_preset_is_one_error_with_file_and_key(
    text: str, complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(BadInput, match=complaint) as error:
        load(path)
    assert str(error.value).count(str(path)) == 1


def test_missing_and_huge_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot read preset .*nowhere\.json"):
        load(tmp_path / "nowhere.json")
    (tmp_path / "huge.json").write_text(" " * 200_000)
    with pytest.raises(BadInput, match="too large"):
        load(tmp_path / "huge.json")


def test_nothing_is_left_half_written(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot write"):
        save(LEAD, tmp_path / "missing" / "a.json")
    assert not list(tmp_path.iterdir())


# ---- The same file on the page -------------------------------------------------------------------

READER = """
import { readFileSync } from 'node:fs';
import { fromPreset, toPreset } from './preset.js';
const read = (text) => {
  try {
    return { saved: toPreset(fromPreset(new TextEncoder().encode(text).buffer, 'lead.json')) };
  } catch (error) {
    return { error: error.message };
  }
};
console.log(JSON.stringify(JSON.parse(readFileSync(0)).map(read)));
"""


@pytest.fixture(scope="module")
def page_reads() -> Callable[[list[str]], list[dict[str, str]]]:
    """What the page makes of presets: what it would save them as, or what it says against them."""
    if not shutil.which("node"):
        pytest.skip("node is absent: the page's presets were not read")

    def read(texts: list[str]) -> list[dict[str, str]]:
        done = subprocess.run(
            ["node", "--input-type=module", "-e", READER],
            cwd=Path(__file__).parents[1] / "web",
            input=json.dumps(texts),
            capture_output=True,
            text=True,
            check=True,
        )
        return list(json.loads(done.stdout))

    return read


def test_the_page_gives_back_what_the_terminal_saved(
    page_reads: Callable[[list[str]], list[dict[str, str]]], tmp_path: Path
) -> None:
    presets = [LEAD, Preset("nano"), Preset("my.twin", "röm.wav", {"Bräss": 0.125}, -40.0, 40.0)]
    texts = []
    for preset in presets:
        save(preset, tmp_path / "a.json")
        texts.append((tmp_path / "a.json").read_text("utf-8"))
    for preset, answer in zip(presets, page_reads(texts), strict=True):
        (tmp_path / "b.json").write_text(answer["saved"], "utf-8")
        assert load(tmp_path / "b.json") == preset


def test_the_page_refuses_what_the_terminal_refuses(
    page_reads: Callable[[list[str]], list[dict[str, str]]],
) -> None:
    for (text, complaint), answer in zip(BROKEN, page_reads([t for t, _ in BROKEN]), strict=True):
        key = re.search(r"'\w+'", complaint) if "NaN" not in text else None  # no JSON at all there
        assert answer.keys() == {"error"}, text
        assert answer["error"].count("lead.json") == 1
        assert (key[0] if key else "") in answer["error"], text
