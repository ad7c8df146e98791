"""One object where each user should have one: a default, an attribute, a singleton.

Each factory gets a class of its own, so that what all engines share ends with their
world and no run sees another's.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, ClassVar

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.builders import with_fresh_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    Agent,
    ExecutionEngineFactory,
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


class _ConversationFactory(ExecutionEngineFactory):
    def __init__(self, **options: Any) -> None:
        options["engine_class"] = _with_default_conversation()
        super().__init__(**options)


class _ConversationAdapter(ReferenceAdapter):
    factory_class = _ConversationFactory


SHARED_CONVERSATION = Fault(
    id="shared-conversation",
    mechanism="sharing",
    source="mutable default, as in Chainlit/literalai-python #161 and "
    "aws/agentcore-cli #809: one message list is everybody's",
    claims=frozenset({"context-ownership"}),
    adapter=_ConversationAdapter,
)


def _with_class_statistics() -> type[UserExecutionEngine]:
    class Engine(UserExecutionEngine):
        counted: ClassVar[dict[str, ToolStatistics]] = {}

        def _create_dispatcher(self) -> ToolDispatcher:
            dispatcher = super()._create_dispatcher()
            dispatcher._statistics = self.counted
            return dispatcher

    return Engine


class _StatisticsFactory(ExecutionEngineFactory):
    def __init__(self, **options: Any) -> None:
        options["engine_class"] = _with_class_statistics()
        super().__init__(**options)


class _StatisticsAdapter(ReferenceAdapter):
    factory_class = _StatisticsFactory


SHARED_STATISTICS = Fault(
    id="shared-statistics",
    mechanism="sharing",
    source="datarobot-genai #185: a class attribute is filled by every instance",
    claims=frozenset({"context-ownership"}),
    adapter=_StatisticsAdapter,
)


def _with_one_dispatcher() -> type[UserExecutionEngine]:
    class Engine(UserExecutionEngine):
        first: ClassVar[list[ToolDispatcher]] = []

        def _create_dispatcher(self) -> ToolDispatcher:
            if not self.first:
                self.first.append(super()._create_dispatcher())
            return self.first[0]

    return Engine


class _DispatcherFactory(ExecutionEngineFactory):
    def __init__(self, **options: Any) -> None:
        options["engine_class"] = _with_one_dispatcher()
        super().__init__(**options)


class _DispatcherAdapter(ReferenceAdapter):
    factory_class = _DispatcherFactory


ONE_DISPATCHER = Fault(
    id="one-dispatcher",
    mechanism="sharing",
    source="IBM/mcp-context-forge #4205: what the first user opened serves everybody",
    claims=frozenset({"context-ownership"}),
    adapter=_DispatcherAdapter,
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
    mechanism="sharing",
    source="Chainlit/literalai-python #161: the default of a context variable is one "
    "object, which everybody who sets none fills",
    claims=frozenset({"context-ownership"}),
    adapter=with_fresh_engine(_with_default_state),
)


class _OneJarAdapter(ReferenceAdapter):
    """One client with one cookie jar; the upstream knows a session by its cookie."""

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
    mechanism="sharing",
    source="BerriAI/litellm #36149, aiohttp #792: a pooled client has one cookie jar, "
    "and the session that the first one got is everybody's",
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
