"""A database session that outgrows its unit of work."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from isolation_spec.engines.faults.builders import with_fresh_sessions
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import DatabaseSessionManager

__all__ = ["FAULTS"]


def _with_one_session() -> type[DatabaseSessionManager]:
    """All units of database work share one session."""
    opened: list[AsyncSession] = []

    class Sessions(DatabaseSessionManager):
        def _open_session(self) -> AsyncSession:
            if not opened:
                opened.append(super()._open_session())
            return opened[0]

    return Sessions


ONE_SESSION = Fault(
    id="one-session",
    source="Skyvern-AI/skyvern #6312: one AsyncSession for concurrent requests",
    # One user's rollback undoes another's acknowledged write, and concurrent use of
    # the session raises.
    claims=frozenset({"database-sessions", "error-containment", "stored-writes"}),
    adapter=with_fresh_sessions(_with_one_session),
)

FAULTS = (ONE_SESSION,)
