"""The suite keeps no cancelled task, nor its exception or traceback, alive."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.execution.run import run
from isolation_spec.model.history.entries import CancellationDelivered
from isolation_spec.model.scenario import (
    Cancellation,
    CancelRun,
    CleanupEngine,
    CleanupUser,
    Connect,
    Erase,
    Mutate,
    OpenContext,
    Operation,
    Read,
    Reconnect,
    RunAgent,
    Scenario,
    User,
    Write,
)
from isolation_spec.world.loop import CURRENT_OPERATION

CANCEL = Cancellation(step=2)
OPEN = OpenContext(id=1, user=0, context="x", thread="t")
RUN = RunAgent(id=2, user=0, context="x", script=(), background=True)
CONNECT = Connect(id=2, user=0, connection="c")
X: dict[str, Any] = {"id": 3, "user": 0, "context": "x", "cancel": CANCEL}
KINDS: dict[str, tuple[Operation, ...]] = {
    "open_context": (
        OpenContext(id=1, user=0, context="x", thread="t", cancel=CANCEL),
    ),
    "run_agent": (OPEN, RunAgent(**X, script=())),
    "cancel_run": (OPEN, RUN, CancelRun(id=3, user=0, run=2, cancel=CANCEL)),
    "read": (OPEN, Read(**X)),
    "read to mutate": (OPEN, Mutate(**X, value="v")),
    "write": (OPEN, Write(**X, key="k", value="v")),
    "erase": (OPEN, Erase(**X)),
    "cleanup_context": (OPEN, CleanupEngine(**X)),
    "cleanup_user": (OPEN, CleanupUser(id=3, user=0, cancel=CANCEL)),
    "connect": (Connect(id=3, user=0, connection="c", cancel=CANCEL),),
    "connect again": (
        CONNECT,
        Reconnect(id=3, user=0, connection="d", replaces="c", cancel=CANCEL),
    ),
}
"""Method -> operations of which the last one is cancelled in it."""


class Local:
    """A local variable of a method: alive as long as a frame or traceback is."""


async def sleep(environment: Environment) -> None:
    await asyncio.sleep(1.0)


async def call(environment: Environment) -> None:
    await environment.completion()


def watching(
    method: str, operation: int, wait_in: Callable[[Environment], Awaitable[None]]
) -> tuple[type[ReferenceAdapter], list[Any]]:
    """An adapter with a weakly held local variable and task in one method.

    The second list takes both, as far as they are alive after the operations.
    """
    watched: list[Any] = []

    async def wait(self: Any, *arguments: Any, **named: Any) -> Any:
        if CURRENT_OPERATION.get() == operation:
            local = Local()
            watched.append(weakref.ref(local))
            watched.append(weakref.ref(asyncio.current_task()))
            await wait_in(self.environment)
        return await original(self, *arguments, **named)

    class CancelledHere(ReferenceAdapter):
        def gauges(self, user: str | None) -> Any:
            alive.append([one() for one in watched])
            return super().gauges(user)

    alive: list[Any] = []
    original = getattr(ReferenceAdapter, method)
    setattr(CancelledHere, method, wait)
    return CancelledHere, alive


@pytest.mark.parametrize("wait_in", [sleep, call], ids=["sleep", "call"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_cancelled_task_is_let_go(kind: str, wait_in: Any) -> None:
    """After the operations, without a collection, neither task nor frame is alive."""
    operations = KINDS[kind]
    adapter, alive = watching(kind.split()[0], operations[-1].id, wait_in)
    scenario = Scenario(users=(User(label="alice", id="a"),), operations=operations)

    assert [] == list(scenario.problems())
    gc.collect()
    history = run(scenario, adapter)

    assert 1 == len(list(history.of(CancellationDelivered)))
    assert [None, None] == alive[0]
