"""What follows a change outside, and comes back over a change that was made since."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from isolation_spec.engines.faults.builders import answered, with_memory
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import UserMemory

__all__ = ["FAULTS"]


class _Retrying(UserMemory):
    """Each write asks outside for its confirmation; an answer that comes when nothing
    is being written finds none, and all that was written until then is stored once
    more."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._writing = 0
        self._asking: dict[asyncio.Task[None], None] = {}
        self._written: dict[str, str] = {}

    async def remember(self, key: str, value: str) -> None:
        until_then = {**self._written, key: value}
        task = asyncio.get_running_loop().create_task(self._confirm(until_then))
        self._asking[task] = None
        task.add_done_callback(self._asking.pop)
        self._writing += 1
        try:
            await super().remember(key, value)
            self._written[key] = value
        finally:
            self._writing -= 1

    async def _confirm(self, until_then: Mapping[str, str]) -> None:
        await answered()
        if not self._writing and until_then.keys() <= self._written.keys():
            with suppress(Exception):
                for key, value in until_then.items():
                    await super().remember(key, value)


STORED_AGAIN = Fault(
    id="stored-again",
    mechanism="stale_write_back",
    source="retries of statements by drivers of Apache Cassandra: a write that was "
    "done is repeated, over what was written since",
    claims=frozenset({"stored-writes"}),
    adapter=with_memory(lambda: _Retrying),
)

FAULTS = (STORED_AGAIN,)
