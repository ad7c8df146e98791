"""Simplification makes operations, waits and names as plain as a predicate allows."""

import pytest

from isolation_spec.diagnosis.shrink.sort_key import size
from isolation_spec.model.scenario import (
    AdvanceTime,
    CallTool,
    Mutate,
    OpenContext,
    Operation,
    Read,
    Reconnect,
    Remember,
    Scenario,
    Sleep,
    Think,
    User,
    Write,
)
from tests.diagnosis.shrink.large_scenario import has, minimal, steps
from tests.diagnosis.shrink.small_scenarios import kinds, running, two


def test_names_become_plain() -> None:
    """Users get their labels as names, and threads the name `t`."""
    small = minimal(has(OpenContext, "bob"))

    assert (User(label="bob", id="bob"),) == small.users
    assert ["t"] == [o.thread for o in small.operations]


def test_odd_names_stay_if_they_must() -> None:
    """A name that the failure needs is kept."""
    small = minimal(
        lambda s: (
            any("/" in user.id for user in s.users)
            and any(o.thread == "t10" for o in s.operations)
        )
    )

    assert 1 == len(small.users)
    assert "/" in small.users[0].id
    assert (1, 0, 0) == size(small)


@pytest.mark.parametrize(
    ("operation", "simpler"),
    [
        (running(1, 0, Remember(key="K", value="v")), "Write"),
        (running(1, 0), "Read"),
        (Mutate(id=1, user=0, context="x", value="v"), "Read"),
        (Reconnect(id=1, user=0, connection="c1", replaces="c0"), "Connect"),
    ],
    ids=["run-that-stores", "run", "mutate", "reconnect"],
)
def test_a_simpler_operation_replaces_another(
    operation: Operation, simpler: str
) -> None:
    """A simpler operation replaces one of the same effect."""
    small = minimal(
        lambda s: kinds(s) in ([simpler], [type(operation).__name__]), two(operation)
    )

    assert [simpler] == kinds(small)


def test_waits_become_short_and_keys_plain() -> None:
    """Waits become short, and keys and tools plain, where the failure allows it."""
    slowly = Think(prompt="p", seconds=4.0)
    script = (Sleep(seconds=5.0), slowly, CallTool(tool="slow", argument="a"))
    write = Write(id=2, user=0, context="x", key="K", value="v")
    waiting = AdvanceTime(id=3, seconds=301.0, stalled=True)
    odd = two(running(1, 0, *script), write, waiting)

    def fails(scenario: Scenario) -> bool:
        kept = [type(step).__name__ for step in steps(scenario)]
        return kinds(scenario) == kinds(odd) and kept == ["Sleep", "Think", "CallTool"]

    small = minimal(fails, odd)

    plain = (Sleep(seconds=0.1), Think(prompt="p"), CallTool(tool="echo", argument="a"))
    assert (
        two(
            running(1, 0, *plain),
            Write(id=2, user=0, context="x", key="k", value="v"),
            AdvanceTime(id=3, seconds=0.1),
        ).operations
        == small.operations
    )


def test_names_lose_common_letters() -> None:
    """Two confusable names become the shortest confusable pair."""
    long = Scenario(
        users=(User(label="alice", id="u" * 20), User(label="bob", id="u" * 21)),
        operations=(
            Read(id=1, user=0, context="x"),
            Read(id=2, user=1, context="x"),
        ),
    )

    def fails(scenario: Scenario) -> bool:
        ids = [user.id for user in scenario.users]
        return len(ids) == 2 and ids[1].startswith(ids[0])

    assert ["u", "uu"] == [user.id for user in minimal(fails, long).users]


def test_another_operation_replaces_two() -> None:
    """One operation of another kind replaces two operations."""

    def fails(scenario: Scenario) -> bool:
        return kinds(scenario) in (["Write", "Read", "Read"], ["Write", "Erase"])

    write = Write(id=1, user=0, context="x", key="k", value="v")
    reads = (Read(id=n, user=0, context="x") for n in (2, 3))

    assert ["Write", "Erase"] == kinds(minimal(fails, two(write, *reads)))
