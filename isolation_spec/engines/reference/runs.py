"""One run in flight, and its outcome."""

import asyncio
import copy
from dataclasses import dataclass, field
from typing import Any

from .agents import AgentExecutionResult, AgentRequest
from .context import UserExecutionContext
from .errors import SerializationError, describe
from .events import EventEmitter, EventType
from .tools import RunTools

__all__ = ["Run", "RunOutcome"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a run ended: one of completed, failed or cancelled."""

    event_type: EventType
    error: str | None = None
    result: Any = None
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def success(self) -> bool:
        """Whether the run completed."""
        return self.event_type is EventType.AGENT_COMPLETED

    @property
    def payload(self) -> dict[str, Any]:
        """The payload of the terminal event."""
        if self.success:
            return {"result": self.result}
        return {"error": self.error}


@dataclass(slots=True, kw_only=True, eq=False)
class Run:
    """A run in flight. `task` is its caller's: cancelling the task cancels the run."""

    agent: str
    request: AgentRequest
    context: UserExecutionContext
    task: asyncio.Task[Any]
    emitter: EventEmitter
    tools: RunTools
    parent: "Run | None" = None
    state: dict[str, Any] = field(default_factory=dict)
    children: int = 0
    started: float = 0.0
    ending: bool = False

    @property
    def run_id(self) -> str:
        """The id under which the run is registered."""
        return self.context.run_id

    @property
    def lineage(self) -> tuple["Run", ...]:
        """This run, its parent, and so on up."""
        return (self, *(() if self.parent is None else self.parent.lineage))

    def completed(self, result: Any) -> RunOutcome:
        """The outcome of an agent that returned; failed if it cannot be copied or
        sent."""
        if self.emitter.serialization_error is not None:
            return self.failed(self.emitter.serialization_error)
        try:
            outcome = RunOutcome(
                event_type=EventType.AGENT_COMPLETED,
                result=copy.deepcopy(result),
                state=copy.deepcopy(self.state),
            )
            self.emitter.ensure_serializable(outcome.event_type, outcome.payload)
        except SerializationError as error:
            return self.failed(str(error))
        except Exception as error:
            return self.failed(f"result or state cannot be copied: {describe(error)}")
        return outcome

    def failed(self, error: str) -> RunOutcome:
        """The outcome of a run that ended with this error."""
        return self._unsuccessful(EventType.AGENT_ERROR, error)

    def cancelled(self) -> RunOutcome:
        """The outcome of a cancelled run."""
        return self._unsuccessful(EventType.AGENT_CANCELLED, "cancelled")

    def result(self, outcome: RunOutcome, *, duration: float) -> AgentExecutionResult:
        """The result that the caller of the run gets."""
        return AgentExecutionResult(
            success=outcome.success,
            error=outcome.error,
            duration=duration,
            state=outcome.state,
            metadata={
                "run_id": self.run_id,
                "agent": self.agent,
                "result": outcome.result,
                "events": self.emitter.sequence,
                "undelivered": self.emitter.undelivered,
            },
        )

    def _unsuccessful(self, event_type: EventType, error: str) -> RunOutcome:
        try:
            state = copy.deepcopy(self.state)
        except Exception:
            state = {}
        return RunOutcome(event_type=event_type, error=error, state=state)
