"""An operation that moves to another user carries canaries of that user."""

import pytest

from isolation_spec.diagnosis.shrink.canaries import reassign, remove_canaries
from isolation_spec.model.scenario import (
    CallTool,
    Operation,
    RunAgent,
    Step,
    Transact,
    Write,
    canary,
)


def running(*script: Step, number: int = 4) -> RunAgent:
    return RunAgent(id=number, user=0, context="x", script=script)


def test_canaries_are_signed_anew() -> None:
    """Each canary gets the new label, the id of its operation, and its own ordinal."""
    rows = (("k", canary("alice", 4, 1)), ("l", canary("alice", 4, 2)))
    tool = CallTool(tool="echo", argument=canary("alice", 4, 3))

    assert RunAgent(
        id=4,
        user=1,
        context="x",
        script=(
            Transact(items=(("k", canary("bob", 4, 1)), ("l", canary("bob", 4, 2)))),
            CallTool(tool="echo", argument=canary("bob", 4, 3)),
        ),
    ) == reassign(running(Transact(items=rows), tool), 1, "bob")


def test_all_but_canaries_and_user_stays() -> None:
    """Text that is no canary is kept as it is."""
    write = Write(id=4, user=0, context="x", key="k", value="alice")

    assert Write(id=4, user=1, context="x", key="k", value="alice") == reassign(
        write, 1, "bob"
    )


@pytest.mark.parametrize(
    ("other", "equal"),
    [
        (running(CallTool(tool="echo", argument=canary("bob", 9, 7))), True),
        (running(CallTool(tool="slow", argument=canary("alice", 4, 1))), False),
        (running(CallTool(tool="echo", argument="plain")), False),
    ],
    ids=["another-canary", "another-tool", "no-canary-but-text"],
)
def test_operations_compare_without_canaries(other: Operation, equal: bool) -> None:
    """Two operations are equal without canaries if they differ in these alone."""
    one = running(CallTool(tool="echo", argument=canary("alice", 4, 1)))

    assert equal == (remove_canaries(one) == remove_canaries(other))
