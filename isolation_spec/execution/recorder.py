"""Records the entries of one run, with their users and times."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from isolation_spec.contract.adapter import Row
from isolation_spec.contract.checked_adapter import CheckedAdapter
from isolation_spec.execution.object_graph import shared_objects
from isolation_spec.model.history.entries import (
    CancellationDelivered,
    Entry,
    ExceptionUnhandled,
    GaugeRead,
    IdentityKept,
    LoopBlocked,
    ObjectShared,
    PhaseStarted,
    ResourceAlive,
    RowStored,
    SessionMoved,
    ThreadStarted,
    ToolRan,
)
from isolation_spec.model.history.opaque import Sight
from isolation_spec.model.history.rendering import inspect_value, render
from isolation_spec.model.history.states import Phase, SessionMove, ToolMoment
from isolation_spec.model.scenario import Cancellation, Scenario
from isolation_spec.world.blocking import BlockingCall
from isolation_spec.world.instrumentation import LiveResource
from isolation_spec.world.interface import WorldInterface
from isolation_spec.world.loop import CURRENT_OPERATION

__all__ = ["Recorder"]

EntryT = TypeVar("EntryT", bound=Entry)


class Recorder:
    """The entries of one run, in the order of observation; judges nothing.

    Attributes:
        entries: the observations so far.
        sight: kind of operation or step -> how much was seen of its values.
        users_of: operation id -> its user; None for operations of the world, and for
            work outside all operations.
    """

    def __init__(
        self, scenario: Scenario, adapter: CheckedAdapter, world: WorldInterface
    ) -> None:
        self.entries: list[Entry] = []
        self.sight: dict[str, Sight] = {}
        self.users_of: dict[int | None, int | None] = {None: None}
        for operation in scenario.operations:
            self.users_of[operation.id] = operation.user
        self._index = {user.id: index for index, user in enumerate(scenario.users)}
        self._adapter = adapter
        self._world = world

    def listen(self) -> None:
        """From here on, the world reports sessions, threads, waits and errors."""
        self._world.moved = self._session
        self._world.on_unhandled = self._unhandled
        self._world.on_thread_start = self._thread
        self._world.on_blocked = self._blocked

    def record(
        self, kind: type[EntryT], operation: int | None = None, /, **fields: Any
    ) -> None:
        """Appends an entry, with time, turn and the user of its operation."""
        time, turn = self._world.moment()
        user = self.users_of.get(operation)
        self.entries.append(
            kind(time=time, turn=turn, operation=operation, user=user, **fields)
        )

    def show(self, kind: str, value: Any) -> str:
        """The text of a value that an operation or a step of this kind gave."""
        rendered = inspect_value(value, self._adapter.shared)
        self.sight.setdefault(kind, Sight()).count(rendered.opaque)
        return rendered.text

    def _of_user(self, kind: type[EntryT], user: int | None, /, **fields: Any) -> None:
        """Appends an entry that no operation caused."""
        time, turn = self._world.moment()
        self.entries.append(kind(time=time, turn=turn, user=user, **fields))

    def phase(self, phase: Phase) -> None:
        """A phase of the run begins."""
        self.record(PhaseStarted, phase=phase)

    def cancellation(self, number: int, cancel: Cancellation, place: str) -> None:
        """The task of an operation was cancelled at an await site."""
        self.record(
            CancellationDelivered,
            number,
            step=cancel.step,
            after_step=cancel.after_step,
            place=place,
        )

    def tool(
        self, tool: str, argument: str, identity: str | None, moment: ToolMoment
    ) -> None:
        """A tool began, went on or ended, for the current operation."""
        self.record(
            ToolRan,
            CURRENT_OPERATION.get(),
            tool=tool,
            argument=argument,
            identity=identity,
            moment=moment,
        )

    def alive(self, alive: LiveResource) -> None:
        """A resource is still there."""
        self.record(
            ResourceAlive, alive.requester, kind=alive.kind, what=alive.description
        )

    def identity_kept(self, alive: LiveResource) -> None:
        """The identity for which the code of the resource works, if it has one."""
        if alive.context is None:
            return
        identity = alive.context.run(self._adapter.identity)
        if identity is not None:
            self.record(
                IdentityKept,
                alive.requester,
                kind=alive.kind,
                what=alive.description,
                identity=identity,
            )

    def gauges(self, user: str | None) -> None:
        """The engine's gauges for a user after cleanup, or for all users (None)."""
        for gauge, value in sorted(self._adapter.gauges(user).items()):
            index = None if user is None else self._index[user]
            self._of_user(GaugeRead, index, gauge=gauge, value=value)

    def shared(self, holders: Iterable[tuple[int, Any]]) -> None:
        """Mutable objects that contexts of two users hold; takes (user, context)."""
        held = [(user, tuple(self._adapter.holdings(c))) for user, c in holders]
        for user, other, path, others_path in shared_objects(
            held, self._adapter.shared(), self._adapter.engine_code
        ):
            self._of_user(
                ObjectShared, user, other=other, path=path, others_path=others_path
            )

    def rows(self, before: frozenset[Row]) -> None:
        """The stored rows that were not there before."""
        for row in self._adapter.observe():
            if row not in before:
                fields = {k: render(v) for k, v in row._asdict().items()}
                self.record(RowStored, **fields)

    def _session(self, session: int, move: SessionMove, requester: int | None) -> None:
        self.record(SessionMoved, requester, session=session, move=move)

    def _thread(self, name: str, place: str) -> None:
        self.record(ThreadStarted, CURRENT_OPERATION.get(), what=name, place=place)

    def _blocked(self, call: BlockingCall) -> None:
        number, callback = CURRENT_OPERATION.get(), self._world.callback()
        self.record(LoopBlocked, number, callback=callback, **call._asdict())

    def _unhandled(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.unhandled(f"{context.get('message')}: {render(error)}")

    def unhandled(self, message: str) -> None:
        """Something went wrong that no caller was given as an exception."""
        self.record(ExceptionUnhandled, message=message)
