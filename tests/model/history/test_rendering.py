"""Values are rendered as text without running the engine's code."""

from __future__ import annotations

import asyncio
import contextvars
import io
import logging
import threading
import uuid
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from isolation_spec.contract.scripted_agent import ScriptedAgent
from isolation_spec.model.history.opaque import OpaqueCause, OpaquePart
from isolation_spec.model.history.rendering import inspect_value, render
from isolation_spec.model.scenario import Think, canary

SECRET = canary("alice", 1, 1)


class Trap:
    """An object of an engine that does not want to be shown."""

    def __repr__(self) -> str:
        raise AssertionError

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    __hash__ = object.__hash__


def test_code_of_the_value_does_not_run() -> None:
    """An object that refuses to be printed is shown by the name of its type."""
    assert "a Trap b" == render(["a", Trap(), {"b": ()}]).rstrip()


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "None"), (True, "True"), (b"a\xff", "a\ufffd"), ("\ud800", "\\ud800")],
)
def test_text_can_be_encoded(value: object, text: str) -> None:
    """The text of any value is valid UTF-8."""
    assert text == render(value)
    assert render(value).encode()


def test_the_walk_ends_twelve_levels_deep() -> None:
    """Deeper levels are shown as dots."""
    value: object = "deep"
    for _ in range(11):
        value = [value]

    assert "deep" == render(value)
    assert "..." == render([[value]])


# Where the walk ends


class Held:
    def __init__(self, shown: Any = None, *, private: Any = None) -> None:
        self.shown = shown
        self._private = private


def nested(levels: int, value: Any) -> Any:
    for _ in range(levels):
        value = Held(value)
    return value


def private(levels: int, value: Any) -> Any:
    for _ in range(levels):
        value = Held(private=value)
    return value


def generator() -> Iterator[str]:
    yield SECRET


ENDS: dict[str, tuple[Any, OpaquePart]] = {
    "depth": (nested(13, "x"), OpaquePart("Held", OpaqueCause.DEPTH)),
    "size": (["x"] * 20_000, OpaquePart("list", OpaqueCause.SIZE)),
    "size of a set": (set(range(20_000)), OpaquePart("set", OpaqueCause.SIZE)),
    "length of texts": (["x" * 10**6] * 9, OpaquePart("list", OpaqueCause.SIZE)),
    "native": (io.StringIO(SECRET), OpaquePart("StringIO", OpaqueCause.NATIVE)),
    "function": (generator, OpaquePart("function", OpaqueCause.CODE)),
    "generator": (generator(), OpaquePart("generator", OpaqueCause.LAZY)),
    "private depth": (private(5, "x"), OpaquePart("Held", OpaqueCause.DEPTH)),
    "private size": (
        Held(private=["x"] * 2_000),
        OpaquePart("list", OpaqueCause.SIZE),
    ),
    "private function": (
        Held(private=generator),
        OpaquePart("function", OpaqueCause.CODE),
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_an_end_of_the_walk_is_named(name: str) -> None:
    """A part that cannot be seen is named by its type and the cause."""
    value, end = ENDS[name]

    assert (end,) == inspect_value({"key": value}).opaque


def test_a_value_that_is_seen_has_no_opaque_part() -> None:
    """Objects that hold no text are no gap in a value."""
    value = [
        *(None, True, 1, 2.5, "text", b"bytes", uuid.UUID(int=1), int, asyncio),
        *(threading.Lock(), logging.getLogger("x"), contextvars.ContextVar("x")),
        *(weakref.ref(Held), Held(), [], {}, nested(8, "x"), private(2, "x")),
    ]

    assert () == inspect_value(value).opaque


def test_private_gaps_are_no_news_beside_a_value() -> None:
    """A private part that cannot be seen counts where no canary is found."""
    value = Held(SECRET, private=generator)

    assert () == inspect_value(value).opaque
    assert () == inspect_value(Held(private=[SECRET, generator])).opaque


def test_a_private_attribute_adds_canaries_only() -> None:
    """Private state other than canaries stays out of the text; it may vary."""
    assert f"shown 1 {SECRET}" == render(Held(1, private=["noise", SECRET, 17]))
    assert SECRET == render(Held(SECRET, private=SECRET)).removeprefix("shown ")


def test_shared_objects_are_not_reached_by_private_attributes() -> None:
    """An object that users share on purpose is entered only where it is shown."""
    service = Held([SECRET])
    behind, shown = Held(private=service), Held(service)

    assert SECRET in render(behind)
    assert SECRET not in inspect_value(behind, lambda: [service]).text
    assert SECRET in inspect_value(shown, lambda: [service]).text


def test_objects_of_the_suite_are_not_entered() -> None:
    """A result that holds its scripted agent does not show the agent's scenario."""
    agent = ScriptedAgent(1, (Think(prompt=SECRET),), lambda *_: None)

    assert "shown ScriptedAgent" == render(Held(agent, private=agent.perform))


def test_the_loop_is_not_entered() -> None:
    """A lock leads to its loop, and no further: the loop reaches every user."""

    async def lock() -> asyncio.Event:
        event = asyncio.Event()
        waiting = asyncio.ensure_future(asyncio.sleep(0, SECRET))
        async with asyncio.timeout(5):
            waiter = asyncio.ensure_future(event.wait())
            await waiting
        waiter.cancel()
        return event

    assert SECRET not in render(asyncio.run(lock()))


def test_cycles_end_at_once() -> None:
    """An object within itself is shown as dots, and is no gap."""
    value = Held("x")
    value.shown = [value]

    assert ("shown ...", ()) == inspect_value(value)


def test_long_integers_are_shown_by_type() -> None:
    """Python writes no integer of 10,000 digits."""
    assert "int" == render(10**10_000)


def test_a_uuid_is_shown_as_its_text() -> None:
    """A UUID and its text look alike, so both are compared in the same way."""
    number = uuid.UUID(int=2**127)

    assert str(number) == render(number)
