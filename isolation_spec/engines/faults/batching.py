"""Questions of many users in one request to a model, and agents in tasks of their
own: who is cancelled is so while others work for them."""

from __future__ import annotations

import asyncio
from typing import Any

from isolation_spec.contract.environment import Environment
from isolation_spec.contract.scripted_agent import ScriptedAgent
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import Message, UserExecutionContext
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.model.history.rendering import render

__all__ = ["FAULTS"]

_Question = tuple[str, asyncio.Future[str]]


class _Batching(ReferenceAdapter):
    """What is asked while a request is under way is the next request."""

    async def start(self, environment: Environment) -> None:
        self._questions: list[_Question] = []
        self._asking: asyncio.Task[None] | None = None
        await super().start(environment)

    async def run_agent(self, user: str, context: Any, agent: ScriptedAgent) -> Any:
        running = super().run_agent(user, context, agent)
        return await asyncio.get_running_loop().create_task(running)

    async def answer(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        waiting = asyncio.get_running_loop().create_future()
        asked = (message.content for message in messages if message.role == "user")
        known = render(context.metadata)
        answer = f"answer to {', '.join(asked)}, knowing {known}"
        self.shown[context.run_id] = messages
        self._questions.append((answer, waiting))
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask_all())
        return await self._wait(waiting)

    async def _wait(self, waiting: asyncio.Future[str]) -> str:
        return await waiting

    async def _ask_all(self) -> None:
        while self._questions:
            batch, self._questions = self._questions, []
            batch = [one for one in batch if not one[1].done()]
            await self.environment.completion()
            self._tell(batch)

    def _tell(self, batch: list[_Question]) -> None:
        for answer, waiting in batch:
            if not waiting.done():
                waiting.set_result(answer)


class _Thrown(_Batching):
    """Nobody is asked whether they still wait, and the rest is not told."""

    def _tell(self, batch: list[_Question]) -> None:
        for answer, waiting in batch:
            waiting.set_result(answer)


REST_UNTOLD = Fault(
    id="rest-untold",
    mechanism="batching",
    source="aio-libs/aiohttp #2937, of a batch: the answer to somebody who has left "
    "raises InvalidStateError, and those behind are never told",
    claims=frozenset({"error-containment"}),
    adapter=_Thrown,
)

FAULTS = (REST_UNTOLD,)
