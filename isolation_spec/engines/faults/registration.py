"""Registration of a user's connections: by the wrong identity, or for too short."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection

from isolation_spec.engines.faults.builders import with_manager
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import WebSocketManager
from isolation_spec.engines.reference.mailbox import Channel

__all__ = ["FAULTS"]


class _LastManager(WebSocketManager):
    def _recipients(self, user_id: str) -> list[Channel]:
        return super()._recipients(user_id)[-1:]


LAST_REGISTRATION_WINS = Fault(
    id="last-registration-wins",
    source="comfyanonymous/ComfyUI #16243: a second socket takes the first one's place",
    claims=frozenset({"event-lifecycle", "event-routing"}),
    adapter=with_manager(_LastManager),
)


class _LateManager(WebSocketManager):
    def _unregister(self, user_id: str, channel: Channel) -> None:
        registered = self._mailbox(user_id).channels.values()
        for each in (*registered, channel):
            super()._unregister(user_id, each)


LATE_CLEANUP = Fault(
    id="late-cleanup",
    source="Verath #229, hypha #880: the late cleanup of an old connection removes the "
    "user's new one",
    claims=frozenset({"event-lifecycle", "event-routing"}),
    adapter=with_manager(_LateManager),
)


def _named(socket: ServerConnection) -> str | None:
    """The user id that the client claims."""
    assert socket.request is not None
    names = parse_qs(urlsplit(socket.request.path).query).get("user_id")
    return names[0] if names else None


class _BelievingManager(WebSocketManager):
    async def _authenticate(self, socket: ServerConnection) -> str | None:
        known = await super()._authenticate(socket)
        return known if known is None else _named(socket) or known


NAME_BELIEVED = Fault(
    id="name-believed",
    source="PiperChat01 #145: a client names any user and joins that user's room",
    claims=frozenset({"event-routing", "event-lifecycle"}),
    adapter=with_manager(_BelievingManager),
)


class _LenientManager(WebSocketManager):
    async def _authenticate(self, socket: ServerConnection) -> str | None:
        return await super()._authenticate(socket) or _named(socket)


TOKEN_OPTIONAL = Fault(
    id="token-optional",
    source="PiperChat01 #145: a client with a refused token may still name a user",
    claims=frozenset({"event-routing", "event-lifecycle"}),
    adapter=with_manager(_LenientManager),
)

FAULTS = (LAST_REGISTRATION_WINS, LATE_CLEANUP, NAME_BELIEVED, TOKEN_OPTIONAL)
