"""Work that several users wait for together, and one of them is doing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from isolation_spec.adapter import Environment
from isolation_spec.adapters.reference import ReferenceAdapter
from isolation_spec.engine import Message, UserExecutionContext
from isolation_spec.faults.fault import Fault
from isolation_spec.faults.parts import OneClient

__all__ = ["FAULTS"]


class _LeftFollowers(OneClient):
    """A call fetches a token, or waits for the one that is being fetched."""

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
    mechanism="flights",
    source="home-assistant/core #174400: a call that is broken off takes its entry out "
    "of the table, and those who wait for it are never told",
    claims=frozenset({"error-containment"}),
    adapter=_LeftFollowers,
)


class _DyingFlight(ReferenceAdapter):
    """A token is fetched for all who wait for it; the last to leave calls it off."""

    async def start(self, environment: Environment) -> None:
        self._fetching: asyncio.Task[None] | None = None
        self._waiting = 0
        await super().start(environment)

    async def answer(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        if self._fetching is None:
            self._fetching = asyncio.get_running_loop().create_task(self._fetch())
        self._waiting += 1
        try:
            await asyncio.shield(self._fetching)
        finally:
            self._waiting -= 1
            if not self._waiting and self._fetching is not None:
                self._fetching.cancel()
        return await super().answer(context, messages)

    async def _fetch(self) -> None:
        try:
            await self.environment.completion()
        except asyncio.CancelledError:
            # The connection is closed in good order.
            await self.environment.completion()
            raise
        finally:
            self._fetching = None


DYING_JOINED = Fault(
    id="dying-joined",
    mechanism="flights",
    source="aio-libs/async-lru #697: what nobody waits for any more is called off, and "
    "who comes before it has ended joins it",
    claims=frozenset({"error-containment"}),
    adapter=_DyingFlight,
)


class _TwoLogins(OneClient):
    """One logs in for all who wait; if that one leaves, each logs in for themselves."""

    async def start(self, environment: Environment) -> None:
        self._login: asyncio.Future[bool] | None = None
        self._logins = 0
        await super().start(environment)

    async def call(self, request: Callable[[], Awaitable[Any]]) -> Any:
        if self._login is not None:
            done = await asyncio.shield(self._login)
            if not done:
                await self._log_in()
            return await request()
        login = self._login = asyncio.get_running_loop().create_future()
        try:
            await self._log_in()
            login.set_result(True)
        finally:
            self._login = None
            if not login.done():
                login.set_result(False)
        return await request()

    async def _log_in(self) -> None:
        """A login ends those that are under way: the server lets in one at a time."""
        self._logins += 1
        mine = self._logins
        await self.environment.completion()
        if mine != self._logins:
            message = "somebody else has logged in meanwhile"
            raise ConnectionError(message)


LOGGED_IN_TWICE = Fault(
    id="logged-in-twice",
    mechanism="flights",
    source="PureWhiteWu/async_singleflight #12, cdnninja/yoto_api #224: when the first "
    "leaves, all others take over at once, and one login voids the other",
    claims=frozenset({"error-containment", "tool-isolation"}),
    adapter=_TwoLogins,
)

FAULTS = (
    DYING_JOINED,
    FOLLOWERS_LEFT,
    LOGGED_IN_TWICE,
)
