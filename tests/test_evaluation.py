"""The judge: what the engine plays is held against recordings whose error is known beforehand."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from tubetwin import engine, training, twin
from tubetwin.evaluation import FIGURES, evaluate, scores
from tubetwin.files import BadInput
from tubetwin.knobs import Knob
from tubetwin.network import Shape, WaveNet
from tubetwin.roles import Role
from tubetwin.session import Session, Take

RATE_HZ = 48000
TAKE_SAMPLES = 12000
KNOBS = (Knob("Volume"), Knob("Bright", 0, 1, 0))
SETTINGS = {  # Volume, Bright
    "train": [(0, 0), (2, 1), (4, 0), (6, 1), (8, 0), (10, 1)],
    "validation": [(3, 0.5)],
    "test": [(1, 0), (5, 0), (5, 0.5), (9, 1)],
}
ONE_DB = 10 ** (1 / 20)
RNG = np.random.default_rng(1)


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    """A small twin with knobs that do something."""
    torch.manual_seed(0)
    shape = Shape(channels=4, taps="dense", mix="scale", dilations=(1, 2, 4, 8), knobs=2)
    net = WaveNet(shape)
    torch.nn.init.normal_(net.film.mlp[-1].weight, std=0.3)
    path = tmp_path_factory.mktemp("twin") / "small.twin"
    size = twin.Architecture(4, 3, shape.dilations, shape.taps, shape.mix)
    twin.save(twin.Twin("Small", RATE_HZ, KNOBS, size, training.tensors(net)), path)
    return path


def takes() -> tuple[Take, ...]:
    listed = [(split, values) for split in SETTINGS for values in SETTINGS[split]]
    return tuple(
        Take(f"{i}.wav", {"Volume": v, "Bright": b}, split, i * TAKE_SAMPLES, TAKE_SAMPLES)
        for i, (split, (v, b)) in enumerate(listed)
    )


def recorded(
    folder: Path, path: Path, change=lambda answer, take: answer, listed=(), **also
) -> Session:
    """A session of an amp that is the twin itself, but for what `change` does to each take."""
    session = Session(folder, "an amp (simulated)", RATE_HZ, KNOBS, listed or takes(), **also)
    di = RNG.normal(0, 0.2, TAKE_SAMPLES * len(session.takes)).astype(np.float32)
    soundfile.write(folder / "di.wav", di, RATE_HZ, "FLOAT")
    for take in session.takes:
        answer = engine.render(path, session.di(take), take.setting)
        soundfile.write(folder / take.file, change(answer, take), RATE_HZ, "FLOAT")
    session.save()
    return Session.load(folder)


@pytest.fixture(scope="module")
def itself(path, tmp_path_factory) -> Session:
    return recorded(tmp_path_factory.mktemp("itself"), path)


@pytest.fixture(scope="module")
def noisy(path, tmp_path_factory) -> Session:
    """Every take with an error of its own."""

    def change(answer, take):
        return answer + RNG.normal(0, 0.001 * (1 + int(Path(take.file).stem)), len(answer))

    return recorded(tmp_path_factory.mktemp("noisy"), path, change)


def of(report, split):
    return [row for row in report["settings"] if row["split"] == split]


# ---- One take ----------------------------------------------------------------------------------


def test_a_twin_of_itself_has_no_error_at_any_setting(path, itself):
    rows = evaluate(path, itself)["settings"]
    assert len(rows) == 10
    for row in rows:
        assert row["esr"] < 1e-10
        assert row["esr_pre"] < 1e-10
        assert abs(row["gain_error_db"]) < 1e-5


def test_one_db_too_loud_has_its_closed_form(path, tmp_path):
    session = recorded(tmp_path, path, lambda answer, take: answer / ONE_DB)
    for row in evaluate(path, session)["settings"]:
        for key in ("esr", "esr_pre", "esr_above_4khz"):
            assert row[key] == pytest.approx(0.0149, abs=5e-5)
        assert row["gain_error_db"] == pytest.approx(1, abs=1e-4)
        assert row["spectrum_error_db"] == pytest.approx(1, abs=1e-3)


def test_the_first_receptive_field_is_not_judged_and_the_next_sample_is(path, tmp_path):
    field = twin.load(path).architecture.receptive_field_samples

    def change(answer, take):
        answer = answer.copy()
        answer[: field + (take.split == "test")] += 1
        return answer

    report = evaluate(path, recorded(tmp_path, path, change))
    assert all(row["esr"] < 1e-10 for row in of(report, "train"))
    assert all(row["esr"] > 1e-6 for row in of(report, "test"))


def test_the_twin_left_at_the_nearest_setting_is_the_baseline(path, itself):
    report = evaluate(path, itself)
    for row, take in zip(of(report, "test"), itself.of("test"), strict=True):
        apart = [itself.setting(t) - itself.setting(take) for t in itself.of("train")]
        nearest = int(np.argmin([np.hypot(*a) for a in apart]))
        assert row["nearest_setting"] == itself.of("train")[nearest].setting
        assert row["distance"] == pytest.approx(np.hypot(*apart[nearest]))
        assert row["distance_max"] == pytest.approx(np.abs(apart[nearest]).max())
        left = engine.render(path, itself.di(take), row["nearest_setting"])
        amp = itself.recording(take)
        expected = np.sum((left - amp)[31:] ** 2) / np.sum(amp[31:] ** 2)
        assert row["nearest_setting_esr"] == pytest.approx(expected, rel=1e-4)
    frozen = [row["nearest_setting_esr"] for row in of(report, "test")]
    assert min(frozen) > 1e-6
    assert report["baselines"]["nearest_setting"]["median"] == pytest.approx(np.median(frozen))
    assert all(row["distance"] == 0 for row in of(report, "train"))


def judged_by(folder: Path, path: Path) -> Session:
    """A setting amid four that training saw with the same passage, and a corner without any."""
    around = [(4, 0.5), (7, 0.5), (5, 0), (10, 1)]
    roles = [Role("interior", "playing", False, False), Role("training", "playing", True, False)]
    roles += [Role("stand-in", "playing", True, False)] * 3 + [
        Role("corners", "playing", False, False)
    ]
    settings = [(5, 0.5), *around, (0, 0)]
    listed = tuple(
        Take(f"{i}.wav", {"Volume": v, "Bright": b}, "test", 12000 * (i == 5), TAKE_SAMPLES, role)
        for i, ((v, b), role) in enumerate(zip(settings, roles, strict=True))
    )
    return recorded(folder, path, listed=listed)


def test_without_a_twin_there_are_the_recordings_next_to_a_setting(path, tmp_path):
    session = judged_by(tmp_path, path)
    report = evaluate(path, session)
    (row,) = [row for row in report["settings"] if row["family"] == "interior"]
    amp, near, *others = (session.recording(t).astype(float)[31:] for t in session.takes[:5])
    assert row["nearest_setting"] == session.takes[1].setting
    assert row["nearest_take_esr"] == pytest.approx(np.sum((near - amp) ** 2) / np.sum(amp**2))
    apart = [np.linalg.norm(session.setting(t) - session.setting(session.takes[0]))
             for t in session.takes[1:5]]  # fmt: skip
    weights = 1 / np.array(apart)
    blend = np.average([near, *others], axis=0, weights=weights)
    assert row["blend_esr"] == pytest.approx(np.sum((blend - amp) ** 2) / np.sum(amp**2))
    assert report["baselines"]["nearest_take"]["median"] == row["nearest_take_esr"]
    assert report["baselines"]["blend"]["count"] == 1


def test_stand_ins_are_not_judged_and_what_has_none_has_no_baseline(path, tmp_path):
    report = evaluate(path, judged_by(tmp_path, path))
    assert [row["family"] for row in report["settings"]] == ["interior", "training", "corners"]
    corner = report["settings"][2]
    assert corner["nearest_take_esr"] is corner["blend_esr"] is corner["distance"] is None
    assert [cell["family"] for cell in report["table"]] == ["interior", "training", "corners"]
    assert (report["seen"]["count"], report["unseen"]["count"]) == (1, 1)


def test_takes_that_share_one_di_stand_in_for_each_other(path, tmp_path):
    one_di = tuple(replace(take, start_samples=0) for take in takes())
    session = recorded(tmp_path, path, listed=one_di, shared_passages=True)
    rows = of(evaluate(path, session), "test")
    assert all(row["nearest_take_esr"] > 1e-6 and row["blend_esr"] > 1e-6 for row in rows)


# ---- Which takes -------------------------------------------------------------------------------


def test_settings_seen_and_unseen_stay_apart(path, noisy):
    report = evaluate(path, noisy)
    assert [row["file"] for row in of(report, "train")] == [f"{i}.wav" for i in range(6)]
    assert [row["file"] for row in of(report, "test")] == [f"{i}.wav" for i in range(7, 11)]
    assert of(report, "validation") == []
    assert [row["setting"] for row in of(report, "test")] == [t.setting for t in noisy.of("test")]
    assert report["seen"]["worst"] == max(row["esr"] for row in of(report, "train"))
    assert report["unseen"]["worst"] == max(row["esr"] for row in of(report, "test"))


def test_of_many_trained_takes_an_even_spread_is_judged(path, noisy):
    report = evaluate(path, noisy, most_seen=3)
    files = [row["file"] for row in of(report, "train")]
    assert files[0] == "0.wav"
    assert files[-1] == "5.wav"
    assert len(files) == report["seen"]["count"] == 3
    assert report["unseen"]["count"] == 4


def test_validation_is_judged_only_when_asked_for_and_never_as_unseen(path, noisy):
    report = evaluate(path, noisy, splits=("validation",))
    assert [row["file"] for row in report["settings"]] == ["6.wav"]
    assert report["validation"]["count"] == 1
    assert report["summary"] == dict.fromkeys(report["summary"]) | {"count": 0}


def test_shared_passages_are_said(path, noisy):
    assert "passages unseen" in evaluate(path, noisy, ("test",))["unseen"]["what"]
    report = evaluate(path, replace(noisy, shared_passages=True), ("test",))
    assert report["shared_passages"] is True
    assert "passages that training heard" in report["unseen"]["what"]


def test_a_silent_take_has_no_figures_and_does_not_count(path, tmp_path):
    def change(answer, take):
        noise = RNG.normal(0, 1e-7, len(answer))
        return noise if take.file in ("0.wav", "7.wav") else answer / ONE_DB

    report = evaluate(path, recorded(tmp_path, path, change))
    silent = [row for row in report["settings"] if row["silent"]]
    assert [row["file"] for row in silent] == ["0.wav", "7.wav"]
    assert all(row[key] is None for row in silent for key in FIGURES)
    assert (report["seen"]["silent"], report["seen"]["count"]) == (1, 5)
    assert (report["unseen"]["silent"], report["unseen"]["count"]) == (1, 3)
    assert report["summary"]["worst"] == pytest.approx(0.0149, abs=5e-5)


# ---- The report --------------------------------------------------------------------------------


def test_summaries_are_those_of_the_rows(path, noisy):
    report = evaluate(path, noisy)
    for split, group in (("train", "seen"), ("test", "unseen")):
        values = [row["esr"] for row in of(report, split)]
        found = report[group]
        assert len(set(values)) == found["count"] == len(values)
        assert found["median"] == np.median(values)
        assert found["mean"] == pytest.approx(np.mean(values))
        assert found["p90"] == np.percentile(values, 90)
        assert found["worst"] == max(values)
        assert min(values) <= found["median_95"][0] <= found["median"] <= found["median_95"][1]
        gains = [abs(row["gain_error_db"]) for row in of(report, split)]
        assert found["medians"]["gain_error_db"] == np.median(gains)
    assert report["summary"] == {key: report["unseen"][key] for key in report["summary"]}


def test_the_report_is_json_and_the_same_every_time(path, noisy):
    report = evaluate(path, noisy)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert evaluate(path, noisy) == report
    assert report["simulated"] is True
    assert report["engine"] == engine.instruction_set()


def test_progress_ends_at_one(path, noisy):
    shares: list[float] = []
    evaluate(path, noisy, progress=shares.append)
    assert shares == pytest.approx(np.arange(1, 11) / 10)


def test_scores_keep_both_groups_and_fit_into_the_twin(path, noisy, tmp_path):
    report = evaluate(path, noisy)
    kept = scores(report)
    for group in ("seen", "unseen"):
        for key in ("median", "p90", "worst", "count"):
            assert kept[group][key] == report[group][key]
    assert kept["measured"] == "with the engine"
    twin.save(replace(twin.load(path), scores=kept), tmp_path / "judged.twin")
    assert twin.load(tmp_path / "judged.twin").scores == kept


# ---- What is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize("knobs", [(Knob("Volume"), Knob("Treble", 0, 1, 0)), KNOBS[:1]])
def test_a_session_of_an_amp_with_other_knobs_is_refused(path, itself, knobs):
    other = replace(itself, knobs=knobs)
    with pytest.raises(BadInput, match=rf"small\.twin has Volume .*Bright.*{knobs[-1].name}"):
        evaluate(path, other)


def test_a_knob_of_another_range_is_refused(path, itself):
    with pytest.raises(BadInput, match=r"Volume 0-10.*Volume 0-12"):
        evaluate(path, replace(itself, knobs=(Knob("Volume", 0, 12), KNOBS[1])))


def test_another_sample_rate_is_refused(path, itself):
    with pytest.raises(BadInput, match=r"48000 Hz.*44100 Hz"):
        evaluate(path, replace(itself, sample_rate_hz=44100))


def test_a_take_without_room_behind_the_warm_up_is_refused(path, itself):
    short = replace(itself.of("test")[0], length_samples=4800)
    with pytest.raises(BadInput, match=r"7\.wav is too short"):
        evaluate(path, replace(itself, takes=(short,)))


def test_a_split_that_is_empty_or_unknown_is_refused(path, itself):
    with pytest.raises(BadInput, match="no test takes"):
        evaluate(path, replace(itself, takes=itself.of("train")), splits=("test",))
    with pytest.raises(BadInput, match="no split 'tset'"):
        evaluate(path, itself, splits=("tset",))
