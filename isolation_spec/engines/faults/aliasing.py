"""Aliasing: an object is handed over where a copy was meant, and both sides write."""

from __future__ import annotations

from typing import Any

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.builders import (
    engine_of,
    with_engine,
    with_fresh_engine,
)
from isolation_spec.engines.faults.fault import Fault
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


class _LiveStatisticsDispatcher(ToolDispatcher):
    def statistics(self) -> dict[str, ToolStatistics]:
        return self._statistics


RETURNED_ALIAS = Fault(
    id="returned-alias",
    source="google/adk-python #7105: a getter returns the stored object, so a caller "
    "that changes the result changes the store",
    claims=frozenset({"stored-writes"}),
    adapter=with_engine(engine_of(dispatcher_class=_LiveStatisticsDispatcher)),
)


class _AliasingContext(UserExecutionContext):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        object.__setattr__(self, "metadata", options.get("metadata"))


class _AliasingAdapter(ReferenceAdapter):
    context_class = _AliasingContext


METADATA_ALIAS = Fault(
    id="metadata-alias",
    source="BerriAI/litellm #26857: the caller's object is stored without a copy, and "
    "the caller's later changes show inside",
    claims=frozenset({"stored-writes"}),
    adapter=_AliasingAdapter,
)


def _with_template() -> type[UserExecutionEngine]:
    """Gives each run a shallow copy of one state template."""
    template: dict[str, Any] = {"answers": []}

    class Engine(UserExecutionEngine):
        def _create_agent(self, run: Run) -> Agent:
            run.state = dict(template)
            return super()._create_agent(run)

        async def _call_model(self, run: Run, prompt: str) -> str:
            answer = await super()._call_model(run, prompt)
            run.state["answers"].append(answer)
            return answer

    return Engine


SHALLOW_TEMPLATE = Fault(
    id="shallow-template",
    source="langflow-ai/langflow #13846, gradio #4697: each run has a shallow copy of "
    "the initial state, and all runs share the lists in it",
    claims=frozenset({"context-ownership"}),
    adapter=with_fresh_engine(_with_template),
)


class _UpdatedDefaultsAdapter(ReferenceAdapter):
    """Merges each user's metadata into the defaults of all contexts."""

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
    source="letta-ai/letta #3379: a request's options are written into the defaults "
    "from which every request starts",
    claims=frozenset({"context-ownership"}),
    adapter=_UpdatedDefaultsAdapter,
)


FAULTS = (
    DEFAULTS_UPDATED,
    METADATA_ALIAS,
    RETURNED_ALIAS,
    SHALLOW_TEMPLATE,
)
