"""Training learns an amp it can learn, resumes where it stopped, and refuses what it cannot use."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tubetwin import capture, engine, training, twin
from tubetwin.files import BadInput
from tubetwin.knobs import Knob
from tubetwin.session import Session
from tubetwin.training import Config

RATE = 48000
KNOBS = (Knob("Gain"), Knob("Bias"))
QUICK = Config(size="nano", minutes=0.25, batch=2, target_samples=2048, validations=3, threads=1)


def passage(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.2, RATE // 2)
    return np.convolve(noise, np.hanning(9) / 4, "same").astype(np.float32)


def soft_clipper(di: np.ndarray, setting: dict[str, float]) -> np.ndarray:
    gain, bias = 1 + setting["Gain"] / 5, setting["Bias"] / 20
    return 0.5 * (np.tanh(gain * di + bias) - np.tanh(bias)).astype(np.float32)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder = tmp_path_factory.mktemp("session")
    capture.record(
        folder, rig="soft clipper", knobs=KNOBS, plan=capture.plan(KNOBS, 10, 3), passage=passage,
        amp=soft_clipper, sample_rate_hz=RATE, seed=3, processes=1,
    )  # fmt: skip
    return Session.load(folder)


@pytest.fixture(scope="module")
def trained(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training.train(session, tmp_path_factory.mktemp("out") / "clipper.twin", QUICK)


def test_a_quarter_of_a_minute_teaches_a_soft_clipper(session: Session, trained: Path) -> None:
    take = session.of("test")[0]
    out = engine.render(trained, session.di(take), take.setting)[6138:]
    target = session.recording(take)[6138:]
    assert np.sum((out - target) ** 2) / np.sum(target**2) < 0.1


def test_a_twin_tells_where_it_comes_from(session: Session, trained: Path) -> None:
    told = twin.load(trained)
    assert told.name == "soft clipper"
    assert told.knobs == KNOBS
    assert told.provenance["takes"] == len(session.of("train"))
    assert told.provenance["training"]["size"] == "nano"


def test_the_engine_confirms_the_check_signal(trained: Path) -> None:
    with engine.Player(trained) as player:
        assert player.check() < 1e-4


def test_a_killed_run_goes_on_where_its_checkpoint_is(session: Session, tmp_path: Path) -> None:
    """Steps, clock, draws, weights and optimiser all continue: the next step is the same one."""
    path = tmp_path / "a.twin.training"
    run = training.Run(session, QUICK, path)
    for _ in range(3):
        run._learn()
    run.seconds = 2.0
    run.checkpoint()
    resumed = training.Run(session, QUICK, path)
    assert (resumed.step, resumed.seconds) == (3, 2.0)
    assert run._learn() == resumed._learn()
    assert all(
        torch.equal(a, b)
        for a, b in zip(run.network.parameters(), resumed.network.parameters(), strict=True)
    )


def test_ctrl_c_keeps_a_twin_and_a_checkpoint(session: Session, tmp_path: Path) -> None:
    def interrupt(progress: training.Progress) -> None:
        if progress.validation_esr is not None:
            raise KeyboardInterrupt

    out = tmp_path / "cut.twin"
    with pytest.raises(KeyboardInterrupt):
        training.train(session, out, QUICK, interrupt)
    assert twin.load(out).name == "soft clipper"
    assert out.with_name("cut.twin.training").exists()


def test_a_checkpoint_of_another_run_is_refused(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "b.twin.training"
    training.Run(session, QUICK, path).checkpoint()
    with pytest.raises(BadInput, match="belongs to a run with other takes"):
        training.Run(session, Config(size="standard"), path)
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(BadInput, match="is no checkpoint"):
        training.Run(session, QUICK, path)


def test_a_run_goes_on_from_an_old_twin(session: Session, trained: Path, tmp_path: Path) -> None:
    run = training.Run(session, replace(QUICK, start=str(trained)), tmp_path / "c")
    again, before = run.twin().tensors, twin.load(trained).tensors
    assert all(np.allclose(again[name], before[name], rtol=1e-5, atol=1e-6) for name in before)
    with pytest.raises(BadInput, match="is no standard twin"):
        training.Run(session, Config(size="standard", start=str(trained)), tmp_path / "d")


def test_an_unknown_size_or_time_is_refused() -> None:
    with pytest.raises(BadInput, match="no size 'huge'"):
        Config(size="huge")
    with pytest.raises(BadInput, match="minutes"):
        Config(minutes=0)


def test_an_unwritable_output_is_refused_before_training(session: Session, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot write"):
        training.train(session, tmp_path / "missing" / "a.twin", QUICK)


def test_the_native_path_learns_what_plain_pytorch_learns(session: Session, tmp_path: Path) -> None:
    native, plain = (training.Run(session, QUICK, tmp_path / name) for name in "ab")
    plain.native = False
    losses = [(native._learn(), plain._learn()) for _ in range(2)]
    assert native.native
    assert np.allclose(*zip(*losses, strict=True), rtol=1e-4)
