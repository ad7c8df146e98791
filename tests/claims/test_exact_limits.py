"""Exact limits: each clause violated alone, and the nearest history that is not."""

from typing import Any

import msgspec
import pytest

from isolation_spec.claims import judge
from isolation_spec.claims.exact_limits import EXACT_LIMITS as CLAIM
from isolation_spec.contract.capabilities import Capability
from isolation_spec.model.history.entries import Entry
from isolation_spec.model.limits import Limit
from isolation_spec.model.scenario import (
    AdvanceTime,
    CleanupEngine,
    CleanupUser,
    OpenContext,
    Operation,
    Read,
    RunAgent,
    Shutdown,
)
from tests.claims.histories import (
    ALICE,
    BOB,
    NOT_REACHED,
    Judged,
    ended,
    history,
    holds,
    judged,
    phase,
    scenario,
    started,
    stepped,
    tool,
    violated,
)

LIMITS = {"contexts_per_user": 2, "runs_per_context": 2}


def opens(*users: int) -> tuple[OpenContext, ...]:
    return tuple(
        OpenContext(id=number, user=user, context=f"x{number}", thread="t")
        for number, user in enumerate(users, 1)
    )


def done(operation: Operation, outcome: str = "returned") -> tuple[Entry, ...]:
    user = operation.user
    return started(operation.id, user), ended(operation.id, user, outcome)


def asked(*found: tuple[Operation, str], limits: dict[str, int] = LIMITS) -> Judged:
    """These operations, one after the other, ended so."""
    entries = [entry for one in found for entry in done(*one)]
    world = scenario(*(operation for operation, _ in found))
    return judged(CLAIM, *entries, phase("cleanup"), scenario=world, limits=limits)


FIRST, SECOND, THIRD = opens(ALICE, ALICE, ALICE)
FREED = CleanupEngine(id=9, user=ALICE, context="x1")


# Contexts


def test_one_more_than_the_limit_violates() -> None:
    """A third context while two are held is one violation."""
    found = asked((FIRST, "returned"), (SECOND, "returned"), (THIRD, "returned"))

    assert violated("exceeded-contexts") == found


def test_a_refusal_at_the_limit_does_not() -> None:
    """A third context that is refused holds: the limit, and the refusal."""
    found = asked((FIRST, "returned"), (SECOND, "returned"), (THIRD, "refused"))

    assert holds(2) == found


@pytest.mark.parametrize("freed", [FREED, CleanupUser(id=9, user=ALICE)])
def test_a_place_that_was_freed_may_be_taken(freed: Operation) -> None:
    """After a cleanup there is room for another context."""
    found = asked(
        (FIRST, "returned"),
        (SECOND, "returned"),
        (freed, "returned"),
        (THIRD, "returned"),
    )

    assert holds(1) == found


@pytest.mark.parametrize("freed", [FREED, CleanupUser(id=9, user=ALICE)])
def test_a_refusal_after_a_cleanup_violates(freed: Operation) -> None:
    """A refusal below the limit is one violation."""
    found = asked(
        (FIRST, "returned"),
        (SECOND, "returned"),
        (freed, "returned"),
        (THIRD, "refused"),
    )

    assert violated("refused-early", evidence=1) == found


@pytest.mark.parametrize("outcome", ["failed", "cancelled"])
def test_a_refusal_after_a_cleanup_that_may_have_failed_does_not(outcome: str) -> None:
    """A cleanup that did not succeed need not have freed anything."""
    found = asked(
        (FIRST, "returned"),
        (SECOND, "returned"),
        (FREED, outcome),
        (THIRD, "refused"),
    )

    assert () == found.clauses


@pytest.mark.parametrize("outcome", ["refused", "failed", "unavailable"])
def test_what_was_never_held_takes_no_place(outcome: str) -> None:
    """A context that was not opened leaves room for another."""
    found = asked((FIRST, outcome), (SECOND, "returned"), (THIRD, "refused"))

    assert "refused-early" in found.clauses


def test_after_a_shutdown_everybody_may_be_refused() -> None:
    """An engine that is shut down refuses, however little is held."""
    found = asked(
        (FIRST, "returned"),
        (SECOND, "returned"),
        (Shutdown(id=9), "returned"),
        (THIRD, "refused"),
    )

    assert () == found.clauses


def test_another_users_contexts_take_no_place() -> None:
    """The limit is each user's own."""
    world = opens(ALICE, ALICE, BOB, BOB)

    assert NOT_REACHED == asked(*((operation, "returned") for operation in world))


