"""The messages of one user on their way to the user's connections.

Every message goes to all connections that are open when it comes. A message that no
connection could deliver waits for the next one, in order, in a bounded queue.
"""

import contextvars
from collections import deque
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import ServerConnection, broadcast
from websockets.protocol import State

__all__ = ["Channel", "Letter", "Mailbox", "Socket"]


class Letter:
    """One message; `sequence` is its position among all messages."""

    __slots__ = ("delivered", "sequence", "text")

    def __init__(self, sequence: int, text: str) -> None:
        self.sequence = sequence
        self.text = text
        self.delivered = False


class Socket(ServerConnection):
    """A server connection that reports whether its transport accepts data.

    It extends only methods of the standard library's protocol interface.
    """

    channel: "Channel | None" = None
    writable = True

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        super().pause_writing()
        self.writable = False

    def resume_writing(self) -> None:
        """The transport's buffer has room again."""
        super().resume_writing()
        self.writable = True
        if self.channel is not None:
            self.channel.flush()

    @property
    def is_made(self) -> bool:
        """Whether there ever was a transport; a connection accepted while the server
        stops may be dropped before it has one."""
        return hasattr(self, "transport")

    @property
    def is_open(self) -> bool:
        """Whether a message sent now can still arrive."""
        return self.state is State.OPEN and not self.transport.is_closing()


class Channel:
    """One authenticated connection and the letters that it has not sent yet."""

    __slots__ = ("_context", "_on_sent", "letters", "socket")

    def __init__(
        self,
        socket: Socket,
        context: contextvars.Context,
        on_sent: Callable[[Letter], None],
    ) -> None:
        self.socket = socket
        self.letters: deque[Letter] = deque()
        self._context = context
        self._on_sent = on_sent

    def flush(self) -> None:
        """Send while the transport accepts data; never waits.

        A client that does not read fills only its own queue.
        """
        # In the channel's own context: the transport registers its write callback with
        # the current context, and would hold the context of the emitting run.
        self._context.run(self._send_letters)

    def _send_letters(self) -> None:
        while self.letters and self.socket.writable and self.socket.is_open:
            letter = self.letters.popleft()
            try:
                broadcast((self.socket,), letter.text, raise_exceptions=True)
            except ExceptionGroup:
                self.letters.appendleft(letter)
                self.socket.transport.abort()
                break
            letter.delivered = True
            self._on_sent(letter)


class Mailbox:
    """All channels of one user, oldest first, and the letters without a channel."""

    __slots__ = ("channels", "limit", "pending")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.channels: dict[Any, Channel] = {}
        self.pending: deque[Letter] = deque()

    @property
    def is_empty(self) -> bool:
        """Whether the mailbox has neither channels nor letters."""
        return not self.channels and not self.pending

    def add(self, channel: Channel) -> None:
        """Register a channel; it first gets all undelivered letters."""
        waiting = {letter.sequence: letter for letter in self.pending}
        for other in self.channels.values():
            waiting.update((letter.sequence, letter) for letter in other.letters)
        self.pending.clear()
        channel.letters.extend(
            waiting[sequence]
            for sequence in sorted(waiting)
            if not waiting[sequence].delivered
        )
        self.channels[channel.socket] = channel

    def remove(self, channel: Channel) -> int:
        """Unregister this very channel; returns how many letters were dropped.

        Its unsent letters go back to the pending letters, unless another channel has
        sent them or still will.
        """
        if self.channels.get(channel.socket) is channel:
            del self.channels[channel.socket]
        undelivered = [letter for letter in channel.letters if not letter.delivered]
        channel.letters.clear()
        if self.channels:
            return 0
        return sum(self.hold(letter) for letter in undelivered)

    def hold(self, letter: Letter) -> int:
        """Queue a letter for the next channel; returns 1 if the oldest was dropped."""
        self.pending.append(letter)
        if len(self.pending) <= self.limit:
            return 0
        self.pending.popleft()
        return 1
