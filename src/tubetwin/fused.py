"""The network's forward and backward pass in native code, as one function for PyTorch's autograd.

The same samples and gradients as `WaveNet.forward` to float32 rounding, many times faster on a CPU
than eager PyTorch: the whole stack runs block by block in registers and L1 (gradient.h). PyTorch
keeps the small parts: the FiLM generator, the folding, the loss and the optimiser.
"""

import ctypes
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tubetwin import engine
from tubetwin.network import Shape, WaveNet

_MULTIPLE = 32  # samples; the kernels work on whole pairs of vectors


class _Job(ctypes.Structure):
    _fields_ = (
        ("channels", ctypes.c_int),
        ("dense", ctypes.c_int),
        ("full_mix", ctypes.c_int),
        ("layers", ctypes.c_int),
        ("dilations", ctypes.POINTER(ctypes.c_int)),
        ("samples", ctypes.c_long),
        ("segments", ctypes.c_int),
        ("threads", ctypes.c_int),
    )


def _job(shape: Shape, samples: int, segments: int, threads: int) -> _Job:
    dilations = (ctypes.c_int * shape.layers)(*shape.dilations)
    dense, full = shape.taps == "dense", shape.mix == "full"
    return _Job(shape.channels, dense, full, shape.layers, dilations, samples, segments, threads)


def available(shape: Shape) -> bool:
    """Whether this network has native training kernels; else `WaveNet.forward` is the way."""
    job = _job(shape, _MULTIPLE, 1, 1)
    return shape.kernel_size == 3 and _library().tubetwin_training_parameters(job) > 0


def forward(network: WaveNet, samples: Tensor, knobs: Tensor, threads: int = 1) -> Tensor:
    """`network(samples, knobs)` in native code.

    Args:
        network: a WaveNet on the CPU in float32 whose shape is `available`.
        samples: (batch, time), the first `history_samples` past only; needs no gradient.
        knobs: (batch, knobs), 0…1.
        threads: the batch is shared among so many threads.
    Returns:
        (batch, time - history), differentiable in all parameters of the network.
    """
    return play(flat(network, knobs), samples, network.shape, threads)


def play(parameters: Tensor, samples: Tensor, shape: Shape, threads: int = 1) -> Tensor:
    """A network of this shape whose parameters may differ from item to item, as `flat` gives them.

    (batch, parameters) and (batch, time) -> (batch, time - history), differentiable in the former.
    """
    history, time = shape.receptive_field_samples - 1, samples.shape[1]
    missing = -time % _MULTIPLE
    padded = functional.pad(samples, (missing, 0)).contiguous()
    heard = time - history
    out: Tensor = _Fused.apply(parameters, padded, shape, threads, heard)  # type: ignore[no-untyped-call]
    return out


def flat(network: WaveNet, knobs: Tensor) -> Tensor:
    """All parameters of each item in the order that gradient.h reads them: (batch, parameters)."""
    net, (taps, bias) = network, network.folded(knobs)
    mix = net.mix.weight[None], net.mix.bias[None]
    head = net.head.weight[None], net.head.bias[None]
    lift = net.lift.weight[None], net.lift.bias[None]
    return joined(*lift, taps, bias, net.snake.alpha[None], *mix, *head)


def joined(*parts: Tensor) -> Tensor:
    """Tensors (batch, ...), or (1, ...) where all items share them, as one (batch, parameters)."""
    batch = max(len(part) for part in parts)
    return torch.cat([part.flatten(1).expand(batch, -1) for part in parts], 1)


class _Fused(torch.autograd.Function):
    """(parameters (batch, P), samples (batch, time)) -> the last (batch, heard)."""

    @staticmethod
    def forward(
        ctx: Any, flat: Tensor, samples: Tensor, shape: Shape, threads: int, heard: int
    ) -> Tensor:
        library, (segments, time) = _library(), samples.shape
        job = _job(shape, time, segments, threads)
        flat = flat.contiguous()
        if flat.shape[1] != library.tubetwin_training_parameters(job):
            raise ValueError(f"no native training kernel for {shape}")
        saved = _scratch(segments * library.tubetwin_training_saved(job))
        out = torch.empty_like(samples)
        library.tubetwin_training_forward(job, _p(flat), _p(samples), _p(saved), _p(out))
        ctx.job, ctx.saved, ctx.first = job, saved, time - heard
        ctx.save_for_backward(flat, samples)
        return out[:, ctx.first :]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        flat, samples = ctx.saved_tensors
        dout = torch.zeros_like(samples)
        dout[:, ctx.first :] = gradients[0]
        dflat = torch.empty_like(flat)
        status = _library().tubetwin_training_backward(
            ctx.job, _p(flat), _p(samples), _p(ctx.saved), _p(dout), _p(dflat)
        )
        if status != 0:
            raise MemoryError("no memory for the gradients of one batch")
        return dflat, None, None, None, None


_reused: dict[int, Tensor] = {}


def _scratch(floats: int) -> Tensor:
    """Memory for one batch's saved layers, kept between steps: new memory costs page faults.

    A step's backward pass must come before the next forward pass.
    """
    if floats not in _reused:
        _reused.clear()
        _reused[floats] = torch.zeros(floats)
    return _reused[floats]


def _p(tensor: Tensor) -> int:
    return tensor.data_ptr()


@cache
def _library() -> ctypes.CDLL:
    library = engine.library()
    job, floats = ctypes.POINTER(_Job), ctypes.c_void_p
    library.tubetwin_training_parameters.argtypes = [job]
    library.tubetwin_training_parameters.restype = ctypes.c_long
    library.tubetwin_training_saved.argtypes = [job]
    library.tubetwin_training_saved.restype = ctypes.c_long
    library.tubetwin_training_forward.argtypes = [job, *[floats] * 4]
    library.tubetwin_training_backward.argtypes = [job, *[floats] * 5]
    return library