def test_an_opening_under_way_may_take_the_place() -> None:
    """A refusal beside two openings that may have been first is no wrong."""
    entries = (
        *(started(o.id, ALICE) for o in (FIRST, SECOND, THIRD)),
        ended(3, ALICE, "refused"),
        ended(1, ALICE),
        ended(2, ALICE),
        phase("cleanup"),
    )

    found = judged(
        CLAIM, *entries, scenario=scenario(FIRST, SECOND, THIRD), limits=LIMITS
    )

    assert holds(2) == found


# Runs


def runs(*contexts: str) -> tuple[RunAgent, ...]:
    return tuple(
        RunAgent(id=number, user=ALICE, context=context, script=())
        for number, context in enumerate(contexts, 1)
    )


def begin(number: int) -> Entry:
    return stepped(number, ALICE, "begin", path=())


def at_work(world: tuple[RunAgent, ...], *entries: Entry) -> Judged:
    first = (started(run.id, ALICE) for run in world)
    return judged(CLAIM, *first, *entries, scenario=scenario(*world), limits=LIMITS)


def test_one_more_run_than_the_limit_violates() -> None:
    """A third run at work in one context is one violation."""
    found = at_work(runs("x", "x", "x"), begin(1), begin(2), begin(3))

    assert violated("exceeded-runs") == found


def test_as_many_runs_as_the_limit_hold() -> None:
    """Two runs at work at once are one situation."""
    assert holds(1) == at_work(runs("x", "x", "x"), begin(1), begin(2))


def test_an_agent_that_has_done_its_work_makes_room() -> None:
    """A third one may begin before the first one's user has the answer."""
    last, over = stepped(1, ALICE), ended(1, ALICE)

    assert holds(1) == at_work(runs(*"xxx"), begin(1), begin(2), last, begin(3), over)
    assert holds(1) == at_work(runs(*"xxx"), begin(1), begin(2), last, over, begin(3))


def test_an_agent_that_goes_on_takes_its_place() -> None:
    """An agent with further steps is at work, until its run has ended."""
    last, over = stepped(1, ALICE), ended(1, ALICE)

    found = [
        at_work(runs(*"xxx"), begin(1), begin(2), begin(3), last, over),
        at_work(runs(*"xxx"), begin(1), begin(2), over, begin(3), last),
    ]

    assert [violated("exceeded-runs"), holds(1)] == found


def test_runs_of_another_context_take_no_place() -> None:
    """The limit is each context's own."""
    found = at_work(runs("x", "x", "y"), begin(1), begin(2), begin(3))

    assert holds(1) == found


def test_a_childs_work_is_its_parents() -> None:
    """A spawned agent at work is no run of its own."""
    child = stepped(1, ALICE, "begin", path=(0,))

    assert holds(1) == at_work(runs("x", "x"), begin(1), child, begin(2))


# Wider limits: of a user, and of the whole service

OWN, ALICES_OTHER, BOBS = (
    OpenContext(id=1, user=ALICE, context="x", thread="t"),
    OpenContext(id=2, user=ALICE, context="y", thread="t"),
    OpenContext(id=3, user=BOB, context="z", thread="t"),
)
WORLD = (
    *(OWN, ALICES_OTHER, BOBS),
    RunAgent(id=11, user=ALICE, context="x", script=()),
    RunAgent(id=12, user=ALICE, context="y", script=()),
    RunAgent(id=13, user=BOB, context="z", script=()),
    RunAgent(id=14, user=ALICE, context="x", script=()),
    Read(id=15, user=ALICE, context="x"),
)
USER_OF = {operation.id: operation.user or ALICE for operation in WORLD}
OPENED = tuple(entry for one in WORLD[:3] for entry in done(one))


def start(number: int, *, at: float = 0.0) -> Entry:
    return started(number, USER_OF[number], at=at)


def work(number: int, *, at: float = 0.0) -> Entry:
    agents = stepped(number, USER_OF[number], "begin", path=())
    return msgspec.structs.replace(agents, time=at)


def end(number: int, outcome: str = "returned", *, at: float = 0.0) -> Entry:
    return ended(number, USER_OF[number], outcome, at=at)


def named(name: str, limit: int | Limit) -> dict[str, Any]:
    return {name: limit}


