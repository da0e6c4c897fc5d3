"""From a session to a twin: one loop, one Config.

Each step draws random windows from random takes, plays them through the network and lowers the
error to the recordings: ESR with high-pass pre-emphasis, a share of plain ESR, and DC. Every window
is measured against its own take's power, so a quiet setting counts as much as a loud one. The
weights that count are a running average; the best of them on the validation settings is kept.

The budget is time, not steps: learning rate and progress follow the share of it that is spent. A
checkpoint beside the twin makes a killed run go on where it was.
"""

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tubetwin import __version__, fused, metrics, network, twin
from tubetwin.files import BadInput, replacing
from tubetwin.session import Segments, Session
from tubetwin.soap import Soap

TRAINING_RMS = 0.5  # the network sees DI and take at this level, whatever the session's
# Of the loudest take: 50 dB below it a take is nearly silence, not a sound to match.
QUIETEST = 1e-5
EFFORTS_MINUTES = {"quick": 5.0, "default": 60.0, "best": 480.0}


@dataclass(frozen=True)
class Config:
    """Everything that decides a training run, besides the session."""

    size: str = "standard"
    minutes: float = 60.0
    batch: int = 4
    target_samples: int = 8192  # that carry loss, behind 6,138 of history
    learning_rate: float = 3e-3
    final_learning_rate: float = 3e-5
    warm_up: float = 0.02  # share of the budget
    pre_emphasis: float = 0.85  # Wright's high-pass, gentler than the 0.95 that is reported
    plain_esr: float = 0.25  # weight beside the pre-emphasised ESR
    dc: float = 0.1
    patience: float = 0.1  # loss of a window beyond which it pulls no harder: see Loss
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
    validation_esr: float | None  # median over the validation settings, of the averaged weights
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
    with replacing(out.with_suffix(".probe")) as probe:  # fail now, not after an hour
        probe.write_bytes(b"")
    out.with_suffix(".probe").unlink()
    run = Run(session, config or Config(), out.with_name(out.name + ".training"))
    try:
        run.go(report)
    except KeyboardInterrupt:
        run.checkpoint()
        twin.save(run.twin(command, licence), out)
        raise
    twin.save(run.twin(command, licence), out)
    run.path.unlink(missing_ok=True)
    return out


class Run:
    """A training run: what it has learned so far, and how to go on."""

    def __init__(self, session: Session, config: Config, path: Path) -> None:
        """Start, or go on from the checkpoint at `path`; BadInput if that is another run's."""
        self.session, self.config, self.path = session, config, path
        shape = replace(network.SIZES[config.size], knobs=len(session.knobs))
        torch.manual_seed(config.seed)
        self.device = torch.device(config.device)
        self.network = network.WaveNet(shape).to(self.device)
        self.threads = config.threads or os.cpu_count() or 1
        self.native = self.device.type == "cpu" and fused.available(shape)
        if self.native:  # PyTorch keeps the small work: threads of its own would only be waited for
            torch.set_num_threads(1)
        history = self.network.history_samples
        self.takes = Segments(session, "train", history, config.target_samples, config.seed)
        self.loss = Loss(session, self.takes.takes, config)
        self.held_out = Validation(session, history, self.loss)
        if config.start:
            self._go_on_from(twin.load(twin.bundled(config.start)))
        self.optimiser = Soap(self.network.parameters(), config.learning_rate)
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.best: dict[str, Tensor] | None = None
        self.best_esr: float | None = None
        self.step, self.seconds = 0, 0.0
        if path.exists():
            self._resume()

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
            self.seconds, clock = self.seconds + now - clock, now
            esr = None
            if self.spent >= 1.0 or self._validation_is_due():
                esr = self._validate()
                self.seconds, clock = self.seconds + time.monotonic() - now, time.monotonic()
            if self.seconds - saved > 60:
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
        loss = self.loss(target, self.play(di * self.loss.input_gain, settings), windows.take_index)
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

    def play(self, di: Tensor, settings: Tensor) -> Tensor:
        """The network over windows with history, natively where that is possible."""
        if self.native:
            return fused.forward(self.network, di, settings, self.threads)
        out: Tensor = self.network(di, settings)
        return out

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
        """Median ESR of the averaged weights at the validation settings; keeps the best weights."""
        learning = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.network.load_state_dict(self.average)
        with torch.no_grad():
            esr = float(np.median(self.held_out.esrs(self.play)))
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
            "step": self.step,
            "seconds": self.seconds,
            "validated": self._validated,
        }
        with replacing(self.path) as temporary:
            torch.save(state, temporary)

    def _resume(self) -> None:
        try:
            state = torch.load(self.path, map_location=self.device, weights_only=True)
            same = state["identity"] == self._identity()
        except Exception as error:  # torch.load raises almost anything on a broken file
            raise BadInput(f"{self.path} is no checkpoint: delete it to start anew") from error
        if not same:
            raise BadInput(
                f"{self.path} belongs to a run with other takes or another configuration: "
                "repeat that command to go on, or delete the file to start anew"
            )
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average, self.best, self.best_esr = state["average"], state["best"], state["best_esr"]
        self.takes.state = state["draws"]
        self.step, self.seconds = state["step"], state["seconds"]
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
                "seconds": round(self.seconds),
                "command": command,
                "made": datetime.now(UTC).strftime("%Y-%m-%d"),
                "made_by": f"tubetwin {__version__}",
            },
            licence=licence,
        )


