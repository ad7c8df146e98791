"""Blocked loop: a synchronous wait in a callback stops the operations of all users."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.builders import SharedClient, SharedToolClient
from isolation_spec.engines.faults.fault import Fault

__all__ = ["FAULTS"]


class _PoliteClient(SharedClient):
    """Waits between two calls, as a rate limit demands, with the loop in hand."""

    async def call(self, request: Callable[[], Awaitable[Any]]) -> Any:
        self._keep_rate()
        return await request()

    def _keep_rate(self) -> None:
        time.sleep(0.2)


SLEEPS_IN_CALL = Fault(
    id="sleeps-in-call",
    source="aden-hive/hive #4057, warestack/watchflow #68: a client waits between two "
    "calls of the model with time.sleep",
    claims=frozenset({"error-containment"}),
    adapter=_PoliteClient,
)


class _LockedClient(SharedToolClient):
    """Holds a lock of threads across an await.

    The call that waits for the lock holds the loop, so the holder cannot go on.
    """

    async def start(self, environment: Environment) -> None:
        self._permits = threading.Semaphore()
        await super().start(environment)

    async def call(self, request: Callable[[], Awaitable[Any]]) -> Any:
        if not self._permits.acquire(timeout=1.0):
            return await request()
        try:
            return await request()
        finally:
            self._permits.release()


THREAD_LOCK = Fault(
    id="thread-lock",
    source="agent0ai/agent-zero #1355, weaviate-python-client #1332: a lock of threads "
    "is held across an await, and the next call waits for it",
    claims=frozenset({"error-containment"}),
    adapter=_LockedClient,
)


FAULTS = (SLEEPS_IN_CALL, THREAD_LOCK)