def served(
    *entries: Entry,
    more: tuple[Operation, ...] = (),
    **limits: int | Limit,
) -> Judged:
    """All three contexts are open, and then this happens."""
    found = history(
        *OPENED,
        *entries,
        phase("cleanup"),
        scenario=scenario(*WORLD, *more),
        limits=limits,
    )
    (one,) = judge(found, frozenset(Capability), (CLAIM,))
    clauses = tuple(violation.clause for violation in one.violations)
    return Judged(one.verdict, one.evidence, clauses)


ALL = (start(11), work(11), start(12), work(12), start(13), work(13))


@pytest.mark.parametrize(
    ("name", "most", "expected"),
    [
        ("runs_per_context", 1, holds(3)),
        ("runs_per_user", 2, holds(1)),
        ("runs_per_user", 1, violated("exceeded-runs", evidence=1)),
        ("runs_per_service", 3, holds(1)),
        ("runs_per_service", 2, violated("exceeded-runs")),
    ],
)
def test_a_limit_counts_the_runs_of_its_scope(
    name: str, most: int, expected: Judged
) -> None:
    """One run in each of three contexts, two of them alice's."""
    assert expected == served(*ALL, **named(name, most))


@pytest.mark.parametrize(
    ("name", "most", "expected"),
    [
        ("contexts_per_user", 1, violated("exceeded-contexts")),
        ("contexts_per_service", 2, violated("exceeded-contexts")),
        ("contexts_per_service", 3, NOT_REACHED),
    ],
)
def test_a_limit_counts_the_contexts_of_its_scope(
    name: str, most: int, expected: Judged
) -> None:
    """Three contexts are open, two of them alice's."""
    assert expected == served(**named(name, most))


def test_a_context_may_be_refused_for_the_sake_of_a_wider_limit() -> None:
    """Where the service is full, a user below their own limit may be refused."""
    fourth = OpenContext(id=4, user=BOB, context="w", thread="t")
    third = OpenContext(id=5, user=BOB, context="v", thread="t")
    more = (*done(fourth), *done(third, "refused"))

    both = served(
        *more, more=(fourth, third), contexts_per_user=2, contexts_per_service=4
    )

    assert () == both.clauses


# Refusals of runs


BEFORE = (start(11), work(11), end(11))
"""A run of alice's is let in, and returns."""
REFUSED = (start(14), end(14, "refused"))


def test_a_run_that_no_limit_explains_is_not_refused() -> None:
    """Nothing is at work, so the refusal is one violation."""
    assert violated("refused-run") == served(*BEFORE, *REFUSED, runs_per_context=2)
    assert violated("refused-run") == served(*BEFORE, *REFUSED, runs_per_service=2)


def test_a_run_beyond_a_limit_may_be_refused() -> None:
    """Another run may be at work, be it of another user."""
    beside = (start(13), work(13), *REFUSED)

    assert holds(2) == served(*BEFORE, *beside, runs_per_service=1)
    assert ("refused-run",) == served(*BEFORE, *beside, runs_per_context=1).clauses


@pytest.mark.parametrize("outcome", ["cancelled", "failed"])
def test_a_refusal_after_trouble_counts_if_the_context_is_in_use(outcome: str) -> None:
    """After a failure an engine may close a context, and then refuses a read, too."""
    hurt = (start(11), work(11), end(11, outcome))
    refused = (start(14, at=1.0), end(14, "refused", at=1.0))
    read = (start(15, at=1.0), end(15, at=1.0))

    assert () == served(*hurt, *refused, runs_per_context=2).clauses
    assert ("refused-run",) == served(
        *hurt, *refused, *read, runs_per_context=2
    ).clauses


def test_a_cancelled_run_gives_its_place_back_a_little_later() -> None:
    """Until virtual time has passed, it may have its place."""
    hurt = (start(11), work(11), end(11, "cancelled"))
    read = (start(15, at=1.0), end(15, at=1.0))

    assert () == served(*hurt, *REFUSED, *read, runs_per_context=1).clauses


def test_a_context_in_which_no_run_was_ever_let_in_may_refuse() -> None:
    """The reason may be any other, such as an agent that the engine does not know."""
    assert NOT_REACHED == served(*REFUSED, runs_per_context=2)


