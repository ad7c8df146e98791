"""A database session that outgrows its unit of work."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    DatabaseSessionManager,
    ExecutionEngineFactory,
    UserExecutionEngine,
)
from isolation_spec.engines.reference.adapter import ReferenceAdapter

__all__ = ["FAULTS"]


def _with_one_session() -> type[UserExecutionEngine]:
    """An engine class of its own for each factory, whose engines share one session."""
    opened: list[AsyncSession] = []

    class Sessions(DatabaseSessionManager):
        def _open_session(self) -> AsyncSession:
            if not opened:
                opened.append(super()._open_session())
            return opened[0]

    class Engine(UserExecutionEngine):
        def _create_sessions(self) -> DatabaseSessionManager:
            return Sessions(self.user_context, self._database)

    return Engine


class _Factory(ExecutionEngineFactory):
    def __init__(self, **options: Any) -> None:
        options["engine_class"] = _with_one_session()
        super().__init__(**options)


class _Adapter(ReferenceAdapter):
    factory_class = _Factory


ONE_SESSION = Fault(
    id="one-session",
    mechanism="sessions",
    source="Skyvern-AI/skyvern #6312: one AsyncSession for concurrent requests",
    # What one user rolls back takes another's acknowledged write with it; and who uses
    # it while another does fails.
    claims=frozenset({"database-sessions", "error-containment", "stored-writes"}),
    adapter=_Adapter,
)

FAULTS = (ONE_SESSION,)
