"""Training on several processes or machines: each hears windows of its own, all learn alike.

`torchrun` starts the same command everywhere and tells each process its rank in the environment.
Gradients are averaged by PyTorch's DistributedDataParallel; the leader, rank 0, keeps the clock,
judges and writes. Without torchrun everything here is a company of one.
"""

import atexit
import os
import sys
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, distributed, nn


def rank() -> int:
    """This process's number; the leader is 0."""
    return int(os.environ.get("RANK", "0")) if size() > 1 else 0


def size() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def neighbours() -> int:
    """How many of them share this machine's cores."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if size() > 1 else 1


def leads() -> bool:
    """Whether this process judges and writes."""
    return rank() == 0


def device(name: str) -> torch.device:
    """`cuda` is the one that is this process's own; any other name is taken as it is."""
    if name == "cuda" and size() > 1:
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device(name)


def meet(where: torch.device) -> None:
    """Wait for the others, once: gloo between CPUs, NCCL between GPUs."""
    if size() > 1 and not distributed.is_initialized():
        distributed.init_process_group("gloo" if where.type == "cpu" else "nccl")
        atexit.register(distributed.destroy_process_group)  # its threads would abort the exit


def leave() -> None:
    """End a process that trained with others, its work done: gloo's threads can abort an exit."""
    if size() > 1:
        if distributed.is_initialized():
            distributed.barrier()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def learner(module: nn.Module) -> nn.Module:
    """The module, its gradients averaged over all processes."""
    return nn.parallel.DistributedDataParallel(module) if size() > 1 else module


def share(value: Any) -> Any:
    """The leader's value, for everyone."""
    if size() > 1:
        box = [value]
        distributed.broadcast_object_list(box)
        return box[0]
    return value


def mean(value: Tensor) -> Tensor:
    """Over all processes, for everyone."""
    if size() > 1:
        distributed.all_reduce(value)
    return value / size()


def agree(values: Iterable[Tensor]) -> None:
    """Everyone takes the leader's tensors: rounding differs between kinds of processors."""
    if size() > 1:
        for value in values:
            distributed.broadcast(value.detach(), 0)
