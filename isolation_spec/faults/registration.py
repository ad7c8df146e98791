"""Who is registered for a user's events, and until when."""

from __future__ import annotations

from isolation_spec.adapters.reference import ReferenceAdapter
from isolation_spec.engine import WebSocketManager
from isolation_spec.engine.mailbox import Channel
from isolation_spec.faults.fault import Fault

__all__ = ["FAULTS"]


class _Manager(WebSocketManager):
    def _recipients(self, user_id: str) -> list[Channel]:
        return super()._recipients(user_id)[-1:]


class _Adapter(ReferenceAdapter):
    manager_class = _Manager


LAST_REGISTRATION_WINS = Fault(
    id="last-registration-wins",
    mechanism="registration",
    source="comfyanonymous/ComfyUI #16243: a second socket takes the first one's place",
    claims=frozenset({"event-lifecycle", "event-routing"}),
    adapter=_Adapter,
)

FAULTS = (LAST_REGISTRATION_WINS,)
