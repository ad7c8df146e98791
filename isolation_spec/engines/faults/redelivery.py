"""Redelivery: a finished call is made again because its confirmation is still on its
way."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from isolation_spec.engines.faults.builders import (
    OverwritingEngine,
    schedule_after_external_call,
    with_engine,
)
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import ToolDispatcher, UserExecutionContext
from isolation_spec.engines.reference.runs import Run, RunOutcome

__all__ = ["FAULTS"]

_Call = tuple[UserExecutionContext, str, Mapping[str, Any]]


class _TrackingDispatcher(ToolDispatcher):
    """Tracks the calls that have begun and are not confirmed."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._begun: list[_Call] = []

    async def _run_tool(
        self, context: UserExecutionContext, name: str, arguments: Mapping[str, Any]
    ) -> Any:
        call = context, name, arguments
        self._begun.append(call)
        schedule_after_external_call(lambda: self._confirm(call))
        return await super()._run_tool(context, name, arguments)

    def _confirm(self, call: _Call) -> None:
        if call in self._begun:
            self._begun.remove(call)

    async def deliver_again(self, context: UserExecutionContext) -> None:
        """Makes the unconfirmed calls of this run again."""
        calls = [call for call in self._begun if call[0] is context]
        for call in calls:
            self._confirm(call)
            with suppress(Exception):
                await super()._run_tool(*call)


class _RedeliveringEngine(OverwritingEngine):
    """Makes the unconfirmed calls of a run again after its outcome is stored."""

    tool_dispatcher: _TrackingDispatcher
    dispatcher_class = _TrackingDispatcher

    async def _store_run(self, run: Run, outcome: RunOutcome, *, replace: bool) -> None:
        await super()._store_run(run, outcome, replace=replace)
        await self.tool_dispatcher.deliver_again(run.context)


DONE_UNCONFIRMED = Fault(
    id="done-unconfirmed",
    source="acknowledgement deadlines of Google Cloud Pub/Sub: a message that is done "
    "but not yet confirmed is delivered again",
    claims=frozenset({"tool-isolation"}),
    adapter=with_engine(_RedeliveringEngine),
)

FAULTS = (DONE_UNCONFIRMED,)
