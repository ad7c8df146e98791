"""Done, and done once more, since what confirms it is still on its way."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from isolation_spec.engines.faults.builders import Overwriting, ask_outside, with_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.faults.tool_call_order import with_dispatcher
from isolation_spec.engines.reference import ToolDispatcher, UserExecutionContext
from isolation_spec.engines.reference.runs import Run, RunOutcome

__all__ = ["FAULTS"]

_Call = tuple[UserExecutionContext, str, Mapping[str, Any]]


class _Acknowledged(ToolDispatcher):
    """Knows the calls that were begun and are not confirmed."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._begun: list[_Call] = []

    async def _run_tool(
        self, context: UserExecutionContext, name: str, arguments: Mapping[str, Any]
    ) -> Any:
        call = context, name, arguments
        self._begun.append(call)
        ask_outside(lambda: self._confirm(call))
        return await super()._run_tool(context, name, arguments)

    def _confirm(self, call: _Call) -> None:
        if call in self._begun:
            self._begun.remove(call)

    async def deliver_again(self, context: UserExecutionContext) -> None:
        """Makes the calls of this run that are not confirmed once more."""
        calls = [call for call in self._begun if call[0] is context]
        for call in calls:
            self._confirm(call)
            with suppress(Exception):
                await super()._run_tool(*call)


class _Delivering(Overwriting):
    """A run whose end is stored has left nothing that was not confirmed."""

    tool_dispatcher: _Acknowledged
    _create_dispatcher = with_dispatcher(_Acknowledged)._create_dispatcher

    async def _store_run(self, run: Run, outcome: RunOutcome, *, replace: bool) -> None:
        await super()._store_run(run, outcome, replace=replace)
        await self.tool_dispatcher.deliver_again(run.context)


DONE_UNCONFIRMED = Fault(
    id="done-unconfirmed",
    mechanism="redelivery",
    source="acknowledgement deadlines of Google Cloud Pub/Sub: what was done, but is "
    "not confirmed yet, is delivered once more",
    claims=frozenset({"tool-isolation"}),
    adapter=with_engine(_Delivering),
)

FAULTS = (DONE_UNCONFIRMED,)
