"""Scenarios are pure data: JSON both ways, well-formed or refused, values owned."""

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isolation_spec.model.scenario import (
    AdvanceTime,
    CallTool,
    Cancellation,
    CancelRun,
    CleanupEngine,
    CleanupUser,
    CollectGarbage,
    Connect,
    Demotion,
    Disconnect,
    Emit,
    Erase,
    Fail,
    Mutate,
    OpenContext,
    Operation,
    Read,
    ReadState,
    Recall,
    Reconnect,
    Remember,
    Return,
    RunAgent,
    Scenario,
    Schedule,
    Shutdown,
    Sleep,
    Spawn,
    Step,
    Think,
    Transact,
    User,
    Write,
    WriteState,
    canary,
    owned_canaries,
    tools,
    walk,
)

ALICE = User(label="alice", id="u1")
BOB = User(label="bob", id="u11")

# A strategy of every kind of step and operation

words = st.text(max_size=8)
seconds = st.floats(0, 1e6)
pairs = st.lists(st.tuples(words, words), max_size=3).map(tuple)
SIMPLE = (
    st.builds(Think, prompt=words, seconds=seconds)
    | st.builds(CallTool, tool=st.sampled_from(tools), argument=words)
    | st.builds(WriteState, key=words, value=words)
    | st.builds(ReadState)
    | st.builds(Remember, key=words, value=words)
    | st.builds(Recall, key=words)
    | st.builds(Transact, items=pairs, fails=st.booleans())
    | st.builds(Emit, payload=words)
    | st.builds(Sleep, seconds=seconds)
    | st.builds(Fail, message=words)
    | st.builds(Return, value=words)
)
steps = st.recursive(
    SIMPLE,
    lambda inner: st.builds(Spawn, script=st.lists(inner, max_size=3).map(tuple)),
    max_leaves=5,
)
scripts = st.lists(steps, max_size=4).map(tuple)
cancels = st.none() | st.builds(
    Cancellation, step=st.integers(1, 99), after_step=st.booleans()
)
CONNECTIONS = (Connect, Disconnect, Reconnect)
IN_CONTEXT = (Read, Erase, CleanupEngine)


@st.composite
def operations(draw: st.DrawFn, number: int, users: int) -> Operation:
    user = {
        "id": st.just(number),
        "user": st.integers(0, users - 1),
        "cancel": cancels,
    }
    victims = st.none() | st.integers(0, users - 1)
    return draw(
        st.builds(
            Connect, connection=words, victim=victims, forged=st.booleans(), **user
        )
        | st.builds(Disconnect, connection=words, abrupt=st.booleans(), **user)
        | st.builds(Reconnect, connection=words, replaces=words, **user)
        | st.builds(OpenContext, context=words, thread=words, **user)
        | st.builds(
            RunAgent,
            context=words,
            script=scripts,
            background=st.booleans(),
            victim=victims,
            **user,
        )
        | st.builds(CancelRun, run=st.integers(0, 99), victim=victims, **user)
        | st.builds(Read, context=words, **user)
        | st.builds(Write, context=words, key=words, value=words, **user)
        | st.builds(Mutate, context=words, value=words, **user)
        | st.builds(Erase, context=words, **user)
        | st.builds(CleanupEngine, context=words, **user)
        | st.builds(CleanupUser, **user)
        | st.builds(
            AdvanceTime,
            id=st.just(number),
            seconds=seconds,
            stalled=st.booleans(),
        )
        | st.builds(CollectGarbage, id=st.just(number))
        | st.builds(Shutdown, id=st.just(number))
    )


schedules = st.builds(
    Schedule,
    classes=st.dictionaries(words, st.integers(0, 7), max_size=3),
    demotions=st.lists(
        st.builds(
            Demotion, chain=words, consumed=st.integers(0, 9), rank=st.integers(0, 3)
        ),
        max_size=3,
    ).map(tuple),
    burst=st.integers(0, 2),
    split=st.booleans(),
)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    ids = draw(st.lists(words, min_size=1, max_size=4, unique=True))
    labels = ("alice", "bob", "carol", "dave")
    users = tuple(
        User(label=label, id=name) for label, name in zip(labels, ids, strict=False)
    )
    count = draw(st.integers(0, 5))
    listed = tuple(draw(operations(number, len(users))) for number in range(count))
    return Scenario(users=users, operations=listed, schedule=draw(schedules))


# JSON


@pytest.mark.slow
@given(scenarios())
@settings(max_examples=100, deadline=None, database=None)
def test_round_trip(scenario: Scenario) -> None:
    """A scenario survives JSON unchanged, as bytes, as text and as decoded data."""
    data = scenario.to_json()

    assert scenario == Scenario.from_json(data)
    assert scenario == Scenario.from_json(data.decode())
    assert scenario == Scenario.from_data(json.loads(data))
    assert data == Scenario.from_json(data).to_json()


def test_every_operation_and_step_has_a_tag_of_its_own() -> None:
    """No two kinds of operation, and no two kinds of step, share a tag in JSON."""
    for union in (Operation, Step):
        kinds = union.__args__
        tags = [kind.__struct_config__.tag for kind in kinds]
        expected = [
            re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower() for kind in kinds
        ]

        assert expected == tags


def minimal(**more: Any) -> dict[str, Any]:
    return {
        "users": [{"label": "alice", "id": "u1"}],
        "operations": [{"operation": "cleanup_user", "id": 1, "user": 0}],
        "version": 1,
        **more,
    }


def test_minimal_form_is_accepted() -> None:
    """Schedule and cancellation may be left out: then nothing is chosen."""
    found = Scenario.from_data(minimal())

    assert Schedule() == found.schedule
    assert (CleanupUser(id=1, user=0),) == found.operations


