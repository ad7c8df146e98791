"""Single flight: several users wait for one piece of work, which one of them does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.builders import SharedClient, with_factory
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import ExecutionEngineFactory

__all__ = ["FAULTS"]


class _FetchingClient(SharedClient):
    """A call fetches a token, or waits for a fetch in flight."""

    async def start(self, environment: Environment) -> None:
        self._fetching: asyncio.Future[None] | None = None
        await super().start(environment)

    async def call(self, request: Callable[[], Awaitable[Any]]) -> Any:
        if self._fetching is not None:
            await asyncio.shield(self._fetching)
        else:
            await self._fetch()
        return await request()

    async def _fetch(self) -> None:
        fetching = self._fetching = asyncio.get_running_loop().create_future()
        try:
            await self.environment.completion()
        except Exception as error:
            fetching.set_exception(error)
            raise
        else:
            fetching.set_result(None)
        finally:
            self._fetching = None


FOLLOWERS_LEFT = Fault(
    id="followers-left",
    source="home-assistant/core #174400: when the caller that fetches for all is "
    "cancelled, the waiting callers are never woken",
    claims=frozenset({"error-containment"}),
    adapter=_FetchingClient,
)


class _SingleLogoutFactory(ExecutionEngineFactory):
    """A logout during another logout waits for that one, as if it were a duplicate."""

    _leaving: asyncio.Task[None] | None = None

    async def cleanup_user_context(self, user_id: str) -> None:
        if self._leaving is None or self._leaving.done():
            leaving = super().cleanup_user_context(user_id)
            self._leaving = asyncio.get_running_loop().create_task(leaving)
        await asyncio.shield(self._leaving)


JOINED_LOGOUT = Fault(
    id="joined-logout",
    source="keycloak/keycloak #49949: of several simultaneous logouts one happens, and "
    "the others are taken for done",
    claims=frozenset({"teardown"}),
    adapter=with_factory(_SingleLogoutFactory),
)


FAULTS = (FOLLOWERS_LEFT, JOINED_LOGOUT)
