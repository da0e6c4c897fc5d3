"""SOAP: Adam, but along the directions in which a layer's gradients really vary.

Shampoo keeps, for a matrix of weights, the averages of G Gᵀ and Gᵀ G; SOAP turns gradients into
their eigenbases and runs Adam there. After equal steps a `standard` twin has two thirds of the
error that AdamW leaves (docs/numbers.md). Here every layer of a stacked tensor (layers, rows,
columns) is a matrix with bases of its own, which no library that we found offers.

Source: Vyas et al., "SOAP: Improving and stabilizing Shampoo using Adam", 2024 (arXiv 2409.11321).
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

WIDEST = 512  # a side longer than this keeps its own axes: the FiLM generator's last layer
FEWEST = 2  # a side of one has nothing to turn


class Soap(torch.optim.Optimizer):
    """Adam in the slowly turning eigenbases of Shampoo's preconditioner."""

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        betas: tuple[float, float] = (0.95, 0.95),
        weight_decay: float = 1e-4,
        every: int = 10,
    ) -> None:
        """Optimise `parameters`.

        Args:
            parameters: (..., rows, columns), a matrix for each of the leading axes; or (columns,).
            lr: learning rate, about that of Adam.
            betas: decay of the momentum, and of both kinds of second moment.
            weight_decay: decoupled, as in AdamW.
            every: the bases turn once in so many steps.
        """
        defaults = {"lr": lr, "betas": betas, "weight_decay": weight_decay, "every": every}
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step along the gradients; the first only looks at them."""
        for group in self.param_groups:
            for weights in group["params"]:
                if weights.grad is not None:
                    self._step(weights, weights.grad, self.state[weights], group)

    def _step(self, weights: Tensor, grad: Tensor, state: Any, group: dict[str, Any]) -> None:
        matrices = grad if grad.ndim > 1 else grad[None]
        if not state:
            state |= _begun(matrices)
            return
        slow, fast = group["betas"]
        state["steps"] += 1
        state["mean"].lerp_(matrices, 1 - slow)
        state["square"].lerp_(_turned(matrices, state).square(), 1 - fast)
        mean = _turned(state["mean"], state) / (1 - slow ** state["steps"])
        square = state["square"] / (1 - fast ** state["steps"])
        direction = _turned_back(mean / (square.sqrt() + 1e-8), state)
        weights.mul_(1 - group["lr"] * group["weight_decay"])
        weights.sub_(group["lr"] * direction.reshape(weights.shape))
        for side, product in _products(matrices, state).items():
            state[side].lerp_(product, 1 - fast)
            if state["steps"] % group["every"] == 0:  # one round of orthogonal iteration
                state[f"{side} basis"] = torch.linalg.qr(state[side] @ state[f"{side} basis"])[0]


def _begun(matrices: Tensor) -> dict[str, Any]:
    state: dict[str, Any] = {"steps": 0}
    state |= {name: torch.zeros_like(matrices) for name in ("mean", "square")}
    rows, columns = matrices.shape[-2:]
    sides = {"rows": rows, "columns": columns}
    state |= {side: None for side, n in sides.items() if FEWEST <= n <= WIDEST}
    for side, product in _products(matrices, state).items():
        state[side] = product
        state[f"{side} basis"] = torch.linalg.eigh(product)[1]
    return state


def _products(matrices: Tensor, state: dict[str, Any]) -> dict[str, Tensor]:
    """G Gᵀ and Gᵀ G, for the sides that have a basis."""
    pairs = {"rows": (matrices, matrices.mT), "columns": (matrices.mT, matrices)}
    return {side: left @ right for side, (left, right) in pairs.items() if side in state}


def _turned(matrices: Tensor, state: dict[str, Any]) -> Tensor:
    """Into the eigenbases."""
    if "rows" in state:
        matrices = state["rows basis"].mT @ matrices
    return matrices @ state["columns basis"] if "columns" in state else matrices


def _turned_back(matrices: Tensor, state: dict[str, Any]) -> Tensor:
    if "rows" in state:
        matrices = state["rows basis"] @ matrices
    return matrices @ state["columns basis"].mT if "columns" in state else matrices