REFUSED = {
    "unknown field": (minimal(note="x"), "unknown field `note`"),
    "unknown field of a user": (
        minimal(users=[{"label": "a", "id": "b", "age": 3}]),
        r"unknown field `age`.*users\[0\]",
    ),
    "unknown field of an operation": (
        minimal(operations=[{"operation": "shutdown", "id": 1, "now": True}]),
        r"unknown field `now`.*operations\[0\]",
    ),
    "unknown field of the schedule": (
        minimal(schedule={"bursts": 1}),
        r"unknown field `bursts`.*schedule",
    ),
    "unknown operation": (
        minimal(operations=[{"operation": "explode", "id": 1}]),
        r"Invalid value 'explode'.*operations\[0\]",
    ),
    "missing field": (
        minimal(operations=[{"operation": "read", "id": 1, "user": 0}]),
        "missing required field `context`",
    ),
    "wrong type": (minimal(users=[{"label": "alice", "id": 1}]), "Expected `str`"),
    "other version": (minimal(version=2), "version"),
    "not an object": ([1], "Expected `object`"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_malformed_json_is_refused(name: str) -> None:
    """JSON without the form of a scenario is refused with the place in the text."""
    data, expected = REFUSED[name]
    with pytest.raises(ValueError, match=expected):
        Scenario.from_json(json.dumps(data))


def test_broken_json_is_refused() -> None:
    """Bytes that are no JSON are a ValueError as well."""
    with pytest.raises(ValueError, match=r"truncated|malformed"):
        Scenario.from_json(b'{"users": [')


def test_scenarios_cannot_be_changed() -> None:
    """A scenario is frozen, so that no holder of it can alter a run."""
    scenario = Scenario(users=(ALICE,), operations=())
    with pytest.raises(AttributeError):
        scenario.users = ()  # type: ignore[misc]

    assert {} == Schedule().classes
    assert Schedule().classes is not Schedule().classes


# Rules


def read(number: int, user: int) -> Operation:
    return Read(id=number, user=user, context="x")


PROBLEMS = {
    "labels": (
        (ALICE, User(label="alice", id="u2")),
        (),
        "user labels must differ",
    ),
    "ids": ((ALICE, User(label="bob", id="u1")), (), "user ids must differ"),
    "operation ids": (
        (ALICE, BOB),
        (read(1, 0), Shutdown(id=1)),
        "operation ids must be unique",
    ),
    "unnamed victim": (
        (ALICE, BOB),
        (
            RunAgent(id=1, user=0, context="x", script=()),
            CancelRun(id=2, user=0, run=1),
            CancelRun(id=3, user=1, run=1),
            CancelRun(id=4, user=1, run=1, victim=0),
            CancelRun(id=5, user=1, run=9),
        ),
        "operation 3 cancels run 1 of user 0, who is to be named as its victim",
    ),
    "user out of range": (
        (ALICE, BOB),
        (read(1, 2),),
        "operation 1 names user 2 of 2",
    ),
    "victim out of range": (
        (ALICE, BOB),
        (CancelRun(id=1, user=0, run=2, victim=2),),
        "operation 1 names user 2 of 2",
    ),
    "nobody": ((), (read(1, 0),), "operation 1 names user 0 of 0"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_problems(name: str) -> None:
    """Each broken rule is named, alone, and makes the JSON refused."""
    users, listed, expected = PROBLEMS[name]
    scenario = Scenario(users=users, operations=listed)

    assert [expected] == list(scenario.problems())
    with pytest.raises(ValueError, match=f"not a scenario: {re.escape(expected)}"):
        Scenario.from_json(scenario.to_json())


@pytest.mark.parametrize("shutdown", [Shutdown(id=1), CollectGarbage(id=1)])
def test_operations_of_the_world_need_no_user(shutdown: Operation) -> None:
    """A scenario without users may hold operations of the world."""
    scenario = Scenario(users=(), operations=(shutdown,))

    assert [] == list(scenario.problems())


def test_walk() -> None:
    """Every step is reached with its path, those of a child after their own step."""
    leaf, other = ReadState(), Think(prompt="")
    inner = Spawn(script=(leaf,))
    outer = Spawn(script=(other, inner))

    expected = [((0,), outer), ((0, 0), other), ((0, 1), inner)]

    assert [*expected, ((0, 1, 0), leaf), ((1,), leaf)] == list(walk((outer, leaf)))


def test_all_problems_are_named() -> None:
    """A scenario with several problems names each."""
    listed = (read(1, 5), read(1, 6))
    scenario = Scenario(users=(ALICE, ALICE), operations=listed)

    assert 5 == len(list(scenario.problems()))


def test_owned_canaries() -> None:
    """A canary belongs to the user whose operation held it first, at any depth."""
    deep, plain, stored = (canary("alice", n, 1) for n in (1, 2, 3))
    inner = Spawn(script=(Transact(items=(("k", deep),)),))
    listed = (
        RunAgent(id=1, user=0, context="x", script=(inner, Emit(payload=plain))),
        Write(id=2, user=1, context="x", key="k", value=stored),
        Write(id=3, user=0, context="x", key="k", value=stored),
        OpenContext(id=4, user=1, context="x", thread="t"),
        Shutdown(id=5),
    )
    scenario = Scenario(users=(ALICE, BOB), operations=listed)

    handed_in = canary("bob", 4, 0)
    expected = {deep: "alice", plain: "alice", stored: "bob", handed_in: "bob"}

    assert expected == owned_canaries(scenario)
    assert isinstance(msgspec.json.encode(scenario), bytes)
