"""Training learns an amp it can learn, resumes where it stopped, and refuses what it cannot use."""

import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from tubetwin import capture, engine, metrics, training, twin
from tubetwin.files import BadInput
from tubetwin.knobs import Knob
from tubetwin.loss import Loss, Validation
from tubetwin.segments import Segments, Windows
from tubetwin.session import Session
from tubetwin.training import Config

RATE = 48000
KNOBS = (Knob("Gain"), Knob("Bias"))
QUICK = Config(size="nano", minutes=0.25, batch=2, target_samples=2048, validations=3, threads=1)


class Clock:
    """Time goes by with the steps: a budget is as many of them on any machine."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1 / 64
        return self.now


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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "time", Clock())
        return training.train(session, tmp_path_factory.mktemp("out") / "clipper.twin", QUICK)


def error(made: Path, session: Session) -> float:
    """Mean ESR at the settings and passages held out."""
    takes = session.of("test")
    played = [engine.render(made, session.di(take), take.setting)[6138:] for take in takes]
    targets = [session.recording(take)[6138:] for take in takes]
    return float(np.mean([metrics.esr(t, p) for t, p in zip(targets, played, strict=True)]))


def test_a_thousand_steps_teach_a_soft_clipper(session: Session, trained: Path) -> None:
    assert error(trained, session) < 0.1


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


DRIVER = """
import sys
sys.path.insert(0, sys.argv[1])
from test_training import QUICK, Clock, Session, training
training.CHECKPOINT_SECONDS = 1.0
training.time = Clock()
training.train(Session.load(sys.argv[2]), sys.argv[3], QUICK)
"""


def test_kill_9_in_the_middle_costs_a_run_nothing(
    session: Session, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on from its checkpoint to the very twin that it would have come to."""
    out, checkpoint = tmp_path / "killed.twin", tmp_path / "killed.twin.training"
    here = str(Path(__file__).parent)
    victim = subprocess.Popen([sys.executable, "-c", DRIVER, here, str(session.folder), str(out)])
    while not checkpoint.exists() and victim.poll() is None:
        time.sleep(0.05)
    time.sleep(0.5)  # into the middle of something
    victim.kill()
    victim.wait()
    assert not out.exists()
    assert 1.0 <= training.Run(session, QUICK, checkpoint).seconds < 15.0
    monkeypatch.setattr(training, "time", Clock())
    training.train(session, out, QUICK)
    uninterrupted, resumed = twin.load(trained), twin.load(out)
    for name, tensor in uninterrupted.tensors.items():
        assert np.array_equal(resumed.tensors[name], tensor), name
    assert not checkpoint.exists()


