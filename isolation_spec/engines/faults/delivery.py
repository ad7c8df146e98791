"""Delivery: the recipients of an event, and the queue while its user is away."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from typing import Any

from websockets.exceptions import ConnectionClosed

from isolation_spec.engines.faults.builders import with_manager
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import WebSocketManager
from isolation_spec.engines.reference.mailbox import Channel, Letter, Mailbox, Socket

__all__ = ["FAULTS"]


class _BroadcastManager(WebSocketManager):
    def _recipients(self, user_id: str) -> list[Channel]:
        channels: list[Channel] = []
        for any_user in dict.fromkeys((user_id, *self._mailboxes)):
            channels += super()._recipients(any_user)
        return channels


BROADCAST_TO_ALL = Fault(
    id="broadcast-to-all",
    source="cheshire-cat-ai/core #488, AntaREST #417: a broadcast where one user was "
    "meant",
    claims=frozenset({"event-routing"}),
    adapter=with_manager(_BroadcastManager),
)


class _NotQueuedManager(WebSocketManager):
    def notify(self, user_id: str, message: str) -> bool:
        return bool(self._recipients(user_id)) and super().notify(user_id, message)


NOT_QUEUED = Fault(
    id="not-queued",
    source="EdanStarfire/claudecode_webui #80: events that occur while the connection "
    "is down are never sent",
    claims=frozenset({"event-lifecycle", "event-routing"}),
    adapter=with_manager(_NotQueuedManager),
)


class _ReversedMailbox(Mailbox):
    __slots__ = ()

    def add(self, channel: Channel) -> None:
        super().add(channel)
        channel.letters.reverse()


class _ReversedManager(WebSocketManager):
    mailbox_class = _ReversedMailbox


NEWEST_FIRST = Fault(
    id="newest-first",
    source="shortlist F6f of the incidents: queued events are delivered in another "
    "order at the reconnect",
    claims=frozenset({"event-routing", "event-lifecycle"}),
    adapter=with_manager(_ReversedManager),
)


class _RepeatingManager(WebSocketManager):
    """Sends the last event once more at each reconnect, to be on the safe side."""

    def notify(self, user_id: str, message: str) -> bool:
        self._last = {**getattr(self, "_last", {}), user_id: message}
        return super().notify(user_id, message)

    def _register(self, user_id: str, socket: Socket) -> Channel:
        channel = super()._register(user_id, socket)
        if (last := getattr(self, "_last", {}).get(user_id)) is not None:
            channel.letters.append(Letter(self._sequence, last))
            channel.flush()
        return channel


REPEATED_AFTER = Fault(
    id="repeated-after",
    source="shortlist F6f of the incidents: a delivered event is replayed after the "
    "next reconnect",
    claims=frozenset({"event-routing", "event-lifecycle", "teardown"}),
    adapter=with_manager(_RepeatingManager),
)


class _MaskingManager(_BroadcastManager):
    """Writes each recipient's id into the event, so that no id gives the leak away."""

    def notify(self, user_id: str, message: str) -> bool:
        taken = WebSocketManager.notify(self, user_id, message)
        for other in list(self._mailboxes):
            if other != user_id:
                masked = {**json.loads(message), "user_id": other}
                for channel in WebSocketManager._recipients(self, other):
                    channel.letters.append(Letter(self._sequence, json.dumps(masked)))
                    channel.flush()
        return taken

    def _recipients(self, user_id: str) -> list[Channel]:
        return WebSocketManager._recipients(self, user_id)


MASKED_OWNER = Fault(
    id="masked-owner",
    source="local-deep-research #4437: an event goes to all; a fix that writes each "
    "recipient's id into it hides that",
    claims=frozenset({"event-routing"}),
    adapter=with_manager(_MaskingManager),
)


class _ToolsManager(_BroadcastManager):
    """Broadcasts the results of tools only."""

    def notify(self, user_id: str, message: str) -> bool:
        self._for_all = json.loads(message).get("type") == "tool_completed"
        return super().notify(user_id, message)

    def _recipients(self, user_id: str) -> list[Channel]:
        if getattr(self, "_for_all", False):
            return super()._recipients(user_id)
        return WebSocketManager._recipients(self, user_id)


TOOLS_TO_ALL = Fault(
    id="tools-to-all",
    source="aio-libs/sockjs #230: one kind of message is broadcast where one user was "
    "meant",
    claims=frozenset({"event-routing"}),
    adapter=with_manager(_ToolsManager),
)


class _EmptyingManager(WebSocketManager):
    def _register(self, user_id: str, socket: Socket) -> Channel:
        channel = super()._register(user_id, socket)
        for mailbox in self._mailboxes.values():
            channel.letters.extend(mailbox.pending)
            mailbox.pending.clear()
        channel.flush()
        return channel


ONE_QUEUE = Fault(
    id="one-queue",
    source="cheshire-cat-ai/core #488: one queue holds the waiting events of all "
    "users, and the next connection empties it",
    claims=frozenset({"event-routing", "event-lifecycle"}),
    adapter=with_manager(_EmptyingManager),
)


class _SequentialManager(WebSocketManager):
    """One task sends to all connections in turn and waits for each."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._letters: deque[tuple[list[Channel], str]] = deque()
        self._sender: asyncio.Task[None] | None = None

    def notify(self, user_id: str, message: str) -> bool:
        channels = self._recipients(user_id)
        if not channels:
            return super().notify(user_id, message)
        self._letters.append((channels, message))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.get_running_loop().create_task(
                self._deliver(), context=self._worker_context()
            )
        return True

    async def _deliver(self) -> None:
        while self._letters:
            channels, message = self._letters.popleft()
            for channel in channels:
                with contextlib.suppress(ConnectionClosed):
                    await channel.socket.send(message)


READER_STALLS_ALL = Fault(
    id="reader-stalls-all",
    source="aiohttp #1367, home-assistant #89905: one sender waits for each client in "
    "turn, and for ever for a client that does not read",
    claims=frozenset({"event-routing", "event-lifecycle", "teardown"}),
    adapter=with_manager(_SequentialManager),
)

FAULTS = (
    BROADCAST_TO_ALL,
    MASKED_OWNER,
    NEWEST_FIRST,
    NOT_QUEUED,
    ONE_QUEUE,
    READER_STALLS_ALL,
    REPEATED_AFTER,
    TOOLS_TO_ALL,
)
