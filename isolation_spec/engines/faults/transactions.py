"""What becomes of a unit of database work that fails."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import StaticPool

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.builders import with_sessions
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import DatabaseSessionManager, UserExecutionEngine
from isolation_spec.engines.reference.adapter import ReferenceAdapter

__all__ = ["FAULTS"]


class _Sessions(DatabaseSessionManager):
    async def _finish(self, session: AsyncSession, *, keep: bool) -> None:
        await super()._finish(session, keep=True)


class _Engine(UserExecutionEngine):
    def _create_sessions(self) -> DatabaseSessionManager:
        return _Sessions(self.user_context, self._database)


class _Adapter(ReferenceAdapter):
    engine_class = _Engine


COMMIT_ON_ERROR = Fault(
    id="commit-on-error",
    mechanism="transactions",
    source="google/adk-python #3328: the error path of a database session does not "
    "roll back",
    claims=frozenset({"database-sessions"}),
    adapter=_Adapter,
)


class _Autocommit(DatabaseSessionManager):
    def _open_session(self) -> AsyncSession:
        apart = self._database.execution_options(isolation_level="AUTOCOMMIT")
        return AsyncSession(apart, expire_on_commit=False)


EACH_STATEMENT = Fault(
    id="each-statement",
    mechanism="transactions",
    source="incident 11, basicmachines-co/basic-memory #989: half of a unit of work is "
    "published before it is done",
    claims=frozenset({"database-sessions"}),
    adapter=with_sessions(_Autocommit),
)


class _Unclosed(DatabaseSessionManager):
    async def _finish(self, session: AsyncSession, *, keep: bool) -> None:
        if keep:
            await super()._finish(session, keep=True)
        else:
            self._failed = session


LEFT_OPEN = Fault(
    id="left-open",
    mechanism="transactions",
    source="topoteretes/cognee #4197: a request that breaks off leaves its transaction "
    "open, and in the end no connection is left",
    claims=frozenset({"database-sessions", "error-containment", "teardown"}),
    adapter=with_sessions(_Unclosed),
)


class _OneConnection(ReferenceAdapter):
    def make_database(self, environment: Environment) -> AsyncEngine:
        return create_async_engine(environment.database_url, poolclass=StaticPool)


ONE_CONNECTION = Fault(
    id="one-connection",
    mechanism="transactions",
    source="basicmachines-co/basic-memory #989, google/adk-python 2.13.0: one "
    "connection for all, on which anybody's rollback undoes everybody's work",
    claims=frozenset(
        {"database-sessions", "error-containment", "stored-writes", "teardown"}
    ),
    adapter=_OneConnection,
)

FAULTS = (COMMIT_ON_ERROR, EACH_STATEMENT, LEFT_OPEN, ONE_CONNECTION)
