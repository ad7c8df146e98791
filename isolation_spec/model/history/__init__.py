"""A history: the observations of one run, in order, as plain data."""

from isolation_spec.model.history.activity import (
    ActivityCounters,
    Await,
    Handoff,
    InFlightInterval,
)
from isolation_spec.model.history.entries import (
    AgentStepped,
    CancellationDelivered,
    ConnectionClosed,
    ConnectionOpened,
    Entry,
    EventReceived,
    ExceptionUnhandled,
    GaugeRead,
    IdentityChanged,
    ObjectShared,
    OperationEnded,
    OperationStarted,
    PhaseStarted,
    ResourceAlive,
    RowStored,
    SessionMoved,
    ThreadStarted,
    ToolRan,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.history.rendering import render
from isolation_spec.model.history.states import (
    Outcome,
    Phase,
    SessionMove,
    StepOutcome,
    ToolMoment,
)

__all__ = [
    "ActivityCounters",
    "AgentStepped",
    "Await",
    "CancellationDelivered",
    "ConnectionClosed",
    "ConnectionOpened",
    "Entry",
    "EventReceived",
    "ExceptionUnhandled",
    "GaugeRead",
    "Handoff",
    "History",
    "IdentityChanged",
    "InFlightInterval",
    "ObjectShared",
    "OperationEnded",
    "OperationStarted",
    "Outcome",
    "Phase",
    "PhaseStarted",
    "ResourceAlive",
    "RowStored",
    "SessionMove",
    "SessionMoved",
    "StepOutcome",
    "ThreadStarted",
    "ToolMoment",
    "ToolRan",
    "render",
]
