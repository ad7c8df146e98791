"""Indices into a history, for the checks of claims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from isolation_spec.claims.facts import EventLabel, Shown, representable
from isolation_spec.model.event_names import EventNames, fields_of
from isolation_spec.model.history.entries import (
    AgentStepped,
    ConnectionClosed,
    ConnectionOpened,
    EventReceived,
    OperationEnded,
    OperationStarted,
    PhaseStarted,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.history.states import Outcome, Phase
from isolation_spec.model.scenario import (
    AdvanceTime,
    OpenContext,
    UserOperation,
    canaries_in,
    owned_canaries,
)

__all__ = ["ConnectionSpan", "Event", "HistoryIndex", "OperationSpan"]


@dataclass(frozen=True, slots=True)
class Event:
    """One event as a client received it, with the names in it.

    `index` is its place among the entries of the history.
    """

    index: int
    entry: EventReceived
    fields: dict[str, Any]
    names: EventNames

    @property
    def type(self) -> str:
        """The type of the event, "" if it names no type."""
        return str(self.fields.get(self.names.type, ""))

    @property
    def run(self) -> str:
        """The id of the run, "" if it names no run."""
        return str(self.fields.get(self.names.run, ""))

    @property
    def user(self) -> Any:
        """The id of the user, None if it names no user."""
        return self.fields.get(self.names.user)

    @property
    def sequence(self) -> int | None:
        """The number of the event within its run, None if it has no number."""
        number = self.fields.get(self.names.number)
        return number if isinstance(number, int) else None

    @property
    def label(self) -> EventLabel:
        """The names of the event, as a fact holds them."""
        return EventLabel(
            run=Shown(self.run),
            type=Shown(self.type),
            number=representable(self.sequence),
        )


class ConnectionSpan(NamedTuple):
    """One connection: the operation that opened it, and indices of its entries."""

    operation: int
    user: int
    opened: int
    closed: int


class OperationSpan(NamedTuple):
    """One operation: indices of the entries between which it was under way."""

    operation: UserOperation
    started: int
    ended: int
    outcome: Outcome


class HistoryIndex:
    """Indices into one history, made at their first use.

    `solos` are runs of a user's own operations alone, None where no solo run was made.
    """

    def __init__(
        self,
        history: History,
        solos: Mapping[int, tuple[History, ...]] | None = None,
    ) -> None:
        self.history = history
        self.solos = solos
        self.entries = history.entries

    def label(self, user: int | None) -> str:
        """The label of a user."""
        return self.history.label(user)

    @cached_property
    def end(self) -> int:
        """The index at which the operations of the scenario were over."""
        for index, entry in enumerate(self.entries):
            if isinstance(entry, PhaseStarted) and entry.phase == Phase.CLEANUP:
                return index
        return len(self.entries)

    @cached_property
    def owners(self) -> dict[str, int]:
        """Every canary of the scenario -> the index of its owner."""
        indices = {user.label: i for i, user in enumerate(self.history.scenario.users)}
        owned = owned_canaries(self.history.scenario)
        return {value: indices[label] for value, label in owned.items()}

    def foreign(self, text: str, user: int | None) -> Iterator[tuple[str, int]]:
        """Yields (canary, owner) for each canary in the text that is not the user's."""
        if "~" not in text:
            return
        for _, value in canaries_in(text):
            owner = self.owners.get(value)
            if owner is not None and owner != user:
                yield value, owner

    @cached_property
    def spans(self) -> dict[int, OperationSpan]:
        """Operation id -> when it was under way; only operations that were started."""
        started: dict[int, int] = {}
        spans: dict[int, OperationSpan] = {}
        operations = self.history.user_operations()
        for index, entry in enumerate(self.entries):
            number = entry.operation
            if number is None or number not in operations:
                continue
            if isinstance(entry, OperationStarted):
                started[number] = index
                spans[number] = OperationSpan(
                    operations[number], index, len(self.entries), Outcome.UNFINISHED
                )
            elif isinstance(entry, OperationEnded) and number in started:
                spans[number] = OperationSpan(
                    operations[number], started[number], index, entry.outcome
                )
        return spans

    @cached_property
    def links(self) -> tuple[ConnectionSpan, ...]:
        """Every connection that was opened, in order."""
        links: dict[tuple[int, str], ConnectionSpan] = {}
        for index, entry in enumerate(self.entries):
            if entry.operation is None or entry.user is None:
                continue
            if isinstance(entry, ConnectionOpened):
                key = (entry.operation, entry.connection)
                links[key] = ConnectionSpan(
                    entry.operation, entry.user, index, len(self.entries)
                )
            elif isinstance(entry, ConnectionClosed):
                key = (entry.operation, entry.connection)
                links[key] = links[key]._replace(closed=index)
        return tuple(links.values())

    @cached_property
    def accepted_links(self) -> tuple[ConnectionSpan, ...]:
        """The connections that presented a genuine token, and whose clients read."""
        operations = self.history.operations()
        return tuple(
            link
            for link in self.links
            if not operations[link.operation].forged
            and not operations[link.operation].unread
        )

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """Every message that a client received; one that is no JSON object has no
        fields."""
        return tuple(
            Event(index, entry, fields_of(entry.text), self.names)
            for index, entry in enumerate(self.entries)
            if isinstance(entry, EventReceived)
        )

    @cached_property
    def names(self) -> EventNames:
        """The declared names in the engine's events, or else the default names."""
        return self.history.event_names or EventNames()

    @property
    def promised(self) -> bool:
        """Whether the engine declares the names in its events."""
        return self.history.event_names is not None

    @cached_property
    def counts_in_runs(self) -> bool:
        """True if the engine surely counts the events of each run from 1.

        If it declares nothing, a number that a user received in two runs shows it.
        """
        if self.promised:
            return bool(self.names.number)
        runs: dict[tuple[int, int], str] = {}
        return any(
            runs.setdefault((event.entry.user or 0, event.sequence), event.run)
            != event.run
            for event in self.events
            if event.sequence is not None and event.run
        )

    @cached_property
    def types(self) -> frozenset[str]:
        """The types of events that were received."""
        return frozenset(event.type for event in self.events)

    @cached_property
    def events_by_run(self) -> dict[tuple[int, str], list[Event]]:
        """(connecting operation, run id) -> events in the order received."""
        found: dict[tuple[int, str], list[Event]] = {}
        for event in self.events:
            number = event.entry.operation
            if number is not None and event.run:
                found.setdefault((number, event.run), []).append(event)
        return found

    @cached_property
    def steps(self) -> dict[int, dict[tuple[int, ...], tuple[int, AgentStepped]]]:
        """Operation id -> path of a step -> (index, entry) of how it ended."""
        found: dict[int, dict[tuple[int, ...], tuple[int, AgentStepped]]] = {}
        for index, entry in enumerate(self.entries):
            if not isinstance(entry, AgentStepped) or entry.operation is None:
                continue
            if entry.step != "begin":
                found.setdefault(entry.operation, {})[entry.path] = (index, entry)
        return found

    @cached_property
    def threads(self) -> dict[tuple[int, str], str]:
        """(user, context) -> its thread, for every context of the scenario."""
        return {
            (operation.user, operation.context): operation.thread
            for operation in self.history.user_operations().values()
            if isinstance(operation, OpenContext)
        }

    def stalled_between(self, first: int, last: int) -> bool:
        """True if the outside stood still at any moment between the two entries."""
        operations = self.history.operations()
        began: dict[int, int] = {}
        for index, entry in enumerate(self.entries[:last]):
            operation = operations.get(entry.operation or -1)
            if not isinstance(operation, AdvanceTime) or not operation.stalled:
                continue
            if isinstance(entry, OperationStarted):
                began[operation.id] = index
            elif isinstance(entry, OperationEnded) and index < first:
                began.pop(operation.id, None)
        return bool(began)

    @cached_property
    def stalled(self) -> bool:
        """True if time may have passed while something was pending."""
        return any(
            isinstance(operation, AdvanceTime) and operation.stalled
            for operation in self.history.scenario.operations
        )

    def users(self) -> range:
        """The indices of the users."""
        return range(len(self.history.scenario.users))
