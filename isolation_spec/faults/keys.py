"""Identity mangled in a key: who owns a row is asked in the wrong way."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_

from isolation_spec.adapters.reference import ReferenceAdapter
from isolation_spec.engine import UserExecutionEngine, UserMemory
from isolation_spec.engine.storage import MEMORIES
from isolation_spec.faults.fault import Fault

__all__ = ["FAULTS"]


class _PrefixMemory(UserMemory):
    def _all_rows(self) -> ColumnElement[bool]:
        user_id, thread_id = self._owner()
        return and_(
            MEMORIES.c.user_id.startswith(user_id),
            MEMORIES.c.thread_id.startswith(thread_id),
        )


class _Engine(UserExecutionEngine):
    def _create_memory(self) -> UserMemory:
        return _PrefixMemory(
            self.user_context, self.database_session_manager, locks=self._write_locks
        )


class _Adapter(ReferenceAdapter):
    engine_class = _Engine


PREFIX_MATCH = Fault(
    id="prefix-match",
    mechanism="keys",
    source="CVE-2026-71433, langchain-ai/langgraph #8300: a namespace is found by its "
    "prefix, so user1 reads what user10 stored",
    claims=frozenset({"context-ownership"}),
    adapter=_Adapter,
)

FAULTS = (PREFIX_MATCH,)
