"""Events that occur while a connecting client is being identified."""

from __future__ import annotations

import json
from typing import Any

from websockets.asyncio.server import ServerConnection

from isolation_spec.engines.faults.builders import with_manager
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import EventType, WebSocketManager
from isolation_spec.engines.reference.mailbox import Channel, Letter, Socket

__all__ = ["FAULTS"]


class _ForgettingManager(WebSocketManager):
    """Drops the queued events of a run when the run ends."""

    def notify(self, user_id: str, message: str) -> bool:
        taken = super().notify(user_id, message)
        event = json.loads(message)
        if not taken and EventType(event["type"]).is_terminal:
            pending = self._mailbox(user_id).pending
            for letter in tuple(pending):
                if json.loads(letter.text)["run_id"] == event["run_id"]:
                    pending.remove(letter)
            self._discard_empty(user_id)
        return taken


OVER_UNHEARD = Fault(
    id="over-unheard",
    source="EdanStarfire/claudecode_webui #80, in a handshake: events queued before "
    "the client is identified are dropped when their run ends",
    claims=frozenset({"event-routing"}),
    adapter=with_manager(_ForgettingManager),
)


class _CatchUpManager(WebSocketManager):
    """Sends a client the runs that began since it connected and have no other owner.

    The owner of a run is known only while the run is in flight.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._owners: dict[str, str] = {}
        self._observed: dict[ServerConnection, dict[str, list[str]]] = {}

    def notify(self, user_id: str, message: str) -> bool:
        event = json.loads(message)
        run, kind = event["run_id"], EventType(event["type"])
        if kind is EventType.AGENT_STARTED:
            self._owners[run] = user_id
            for observed in self._observed.values():
                observed[run] = []
        for observed in self._observed.values():
            if run in observed:
                observed[run].append(message)
        if kind.is_terminal:
            self._owners.pop(run, None)
        return super().notify(user_id, message)

    async def _handle(self, connection: ServerConnection) -> None:
        self._observed[connection] = {}
        try:
            await super()._handle(connection)
        finally:
            self._observed.pop(connection, None)

    def _register(self, user_id: str, socket: Socket) -> Channel:
        own = {letter.text for letter in self._mailbox(user_id).pending}
        channel = super()._register(user_id, socket)
        for run, messages in self._observed.pop(socket).items():
            if self._owners.get(run) is None:
                fresh = [text for text in messages if text not in own]
                channel.letters.extend(Letter(self._sequence, text) for text in fresh)
        channel.flush()
        return channel


OVER_IS_ANYONES = Fault(
    id="over-is-anyones",
    source="open-webui #25763, in a handshake: the owner of a run is looked up among "
    "the runs in flight, and a finished run is shown to every client",
    claims=frozenset({"event-routing"}),
    adapter=with_manager(_CatchUpManager),
)

FAULTS = (OVER_IS_ANYONES, OVER_UNHEARD)
