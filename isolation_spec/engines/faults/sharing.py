"""One object where each user should have one: a default, an attribute, a singleton."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, ClassVar

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.builders import with_fresh_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    Agent,
    Message,
    ToolDispatcher,
    ToolStatistics,
    UserExecutionContext,
    UserExecutionEngine,
)
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.reference.runs import Run

__all__ = ["FAULTS"]


def _with_default_conversation() -> type[UserExecutionEngine]:
    class Engine(UserExecutionEngine):
        def __init__(
            self,
            conversation: list[Message] = [],  # noqa: B006 - this is the fault
            **options: Any,
        ) -> None:
            super().__init__(**options)
            self._conversation = conversation

    return Engine


SHARED_CONVERSATION = Fault(
    id="shared-conversation",
    source="mutable default, as in Chainlit/literalai-python #161 and "
    "aws/agentcore-cli #809: all instances share one message list",
    claims=frozenset({"context-ownership"}),
    adapter=with_fresh_engine(_with_default_conversation),
)


def _with_class_statistics() -> type[UserExecutionEngine]:
    class Engine(UserExecutionEngine):
        counted: ClassVar[dict[str, ToolStatistics]] = {}

        def _create_dispatcher(self) -> ToolDispatcher:
            dispatcher = super()._create_dispatcher()
            dispatcher._statistics = self.counted
            return dispatcher

    return Engine


SHARED_STATISTICS = Fault(
    id="shared-statistics",
    source="datarobot-genai #185: a class attribute is filled by every instance",
    claims=frozenset({"noninterference"}),
    adapter=with_fresh_engine(_with_class_statistics),
)


def _with_one_dispatcher() -> type[UserExecutionEngine]:
    class Engine(UserExecutionEngine):
        first: ClassVar[list[ToolDispatcher]] = []

        def _create_dispatcher(self) -> ToolDispatcher:
            if not self.first:
                self.first.append(super()._create_dispatcher())
            return self.first[0]

    return Engine


ONE_DISPATCHER = Fault(
    id="one-dispatcher",
    source="IBM/mcp-context-forge #4205: the session opened by the first user serves "
    "all",
    claims=frozenset({"noninterference"}),
    adapter=with_fresh_engine(_with_one_dispatcher),
)


def _with_default_state() -> type[UserExecutionEngine]:
    state: ContextVar[dict[str, Any]] = ContextVar("state", default={})  # noqa: B039 - this is the fault

    class Engine(UserExecutionEngine):
        def _create_agent(self, run: Run) -> Agent:
            run.state = state.get()
            return super()._create_agent(run)

    return Engine


DEFAULT_IN_CONTEXT = Fault(
    id="default-in-context",
    source="Chainlit/literalai-python #161: the default of a context variable is one "
    "object, which every context that sets no value of its own fills",
    claims=frozenset({"context-ownership"}),
    adapter=with_fresh_engine(_with_default_state),
)


class _OneJarAdapter(ReferenceAdapter):
    """One client with one cookie jar; the upstream identifies a session by its
    cookie."""

    async def start(self, environment: Environment) -> None:
        self._jar: dict[str, str] = {}
        self._upstream: dict[str, list[str]] = {}
        await super().start(environment)

    async def answer(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        cookie = self._jar.get("session", context.user_id)
        answer = await super().answer(context, messages)
        self._jar["session"] = cookie
        session = self._upstream.setdefault(cookie, [])
        session.append(messages[-1].content)
        return f"{answer}, after {', '.join(session)}"


ONE_COOKIE_JAR = Fault(
    id="one-cookie-jar",
    source="BerriAI/litellm #36149, aiohttp #792: a pooled client has one cookie jar, "
    "and all users share the session of the first",
    claims=frozenset({"context-ownership"}),
    adapter=_OneJarAdapter,
)

FAULTS = (
    DEFAULT_IN_CONTEXT,
    ONE_COOKIE_JAR,
    ONE_DISPATCHER,
    SHARED_CONVERSATION,
    SHARED_STATISTICS,
)
