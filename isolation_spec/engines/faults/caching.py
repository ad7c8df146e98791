"""Caches whose key leaves out a part of the question, such as the user."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.builders import (
    SharedClient,
    with_factory,
    with_memory,
)
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    ExecutionEngineFactory,
    Message,
    Tool,
    UserExecutionContext,
    UserMemory,
)
from isolation_spec.engines.reference.adapter import ReferenceAdapter

__all__ = ["FAULTS"]


class _AnswersAdapter(ReferenceAdapter):
    async def start(self, environment: Environment) -> None:
        self._answers: dict[str, str] = {}
        await super().start(environment)

    async def answer(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        question = messages[-1].content
        if question not in self._answers:
            self._answers[question] = await super().answer(context, messages)
        self.shown[context.run_id] = messages
        return self._answers[question]


ANSWER_CACHE = Fault(
    id="answer-cache",
    source="BerriAI/litellm #29955: a model answer is cached under its prompt alone, "
    "and every user that sends the same prompt gets it",
    claims=frozenset({"context-ownership"}),
    adapter=_AnswersAdapter,
)


class _ResultsAdapter(ReferenceAdapter):
    async def start(self, environment: Environment) -> None:
        self._results: dict[tuple[str, str], Any] = {}
        await super().start(environment)

    def _tool(self, name: str) -> Tool:
        tool = super()._tool(name)

        async def function(
            context: UserExecutionContext, arguments: Mapping[str, Any]
        ) -> Any:
            key = name, repr(arguments)
            if key not in self._results:
                self._results[key] = await tool.function(context, arguments)
            return self._results[key]

        return dataclasses.replace(tool, function=function)


RESULT_CACHE = Fault(
    id="result-cache",
    source="NeoGraph #210, as in langgraph's default CachePolicy: the key is a node's "
    "input and leaves out the user",
    claims=frozenset({"tool-isolation"}),
    adapter=_ResultsAdapter,
)


class _JoinedLoginClient(SharedClient):
    """A call logs in first or joins a login in flight; cancelling one caller cancels
    the login of all."""

    async def start(self, environment: Environment) -> None:
        self._login: asyncio.Task[None] | None = None
        await super().start(environment)

    async def call(self, request: Callable[[], Awaitable[Any]]) -> Any:
        if self._login is None:
            self._login = asyncio.get_running_loop().create_task(self._log_in())
        await self._login
        return await request()

    async def _log_in(self) -> None:
        try:
            await self.environment.completion()
        finally:
            self._login = None


JOINED_LOGIN = Fault(
    id="joined-login",
    source="oklabflensburg/open-city-planner #7: callers join a request in flight, and "
    "it ends when one of them is cancelled",
    claims=frozenset({"error-containment", "tool-isolation"}),
    adapter=_JoinedLoginClient,
)


def _with_joined_queries() -> type[UserMemory]:
    """A read of a thread joins a read of the same thread that is in flight."""
    in_flight: dict[str, asyncio.Task[dict[str, str]]] = {}

    class Memory(UserMemory):
        async def entries(self) -> dict[str, str]:
            thread = self.user_context.thread_id
            query = in_flight.get(thread)
            if query is None:
                query = asyncio.get_running_loop().create_task(super().entries())
                in_flight[thread] = query
                query.add_done_callback(lambda _: in_flight.pop(thread))
            return dict(await query)

    return Memory


JOINED_QUERY = Fault(
    id="joined-query",
    source="oklabflensburg/open-city-planner #7, ForceInjection/AI-fundamentals #17: "
    "equal queries share one execution, keyed by a session id without its user",
    claims=frozenset({"context-ownership", "stored-writes"}),
    adapter=with_memory(_with_joined_queries),
)


def _with_decisions_by(
    key_of: Callable[[UserExecutionContext, str], str],
) -> type[ReferenceAdapter]:
    """Caches each permission of a tool under this key."""

    class Factory(ExecutionEngineFactory):
        def __init__(self, **options: Any) -> None:
            decisions: dict[str, bool] = {}
            permissions = options["permissions"]

            def permitted(context: UserExecutionContext, tool: str) -> bool:
                key = key_of(context, tool)
                if key not in decisions:
                    decisions[key] = permissions(context, tool)
                return decisions[key]

            super().__init__(**{**options, "permissions": permitted})

    return with_factory(Factory)


DECISION_CACHE = Fault(
    id="decision-cache",
    source="apache/superset #26023: a decision is memoised under a key that leaves out "
    "an input of the decision",
    claims=frozenset({"tool-isolation"}),
    adapter=_with_decisions_by(lambda context, tool: context.user_id),
)


PERMISSION_CACHE = Fault(
    id="permission-cache",
    source="devlink #1170, onadata #2852: a cache leaves out the current user, so the "
    "first user's permission applies to all",
    claims=frozenset({"tool-isolation"}),
    adapter=_with_decisions_by(lambda context, tool: tool),
)


class _CredentialsAdapter(ReferenceAdapter):
    """Fetches one credential for the host of the tools and uses it for all users."""

    URL = "https://tools.example/token"

    async def start(self, environment: Environment) -> None:
        self._credentials: dict[str, str] = {}
        await super().start(environment)

    def _tool(self, name: str) -> Tool:
        tool = super()._tool(name)

        async def function(
            context: UserExecutionContext, arguments: Mapping[str, Any]
        ) -> Any:
            if self.URL not in self._credentials:
                await self.environment.completion()
                self._credentials[self.URL] = context.user_id
            return await tool.function(context, arguments)

        return dataclasses.replace(tool, function=function)

    def _tool_identity(self, context: UserExecutionContext) -> str:
        return self._credentials[self.URL]


CREDENTIAL_CACHE = Fault(
    id="credential-cache",
    source="drt-hub/drt #1156, google/adk-python #3772: a credential is cached under "
    "its URL, so the first user's credential serves all",
    claims=frozenset({"tool-isolation"}),
    adapter=_CredentialsAdapter,
)

FAULTS = (
    ANSWER_CACHE,
    CREDENTIAL_CACHE,
    DECISION_CACHE,
    JOINED_LOGIN,
    JOINED_QUERY,
    PERMISSION_CACHE,
    RESULT_CACHE,
)
