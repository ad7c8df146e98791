"""The one place that makes, counts and releases engines."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from .agents import AgentRegistry, Model
from .context import UserExecutionContext
from .errors import CleanupError, ClosedError, LimitError, OwnershipError
from .events import EventSink
from .limits import Limits
from .memory import WriteLocks
from .tools import ToolCatalogue, ToolPermissions
from .user_engine import UserExecutionEngine
from .waiting import wait_until_done

__all__ = ["ExecutionEngineFactory", "FactoryMetrics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FactoryMetrics:
    """Counts since the factory was made; `active` is now."""

    active: int
    created: int
    refused: int
    cleaned: int
    reaped: int
    failed_cleanups: int


@dataclass(slots=True, eq=False)
class _Slot:
    """One slot of a user's limit; reserved before its engine exists."""

    user_id: str
    reserved_at: float
    engine: UserExecutionEngine | None = None


class ExecutionEngineFactory:
    """Makes engines within exact limits and cleans them up.

    Everything that users share is an argument, so several factories can live side by
    side in one process. `clock` returns seconds and never goes back; `ids` returns a
    new id of a kind.
    """

    def __init__(
        self,
        *,
        database: AsyncEngine,
        events: EventSink,
        registry: AgentRegistry,
        catalogue: ToolCatalogue,
        permissions: ToolPermissions,
        model: Model,
        clock: Callable[[], float],
        ids: Callable[[str], str],
        limits: Limits | None = None,
        engine_class: type[UserExecutionEngine] = UserExecutionEngine,
    ) -> None:
        self._database = database
        self._events = events
        self._registry = registry
        self._catalogue = catalogue
        self._permissions = permissions
        self._model = model
        self._clock = clock
        self._ids = ids
        self._limits = Limits() if limits is None else limits
        self._engine_class = engine_class
        self._write_locks = WriteLocks()
        self._slots: list[_Slot] = []
        self._reaper: asyncio.Task[None] | None = None
        self._closed = False
        self._created = 0
        self._refused = 0
        self._cleaned = 0
        self._reaped = 0
        self._failed_cleanups = 0

    async def create_for_user(
        self, context: UserExecutionContext
    ) -> UserExecutionEngine:
        """A new engine for the context's user.

        Raises `LimitError` at the user's limit and `ClosedError` after shutdown.
        """
        # Reserved before the first await, so that concurrent calls count it.
        slot = self._reserve(context)
        try:
            slot.engine = await self._build(context)
        except BaseException:
            self._release(slot)
            raise
        self._created += 1
        if self._closed:
            await self.cleanup_engine(slot.engine)
            self._refuse_closed()
        return slot.engine

    @asynccontextmanager
    async def user_execution_scope(
        self, context: UserExecutionContext
    ) -> AsyncIterator[UserExecutionEngine]:
        """An engine for the length of a block; it is always cleaned up."""
        engine = await self.create_for_user(context)
        try:
            yield engine
        finally:
            await self.cleanup_engine(engine)

    async def cleanup_engine(self, engine: UserExecutionEngine) -> None:
        """Clean one engine up; idempotent, concurrent callers wait for the same end.

        Raises `CleanupError` for parts that could not be released, and
        `OwnershipError` for an engine of another factory. The engine is unregistered
        in any case.
        """
        if not engine.closed and all(slot.engine is not engine for slot in self._slots):
            message = (
                f"engine of user {engine.user_context.user_id!r} was not made by this "
                "factory; give it to the one that made it"
            )
            raise OwnershipError(message)
        await engine.cleanup()

    async def cleanup_user_context(self, user_id: str) -> None:
        """Clean up all engines that the user has now."""
        await self._clean_up(
            [slot.engine for slot in self._slots if slot.user_id == user_id],
            owner=f"user {user_id!r}",
        )

    def get_active_contexts(self) -> dict[str, int]:
        """How many engines each user has; users without one are not listed."""
        counts: dict[str, int] = {}
        for slot in self._slots:
            if slot.engine is not None:
                counts[slot.user_id] = counts.get(slot.user_id, 0) + 1
        return counts

    def metrics(self) -> FactoryMetrics:
        """A snapshot of the factory's counts."""
        return FactoryMetrics(
            active=sum(slot.engine is not None for slot in self._slots),
            created=self._created,
            refused=self._refused,
            cleaned=self._cleaned,
            reaped=self._reaped,
            failed_cleanups=self._failed_cleanups,
        )

    async def reap(self) -> int:
        """Clean up the engines older than `limits.engine_age`; returns how many."""
        now = self._clock()
        old = [
            slot.engine
            for slot in self._slots
            if now - slot.reserved_at > self._limits.engine_age
            and slot.engine is not None
            and not slot.engine.closed
        ]
        self._reaped += len(old)
        await self._clean_up(old, owner="reaped engines")
        return len(old)

    def start_reaper(self, interval: float) -> None:
        """Reap every `interval` seconds until shutdown; a second call does nothing."""
        if self._closed:
            self._refuse_closed()
        if self._reaper is None:
            # A fresh context, or the reaper would carry its first user's for ever.
            self._reaper = asyncio.get_running_loop().create_task(
                self._reap_for_ever(interval), context=self._worker_context()
            )

    async def shutdown(self) -> None:
        """Refuse new engines, stop the reaper, clean all engines up; idempotent."""
        self._closed = True
        engines = [slot.engine for slot in self._slots]
        for engine in filter(None, engines):
            engine.begin_cleanup()
        if self._reaper is not None:
            self._reaper.cancel()
            await wait_until_done(self._reaper)
        await self._clean_up(engines, owner="the factory")

    async def _build(self, context: UserExecutionContext) -> UserExecutionEngine:
        return self._engine_class(
            context=context,
            database=self._database,
            events=self._events,
            registry=self._registry,
            catalogue=self._catalogue,
            permissions=self._permissions,
            model=self._model,
            clock=self._clock,
            ids=self._ids,
            limits=self._limits,
            write_locks=self._write_locks,
            on_closed=self._unregister,
        )

    def _worker_context(self) -> contextvars.Context:
        return contextvars.Context()

    def _reserve(self, context: UserExecutionContext) -> _Slot:
        if self._closed:
            self._refuse_closed()
        held = self._held(context.user_id)
        # Each engine has one dispatcher, which is in use as long as the engine is. So
        # no dispatcher is ever evicted, and their limit bounds the engines too.
        for name in ("engines_per_user", "dispatchers_per_user"):
            limit = getattr(self._limits, name)
            if held >= limit:
                self._refused += 1
                message = (
                    f"user {context.user_id!r} has {held} engines, the limit {name} is "
                    f"{limit}; clean one up first"
                )
                raise LimitError(message)
        slot = _Slot(context.user_id, self._clock())
        self._slots.append(slot)
        return slot

    def _held(self, user_id: str) -> int:
        """How many slots the user holds, engines under construction included."""
        return sum(slot.user_id == user_id for slot in self._slots)

    def _release(self, slot: _Slot) -> None:
        self._slots = [other for other in self._slots if other is not slot]

    def _unregister(
        self, engine: UserExecutionEngine, failures: tuple[str, ...]
    ) -> None:
        self._cleaned += 1
        self._failed_cleanups += bool(failures)
        for slot in self._slots:
            if slot.engine is engine:
                self._release(slot)

    async def _clean_up(
        self, engines: Sequence[UserExecutionEngine | None], *, owner: str
    ) -> None:
        """Clean engines up concurrently; a failure does not stop the others."""
        present = [engine for engine in engines if engine is not None]
        for engine in present:
            # Begun before the first wait, so that a caller cancelled while waiting
            # leaves no engine behind.
            engine.begin_cleanup()
        failures: list[str] = []
        cancelled: tuple[Any, ...] | None = None
        for engine in present:
            try:
                await engine.cleanup()
            except asyncio.CancelledError as error:
                cancelled = error.args
            except CleanupError as error:
                failures += error.failures
        if cancelled is not None:
            raise asyncio.CancelledError(*cancelled)
        if failures:
            raise CleanupError(owner, tuple(failures))

    async def _reap_for_ever(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            try:
                await self.reap()
            except CleanupError:
                # Counted in the metrics; the reaper goes on with the other engines.
                continue

    def _refuse_closed(self) -> Any:
        message = "the factory is shut down and makes no engines; make a new factory"
        raise ClosedError(message)