@pytest.mark.parametrize(
    "doing",
    [
        Shutdown(id=9),
        CleanupUser(id=9, user=ALICE),
        CleanupEngine(id=9, user=ALICE, context="x"),
        CleanupEngine(id=9, user=BOB, context="x", victim=ALICE),
        AdvanceTime(id=9, seconds=1.0, stalled=True),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_other_reasons_to_refuse_a_run_are_not_judged(doing: Operation) -> None:
    """A context that may be closed, or an outside that stands still, explains it."""
    entries = (*BEFORE, *done(doing), *REFUSED)

    assert () == served(*entries, more=(doing,), runs_per_context=2).clauses


@pytest.mark.parametrize(
    ("limit", "clauses"),
    [
        (Limit(1), ()),
        (Limit(1, beyond="refused"), ()),
        (Limit(1, beyond="waits"), ("refused-run",)),
        (Limit(1, beyond="waits", seconds=5.0), ("refused-run",)),
        (Limit(1, beyond="waits", seconds=2.0), ()),
    ],
)
def test_a_run_that_waits_is_not_refused_before_its_time(
    limit: Limit, clauses: tuple[str, ...]
) -> None:
    """It was refused after three seconds, while the one place was taken."""
    refused = (start(14), end(14, "refused", at=3.0))
    found = served(
        *BEFORE, start(13), work(13), *refused, end(13, at=3.0), runs_per_service=limit
    )

    assert clauses == found.clauses


@pytest.mark.parametrize(
    ("limit", "clauses"),
    [
        (Limit(1), ()),
        (Limit(1, beyond="refused"), ("waited",)),
        (Limit(1, beyond="waits"), ()),
        (Limit(1, beyond="waits", seconds=1.0), ("waited",)),
        (Limit(1, beyond="waits", seconds=4.0), ()),
    ],
)
def test_a_run_waits_no_longer_than_declared(
    limit: Limit, clauses: tuple[str, ...]
) -> None:
    """It waited for five seconds while the one place was taken."""
    last = msgspec.structs.replace(stepped(13, BOB), time=5.0)
    entries = (
        *(start(13), work(13), start(14), last),
        *(work(14, at=5.0), end(14, at=5.0), end(13, at=5.0)),
    )
    found = served(*entries, runs_per_service=limit)

    assert clauses == found.clauses


# Rates and calls


@pytest.mark.parametrize(
    ("name", "most", "within", "expected"),
    [
        ("starts_per_service", 3, 60.0, holds(1)),
        ("starts_per_service", 2, 60.0, violated("exceeded-starts", evidence=1)),
        ("starts_per_service", 2, 5.0, holds(1)),
        ("starts_per_user", 1, 60.0, violated("exceeded-starts", evidence=2)),
        ("starts_per_context", 1, 60.0, holds(3)),
    ],
)
def test_a_rate_counts_the_runs_that_began_within_its_time(
    name: str, most: int, within: float, expected: Judged
) -> None:
    """Alice begins two runs at once, and bob one ten seconds later."""
    begun = (*ALL[:4], end(11), end(12), start(13, at=10.0), work(13, at=10.0))

    assert expected == served(*begun, **named(name, Limit(most, within=within)))


def test_a_run_beyond_a_rate_may_be_refused() -> None:
    """A run that ended counts against the rate until its time has passed."""
    late = (start(14, at=9.0), end(14, "refused", at=9.0))

    assert () == served(*BEFORE, *late, starts_per_user=Limit(1, within=60.0)).clauses
    assert ("refused-run",) == served(
        *BEFORE, *late, starts_per_user=Limit(1, within=5.0)
    ).clauses


def test_a_limit_of_a_tool_counts_the_calls_at_work() -> None:
    """Two calls of one tool are at work together, and one of another tool."""
    began = (
        tool(11, ALICE, "a"),
        tool(12, ALICE, "b", name="slow"),
        tool(13, BOB, "c"),
    )
    over = (tool(11, ALICE, "a", moment="ended"), tool(14, ALICE, "d"))

    assert ("exceeded-calls",) == served(*ALL, *began, calls_per_tool=1).clauses
    assert holds(1) == served(*ALL, *began, *over, calls_per_tool=2)


# Evidence


def test_an_empty_history_is_no_evidence() -> None:
    """Without an operation there is no opportunity."""
    assert NOT_REACHED == judged(CLAIM, limits=LIMITS)


def test_less_than_the_limit_is_no_evidence() -> None:
    """A user below a limit is no opportunity."""
    assert NOT_REACHED == asked((FIRST, "returned"), (SECOND, "returned"))
    assert NOT_REACHED == at_work(runs("x", "x"), begin(1))


def test_an_engine_without_limits_is_not_judged() -> None:
    """Without a declared limit nothing can be exceeded."""
    found = asked(
        (FIRST, "returned"), (SECOND, "returned"), (THIRD, "refused"), limits={}
    )

    assert NOT_REACHED == found
