"""The object itself where a copy was meant: what one side changes, the other reads."""

from __future__ import annotations

from typing import Any

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.builders import with_engine, with_fresh_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.faults.tool_call_order import with_dispatcher
from isolation_spec.engines.reference import (
    Agent,
    ToolDispatcher,
    ToolStatistics,
    UserExecutionContext,
    UserExecutionEngine,
)
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.reference.runs import Run

__all__ = ["FAULTS"]


class _LiveStatistics(ToolDispatcher):
    def statistics(self) -> dict[str, ToolStatistics]:
        return self._statistics


RETURNED_ALIAS = Fault(
    id="returned-alias",
    mechanism="aliasing",
    source="google/adk-python #7105: what is handed out is what is stored, and who "
    "changes the one changes the other",
    claims=frozenset({"stored-writes"}),
    adapter=with_engine(with_dispatcher(_LiveStatistics)),
)


class _KeepingContext(UserExecutionContext):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        object.__setattr__(self, "metadata", options.get("metadata"))


class _KeepingAdapter(ReferenceAdapter):
    async def open_context(
        self, user: str, thread: str, metadata: dict[str, Any]
    ) -> UserExecutionEngine:
        ids = self.environment.new_id
        context = _KeepingContext.create(
            user_id=user,
            thread_id=thread,
            run_id=ids("context"),
            ids=ids,
            metadata=metadata,
        )
        return await self.factory.create_for_user(context)


METADATA_ALIAS = Fault(
    id="metadata-alias",
    mechanism="aliasing",
    source="BerriAI/litellm #26857: the caller's object is kept, not copied, and what "
    "becomes of it later is seen inside",
    claims=frozenset({"stored-writes"}),
    adapter=_KeepingAdapter,
)


def _with_template() -> type[UserExecutionEngine]:
    """Copies the template of a run's state, but not what stands in it."""
    template: dict[str, Any] = {"answers": []}

    class Engine(UserExecutionEngine):
        def _create_agent(self, run: Run) -> Agent:
            run.state = dict(template)
            return super()._create_agent(run)

        async def _ask_model(self, run: Run, prompt: str) -> str:
            answer = await super()._ask_model(run, prompt)
            run.state["answers"].append(answer)
            return answer

    return Engine


SHALLOW_TEMPLATE = Fault(
    id="shallow-template",
    mechanism="aliasing",
    source="langflow-ai/langflow #13846, gradio #4697: each run has a copy of the "
    "first state, but the lists in it are everybody's",
    claims=frozenset({"context-ownership"}),
    adapter=with_fresh_engine(_with_template),
)


class _UpdatedDefaults(ReferenceAdapter):
    """A context has the defaults and what its user hands in."""

    async def start(self, environment: Environment) -> None:
        self._defaults: dict[str, Any] = {}
        await super().start(environment)

    async def open_context(
        self, user: str, thread: str, metadata: dict[str, Any]
    ) -> UserExecutionEngine:
        self._defaults.update(metadata)
        return await super().open_context(user, thread, self._defaults)


DEFAULTS_UPDATED = Fault(
    id="defaults-updated",
    mechanism="aliasing",
    source="letta-ai/letta #3379: what a request asks for is written into the settings "
    "from which all begin",
    claims=frozenset({"context-ownership"}),
    adapter=_UpdatedDefaults,
)


FAULTS = (
    DEFAULTS_UPDATED,
    METADATA_ALIAS,
    RETURNED_ALIAS,
    SHALLOW_TEMPLATE,
)