class Loss:
    """How wrong a batch is, and the levels at which the network sees the world."""

    def __init__(self, session: Session, takes: tuple[Any, ...], config: Config) -> None:
        self.config = config
        recordings = [session.recording(take).astype(np.float64) for take in takes]
        plain = np.array([np.mean(r**2) for r in recordings])
        emphasised = np.array(
            [np.mean(metrics.pre_emphasis(r, config.pre_emphasis) ** 2) for r in recordings]
        )
        played = np.mean([np.mean(session.di(take).astype(np.float64) ** 2) for take in takes])
        if plain.max() <= 0 or played <= 0:
            raise BadInput(f"{session.folder}: every training take is silent, or the DI is")
        self.input_gain = float(TRAINING_RMS / math.sqrt(played))
        self.output_gain = float(TRAINING_RMS / math.sqrt(plain.mean()))
        self.floor = QUIETEST * plain.max() * self.output_gain**2
        self._plain = self._powers(plain)
        self._emphasised = self._powers(emphasised)

    def _powers(self, powers: np.ndarray) -> Tensor:
        return torch.tensor(powers * self.output_gain**2 + self.floor, dtype=torch.float32)

    def __call__(self, target: Tensor, prediction: Tensor, take_index: np.ndarray) -> Tensor:
        """(batch, time) at training level, and which takes they come from -> one number."""
        index = torch.from_numpy(take_index)
        plain, emphasised = self._plain[index], self._emphasised[index]
        plain, emphasised = plain.to(target.device), emphasised.to(target.device)
        c = self.config
        pre = metrics.esr(
            metrics.pre_emphasis(target, c.pre_emphasis),
            metrics.pre_emphasis(prediction, c.pre_emphasis),
            emphasised,
        )
        loss = pre + c.plain_esr * metrics.esr(target, prediction, plain)
        loss = loss + c.dc * metrics.dc_error(target, prediction, plain)
        return c.patience * torch.log1p(loss / c.patience).mean()


class Validation:
    """The held-out settings that decide which weights are kept."""

    def __init__(self, session: Session, history: int, loss: Loss) -> None:
        self.history, self.loss = history, loss
        takes = session.of("validation")
        if not takes:
            raise BadInput(f"{session.folder} has no validation takes: capture some")
        self.takes = [(session.di(t), session.recording(t), session.setting(t)) for t in takes]

    def esrs(self, play: Callable[[Tensor, Tensor], Tensor]) -> list[float]:
        """ESR of each take behind its first receptive field, which has no whole history."""
        found = []
        for di, recording, setting in self.takes:
            played = torch.from_numpy(di)[None] * self.loss.input_gain
            out = play(played, torch.from_numpy(setting)[None])[0].double()
            target = torch.from_numpy(recording)[self.history :].double() * self.loss.output_gain
            power = target.pow(2).mean() + self.loss.floor
            found.append(float(metrics.esr(target, out.to("cpu"), power)))
        return found


def fold_levels(net: network.WaveNet, input_gain: float, output_gain: float) -> None:
    """Let the network take a DI and give a recording at the session's own levels."""
    with torch.no_grad():
        net.lift.weight.mul_(input_gain)
        net.head.weight.div_(output_gain)
        net.head.bias.div_(output_gain)


def architecture(shape: network.Shape) -> twin.Architecture:
    """What a twin file says of a network."""
    return twin.Architecture(
        shape.channels, shape.kernel_size, shape.dilations, shape.taps, shape.mix
    )


def tensors(net: network.WaveNet) -> dict[str, np.ndarray]:
    """A network's weights under the names of docs/twin-file.md, with its check signal."""
    named: dict[str, Tensor] = {
        "lift.weight": net.lift.weight,
        "lift.bias": net.lift.bias,
        "taps.weight": net.taps.weight,
        "taps.bias": net.taps.bias,
        "snake.alpha": net.snake.alpha,
        "mix.weight": net.mix.weight,
        "mix.bias": net.mix.bias,
        "head.weight": net.head.weight,
        "head.bias": net.head.bias,
    }
    if net.film is not None:
        named |= {f"film.{name}": value for name, value in net.film.mlp.named_parameters()}
    named |= check_signal(net)
    return {name: value.detach().numpy().astype(np.float32) for name, value in named.items()}


def load_tensors(net: network.WaveNet, named: Mapping[str, np.ndarray]) -> None:
    """The way back: a twin's tensors into a network of its shape."""
    weights = {
        name.replace("film.", "film.mlp."): torch.from_numpy(value.copy())
        for name, value in named.items()
        if not name.startswith("check.")
    }
    weights["snake.log_alpha"] = weights.pop("snake.alpha").log()
    net.load_state_dict(weights)


def check_signal(net: network.WaveNet, seconds_past: int = 1024) -> dict[str, Tensor]:
    """A burst of noise that reaches every tap, and the exact answer at two settings."""
    rng = np.random.default_rng(0)
    length = net.shape.receptive_field_samples + seconds_past
    noise = rng.uniform(-1, 1, length) * np.geomspace(1, 0.05, length)
    di = torch.tensor(noise.astype(np.float32))
    settings = torch.tensor(rng.uniform(size=(2, net.shape.knobs)).astype(np.float32))
    exact = network.WaveNet(net.shape).double()
    exact.load_state_dict(net.state_dict())
    with torch.no_grad():
        answer = exact.play(di.double().expand(2, -1), settings.double())
    return {"check.input": di, "check.settings": settings, "check.output": answer}
