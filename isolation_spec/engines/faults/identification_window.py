"""What happened while it was being found out who a client is."""

from __future__ import annotations

import json
from typing import Any

from websockets.asyncio.server import ServerConnection

from isolation_spec.engines.faults.builders import with_manager
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import EventType, WebSocketManager
from isolation_spec.engines.reference.mailbox import Channel, Letter, Socket

__all__ = ["FAULTS"]


class _Unheard(WebSocketManager):
    """What waits is kept for as long as the run of which it tells."""

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
    mechanism="identification_window",
    source="EdanStarfire/claudecode_webui #80, in a handshake: what a run told while "
    "nobody was there yet is dropped as soon as the run is over",
    claims=frozenset({"event-routing"}),
    adapter=with_manager(_Unheard),
)


class _Catching(WebSocketManager):
    """Shows a client the runs that began since it came and are nobody else's.

    Whose a run is is known for as long as it is under way.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._owners: dict[str, str] = {}
        self._told: dict[ServerConnection, dict[str, list[str]]] = {}

    def notify(self, user_id: str, message: str) -> bool:
        event = json.loads(message)
        run, kind = event["run_id"], EventType(event["type"])
        if kind is EventType.AGENT_STARTED:
            self._owners[run] = user_id
            for told in self._told.values():
                told[run] = []
        for told in self._told.values():
            if run in told:
                told[run].append(message)
        if kind.is_terminal:
            self._owners.pop(run, None)
        return super().notify(user_id, message)

    async def _handle(self, connection: ServerConnection) -> None:
        self._told[connection] = {}
        try:
            await super()._handle(connection)
        finally:
            self._told.pop(connection, None)

    def _register(self, user_id: str, socket: Socket) -> Channel:
        own = {letter.text for letter in self._mailbox(user_id).pending}
        channel = super()._register(user_id, socket)
        for run, messages in self._told.pop(socket).items():
            if self._owners.get(run) is None:
                fresh = [text for text in messages if text not in own]
                channel.letters.extend(Letter(self._sequence, text) for text in fresh)
        channel.flush()
        return channel


OVER_IS_ANYONES = Fault(
    id="over-is-anyones",
    mechanism="identification_window",
    source="open-webui #25763, in a handshake: whose a run is is looked up among those "
    "under way, and one that is over is shown to whoever comes",
    claims=frozenset({"event-routing"}),
    adapter=with_manager(_Catching),
)

FAULTS = (OVER_IS_ANYONES, OVER_UNHEARD)
