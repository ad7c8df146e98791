"""Context ownership: each clause violated alone, and the nearest that is not."""

import pytest

from isolation_spec.claims import judge
from isolation_spec.claims.context_ownership import CONTEXT_OWNERSHIP as CLAIM
from isolation_spec.contract.capabilities import Capability
from isolation_spec.model.history.entries import (
    Entry,
    IdentityChanged,
)
from isolation_spec.model.scenario import OpenContext, canary, metadata_canary
from tests.claims.histories import (
    ALICE,
    ALICES,
    BOB,
    BOBS,
    IDS,
    NOT_REACHED,
    ended,
    event,
    history,
    holds,
    judged,
    scenario,
    started,
    stepped,
    tool,
    violated,
)

BOTH = (started(3, ALICE), started(4, BOB))
FORGED = f"{ALICES[:-1]}{'0' if ALICES[-1] != '0' else '1'}"


def shown(value: str) -> dict[str, Entry]:
    """Every way in which bob can be shown something."""
    return {
        "step": stepped(4, BOB, seen=f"found {value}!"),
        "failed-step": stepped(4, BOB, seen=f"ValueError {value}", outcome="failed"),
        "tool": tool(4, BOB, value),
        "answer": ended(4, BOB, value=f"[{value}]"),
        "error": ended(4, BOB, "failed", error=f"KeyError {value}"),
        "refusal": ended(4, BOB, "refused", error=value),
    }


@pytest.mark.parametrize("way", sorted(shown("")))
def test_a_foreign_value_violates(way: str) -> None:
    """Another user's canary in anything that is shown is exactly one violation."""
    assert violated("foreign-value") == judged(CLAIM, *BOTH, shown(ALICES)[way])


@pytest.mark.parametrize("way", sorted(shown("")))
def test_the_readers_own_value_does_not(way: str) -> None:
    """The reader's own canary in the same place is a situation that held."""
    assert holds(1) == judged(CLAIM, *BOTH, shown(BOBS)[way])


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(FORGED, id="wrong-digest"),
        pytest.param(canary("alice", 9, 9), id="of-no-operation"),
        pytest.param(canary("carol", 3, 1), id="of-no-user"),
        pytest.param(IDS[ALICE], id="only-an-identity"),
        pytest.param("~", id="only-a-tilde"),
    ],
)
def test_what_nobody_wrote_proves_nothing(value: str) -> None:
    """Only a genuine canary that stands in the scenario proves a leak."""
    assert holds(1) == judged(CLAIM, *BOTH, stepped(4, BOB, seen=value))


def test_the_metadata_of_another_users_context_violates() -> None:
    """A value that alice passes when she opens a context is hers like any other."""
    opened = OpenContext(id=1, user=ALICE, context="x", thread="t")
    asked = scenario(opened, OpenContext(id=2, user=BOB, context="y", thread="t"))
    value = metadata_canary("alice", opened)

    def judge_shown(user: int) -> object:
        entries = (
            started(1, ALICE),
            started(2, BOB),
            ended(user + 1, user, value=value),
        )
        return judged(CLAIM, *entries, scenario=asked)

    assert violated("foreign-value") == judge_shown(BOB)
    assert holds(1) == judge_shown(ALICE)


def test_each_foreign_value_is_told() -> None:
    """Two leaks at two places are two violations, with the places and the users."""
    seen = history(*BOTH, tool(4, BOB, ALICES), tool(3, ALICE, BOBS))
    (judgement,) = judge(seen, frozenset(Capability), (CLAIM,))

    assert [(2, (BOB, ALICE)), (3, (ALICE, BOB))] == [
        (violation.entry, violation.users) for violation in judgement.violations
    ]


def test_a_foreign_identity_violates() -> None:
    """Code of bob's run in alice's context is exactly one violation."""
    wrong = stepped(4, BOB, identity=IDS[ALICE])

    assert violated("foreign-identity") == judged(CLAIM, *BOTH, wrong)


@pytest.mark.parametrize("identity", [IDS[BOB], None])
def test_the_owners_identity_does_not(identity: str | None) -> None:
    """The owner's identity, or an engine that has no such notion, holds."""
    right = stepped(4, BOB, identity=identity)

    assert holds(1) == judged(CLAIM, *BOTH, right)


def test_the_identity_in_a_tool_is_not_this_claims() -> None:
    """Tool isolation judges the identity of a tool, so that one bug is not two."""
    entry = tool(4, BOB, BOBS, identity=IDS[ALICE])

    assert holds(1) == judged(CLAIM, *BOTH, entry)


@pytest.mark.parametrize("identity", ["", "bob", IDS[BOB].upper(), IDS[BOB] + "1"])
def test_an_identity_is_compared_exactly(identity: str) -> None:
    """A prefix, another case, a label or nothing is not the owner's identity."""
    entry = stepped(4, BOB, identity=identity)

    assert violated("foreign-identity") == judged(CLAIM, *BOTH, entry)


# State


def test_the_state_of_an_earlier_run_violates() -> None:
    """A run that reads a value of another run of its user is one violation."""
    stale = stepped(4, BOB, "read_state", f"s {canary('bob', 9, 1)}")

    assert violated("stale-state") == judged(CLAIM, *BOTH, stale)


@pytest.mark.parametrize("seen", ["", "s 7", f"s {BOBS}"])
def test_the_state_of_the_run_itself_does_not(seen: str) -> None:
    """A run reads its own writes, or nothing."""
    own = stepped(4, BOB, "read_state", seen)

    assert holds(1) == judged(CLAIM, *BOTH, own)


def test_what_another_run_stored_is_no_state() -> None:
    """A recalled value may come from another run of the user."""
    recalled = stepped(4, BOB, "recall", canary("bob", 9, 1))

    assert holds(1) == judged(CLAIM, *BOTH, recalled)


# Awaits


def test_work_for_another_user_at_an_await_violates() -> None:
    """A request in whose midst the engine works for somebody else is one violation."""
    changed = IdentityChanged(
        time=0.0, turn=0, operation=3, user=ALICE, identity=IDS[BOB], place="a.py:1"
    )

    assert violated("foreign-await") == judged(CLAIM, *BOTH, changed)


# Evidence


def test_an_empty_history_is_no_evidence() -> None:
    """Where nothing was seen, nothing was put to the test."""
    assert NOT_REACHED == judged(CLAIM)


def test_one_user_alone_is_no_evidence() -> None:
    """While no other user is active, nothing can leak."""
    assert NOT_REACHED == judged(
        CLAIM, started(3, ALICE), stepped(3, ALICE), tool(3, ALICE), ended(3, ALICE)
    )


def test_evidence_begins_when_another_user_does() -> None:
    """Of the same observations only those after the other's start count."""
    assert holds(2) == judged(
        CLAIM,
        started(3, ALICE),
        stepped(3, ALICE),
        started(4, BOB),
        stepped(3, ALICE),
        ended(3, ALICE),
    )


def test_the_world_observes_nothing() -> None:
    """Operations of the world have no user, so nothing leaks to them."""
    assert NOT_REACHED == judged(CLAIM, *BOTH, started(9, None), ended(9, None))


def test_other_entries_are_not_this_claims() -> None:
    """Events are routing's to judge, lest one bug be two."""
    assert NOT_REACHED == judged(CLAIM, *BOTH, event(BOB, payload=ALICES))
