"""The keeper waits for cards that fall silent, and ends what is stuck."""

import types
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from live_stage import RATE, FakeCard, order, until
from tubetwin import booth
from tubetwin.files import BadInput
from tubetwin.keeper import Keeper


def test_a_card_that_falls_silent_is_waited_for(card: FakeCard, twins: dict[str, Path]) -> None:
    kept = Keeper(order(twins), card.begin)
    until(lambda: any(len(report.heard) for report in kept.collect()))
    card.plugged = False
    until(lambda: kept.collect() or kept.trouble)
    until(lambda: kept.trouble == "no card" or kept.collect() is None)
    kept.tell(replace(kept.order, setting={"Volume": 9}))
    card.plugged = True
    until(lambda: any(len(report.heard) for report in kept.collect()))
    assert (kept.trouble, kept.restarts, card.opened) == ("", 1, 2)
    assert kept.order.setting == {"Volume": 9}
    kept.close()


def test_a_card_that_never_was_is_an_error_at_once(card: FakeCard, twins: dict[str, Path]) -> None:
    card.plugged = False
    with pytest.raises(BadInput, match="no card"):
        Keeper(order(twins), card.begin)


def test_a_stuck_process_is_killed(card: FakeCard, twins: dict[str, Path]) -> None:
    """Drivers that never return, as PortAudio does behind a killed JACK server."""
    killed = []

    def stuck(order: booth.Order) -> tuple[Any, Connection]:
        here, there = Pipe()
        there.send(booth.Started(RATE, (0.0, 0.0), 0.0))
        process = types.SimpleNamespace(
            pipe=there, kill=lambda: killed.append(1), join=lambda seconds=None: None
        )
        return process, here

    kept = Keeper(order(twins), stuck)
    kept._deadline = 0.0
    kept.collect()
    assert killed == [1]
    assert "fell silent" in kept.trouble
