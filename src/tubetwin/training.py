"""From a session to a twin: one loop, one Config.

Each step draws random windows from random takes, plays them through the network and lowers the
error to the recordings: ESR with high-pass pre-emphasis, a share of plain ESR, and DC. Every window
is measured against its own take's power, so a quiet setting counts as much as a loud one. The
weights that count are a running average; the best of them on the validation settings is kept.

The budget is time, not steps: learning rate and progress follow the share of it that is spent. A
checkpoint beside the twin makes a killed run go on where it was.
"""

import io
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from tubetwin import __version__, fused, network, together, twin
from tubetwin.export import architecture, fold_levels, load_tensors, tensors
from tubetwin.files import BadInput, replacing
from tubetwin.loss import Loss, Validation, Weighting
from tubetwin.segments import Segments
from tubetwin.session import Session
from tubetwin.soap import Soap

CHECKPOINT_SECONDS = 60.0  # the most that a killed run loses
# Short of time, more and smaller steps come further; later, what errs is mostly their noise.
EFFORTS: dict[str, dict[str, Any]] = {
    "quick": {"minutes": 5.0, "batch": 4},
    "default": {"minutes": 60.0},
    "best": {"minutes": 480.0, "batch": 16},
}


@dataclass(frozen=True)
class Config(Weighting):
    """Everything that decides a training run, besides the session."""

    size: str = "standard"
    minutes: float = 60.0
    batch: int = 8
    target_samples: int = 4096  # that carry loss, behind 6,138 of history
    learning_rate: float = 3e-3
    final_learning_rate: float = 3e-5
    warm_up: float = 0.02  # share of the budget
    gradient_clip: float = 1.0
    averaging: float = 0.999
    validations: int = 25
    start: str = ""  # a twin to go on from, of the same size and panel
    seed: int = 0
    threads: int = 0  # 0: as many as there are cores
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.size not in network.SIZES:
            raise BadInput(f"no size {self.size!r}: there are {', '.join(network.SIZES)}")
        if not 0 < self.minutes < 60 * 24 * 30:
            raise BadInput(f"minutes must lie between 0 and a month, not {self.minutes:g}")


class Progress(NamedTuple):
    """What one report says: the share of the budget spent and how good the twin is by now."""

    spent: float  # 0…1
    seconds_left: float
    step: int
    loss: float  # mean since the last report
    validation_esr: float | None  # of the averaged weights: geometric mean over the settings
    best_esr: float | None


def train(
    session: Session,
    out: Path | str,
    config: Config | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    command: str = "",
    licence: str = "",
) -> Path:
    """Train a twin of a session's rig and write it.

    An interrupted run leaves `OUT.training`; the same call goes on from there. Ctrl-C also writes
    the best twin so far before it is raised on.

    Args:
        session: takes of all three splits; training hears `train`, `validation` picks the best.
        out: the twin to write.
        config: how to train.
        report: called about twice a second.
        command: that made the twin, for its provenance.
        licence: of the twin, an SPDX identifier.
    Returns:
        The path of the twin.
    Raises:
        BadInput: the session cannot be trained on, or the folder of `out` cannot be written.
        KeyboardInterrupt: after the checkpoint and the best twin so far are written.
    """
    out = Path(out)
    with replacing(out.with_suffix(f".probe{together.rank()}")) as probe:  # not after an hour
        probe.write_bytes(b"")
    out.with_suffix(f".probe{together.rank()}").unlink()
    run = Run(session, config or Config(), out.with_name(out.name + ".training"))
    try:
        run.go(report)
    except KeyboardInterrupt:
        if together.leads():
            run.checkpoint()
            twin.save(run.twin(command, licence), out)
        raise
    if together.leads():
        twin.save(run.twin(command, licence), out)
        run.path.unlink(missing_ok=True)
    return out


class Pupil(nn.Module):
    """The network over windows with history, in native code where that is possible."""

    def __init__(self, net: network.WaveNet, native: bool, threads: int) -> None:
        super().__init__()
        self.network, self.native, self.threads = net, native, threads

    def forward(self, di: Tensor, settings: Tensor) -> Tensor:
        """(batch, history + time) and (batch, knobs) -> (batch, time)."""
        if self.native:
            return fused.forward(self.network, di, settings, self.threads)
        out: Tensor = self.network(di, settings)
        return out


