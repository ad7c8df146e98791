"""Letters stay in order, and are not lost while a channel or the queue has room."""

import contextvars
from typing import Any, cast

from isolation_spec.engines.reference.mailbox import Channel, Letter, Mailbox, Socket


class ClosedSocket:
    """A stand-in for a socket that accepts no more messages."""

    is_open = False
    writable = False


def channel(*letters: Letter) -> Channel:
    made = Channel(
        cast(Socket, ClosedSocket()), contextvars.Context(), lambda letter: None
    )
    made.letters.extend(letters)
    return made


def texts(letters: Any) -> list[str]:
    return [letter.text for letter in letters]


def test_the_queue_drops_its_oldest() -> None:
    """At the limit the oldest letter goes, and is reported."""
    mailbox = Mailbox(2)
    assert [mailbox.hold(Letter(n, str(n))) for n in range(3)] == [0, 0, 1]
    assert texts(mailbox.pending) == ["1", "2"]
    assert not mailbox.is_empty


def test_a_new_channel_gets_waiting_letters_in_order() -> None:
    """Pending letters and unsent letters of other channels come first, once each."""
    mailbox = Mailbox(5)
    mailbox.hold(Letter(1, "1"))
    first = channel()
    mailbox.add(first)
    assert (texts(first.letters), len(mailbox.pending)) == (["1"], 0)
    sent = Letter(2, "2")
    sent.delivered = True
    first.letters.extend([sent, Letter(3, "3")])
    second = channel()
    mailbox.add(second)
    assert texts(second.letters) == ["1", "3"]


def test_a_closing_channel_returns_undelivered_letters() -> None:
    """Only the last channel's undelivered letters wait for the next one."""
    mailbox = Mailbox(5)
    letters = [Letter(n, str(n)) for n in range(3)]
    letters[1].delivered = True
    one, two = channel(*letters), channel(*letters)
    mailbox.add(one)
    mailbox.add(two)
    two.letters.clear()
    two.letters.extend(letters)
    assert mailbox.remove(one) == 0
    assert texts(mailbox.pending) == []
    assert mailbox.remove(two) == 0
    assert texts(mailbox.pending) == ["0", "2"]
    assert mailbox.remove(two) == 0


def test_a_late_removal_never_touches_another_channel() -> None:
    """Removing an unregistered channel changes no other channel."""
    mailbox = Mailbox(5)
    new = channel()
    mailbox.add(new)
    mailbox.remove(channel())
    assert list(mailbox.channels.values()) == [new]
