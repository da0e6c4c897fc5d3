"""A network as a twin's tensors, and the way back: the names are those of docs/twin-file.md."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from tubetwin import network, twin


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