class Run:
    """A training run: what it has learned so far, and how to go on."""

    def __init__(self, session: Session, config: Config, path: Path) -> None:
        """Start, or go on from the checkpoint at `path`; BadInput if that is another run's."""
        self.session, self.config, self.path = session, config, path
        shape = replace(network.SIZES[config.size], knobs=len(session.knobs))
        torch.manual_seed(config.seed)
        self.device = together.device(config.device)
        together.meet(self.device)
        self.network = network.WaveNet(shape).to(self.device)
        native = self.device.type == "cpu" and fused.available(shape)
        if native:  # PyTorch keeps the small work: threads of its own would only be waited for
            torch.set_num_threads(1)
        threads = config.threads or max(1, (os.cpu_count() or 1) // together.neighbours())
        self.play = Pupil(self.network, native, threads)
        history, seed = self.network.history_samples, config.seed + together.rank() * 2**32
        self.takes = Segments(session, "train", history, config.target_samples, seed)
        self.loss = Loss(session, self.takes.takes, config)
        self.held_out = Validation(session, history, self.loss)
        if config.start:
            self._go_on_from(twin.load(twin.bundled(config.start)))
        self.optimiser = Soap(self.network.parameters(), config.learning_rate)
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.best: dict[str, Tensor] | None = None
        self.best_esr: float | None = None
        self.step, self.seconds = 0, 0.0
        if together.share(path.exists()):
            self._resume()
        self.learner = together.learner(self.play)

    def _go_on_from(self, old: twin.Twin) -> None:
        if old.architecture != architecture(self.network.shape) or old.knobs != self.session.knobs:
            raise BadInput(
                f"{self.config.start} is no {self.config.size} twin with the knobs of "
                f"{self.session.folder}: start from one that is, or from none"
            )
        load_tensors(self.network, old.tensors)
        fold_levels(self.network, 1 / self.loss.input_gain, 1 / self.loss.output_gain)

    @property
    def spent(self) -> float:
        """Share of the budget."""
        return min(1.0, self.seconds / (60 * self.config.minutes))

    def go(self, report: Callable[[Progress], None]) -> None:
        """Train until the budget is spent."""
        self.network.train()
        clock, reported, saved = time.monotonic(), 0.0, self.seconds
        losses: list[float] = []
        while self.spent < 1.0:
            losses.append(self._learn())
            now = time.monotonic()
            self.seconds, clock = together.share(self.seconds + now - clock), now
            esr = None
            if self.spent >= 1.0 or self._validation_is_due():
                together.agree(self.network.parameters())
                esr = self._validate() if together.leads() else None
                self.seconds, clock = self.seconds + time.monotonic() - now, time.monotonic()
            if self.seconds - saved > CHECKPOINT_SECONDS and together.leads():
                self.checkpoint()
                saved = self.seconds
            if esr is not None or now - reported > 0.5:
                left = 60 * self.config.minutes - self.seconds
                loss = sum(losses) / len(losses)
                report(Progress(self.spent, max(0.0, left), self.step, loss, esr, self.best_esr))
                losses, reported = [], now

    def _learn(self) -> float:
        """One step. Returns its loss."""
        config = self.config
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate()
        windows = self.takes.draw(config.batch)
        di, settings = self._tensor(windows.di), self._tensor(windows.settings)
        target = self._tensor(windows.recording) * self.loss.output_gain
        played = self.learner(di * self.loss.input_gain, settings)
        loss = self.loss(target, played, windows.take_index)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.gradient_clip)
        self.step += 1
        if not torch.isfinite(norm):
            return math.nan  # a step that would spoil everything is not taken
        self.optimiser.step()
        keep = min(config.averaging, self.step / (self.step + 9))
        for name, value in self.network.state_dict().items():
            self.average[name].lerp_(value, 1 - keep)
        return float(loss.detach())

    def _learning_rate(self) -> float:
        """Cosine from high to low, behind a short warm-up."""
        high, low, warm = (
            self.config.learning_rate,
            self.config.final_learning_rate,
            self.config.warm_up,
        )
        rate = low + (high - low) * 0.5 * (1 + math.cos(math.pi * self.spent))
        return rate * min(1.0, max(0.05, self.spent / warm)) if warm else rate

    def _validation_is_due(self) -> bool:
        every = 60 * self.config.minutes / self.config.validations
        if self.seconds < (self._validated + 1) * every:
            return False
        self._validated = int(self.seconds / every)
        return True

    _validated = 0

    def _validate(self) -> float:
        """ESR of the averaged weights at the validation settings; keeps the best weights."""
        learning = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.network.load_state_dict(self.average)
        with torch.no_grad():
            esr = self.held_out.esr(self.play)
        if self.best_esr is None or esr <= self.best_esr:
            self.best_esr, self.best = esr, {k: v.clone() for k, v in self.average.items()}
        self.network.load_state_dict(learning)
        return esr

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    # Checkpoint

    def _identity(self) -> dict[str, Any]:
        """What must be the same for a checkpoint to be this run's."""
        takes = [(t.file, dict(t.setting), t.split) for t in self.session.takes]
        return {"config": asdict(replace(self.config, threads=0, device="cpu")), "takes": takes}

    def checkpoint(self) -> None:
        """Write everything that going on needs."""
        state = {
            "identity": self._identity(),
            "network": self.network.state_dict(),
            "average": self.average,
            "best": self.best,
            "best_esr": self.best_esr,
            "optimiser": self.optimiser.state_dict(),
            "draws": self.takes.state,
            "typical_loss": self.loss.typical,
            "step": self.step,
            "seconds": self.seconds,
            "validated": self._validated,
        }
        packed = io.BytesIO()
        torch.save(state, packed)
        with replacing(self.path) as temporary:
            temporary.write_bytes(packed.getbuffer())

    def _checkpoint(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = torch.load(
                self.path, map_location=self.device, weights_only=True
            )
            same = state["identity"] == self._identity()
        except Exception as error:  # torch.load raises almost anything on a broken file
            raise BadInput(f"{self.path} is no checkpoint: delete it to start anew") from error
        if not same:
            raise BadInput(
                f"{self.path} belongs to a run with other takes or another configuration: "
                "repeat that command to go on, or delete the file to start anew"
            )
        return state

    def _resume(self) -> None:
        state = together.share(self._checkpoint() if together.leads() else None)
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average, self.best, self.best_esr = state["average"], state["best"], state["best_esr"]
        self.step, self.seconds = state["step"], state["seconds"]
        self.loss.typical = state.get("typical_loss", self.loss.typical)  # older ones have none
        if together.leads():
            self.takes.state = state["draws"]
        else:  # only the leader's draws are kept: these are others, as good as those
            seed = [self.config.seed, together.rank(), self.step]
            self.takes.state = dict(np.random.default_rng(seed).bit_generator.state)
        self._validated = state["validated"]

    # The result

    def twin(self, command: str = "", licence: str = "") -> twin.Twin:
        """The best weights so far, with everything that a player needs to know."""
        result = network.WaveNet(self.network.shape)
        result.load_state_dict(self.best or self.average)
        fold_levels(result, self.loss.input_gain, self.loss.output_gain)
        return twin.Twin(
            name=self.session.rig,
            sample_rate_hz=self.session.sample_rate_hz,
            knobs=self.session.knobs,
            architecture=architecture(result.shape),
            tensors=tensors(result),
            levels=dict(self.session.levels) if self.session.levels else None,
            provenance={
                "rig": self.session.rig,
                "takes": len(self.takes.takes),
                "training": {k: v for k, v in asdict(self.config).items() if k != "threads"},
                "steps": self.step,
                "processes": together.size(),
                "seconds": round(self.seconds),
                "command": command,
                "made": datetime.now(UTC).strftime("%Y-%m-%d"),
                "made_by": f"tubetwin {__version__}",
            },
            licence=licence,
        )
