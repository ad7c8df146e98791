"""Histories are pure data, and the text of an observation holds every canary."""

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.model.history.entries import (
    AgentStepped,
    CancellationDelivered,
    ConnectionClosed,
    ConnectionOpened,
    Entry,
    EventReceived,
    ExceptionUnhandled,
    GaugeRead,
    IdentityChanged,
    IdentityKept,
    LoopBlocked,
    ObjectShared,
    OperationEnded,
    OperationStarted,
    PathStep,
    PhaseStarted,
    ResourceAlive,
    RowStored,
    SessionMoved,
    ThreadStarted,
    ToolRan,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.history.rendering import render
from isolation_spec.model.history.states import Outcome, Phase, SessionMove
from isolation_spec.model.scenario import (
    AdvanceTime,
    Read,
    User,
    canaries_in,
    canary,
)
from tests.builders import make_history, make_scenario

SECRET = canary("alice", 1, 1)


# The text of a value


@dataclasses.dataclass
class Plain:
    inner: Any


class Struct(msgspec.Struct):
    inner: Any


class Opaque:
    def __init__(self, inner: Any) -> None:
        self.inner = inner


def noted(value: str) -> Exception:
    error = ValueError("outer")
    error.add_note(f"note {value}")
    return error


def caused(value: str) -> Exception:
    try:
        raise ValueError("outer") from KeyError(value)
    except ValueError as error:
        return error


def in_context(value: str) -> Exception:
    try:
        try:
            raise KeyError(value)
        except KeyError:
            raise ValueError("outer")  # noqa: B904
    except ValueError as error:
        return error


HOLDERS: dict[str, Callable[[str], Any]] = {
    "string": lambda v: v,
    "bytes": lambda v: v.encode(),
    "list": lambda v: [1, [v]],
    "tuple": lambda v: (None, (v,)),
    "set": lambda v: {1, v},
    "frozen set": lambda v: frozenset({v}),
    "value of a mapping": lambda v: {"a": {"b": v}},
    "key of a mapping": lambda v: {v: 1},
    "dataclass": Plain,
    "struct": Struct,
    "argument of an exception": lambda v: ValueError("outer", v),
    "note of an exception": noted,
    "cause of an exception": caused,
    "context of an exception": in_context,
    "group of exceptions": lambda v: ExceptionGroup("g", [OSError(1), KeyError(v)]),
    "group in a group": lambda v: ExceptionGroup(
        "g", [ExceptionGroup("h", [KeyError(v)])]
    ),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_canary_is_found_in(name: str) -> None:
    """A canary in any part of a value stands in its text."""
    text = render(HOLDERS[name](SECRET))

    assert {("alice", SECRET)} == set(canaries_in(text))


@given(st.lists(st.sampled_from(sorted(HOLDERS)), max_size=2))
@settings(max_examples=100, deadline=None, database=None)
def test_canary_is_found_at_depth(names: list[str]) -> None:
    """Nested holders hide no canary: a value within a value."""
    value: Any = SECRET
    for name in names:
        if name in ("bytes", "string", "note of an exception"):
            continue
        try:
            hash(value)
        except TypeError:
            if name in ("set", "frozen set", "key of a mapping"):
                continue
        value = HOLDERS[name](value)

    assert SECRET in render(value)


def test_canary_is_found_eleven_levels_deep() -> None:
    """Twelve levels are rendered; deeper ones are cut off visibly."""
    value: Any = SECRET
    for _ in range(11):
        value = [value]

    assert SECRET in render(value)
    assert render([[value]]).strip().endswith("...")


def test_suppressed_context_is_found() -> None:
    """A canary in an error that `from None` hides is still in the text."""
    error = in_context(SECRET)
    error.__suppress_context__ = True

    assert SECRET in render(error)


def test_members_of_a_group_are_visited_once() -> None:
    """Each error of a group stands in the text once, or nesting would double it."""
    error: Exception = KeyError("member")
    for _ in range(3):
        error = ExceptionGroup("group", [error])

    assert 1 == render(error).count("KeyError")


def test_text_has_no_addresses() -> None:
    """Objects show their attributes or their type, so equal runs give equal text."""
    things: list[Any] = [
        Opaque(1),
        {Opaque(2): Plain(Opaque(3))},
        ValueError(Opaque(4)),
        Struct(test_text_has_no_addresses),
        object,
        lambda: None,
        {Opaque(5), Opaque(6)},
        (part for part in ""),
    ]
    text = render(things)

    assert None is re.search(r"0x[0-9a-f]+", text)
    assert 6 == text.count("inner 1") + sum(text.count(f"inner {n}") for n in "23456")


def test_text_of_sets_is_sorted() -> None:
    """Sets give the same text in any order of iteration."""
    words = [f"word{number}" for number in range(50)]
    reversed_words = words[::-1]

    assert render(set(words)) == render(set(reversed_words))
    assert sorted(words) == render(set(words)).split()


def test_text_of_simple_values() -> None:
    """Simple values are their own text."""
    for value in (None, True, 3, 2.5, "text", ""):
        assert str(value) == render(value)


def test_text_of_a_type_is_no_walk_through_its_fields() -> None:
    """A dataclass itself, not an instance of it, is only a type."""
    assert "type" == render(Plain).strip()


def test_cycles_end() -> None:
    """A value that contains itself has a text."""
    value: list[Any] = [SECRET]
    value.append(value)
    error = ValueError(SECRET)
    error.__cause__ = error

    assert SECRET in render(value)
    assert SECRET in render(error)


# Histories

ALICE, BOB = User(label="alice", id="u1"), User(label="bob", id="u11")
READ = Read(id=1, user=0, context="x")
LATER = AdvanceTime(id=2, seconds=1.0)


def history(*entries: Entry) -> History:
    scenario = make_scenario(READ, LATER, users=(ALICE, BOB))
    return make_history(*entries, scenario=scenario, reached=ActivityCounters(users=1))


PATH = (PathStep("Context"), PathStep(key="k"))
ENTRIES: tuple[Entry, ...] = (
    OperationStarted(time=0.0, turn=1, operation=1, user=0),
    AgentStepped(time=0.0, turn=1, path=(0, 1), step="think", seen="", identity="u1"),
    IdentityChanged(time=0.0, turn=1, identity="u2", place="m:1"),
    ConnectionOpened(time=0.0, turn=1, connection="c"),
    EventReceived(time=0.0, turn=2, connection="c", text="hello"),
    ConnectionClosed(time=0.0, turn=2, connection="c", code=1000),
    SessionMoved(time=0.0, turn=2, session=1, move=SessionMove.BEGAN),
    CancellationDelivered(time=0.0, turn=3, step=1, after_step=True, place="m:1"),
    PhaseStarted(time=0.0, turn=3, phase=Phase.TEARDOWN),
    ResourceAlive(time=0.0, turn=3, kind="task", what="x"),
    IdentityKept(time=0.0, turn=3, kind="task", what="x", identity="a"),
    GaugeRead(time=0.0, turn=3, gauge="connections", value=0),
    ExceptionUnhandled(time=0.0, turn=3, message="m"),
    ToolRan(time=0.0, turn=3, tool="echo", argument="a", identity=None),
    ObjectShared(time=0.0, turn=3, user=0, other=1, path=PATH, others_path=PATH),
    ThreadStarted(time=0.0, turn=3, what="thread", place="m:1"),
    LoopBlocked(
        time=0.0, turn=3, call="f", seconds=None, callback=1, place="m:1", function="g"
    ),
    RowStored(time=0.0, turn=3, owner="u1", thread="t", key="k", value="v"),
    OperationEnded(time=0.5, turn=4, operation=1, user=0, outcome=Outcome.RETURNED),
)


def test_history_survives_json() -> None:
    """A history with every kind of entry survives JSON."""
    whole = history(*ENTRIES)

    assert len(set(map(type, ENTRIES))) == len(Entry.__args__)
    assert whole == msgspec.json.decode(msgspec.json.encode(whole), type=History)


def test_digest_moves_with_every_entry() -> None:
    """Dropping, doubling, changing or swapping entries changes the digest."""
    whole = history(*ENTRIES).digest()
    others = [history(*ENTRIES[:n], *ENTRIES[n + 1 :]) for n in range(len(ENTRIES))]
    others += [history(*ENTRIES, entry) for entry in ENTRIES]
    others += [history(*reversed(ENTRIES))]
    later = msgspec.structs.replace(ENTRIES[0], time=0.1)
    others += [history(later, *ENTRIES[1:])]
    digests = {other.digest() for other in others}

    assert whole == history(*ENTRIES).digest()
    assert whole not in digests
    assert len(others) == len(digests)


def test_entries_of_one_kind() -> None:
    """`of` gives the entries of one kind in their order."""
    first, second = (
        EventReceived(time=0.0, turn=n, connection="c", text="") for n in (1, 2)
    )
    whole = history(first, *ENTRIES[:2], second)

    assert [first, second] == list(whole.of(EventReceived))
    assert [] == list(whole.of(ToolRan))


def test_labels_and_operations() -> None:
    """Users have labels, the world has its own, and operations are found by id."""
    whole = history()

    assert ["alice", "bob", "world"] == [whole.label(user) for user in (0, 1, None)]
    assert {1: READ, 2: LATER} == whole.operations()
    assert {1: READ} == whole.user_operations()


def test_counts_add_up() -> None:
    """Counts of runs add up field by field, and those still zero are named."""
    total = ActivityCounters(users=2, handshakes=1)
    total.add(ActivityCounters(users=3, tools_run=4))

    assert ActivityCounters(users=5, handshakes=1, tools_run=4) == total
    expected = {"runs_completed", "events_delivered", "database_sessions"}
    assert expected | {"cancellations", "cleanups", "attacks"} == set(total.missing())
