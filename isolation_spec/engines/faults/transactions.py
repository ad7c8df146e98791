"""Transactions that are committed, split or left open where they should roll back."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import StaticPool

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.builders import with_sessions
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    DatabaseSessionManager,
    UserExecutionContext,
)
from isolation_spec.engines.reference.adapter import ReferenceAdapter

__all__ = ["FAULTS"]


class _CommittingSessions(DatabaseSessionManager):
    async def _finish(self, session: AsyncSession, *, keep: bool) -> None:
        await super()._finish(session, keep=True)


COMMIT_ON_ERROR = Fault(
    id="commit-on-error",
    source="google/adk-python #3328: the error path of a database session does not "
    "roll back",
    claims=frozenset({"database-sessions"}),
    adapter=with_sessions(_CommittingSessions),
)


class _AutocommitSessions(DatabaseSessionManager):
    def __init__(self, context: UserExecutionContext, database: AsyncEngine) -> None:
        autocommit = database.execution_options(isolation_level="AUTOCOMMIT")
        super().__init__(context, autocommit)


EACH_STATEMENT = Fault(
    id="each-statement",
    source="incident 11, basicmachines-co/basic-memory #989: half of a unit of work is "
    "visible before the unit is done",
    claims=frozenset({"database-sessions"}),
    adapter=with_sessions(_AutocommitSessions),
)


class _UnclosedSessions(DatabaseSessionManager):
    async def _finish(self, session: AsyncSession, *, keep: bool) -> None:
        if keep:
            await super()._finish(session, keep=True)
        else:
            self._failed = session


LEFT_OPEN = Fault(
    id="left-open",
    source="topoteretes/cognee #4197: a failed request leaves its transaction open, "
    "and in the end the pool is empty",
    claims=frozenset({"database-sessions", "error-containment", "teardown"}),
    adapter=with_sessions(_UnclosedSessions),
)


class _OneConnection(ReferenceAdapter):
    def make_database(self, environment: Environment) -> AsyncEngine:
        return create_async_engine(environment.database_url, poolclass=StaticPool)


ONE_CONNECTION = Fault(
    id="one-connection",
    source="basicmachines-co/basic-memory #989, google/adk-python 2.13.0: all "
    "users share one connection, on which one rollback undoes the work of all",
    claims=frozenset(
        {"database-sessions", "error-containment", "stored-writes", "teardown"}
    ),
    adapter=_OneConnection,
)

FAULTS = (COMMIT_ON_ERROR, EACH_STATEMENT, LEFT_OPEN, ONE_CONNECTION)
