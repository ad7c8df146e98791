"""Drives an engine, through its adapter, to perform operations."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, TypeAlias

from websockets import exceptions

from isolation_spec.contract.checked_adapter import CheckedAdapter
from isolation_spec.contract.environment import Connection
from isolation_spec.contract.scripted_agent import FILLER, ScriptedAgent
from isolation_spec.execution.object_graph import mutate_deeply
from isolation_spec.execution.recorder import Recorder
from isolation_spec.model.history.entries import (
    AgentStepped,
    ConnectionClosed,
    ConnectionOpened,
    EventReceived,
)
from isolation_spec.model.history.rendering import render
from isolation_spec.model.history.states import StepOutcome
from isolation_spec.model.run_name import run_name
from isolation_spec.model.scenario import (
    AdvanceTime,
    CancelRun,
    CleanupEngine,
    CleanupUser,
    CollectGarbage,
    Connect,
    Disconnect,
    Erase,
    Mutate,
    OpenContext,
    Operation,
    Read,
    Reconnect,
    RunAgent,
    Scenario,
    Shutdown,
    User,
    UserOperation,
    Write,
    metadata_canary,
)
from isolation_spec.world.interface import WorldInterface

__all__ = ["NotOpened", "OperationDriver"]


_InContext: TypeAlias = Read | Write | Mutate | Erase | CleanupEngine


class NotOpened(Exception):
    """The operation names a context, run or connection that was never opened."""


class OperationDriver:
    """Performs the operations of one run, and holds their contexts and connections.

    Arguments:
        record: appends an entry: takes its type, the operation, and its fields.

    Attributes:
        contexts: (user, name) -> the adapter's handle.
        clients: (user, name) -> the client's end of an open connection.
        running: operation id -> the context in which its run is under way.
    """

    def __init__(
        self,
        scenario: Scenario,
        adapter: CheckedAdapter,
        world: WorldInterface,
        recorder: Recorder,
    ) -> None:
        self.scenario = scenario
        self.adapter = adapter
        self.world = world
        self.contexts: dict[tuple[int, str], Any] = {}
        self.clients: dict[tuple[int, str], Connection] = {}
        self.running: dict[int, Any] = {}
        self._handed_in: dict[tuple[int, str], dict[str, Any]] = {}
        self._readers: dict[asyncio.Task[None], None] = {}
        self._record = recorder.record
        self._show = recorder.show

    def release(self) -> None:
        """Lets go of everything that the operations opened."""
        self.clients.clear()
        self.contexts.clear()
        self.running.clear()

    def outcome_of(self, result: Any) -> StepOutcome:
        """The outcome of a step with this result, or this exception."""
        if isinstance(result, self.adapter.refusals):
            return StepOutcome.REFUSED
        if isinstance(result, asyncio.CancelledError):
            return StepOutcome.CANCELLED
        failed = isinstance(result, BaseException)
        return StepOutcome.FAILED if failed else StepOutcome.OK

    async def perform(self, operation: Operation) -> Any:
        """Performs one operation and returns the engine's answer.

        Raises:
            NotOpened: the operation names something that was never opened.
            AdapterError: the adapter broke its contract.
            Exception: the engine raised it.
        """
        match operation:
            case AdvanceTime():
                return await self.world.advance(
                    operation.seconds, stalled=operation.stalled
                )
            case CollectGarbage():
                gc.collect()
                return None
            case Shutdown():
                return await self.adapter.shutdown()
            case _:
                user = self.scenario.users[operation.user]
                return await self._ask_as(user, operation)

    async def _ask_as(self, user: User, operation: UserOperation) -> Any:
        match operation:
            case Connect():
                return await self._connect(user, operation, operation.connection)
            case Disconnect():
                return await self._disconnect(operation)
            case Reconnect():
                if (operation.user, operation.replaces) not in self.clients:
                    raise NotOpened
                await self._connect(user, operation, operation.connection)
                return await self._close(operation.user, operation.replaces)
            case OpenContext():
                return await self._open_context(user, operation)
            case RunAgent():
                return await self._run_agent(user, operation)
            case CancelRun():
                return await self._cancel_run(user, operation)
            case CleanupUser():
                await self.adapter.cleanup_user(user.id)
                self.world.activity.cleanups += 1
                return None
            case _:
                return await self._ask_in_context(user, operation)

    async def _ask_in_context(
        self,
        user: User,
        operation: _InContext,
    ) -> Any:
        adapter, asking = self.adapter, user.id
        context = self._context(operation)
        match operation:
            case Read():
                return await adapter.read(asking, context)
            case Write():
                return await adapter.write(
                    asking, context, operation.key, operation.value
                )
            case Mutate():
                return await self._mutate(asking, operation, context)
            case Erase():
                return await adapter.erase(asking, context)
            case CleanupEngine():
                await adapter.cleanup_context(asking, context)
                # The owner still uses a context that an intruder cleaned up.
                self.contexts.pop((operation.user, operation.context), None)
                self.world.activity.cleanups += 1
                return None

    def _context(self, operation: _InContext | RunAgent) -> Any:
        owner = operation.user if operation.victim is None else operation.victim
        try:
            return self.contexts[owner, operation.context]
        except KeyError:
            raise NotOpened from None

    async def _open_context(self, user: User, operation: OpenContext) -> None:
        # The metadata is held, so that `Mutate` can change it under the engine's hands.
        value = metadata_canary(user.label, operation)
        metadata: dict[str, Any] = {"values": [value]}
        if operation.id % 2:
            # A note in only one of two contexts must not show in the other.
            metadata["note"] = value
        context = await self.adapter.open_context(user.id, operation.thread, metadata)
        self.contexts[operation.user, operation.context] = context
        self._handed_in[operation.user, operation.context] = metadata

    async def _mutate(self, asking: str, operation: Mutate, context: Any) -> Any:
        """Writes a value into everything that can be changed, and reads again."""
        shown = await self.adapter.read(asking, context)
        mutate_deeply(shown, operation.value)
        if operation.victim is None:
            handed_in = self._handed_in[operation.user, operation.context]
            mutate_deeply(handed_in, operation.value)
        return await self.adapter.read(asking, context)

    async def _cancel_run(self, user: User, operation: CancelRun) -> None:
        own = (c for (owner, _), c in self.contexts.items() if owner == operation.user)
        if operation.victim is None:
            context = self.running.get(operation.run)
        else:
            context = next(own, None)
        if context is None or operation.run not in self.running:
            raise NotOpened
        await self.adapter.cancel_run(user.id, context, run_name(operation.run))

    async def _run_agent(self, user: User, operation: RunAgent) -> Any:
        context = self._context(operation)

        def record(
            path: tuple[int, ...], step: str, seen: Any, identity: str | None
        ) -> None:
            self._record(
                AgentStepped,
                operation.id,
                path=path,
                step=step,
                seen=self._show(step, seen),
                identity=identity,
                outcome=self.outcome_of(seen),
            )

        agent = ScriptedAgent(operation.id, operation.script, record)
        self.running[operation.id] = context
        try:
            result = await self.adapter.run_agent(user.id, context, agent)
            if not self._may_be_kept_from_running(operation):
                self.adapter.check_performed(agent)
            return result
        finally:
            self.running.pop(operation.id, None)
            self.world.activity.runs_completed += agent.finished

    def _may_be_kept_from_running(self, run: RunAgent) -> bool:
        """Whether an engine may rightly end the run before its agent begins."""
        return run.victim is not None or any(
            isinstance(other, Shutdown)
            or (
                isinstance(other, CancelRun | CleanupEngine | CleanupUser)
                and run.user in (other.user, other.victim)
            )
            for other in self.scenario.operations
        )

    # Connections

    async def _connect(
        self, user: User, operation: Connect | Reconnect, name: str
    ) -> None:
        victim = operation.victim
        client = await self.adapter.connect(
            user.id,
            claims_to_be=None if victim is None else self.scenario.users[victim].id,
            forged=operation.forged,
        )
        self.world.activity.handshakes += 1
        if operation.unread:
            self.world.close_windows(operation.id)
        self.clients[operation.user, name] = client
        self._record(ConnectionOpened, operation.id, connection=name)
        reader = asyncio.create_task(
            self._read(client, operation.id, name), name=f"client-{operation.id}"
        )
        # A task without a reference may be collected in the middle of a run, and the
        # engine would be blamed for the events that its client no longer reads.
        self._readers[reader] = None
        reader.add_done_callback(self._forget_reader)

    def _forget_reader(self, reader: asyncio.Task[None]) -> None:
        self._readers.pop(reader, None)

    async def _read(self, client: Connection, number: int, name: str) -> None:
        try:
            async for message in client:
                self.world.activity.events_delivered += 1
                text = render(message).replace(FILLER, "...")
                self._record(EventReceived, number, connection=name, text=text)
        except (exceptions.ConnectionClosed, OSError):
            # A client of `websockets` raises at its end, and that is no fault.
            pass
        finally:
            code = client.close_code
            self._record(
                ConnectionClosed,
                number,
                connection=name,
                code=None if code is None else int(code),
            )

    async def _disconnect(self, operation: Disconnect) -> None:
        if not operation.abrupt:
            await self._close(operation.user, operation.connection)
            return
        client = self.clients.pop((operation.user, operation.connection), None)
        if client is None:
            raise NotOpened
        client.abort()

    async def _close(self, user: int, name: str) -> None:
        client = self.clients.pop((user, name), None)
        if client is None:
            raise NotOpened
        await client.close()
