"""A page is one whole file that nothing outside can break; plots draw whatever is measured."""

import re
from collections import Counter
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from tubetwin import plots
from tubetwin.plots import LINES
from tubetwin.report import Clip, Dial, Page

RATE = 48000
VOID = {"meta", "input", "br", "link", "img"}
SILENCE = np.zeros(1200)
SOUND = np.random.default_rng(0).normal(0, 0.1, 1200)
HZ = np.geomspace(50, 16000, 60)
FLAT = np.zeros(60)
NOTHING = np.full(60, -np.inf)


class Outline(HTMLParser):
    """Every tag with its attributes; refuses tags that do not nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def values(self, name: str) -> list[str]:
        return [attrs[name] for _, attrs in self.tags if name in attrs]


def some_page() -> str:
    page = Page("Twins & <amps>", "What they do.")
    page.section("Hear it", "Switch.")
    clips = [Clip("DI", b"one"), Clip("Twin", b"OggS two", "twin")]
    page.rack(
        page.player("Clean", clips, [Dial("Volume", "2.5", [0.25])]),
        page.player("Crunch", [clips[0], Clip("Twin", b"three", "twin")], note="ESR 0.1"),
    )
    page.section("Plots")
    both = {"amp": SOUND, "twin": SOUND}
    page.plots(*(plots.waveforms(name, both, RATE) for name in ("Clean", "Crunch")))
    page.tiles(("26 dB", "a < b"))
    page.table(("a", "b"), [("1 < 2", "x\nand > y")])
    page.items("one & two")
    return page.html()


# ---- The page ----------------------------------------------------------------------------------


def test_a_page_nests_and_no_name_is_given_twice():
    ids = Counter(Outline(some_page()).values("id"))
    assert not [name for name, times in ids.items() if times > 1]


def test_a_page_asks_for_nothing_outside():
    page = some_page()
    assert not re.search(r"https?:|//cdn|@import|url\((?!#)", page)
    outline = Outline(page)
    sources = outline.values("src") + outline.values("href") + outline.values("xlink:href")
    assert sources
    assert all(source.startswith(("data:audio/", "#")) for source in sources)


def test_whatever_a_name_holds_stays_text():
    page = some_page()
    assert "<title>Twins &amp; &lt;amps&gt;</title>" in page
    assert "<td>1 &lt; 2</td>" in page
    assert "<td>x<small>and &gt; y</small></td>" in page
    assert "<span>a &lt; b</span>" in page
    assert "one &amp; two" in page


def test_a_sound_is_stored_once_and_every_switch_finds_its_own():
    audios = [attrs for tag, attrs in Outline(some_page()).tags if tag == "audio"]
    sounds = {attrs["id"]: attrs["src"] for attrs in audios if "src" in attrs}
    heard = [attrs.get("src") or sounds[attrs["data-same-as"]] for attrs in audios]
    assert len(sounds) == 3
    assert heard[0] == heard[2] == "data:audio/mpeg;base64,b25l"
    assert heard[1].startswith("data:audio/ogg;")
    assert heard[3] not in heard[:3]


def test_each_player_has_one_chosen_switch_of_its_own():
    switches = [attrs for _, attrs in Outline(some_page()).tags if attrs.get("type") == "radio"]
    assert Counter(s["name"] for s in switches) == {"player-1": 2, "player-2": 2}
    assert [s["name"] for s in switches if "checked" in s] == ["player-1", "player-2"]


def test_a_dial_points_where_the_knob_stands():
    page = Page("", "")
    turned = [page.player("", [], [Dial("", "", turns)]) for turns in ([0.0], [0.5], [0.2, 1.0])]
    assert [re.findall(r"rotate\((-?\d+) ", text) for text in turned] == [
        ["-150"],
        ["0"],
        ["-90", "150"],
    ]


def test_a_page_without_sounds_has_no_script():
    assert "AudioContext" in some_page()
    assert "AudioContext" not in Page("Numbers", "only").html()


# ---- Plots -------------------------------------------------------------------------------------

AWKWARD = {
    "sound": lambda: plots.waveforms("a", {"amp": SOUND, "twin": SOUND}, RATE, 40.0),
    "silence": lambda: plots.waveforms("a", {"twin": SILENCE}, RATE),
    "one sample": lambda: plots.waveforms("a", {"twin": SILENCE[:1]}, RATE),
    "spectrum": lambda: plots.spectra("a", HZ, {"amp": FLAT, "twin": FLAT - 3}),
    "silent spectrum": lambda: plots.spectra("a", HZ, {"amp": NOTHING, "twin": NOTHING}),
    "transfer": lambda: plots.transfer("a", [-6, 0], {"twin": [[1, 2], [-1, -2]]}, "V"),
    "mute transfer": lambda: plots.transfer("a", [-6, 0], {"twin": [[0, 0], [0, 0]]}, "V"),
    "harmonics": lambda: plots.harmonics("a", {"amp": [0, -20, -np.inf], "twin": [0, -21, -50]}),
    "no harmonics": lambda: plots.harmonics("a", {"twin": [np.nan] * 10}),
    "responses": lambda: plots.responses("a", HZ, {"twin": {"0": FLAT, "10": NOTHING}}),
    "levels": lambda: plots.levels("a", "Volume", [0, 5, 10], {"twin": [-np.inf, -20, 0]}),
    "one level": lambda: plots.levels("a", "Volume", [5], {"twin": [-20]}),
    "settings": lambda: plots.esr_by_setting("a", {"seen": [0.01, 0.1], "unseen": [0.02, np.nan]}),
    "one setting": lambda: plots.esr_by_setting("a", {"unseen": [0.01]}),
    "perfect": lambda: plots.esr_by_setting("a", {"unseen": [0.0, 0.0]}),
    "none": lambda: plots.esr_by_setting("a", {"unseen": [], "seen": [np.nan]}),
    "distance": lambda: plots.esr_over("a", "far", {"unseen": ([0.1, 0.2], [0.01, np.nan])}),
    "family": lambda: plots.family("a", "dB", [-6, 0], {str(i): [0.1, np.nan] for i in range(7)}),
    "gains": lambda: plots.gains("a", "ms", [0, 1], {"amp": [-3, np.nan], "twin": [-np.inf, 0]}),
    "names": lambda: plots.by_name("a", "dB", ["x", "y"], {"amp": [-30, -np.inf]}),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", AWKWARD)
def test_whatever_is_measured_can_be_drawn(case):
    drawn = AWKWARD[case]()
    tree = ElementTree.fromstring(drawn.replace("xlink:href", "href"))
    assert tree.tag == "svg"
    assert "matplotlib" not in drawn
    numbers = [
        v for node in tree.iter() for v in (node.get("d"), node.get("x"), node.get("y")) if v
    ]
    assert numbers
    assert not re.search("nan|inf", " ".join(numbers))
    assert drawn == AWKWARD[case]()  # the same numbers, the same file


def test_the_twin_lies_on_top_of_the_amp():
    drawn = plots.waveforms("a", {"amp": SOUND, "twin": SOUND}, RATE)
    assert drawn.index("var(--amp,") < drawn.index("var(--twin,")


def test_axes_name_their_units():
    assert "speaker (V)" in plots.waveforms("a", {"twin": SOUND}, RATE, 40.0)
    assert "full scale" in plots.waveforms("a", {"twin": SOUND}, RATE)
    assert "frequency (Hz)" in plots.spectra("a", HZ, {"twin": FLAT})


def marks(drawn: str, source: str) -> int:
    return len(re.findall(rf"<use [^>]*stroke: var\(--{source}, {LINES[source].colour}", drawn))


def test_harmonics_that_are_not_there_leave_no_mark():
    levels = {"amp": [0, -20, -np.inf, -200], "twin": [0, -21, -30, -40]}
    drawn = plots.harmonics("a", levels)
    assert marks(drawn, "twin") - marks(drawn, "amp") == 2


def test_every_setting_is_one_mark_and_silent_ones_none():
    esr = {"unseen": [0.1, 0.2, np.nan, 0.4]}
    one = {"unseen": [0.1]}
    drawn = [plots.esr_by_setting("a", groups) for groups in (esr, one)]
    assert marks(drawn[0], "unseen") - marks(drawn[1], "unseen") == 2
