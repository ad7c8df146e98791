"""What was made for one question and given to another: keys that say too little."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.builders import OneClient, with_factory, with_memory
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
    mechanism="caching",
    source="BerriAI/litellm #29955: what the model answered is kept under the question "
    "alone, and whoever asks the same gets it",
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
    mechanism="caching",
    source="NeoGraph #210, as in langgraph's default CachePolicy: the key is a node's "
    "input, not for whom it works",
    claims=frozenset({"tool-isolation"}),
    adapter=_ResultsAdapter,
)


class _JoinedLogin(OneClient):
    """A call logs in first, or joins who does; who is cancelled cancels it for all."""

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
    mechanism="caching",
    source="oklabflensburg/open-city-planner #7: whoever needs the same joins "
    "the first one's request, and it ends when one of them leaves",
    claims=frozenset({"error-containment", "tool-isolation"}),
    adapter=_JoinedLogin,
)


def _with_joined_queries() -> type[UserMemory]:
    """Who reads a thread while it is being read waits for what is being read."""
    under_way: dict[str, asyncio.Task[dict[str, str]]] = {}

    class Memory(UserMemory):
        async def entries(self) -> dict[str, str]:
            thread = self.user_context.thread_id
            query = under_way.get(thread)
            if query is None:
                query = asyncio.get_running_loop().create_task(super().entries())
                under_way[thread] = query
                query.add_done_callback(lambda _: under_way.pop(thread))
            return dict(await query)

    return Memory


JOINED_QUERY = Fault(
    id="joined-query",
    mechanism="caching",
    source="oklabflensburg/open-city-planner #7, ForceInjection/AI-fundamentals #17: "
    "equal questions share one query, on a session id without its user",
    claims=frozenset({"context-ownership", "stored-writes"}),
    adapter=with_memory(_with_joined_queries),
)


class _DecisionsFactory(ExecutionEngineFactory):
    def __init__(self, **options: Any) -> None:
        decisions: dict[str, bool] = {}
        permissions = options["permissions"]

        def permitted(context: UserExecutionContext, tool: str) -> bool:
            if context.user_id not in decisions:
                decisions[context.user_id] = permissions(context, tool)
            return decisions[context.user_id]

        options["permissions"] = permitted
        super().__init__(**options)


DECISION_CACHE = Fault(
    id="decision-cache",
    mechanism="caching",
    source="apache/superset #26023: a decision is memoised under a key that leaves out "
    "what it depends on",
    claims=frozenset({"tool-isolation"}),
    adapter=with_factory(_DecisionsFactory),
)


class _ToolDecisionsFactory(ExecutionEngineFactory):
    def __init__(self, **options: Any) -> None:
        decisions: dict[str, bool] = {}
        permissions = options["permissions"]

        def permitted(context: UserExecutionContext, tool: str) -> bool:
            if tool not in decisions:
                decisions[tool] = permissions(context, tool)
            return decisions[tool]

        options["permissions"] = permitted
        super().__init__(**options)


PERMISSION_CACHE = Fault(
    id="permission-cache",
    mechanism="caching",
    source="devlink #1170, onadata #2852: a cache leaves out the current user, so the "
    "first one's permission is everybody's",
    claims=frozenset({"tool-isolation"}),
    adapter=with_factory(_ToolDecisionsFactory),
)


class _CredentialsAdapter(ReferenceAdapter):
    """Exchanges its caller for a credential at the place where all tools live."""

    URL = "https://tools.example/token"

    async def start(self, environment: Environment) -> None:
        self._credentials: dict[str, str] = {}
        await super().start(environment)

    def _tool(self, name: str) -> Tool:
        async def function(
            context: UserExecutionContext, arguments: Mapping[str, Any]
        ) -> Any:
            credential = self._credentials.get(self.URL)
            if credential is None:
                await self.environment.completion()
                credential = self._credentials[self.URL] = context.user_id
            return await self.environment.toolbox.run(
                name, arguments["argument"], lambda: credential
            )

        return dataclasses.replace(super()._tool(name), function=function)


CREDENTIAL_CACHE = Fault(
    id="credential-cache",
    mechanism="caching",
    source="drt-hub/drt #1156, google/adk-python #3772: a credential is kept for the "
    "place it came from, so the first user's serves all",
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
