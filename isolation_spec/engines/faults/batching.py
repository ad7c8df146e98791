"""Batching: prompts of many users share one model request, and a cancelled caller is
still in the batch."""

from __future__ import annotations

import asyncio
from typing import Any

from isolation_spec.contract.environment import Environment
from isolation_spec.contract.scripted_agent import ScriptedAgent
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import Message, UserExecutionContext
from isolation_spec.engines.reference.adapter import ReferenceAdapter

__all__ = ["FAULTS"]

_Prompt = tuple[str, asyncio.Future[str]]
"""The answer that the model will give, and the future of its caller."""


class _BatchingAdapter(ReferenceAdapter):
    """Sends all prompts that arrive during one model request as the next request.

    Agents run in tasks of their own, so that a cancellation reaches a caller while
    the batch works for it.
    """

    async def start(self, environment: Environment) -> None:
        self._prompts: list[_Prompt] = []
        self._sender: asyncio.Task[None] | None = None
        await super().start(environment)

    async def run_agent(self, user: str, context: Any, agent: ScriptedAgent) -> Any:
        running = super().run_agent(user, context, agent)
        return await asyncio.get_running_loop().create_task(running)

    async def answer(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        waiting = asyncio.get_running_loop().create_future()
        self.shown[context.run_id] = messages
        self._prompts.append((self._compose_answer(context, messages), waiting))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.get_running_loop().create_task(self._send_batches())
        return await self._wait(waiting)

    async def _wait(self, waiting: asyncio.Future[str]) -> str:
        return await waiting

    async def _send_batches(self) -> None:
        while self._prompts:
            batch, self._prompts = self._prompts, []
            batch = [prompt for prompt in batch if not prompt[1].done()]
            await self.environment.completion()
            self._deliver(batch)

    def _deliver(self, batch: list[_Prompt]) -> None:
        for answer, waiting in batch:
            if not waiting.done():
                waiting.set_result(answer)


class _UncheckedDeliveryAdapter(_BatchingAdapter):
    """Sets the result of a caller that has left; the rest of the batch gets no
    answer."""

    def _deliver(self, batch: list[_Prompt]) -> None:
        for answer, waiting in batch:
            waiting.set_result(answer)


REST_UNTOLD = Fault(
    id="rest-untold",
    source="aio-libs/aiohttp #2937, of a batch: the answer to a caller that has left "
    "raises InvalidStateError, and the callers behind it never get theirs",
    claims=frozenset({"error-containment"}),
    adapter=_UncheckedDeliveryAdapter,
)

FAULTS = (REST_UNTOLD,)
