"""Twin and amp play the same jobs, both at work at once: the engine here, the circuit beside it."""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from tubetwin import amp, engine
from tubetwin.capture import _obey
from tubetwin.files import BadInput
from tubetwin.playlist import Job, Jobs, Samples
from tubetwin.twin import Twin

PROCESSES = 2
TWIN_WORK = 0.2  # of the circuit's, for each sample

Answers = Mapping[str, Samples]
"""What came out of the twin or the amp, by the name of the job."""


def is_reference(twin: Twin) -> bool:
    """Whether the twin was made from the amp that we can simulate, and knows its knobs."""
    rig = str(twin.provenance.get("rig", "")).lower()
    return "reference amp" in rig and {k.name for k in twin.knobs} == {k.name for k in amp.KNOBS}


def _work(job: Job) -> float:
    """Samples, with those of a moving knob counted as dear as they were measured to be."""
    return len(job.di) * (2.5 if job.moves else 1.0)


@contextmanager
def _circuit(jobs: Jobs, sample_rate_hz: int) -> Iterator[dict[str, Future[Samples]]]:
    """The simulated amp, answering all jobs in processes of its own, the longest first."""
    if not jobs:
        yield {}
        return
    context = multiprocessing.get_context("forkserver")  # no threads or locks are inherited
    with ProcessPoolExecutor(PROCESSES, context, initializer=_obey) as pool:
        longest = sorted(jobs, key=lambda name: _work(jobs[name]), reverse=True)
        try:
            yield {
                name: pool.submit(amp.render, jobs[name].di, jobs[name].setting, sample_rate_hz)
                for name in longest
            }
        except BrokenProcessPool as error:
            raise BadInput(
                "a worker was killed, perhaps for want of memory: end other programs"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def play(
    twin: Path,
    jobs: Jobs,
    circuit_jobs: Jobs,
    sample_rate_hz: int,
    progress: Callable[[float], None] | None,
) -> tuple[Answers, Answers]:
    """The answers of twin and amp, both at work at once.

    Args:
        twin: the file.
        jobs: of the twin.
        circuit_jobs: of the amp.
        sample_rate_hz: of both.
        progress: called now and then with the finished share, 0…1.
    Raises:
        BadInput: as `amp.render` and `engine.render`.
    """
    answers: dict[str, Samples] = {}
    total = sum(map(_work, circuit_jobs.values())) + sum(map(_work, jobs.values())) * TWIN_WORK

    with _circuit(circuit_jobs, sample_rate_hz) as futures:

        def tell() -> None:
            solved = sum(_work(circuit_jobs[n]) for n, future in futures.items() if future.done())
            if progress:
                progress((solved + sum(_work(jobs[n]) for n in answers) * TWIN_WORK) / total)

        for name, job in jobs.items():
            answers[name] = engine.render(twin, job.di, job.setting)
            tell()
        for _ in as_completed(futures.values()):
            tell()
        return answers, {name: futures[name].result() for name in circuit_jobs}
