"""Where an event goes: to whom, and what becomes of it while nobody is there."""

from __future__ import annotations

from isolation_spec.adapters.reference import ReferenceAdapter
from isolation_spec.engine import WebSocketManager
from isolation_spec.engine.mailbox import Channel
from isolation_spec.faults.fault import Fault

__all__ = ["FAULTS"]


class _BroadcastManager(WebSocketManager):
    def _recipients(self, user_id: str) -> list[Channel]:
        found: list[Channel] = []
        for somebody in dict.fromkeys((user_id, *self._mailboxes)):
            found += super()._recipients(somebody)
        return found


class _BroadcastAdapter(ReferenceAdapter):
    manager_class = _BroadcastManager


BROADCAST_TO_ALL = Fault(
    id="broadcast-to-all",
    mechanism="delivery",
    source="cheshire-cat-ai/core #488, AntaREST #417: a broadcast where one user was "
    "meant",
    claims=frozenset({"event-routing"}),
    adapter=_BroadcastAdapter,
)


class _NotQueuedManager(WebSocketManager):
    def notify(self, user_id: str, message: str) -> bool:
        return bool(self._recipients(user_id)) and super().notify(user_id, message)


class _NotQueuedAdapter(ReferenceAdapter):
    manager_class = _NotQueuedManager


NOT_QUEUED = Fault(
    id="not-queued",
    mechanism="delivery",
    source="EdanStarfire/claudecode_webui #80: what happens while the connection is "
    "away is never sent",
    claims=frozenset({"event-lifecycle", "event-routing"}),
    adapter=_NotQueuedAdapter,
)

FAULTS = (
    BROADCAST_TO_ALL,
    NOT_QUEUED,
)
