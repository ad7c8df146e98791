"""A callback that computes for too long, by CPU time, is broken off."""

import asyncio
import signal
import sys
import time
import types
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.execution.run import run
from isolation_spec.model.scenario import Read, Schedule
from isolation_spec.world.blocking import BlockingCall
from isolation_spec.world.cpu_watch import CpuWatch
from isolation_spec.world.loop import WorldExhausted, WorldLoop
from isolation_spec.world.schedulers.base import Scheduler
from tests.builders import ALICE, make_scenario, open_context


def compute(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def calls_of(main: Callable[[], Any], seconds: float = 0.1) -> list[BlockingCall]:
    """The calls that the world reports of a coroutine."""
    calls: list[BlockingCall] = []
    loop = WorldLoop(Scheduler(Schedule()))
    loop.on_blocked = calls.append
    try:
        with CpuWatch(loop, seconds=seconds, every=0.02):
            loop.run_until_complete(main())
    finally:
        loop.close()
    return calls


def test_an_endless_computation_is_broken_off() -> None:
    """The run ends in the callback, and the report names its place."""
    calls: list[BlockingCall] = []
    loop = WorldLoop(Scheduler(Schedule()))
    loop.on_blocked = calls.append

    async def main() -> None:
        compute(3600)

    with CpuWatch(loop, seconds=0.1, every=0.02), pytest.raises(WorldExhausted):
        loop.run_until_complete(main())
    loop.close()

    assert [("a computation", 0.1)] == [(one.call, one.seconds) for one in calls]
    assert calls[0].place.startswith(f"{__name__}:")


def test_a_long_computation_is_noted_once() -> None:
    """From the noted seconds on, with its function, and the run goes on."""
    loop = WorldLoop(Scheduler(Schedule()))
    watch = CpuWatch(loop, noted=0.05, every=0.02)

    async def main() -> None:
        compute(0.3)
        await asyncio.sleep(0)
        compute(0.01)

    with watch:
        loop.run_until_complete(main())
    loop.close()

    assert [f"{__name__}.compute"] == watch.functions


def test_the_history_names_the_functions_that_were_noted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A read that computes is in the history, and the digest is as without."""

    class Computing(ReferenceAdapter):
        seconds = 0.0

        async def read(self, user: str, context: Any) -> Mapping[str, Any]:
            compute(self.seconds)
            return await super().read(user, context)

    class Slow(Computing):
        seconds = 0.3

    watch = partial(CpuWatch, noted=0.05, every=0.02)
    monkeypatch.setattr("isolation_spec.world.world.CpuWatch", watch)
    scenario = make_scenario(open_context(1), Read(id=2, user=ALICE, context="x"))
    quick, slow = run(scenario, Computing), run(scenario, Slow)

    assert () == quick.computing
    assert (f"{__name__}.compute",) == slow.computing
    assert quick.digest() == slow.digest()


def test_many_callbacks_may_compute_for_longer_together() -> None:
    """The time of one callback counts, not that of the run."""

    async def main() -> None:
        for _ in range(20):
            compute(0.02)
            await asyncio.sleep(0)

    assert [] == calls_of(main)


def test_an_import_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A callback may import a module for ever so long."""

    class Slow:
        def find_spec(self, name: str, *_: Any) -> Any:
            if name == "slow_module":
                compute(0.3)
                monkeypatch.setitem(sys.modules, name, types.ModuleType(name))

    async def main() -> None:
        with pytest.raises(ImportError):
            __import__("slow_module")

    monkeypatch.setattr(sys, "meta_path", [Slow()])

    assert [] == calls_of(main)


def test_a_job_of_an_executor_does_not_count() -> None:
    """A job stands for a thread of its own, beside which the loop serves others."""

    async def main() -> None:
        await asyncio.to_thread(compute, 0.3)

    assert [] == calls_of(main)


def test_another_handler_is_left_alone() -> None:
    """A profiler that uses SIGPROF keeps it."""
    before = signal.signal(signal.SIGPROF, signal.SIG_IGN)
    loop = WorldLoop(Scheduler(Schedule()))
    try:
        with CpuWatch(loop):
            assert (0.0, 0.0) == signal.getitimer(signal.ITIMER_PROF)
        assert signal.SIG_IGN == signal.getsignal(signal.SIGPROF)
    finally:
        loop.close()
        signal.signal(signal.SIGPROF, before)
