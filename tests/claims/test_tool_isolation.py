"""Tool isolation: each clause violated alone, and the nearest history that is not."""

import pytest

from isolation_spec.claims.tool_isolation import TOOL_ISOLATION as CLAIM
from isolation_spec.model.history.entries import Entry
from isolation_spec.model.scenario import CallTool, Spawn, Step, canary
from tests.claims.histories import (
    ALICE,
    BOB,
    IDS,
    NOT_REACHED,
    Judged,
    ended,
    holds,
    judged,
    run_of,
    scenario,
    started,
    stepped,
    tool,
    violated,
)

VALUE = canary("alice", 3, 1)


def called(name: str, *entries: Entry, script: tuple[Step, ...] = ()) -> Judged:
    """Alice's run calls the tool once, with her canary."""
    script = script or (CallTool(tool=name, argument=VALUE),)
    world = scenario(run_of(ALICE, *script))
    return judged(CLAIM, started(3, ALICE), *entries, ended(3, ALICE), scenario=world)


def answered(seen: str, outcome: str = "ok", path: tuple[int, ...] = (0,)) -> Entry:
    return stepped(3, ALICE, "call_tool", seen, outcome=outcome, path=path)


RIGHT = f"True {VALUE} None"


# The body


@pytest.mark.parametrize("identity", [IDS[ALICE], None])
@pytest.mark.parametrize("name", ["echo", "slow", "failing"])
def test_a_body_in_its_callers_context_holds(name: str, identity: str | None) -> None:
    """Each time that a body looks around at its caller's is one situation."""
    moments = ("began", "went on", "ended")
    bodies = (
        tool(3, ALICE, VALUE, identity=identity, name=name, moment=moment)
        for moment in moments
    )

    assert holds(3) == called(name, *bodies)


@pytest.mark.parametrize("moment", ["began", "went on", "ended"])
def test_a_body_in_a_foreign_context_violates(moment: str) -> None:
    """A body that finds itself at bob's, at any await, is one violation."""
    body = tool(3, ALICE, VALUE, identity=IDS[BOB], moment=moment)
    first = () if moment == "began" else (tool(3, ALICE, VALUE),)

    found = called("echo", *first, body)

    assert violated("foreign-context", evidence=len(first)) == found


def test_a_body_that_runs_twice_violates() -> None:
    """A second beginning with one argument is one violation."""
    body = tool(3, ALICE, VALUE)

    assert violated("ran-twice", evidence=1) == called("echo", body, body)


def test_a_denied_body_that_runs_violates() -> None:
    """A denied tool whose body ran is one violation, of any caller."""
    body = tool(3, ALICE, VALUE, name="forbidden")

    assert violated("denied-ran") == called("forbidden", body)


def test_a_body_without_a_value_is_not_judged() -> None:
    """An argument of no user says nothing of its caller."""
    assert NOT_REACHED == called("echo", tool(3, ALICE, "x", identity=IDS[BOB]))


# The answer


@pytest.mark.parametrize("name", ["echo", "slow"])
def test_its_own_argument_is_the_right_answer(name: str) -> None:
    """A tool that works answers with its argument."""
    assert holds(1) == called(name, answered(RIGHT))


@pytest.mark.parametrize("name", ["echo", "slow"])
@pytest.mark.parametrize(
    "seen", [f"True {canary('bob', 4, 1)} None", "True  None", f"False {VALUE} x", ""]
)
def test_another_answer_violates(name: str, seen: str) -> None:
    """Anything else than its own argument is one violation."""
    assert violated("wrong-result") == called(name, answered(seen))


@pytest.mark.parametrize("name", ["failing", "forbidden", "unknown"])
def test_a_clean_failure_holds(name: str) -> None:
    """A tool that fails, is denied or is unknown answers with a failure."""
    assert holds(1) == called(name, answered("False None no"))


@pytest.mark.parametrize("name", ["failing", "forbidden", "unknown"])
def test_a_success_of_what_must_fail_violates(name: str) -> None:
    """A tool that cannot succeed and does is one violation."""
    assert violated("no-failure") == called(name, answered(RIGHT))


@pytest.mark.parametrize("name", ["echo", "slow", "failing", "forbidden", "unknown"])
def test_a_call_that_raises_violates(name: str) -> None:
    """However a tool fails, its call fails cleanly and the run goes on."""
    assert violated("broke-run") == called(name, answered("KeyError", "failed"))


@pytest.mark.parametrize("outcome", ["cancelled", "refused"])
def test_a_call_that_was_cut_short_does_not(outcome: str) -> None:
    """A call that was cancelled or refused owes no answer."""
    assert holds(1) == called("echo", answered("CancelledError", outcome))


def test_a_childs_call_is_judged() -> None:
    """A spawned agent's call is found by its path."""
    script = (Spawn(script=(CallTool(tool="echo", argument=VALUE),)),)

    found = called("echo", answered("True x None", path=(0, 0)), script=script)

    assert violated("wrong-result") == found


# Evidence


def test_an_empty_history_is_no_evidence() -> None:
    """Where no tool was called, nothing was put to the test."""
    assert NOT_REACHED == judged(CLAIM)


def test_a_call_that_never_ended_is_no_evidence() -> None:
    """A call that was not answered, and whose body never ran, says nothing."""
    assert NOT_REACHED == called("echo")
