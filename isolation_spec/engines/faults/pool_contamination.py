"""What is used again for somebody else, and cannot be told from what it was before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from isolation_spec.engines.faults.builders import (
    Place,
    answered,
    ask_outside,
    with_place,
)
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import ClosedError
from isolation_spec.engines.reference.runs import Run

__all__ = ["FAULTS"]


class _Pad:
    """What a run notes; the next run that takes it begins with nothing on it."""

    def __init__(self) -> None:
        self.notes: set[str] = set()


class _Pads(Place):
    """Pads that are free are taken again. What a run tells is noted at once, and once
    more when somebody outside has it, for whom nobody waits."""

    def __init__(self) -> None:
        self._free: list[_Pad] = []
        self._held: dict[str, _Pad] = {}

    @asynccontextmanager
    async def hold(self, run: Run) -> AsyncIterator[None]:
        pad = self._free.pop() if self._free else _Pad()
        pad.notes.clear()
        self._held[run.context.request_id] = pad
        try:
            yield
        finally:
            self._free.append(self._held.pop(run.context.request_id))

    def tell(self, request_id: str, told: Mapping[str, Any]) -> None:
        pad = self._held.get(request_id)
        if pad is not None:
            note = f"{told}"
            pad.notes.add(note)
            ask_outside(lambda: pad.notes.add(note))

    def shown(self, run: Run) -> Mapping[str, Any]:
        return {"notes": sorted(self._held[run.context.request_id].notes)}


NOTED_FOR_NEXT = Fault(
    id="noted-for-next",
    mechanism="pool_contamination",
    source="justcoding121/titanium-web-proxy #546, dotnet/corefx #27780: what is in a "
    "pool again is still written to for whom it served before",
    claims=frozenset({"context-ownership"}),
    adapter=with_place(_Pads),
)


class _Connection:
    """To somewhere upstream, for the runs that begin before one ends."""

    closed = False


class _Turning(Place):
    """Two connections: when a run ends, the one at the front is closed, and the other
    comes forward. A bit says which one that is, and whether one has found it."""

    def __init__(self) -> None:
        self._bit = False
        self._front = _Connection()

    @asynccontextmanager
    async def hold(self, run: Run) -> AsyncIterator[None]:
        connection = await self._find()
        while connection is None:
            connection = await self._find()
        if connection.closed:
            message = f"run {run.run_id!r} has a connection that is closed"
            raise ClosedError(message)
        try:
            yield
        finally:
            self._front.closed = True
            self._front, self._bit = _Connection(), not self._bit

    async def _find(self) -> _Connection | None:
        front, bit = self._front, self._bit
        await answered()
        return front if bit is self._bit else None


TURNED_TWICE = Fault(
    id="turned-twice",
    mechanism="pool_contamination",
    source="garden-co/jazz #2974: whether a slot is as it was is told by what comes "
    "round again, and after two changes it looks unchanged",
    claims=frozenset({"error-containment"}),
    adapter=with_place(_Turning),
)

FAULTS = (NOTED_FOR_NEXT, TURNED_TWICE)
