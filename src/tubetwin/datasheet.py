"""A twin's data sheet: every number measured on the loaded twin, as the engine plays it.

The table is the one a tube amp model is usually sold with (memory, reach into the past, work per
sample, latency), but here nothing is a formula: the reach and the latency are heard in answers to
an impulse, the memory is what the engine allocated, the work is counted on the tensors in the file.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from tubetwin import engine
from tubetwin.knobs import normalise
from tubetwin.twin import Twin, load

FORMAT = 1
BLOCK_SAMPLES = 64  # what the engine cuts longer blocks into; 1.3 ms at 48 kHz
IMPULSE_AT = 100  # not on the edge of a block
IMPULSE = 0.5  # of full scale: an ordinary level
# Through 30 layers the oldest path is some 30 orders quieter than the youngest, far below what
# float32 can add to it: an impulse at an ordinary level is heard for 4,000 to 5,000 of its 6,139
# samples, one of 1e30 to the last. It is so large that Snake's bounded part vanishes beside its
# linear one. How large is best depends on the weights, hence several.
HUGE = (1e26, 1e29, 1e32, 1e35, 1e37)
TIMED_SECONDS = 0.5
REPEATS = 9  # the least of them counts: whatever else the machine does only adds

Samples = npt.NDArray[np.float32]


# ---- By impulse --------------------------------------------------------------------------------


def _answer(player: engine.Player, level: float, length: int) -> Samples:
    """The answer to silence with one sample of `level` in it."""
    di = np.zeros(length, np.float32)
    di[IMPULSE_AT] = level
    player.reset()
    return player.process(di)


def _changed(player: engine.Player, listen_samples: int) -> npt.NDArray[np.intp]:
    """Where an impulse changes the output, counted from the impulse.

    A sample that is not finite tells nothing: infinity times a weight of zero is no longer zero.
    """
    rest, struck = (_answer(player, x, IMPULSE_AT + listen_samples) for x in (0, IMPULSE))
    return np.flatnonzero((struck != rest) & np.isfinite(struck)) - IMPULSE_AT


def _amplified(loaded: Twin, player: engine.Player, level: float) -> bytes:
    """The twin with a gain before its first layer: `IMPULSE` enters at `level`, as no DI could.

    Its check signal is silence, which no gain changes, with the answer that `player` gives.
    """
    silence = np.zeros_like(loaded.tensors["check.input"])
    lift = loaded.tensors["lift.weight"]
    largest = np.abs(lift).max() or np.float32(1)
    player.reset()
    return safetensors.numpy.save(
        {
            **loaded.tensors,
            "lift.weight": lift / largest * np.float32(level / IMPULSE),
            "check.input": silence,
            "check.settings": normalise(loaded.knobs, player.setting)[None],
            "check.output": player.process(silence)[None],
        },
        {"format": "tubetwin", "tubetwin": json.dumps(player.description)},
    )


def receptive_field_samples(loaded: Twin, player: engine.Player) -> int:
    """How many samples of output one sample of DI changes, by bit-exact comparison.

    The engine remembers no more than its delay lines hold, so behind the receptive field the output
    is again, to the last bit, what silence gives. The path to its end crosses no other one, so it
    stays whole even where the impulse makes younger samples overflow.

    Args:
        loaded: the twin.
        player: of it, no cabinet; it is reset.
    Returns:
        from the impulse to the last sample that differs, both included; 0 if none does.
    """
    listen_samples = 2 * loaded.architecture.receptive_field_samples + BLOCK_SAMPLES
    last = -1
    for level in HUGE:
        with engine.Player(_amplified(loaded, player, level)) as loud:
            last = max(last, int(_changed(loud, listen_samples).max(initial=-1)))
    return last + 1


def latency_samples(loaded: Twin, player: engine.Player) -> int | None:
    """Samples from an impulse to the first of its answer; None: it is never answered.

    Args:
        loaded: the twin.
        player: of it, no cabinet; it is reset.
    """
    changed = _changed(player, loaded.architecture.receptive_field_samples)
    return int(changed[0]) if len(changed) else None


# ---- By counting -------------------------------------------------------------------------------


def macs(twin: Twin) -> dict[str, int]:
    """Multiply-accumulates per sample, by part: one for each weight that every sample uses.

    FiLM costs none while the knobs rest, as it is folded into the taps. Snakes are evaluations of
    an activation, which have no agreed price in MACs: they stand beside the total.
    """
    size = {name: int(tensor.size) for name, tensor in twin.tensors.items()}
    parts = {part: size[f"{part}.weight"] for part in ("lift", "taps", "mix", "head")}
    ledger = {"lift": parts["lift"], "taps": parts["taps"], "film": 0}
    ledger |= {"mix": parts["mix"], "head": parts["head"], "total": sum(parts.values())}
    return ledger | {"snakes": size["snake.alpha"]}


def film_macs_per_move(twin: Twin) -> int:
    """Multiply-accumulates of FiLM's generator, once for every new position of the knobs."""
    names = [n for n in twin.tensors if n.startswith("film.") and n.endswith(".weight")]
    return sum(int(twin.tensors[name].size) for name in names)


def parameters(twin: Twin) -> int:
    """Learned numbers in the file: everything but the check signal."""
    learned = (t.size for name, t in twin.tensors.items() if not name.startswith("check."))
    return int(sum(learned))