def test_a_full_disk_is_one_clear_error_and_the_last_checkpoint_stays(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "full.twin.training"
    run = training.Run(session, QUICK, path)
    run.checkpoint()
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    run._learn()
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(BadInput, match=r"cannot write .*full\.twin\.training: No space left"):
        run.checkpoint()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("harm", ["vanished", "sick"])
def test_a_session_that_was_harmed_is_one_clear_error_and_the_checkpoint_stays(
    session: Session, tmp_path: Path, harm: str
) -> None:
    folder, path = tmp_path / "session", tmp_path / "a.twin.training"
    shutil.copytree(session.folder, folder)
    training.Run(Session.load(folder), QUICK, path).checkpoint()
    before, loaded = path.read_bytes(), Session.load(folder)
    if harm == "vanished":
        shutil.rmtree(folder)
    else:
        sick = np.full(RATE // 2, np.nan, np.float32)
        soundfile.write(folder / loaded.takes[0].file, sick, RATE, "FLOAT")
    with pytest.raises(BadInput, match=r"session/(di|takes/0001)\.wav"):
        training.train(loaded, tmp_path / "a.twin", QUICK)
    assert path.read_bytes() == before
    assert list(tmp_path.glob("a.twin*")) == [path]


TOGETHER = """
import sys
from pathlib import Path
import torch
from tubetwin import cli, together, training
from tubetwin.session import Session
folder, out = sys.argv[1:]
run = training.Run(Session.load(folder), training.Config(
    size="nano", minutes=0.25, batch=2, target_samples=2048, validations=3, threads=1), Path(out))
run._learn()
if together.leads():
    torch.save([weight.grad for weight in run.network.parameters()], out + ".gradients")
del run  # what holds on to the others' group until the very end can abort the exit
sys.exit(cli.main(["train", folder, "-o", out, "--size", "nano", "--minutes", "0.1"]))
"""


def test_two_processes_learn_what_one_learns_from_both_their_windows(
    session: Session, tmp_path: Path
) -> None:
    script, out = tmp_path / "together.py", tmp_path / "together.twin"
    script.write_text(TOGETHER)
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command = [*launch, str(script), str(session.folder), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert twin.load(out).provenance["processes"] == 2
    assert error(out, session) < 0.1

    def gradients(run: training.Run) -> torch.Tensor:
        run._learn()
        return torch.cat([w.grad.flatten() for w in run.network.parameters() if w.grad is not None])

    one, both = (training.Run(session, QUICK, tmp_path / name) for name in ("one", "both"))
    other = Segments(session, "train", both.network.history_samples, 2048, 2**32)
    draw = both.takes.draw
    both.takes.draw = lambda batch: Windows(  # type: ignore[method-assign]
        *(np.concatenate(pair) for pair in zip(draw(batch), other.draw(batch), strict=True))
    )
    saved = torch.load(f"{out}.gradients", weights_only=True)
    shared = torch.cat([gradient.flatten() for gradient in saved])
    assert (shared - gradients(both)).norm() < 1e-3 * shared.norm()
    assert (shared - gradients(one)).norm() > 0.01 * shared.norm()  # the other was heard


def test_every_validation_take_has_a_say_in_what_is_kept(session: Session) -> None:
    loss = Loss(session, Segments(session, "train", 6138, 2048, 0).takes, QUICK)
    validation = Validation(session, 6138, loss)

    def off_by(off: np.ndarray) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """A network that answers the takes in turn with their recordings, and so much more."""
        takes = zip(off, validation.takes, strict=True)
        answers = iter([(1 + o) * take[1][6138:] * loss.output_gain for o, take in takes])
        return lambda di, setting: torch.from_numpy(next(answers))[None]

    rest = [0.01] * (len(validation.takes) - 1)
    good, bad, worse = (validation.esr(off_by(np.array([o, *rest]))) for o in (0.01, 0.1, 0.2))
    assert good == pytest.approx(1e-4, rel=0.01)
    assert bad / good == pytest.approx(100 ** (1 / len(validation.takes)), rel=0.01)
    assert worse > bad
    assert validation.esr(off_by(np.zeros(len(validation.takes)))) == pytest.approx(1e-6)


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


def test_a_window_pulls_by_how_it_compares_with_what_is_typical(session: Session) -> None:
    """Patience is the typical loss of late; beyond it a loss of ten times pulls a tenth as hard."""
    config = Config(pre_emphasis=0.0, plain_esr=0.0, dc=0.0)
    takes = session.of("train")[:2]
    judge = Loss(session, takes, config)
    target = judge.output_gain * torch.stack(
        [torch.from_numpy(session.recording(take)) for take in takes]
    )
    index = np.arange(2)

    def pulls(shares: list[float]) -> np.ndarray:
        """How hard each window pulls, by its ESR's own gradient."""
        off = torch.tensor(shares).sqrt()[:, None].requires_grad_()
        judge(target, target * (1 + off), index).backward()  # type: ignore[no-untyped-call]
        assert off.grad is not None
        return np.asarray((off.grad / off.detach())[:, 0])

    early = pulls([0.004, 0.04])
    assert early[1] / early[0] == pytest.approx(1.04 / 1.4, rel=0.01)  # patience 0.1 as configured
    for _ in range(1500):
        judge(target, target * (1 + 0.004**0.5), index)
    assert judge.typical == pytest.approx(0.004, rel=0.01)
    late = pulls([0.004, 0.04])
    assert late[1] / late[0] == pytest.approx(2 / 11, rel=0.02)
    for _ in range(1500):
        judge(target, target * 1.001, index)
    latest = pulls([0.004, 0.04])
    assert latest[1] / latest[0] == pytest.approx((7 / 3) / (43 / 3), rel=0.02)  # never below 0.003
    judge(target, target * torch.nan, index)
    assert np.isfinite(judge.typical)
    for _ in range(1500):
        judge(target, target * 0, index)
    again = pulls([0.004, 0.04])
    assert again[1] / again[0] == pytest.approx(early[1] / early[0], rel=0.01)  # never beyond 0.1


def test_the_native_path_learns_what_plain_pytorch_learns(session: Session, tmp_path: Path) -> None:
    native, plain = (training.Run(session, QUICK, tmp_path / name) for name in "ab")
    plain.play.native = False
    losses = [(native._learn(), plain._learn()) for _ in range(2)]
    assert native.play.native
    assert np.allclose(*zip(*losses, strict=True), rtol=1e-4)
