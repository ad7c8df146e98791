"""Stale write-back: an old write is repeated over a later one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from isolation_spec.engines.faults.builders import call_external, with_memory
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import UserMemory

__all__ = ["FAULTS"]


class _RetryingMemory(UserMemory):
    """Stores the entries of a write again at the reply of a call outside.

    It does so only if no write is in flight and all of these entries were stored.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._writing = 0
        self._confirmations: dict[asyncio.Task[None], None] = {}
        self._written: dict[str, str] = {}

    async def remember(self, key: str, value: str) -> None:
        entries = {**self._written, key: value}
        task = asyncio.get_running_loop().create_task(self._confirm(entries))
        self._confirmations[task] = None
        task.add_done_callback(self._confirmations.pop)
        self._writing += 1
        try:
            await super().remember(key, value)
            self._written[key] = value
        finally:
            self._writing -= 1

    async def _confirm(self, entries: Mapping[str, str]) -> None:
        await call_external()
        if not self._writing and entries.keys() <= self._written.keys():
            with suppress(Exception):
                for key, value in entries.items():
                    await super().remember(key, value)


STORED_AGAIN = Fault(
    id="stored-again",
    source="retries of statements by drivers of Apache Cassandra: a finished write is "
    "repeated over a later one",
    claims=frozenset({"stored-writes"}),
    adapter=with_memory(lambda: _RetryingMemory),
)

FAULTS = (STORED_AGAIN,)
