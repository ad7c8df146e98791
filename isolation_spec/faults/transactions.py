"""What becomes of a unit of database work that fails."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from isolation_spec.adapters.reference import ReferenceAdapter
from isolation_spec.engine import DatabaseSessionManager, UserExecutionEngine
from isolation_spec.faults.fault import Fault

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

FAULTS = (COMMIT_ON_ERROR,)
