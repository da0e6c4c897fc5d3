"""The optimiser goes down slopes that lie across its axes, and forgets nothing in a checkpoint."""

import copy

import torch
from torch import Tensor

from tubetwin.soap import Soap


def valley(seed: int = 3) -> tuple[Tensor, Tensor]:
    """A rotated, stretched bowl over (layers, rows, columns), where Adam zigzags."""
    torch.manual_seed(seed)
    stretch = torch.logspace(0, -2, 8)
    turn = torch.linalg.qr(torch.randn(8, 8))[0]
    return turn @ torch.diag(stretch) @ turn.T, torch.randn(5, 8, 8)


def descended(make: type[torch.optim.Optimizer], steps: int, seed: int) -> float:
    slope, start = valley(seed)
    weights = torch.nn.Parameter(start.clone())
    optimiser = make([weights], lr=0.03, weight_decay=0.0)  # type: ignore[call-arg]
    for _ in range(steps):
        optimiser.zero_grad()
        loss = (slope @ weights @ slope).square().sum()
        loss.backward()
        optimiser.step()
    return float(loss.detach())


def test_directions_across_the_axes_cost_no_detour() -> None:
    """In the median of nine valleys: at one rate both end by swinging, now higher and now lower."""
    shares = [
        descended(Soap, 150, seed) / descended(torch.optim.AdamW, 150, seed) for seed in range(9)
    ]
    assert sorted(shares)[4] < 0.5


def test_going_on_from_a_checkpoint_is_going_on() -> None:
    _, start = valley()
    weights = [torch.nn.Parameter(start.clone()), torch.nn.Parameter(torch.ones(7))]
    optimiser = Soap(weights, lr=0.01)

    def play(parameters: list[torch.nn.Parameter], soap: Soap, steps: int) -> None:
        for step in range(steps):
            for p in parameters:
                p.grad = torch.cos(p.detach() + step)
            soap.step()

    play(weights, optimiser, 15)
    again = [torch.nn.Parameter(p.detach().clone()) for p in weights]
    other = Soap(again, lr=0.01)
    other.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    play(weights, optimiser, 15)
    play(again, other, 15)
    assert all(torch.equal(a, b) for a, b in zip(weights, again, strict=True))