# ---- By the clock ------------------------------------------------------------------------------


def real_time_factor(player: engine.Player) -> float:
    """CPU seconds per second of sound, knobs at rest, in the engine's blocks: below 1 it plays."""
    samples = round(TIMED_SECONDS * player.sample_rate_hz)
    noise = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    player.reset()
    least = float("inf")
    for _ in range(REPEATS):
        start = time.thread_time()
        player.process(noise)
        least = min(least, time.thread_time() - start)
    return least / TIMED_SECONDS


# ---- The data sheet ----------------------------------------------------------------------------


def measure(twin: Path | str, timing: bool = True) -> dict[str, Any]:
    """All figures of a twin file.

    Args:
        twin: the file.
        timing: also measure the real-time factor, which takes a moment; else it is None.
    Returns:
        What JSON can hold: the keys of docs/twin-file.md that describe the twin, and the figures.
    Raises:
        BadInput: the file is no twin that both readers accept.
    """
    path = Path(twin)
    loaded = load(path)
    with engine.Player(path) as player:
        reach = receptive_field_samples(loaded, player)
        latency = latency_samples(loaded, player)
        memory = player.memory()
        factor = real_time_factor(player) if timing else None
        check_error = player.check()
    return _described(path, loaded) | {
        "receptive_field_samples": reach,
        "seconds_of_memory": reach / loaded.sample_rate_hz,
        "latency_samples": latency,
        "macs": macs(loaded),
        "film_macs_per_move": film_macs_per_move(loaded),
        "parameters": parameters(loaded),
        "file_bytes": path.stat().st_size,
        "delay_line_bytes": memory["delay_lines"],
        "memory": memory | {"total": sum(memory.values())},
        "real_time_factor": factor,
        "block_samples": BLOCK_SAMPLES,
        "instruction_set": engine.instruction_set(),
        "check_error": check_error,
    }


def _described(path: Path, loaded: Twin) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "twin": str(path),
        "name": loaded.name,
        "rig": loaded.provenance.get("rig"),
        "licence": loaded.licence,
        "sample_rate_hz": loaded.sample_rate_hz,
        "knobs": [asdict(knob) for knob in loaded.knobs],
        "levels": dict(loaded.levels) if loaded.levels else None,
        "architecture": asdict(loaded.architecture)
        | {"dilations": list(loaded.architecture.dilations)},
        "provenance": dict(loaded.provenance),
        "scores": dict(loaded.scores),
    }


# ---- For the eye -------------------------------------------------------------------------------

Row = tuple[str, str, str]
"""What it is, its value, and how it was measured."""


def table(measured: Mapping[str, Any]) -> list[Row]:
    """The data sheet as text: what, value, how it was measured.

    Args:
        measured: as from `measure`.
    """
    m = measured
    work, memory = m["macs"], m["memory"]
    parts = ", ".join(f"{key} {work[key]:,}" for key in ("lift", "taps", "film", "mix", "head"))
    error = f"{m['check_error']:.1e} of the peak"
    latency = "no answer"
    if m["latency_samples"] is not None:
        milliseconds = 1000 * m["latency_samples"] / m["sample_rate_hz"]
        latency = f"{m['latency_samples']} samples ({milliseconds:g} ms)"
    return [
        ("Receptive field", f"{m['receptive_field_samples']:,} samples", "impulse, bit by bit"),
        ("Time memory", _time_memory(m), "receptive field / sample rate"),
        ("Delay lines", f"{m['delay_line_bytes']:,} bytes", "allocated by the engine"),
        ("Memory, everything", f"{memory['total']:,} bytes", "allocated by the engine"),
        ("MACs per sample", f"{work['total']:,}", f"weights in the file: {parts}"),
        ("Snakes per sample", f"{work['snakes']:,}", "activations, not in the MACs"),
        ("Latency", latency, "impulse; a sound card's buffers come on top"),
        ("Real-time factor", *_speed(m)),
        ("Check signal", error, "engine against the answer stored in the file"),
        ("Parameters", f"{m['parameters']:,}", f"in a file of {m['file_bytes']:,} bytes"),
        *_scores(m["scores"]),
    ]


def _time_memory(m: Mapping[str, Any]) -> str:
    return f"{m['seconds_of_memory']:.3f} s at {m['sample_rate_hz']:,} Hz"


def _speed(m: Mapping[str, Any]) -> tuple[str, str]:
    how = f"CPU time per time played, blocks of {m['block_samples']}, {m['instruction_set']}"
    factor = m["real_time_factor"]
    return ("not measured" if factor is None else f"{factor:.4f} ({1 / factor:,.0f} x)", how)


def _scores(scores: Mapping[str, Any]) -> list[Row]:
    """One row each for settings seen and unseen, as far as the twin was evaluated."""
    amp = "the simulated amp" if scores.get("simulated") else "the amp"
    rows = []
    for group in ("seen", "unseen"):
        found = scores.get(group) or {}
        if not found.get("count"):
            rows.append((f"ESR, settings {group}", "not evaluated", "tubetwin evaluate"))
            continue
        value = ", ".join(f"{key} {found[key]:.4f}" for key in ("median", "p90", "worst"))
        how = f"the engine against {amp} at {found['count']} settings, when it was trained"
        rows.append((f"ESR, settings {group}", value, how))
    return rows
