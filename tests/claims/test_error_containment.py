"""Error containment: each clause violated alone, and the nearest that is not."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from isolation_spec.claims.error_containment import ERROR_CONTAINMENT as CLAIM
from isolation_spec.model.history.entries import Entry, LoopBlocked
from isolation_spec.model.limits import Limit
from isolation_spec.model.scenario import (
    AdvanceTime,
    CallTool,
    Cancellation,
    CancelRun,
    CleanupEngine,
    CleanupUser,
    Connect,
    Disconnect,
    Fail,
    OpenContext,
    Operation,
    Reconnect,
    Remember,
    RunAgent,
    Shutdown,
    Sleep,
    Step,
    Think,
    Transact,
)
from tests.claims.histories import (
    ALICE,
    BOB,
    CONNECT_ALICE,
    CONNECT_BOB,
    NOT_REACHED,
    Judged,
    closed,
    ended,
    event,
    holds,
    judged,
    opened,
    phase,
    run_of,
    scenario,
    started,
    violated,
)

CALM = run_of(ALICE, Think(prompt="p"))
TROUBLED = run_of(BOB, Fail(message="m"))


def side_by_side(
    outcome: str = "returned",
    *,
    alices: RunAgent = CALM,
    bobs: Any = TROUBLED,
    bobs_outcome: str = "returned",
    seconds: float = 0.0,
    more: tuple[Operation, ...] = (),
    also: tuple[int, ...] = (),
    later: tuple[int, ...] = (),
    limits: Mapping[str, int | Limit] | None = None,
) -> Judged:
    """Alice's operation 3 and bob's operation 4 are under way at once.

    Before them come alice's operations `also`, after them `later`.
    """
    return judged(
        CLAIM,
        *(started(number, ALICE) for number in also),
        *(ended(number, ALICE) for number in also),
        started(3, ALICE),
        started(4, BOB),
        ended(4, BOB, bobs_outcome),
        ended(3, ALICE, outcome, error="KeyError x", at=seconds),
        *(started(number, ALICE, at=seconds) for number in later),
        scenario=scenario(alices, bobs, *more),
        limits=limits,
    )


# Failed


@pytest.mark.parametrize("outcome", ["failed", "cancelled", "refused", "unfinished"])
def test_a_calm_users_failure_beside_trouble_violates(outcome: str) -> None:
    """A user in no trouble whose operation fails is one violation."""
    assert violated("failed") == side_by_side(outcome)


@pytest.mark.parametrize("outcome", ["returned", "unavailable"])
def test_a_calm_users_success_beside_trouble_does_not(outcome: str) -> None:
    """An operation that succeeds beside another user's trouble is one opportunity."""
    assert holds(1) == side_by_side(outcome)


def beyond(outcome: str, *, limit: int | None, context: str = "x0") -> Judged:
    """Alice's operation 3 beside bob's trouble, and beside a run of her own."""
    own = RunAgent(id=8, user=ALICE, context=context, script=(), background=True)
    return judged(
        CLAIM,
        started(8, ALICE),
        started(3, ALICE),
        started(4, BOB),
        ended(3, ALICE, outcome),
        ended(8, ALICE),
        ended(4, BOB, "failed"),
        scenario=scenario(own, CALM, TROUBLED),
        limits=None if limit is None else {"runs_per_context": limit},
    )


def test_a_run_beyond_the_limit_may_be_refused() -> None:
    """An engine that does not let a run wait for its place refuses it, no sooner."""
    assert holds(1) == beyond("refused", limit=1)
    assert violated("failed", evidence=1) == beyond("refused", limit=2)
    assert violated("failed", evidence=1) == beyond("refused", limit=None)


def test_a_run_beyond_the_limit_may_not_fail() -> None:
    """It waits or is refused; and a run of another context takes no place of it."""
    assert violated("failed", evidence=1) == beyond("failed", limit=1)
    assert violated("failed", evidence=1) == beyond("refused", limit=1, context="x9")


OWN_TROUBLE = {
    "fails": run_of(ALICE, Fail(message="m")),
    "is answered late": run_of(ALICE, Think(prompt="p", seconds=4.0)),
    "transaction": run_of(ALICE, Transact(items=(("k", "v"),), fails=True)),
    "cancelled": RunAgent(
        id=3, user=ALICE, context="x0", script=(), cancel=Cancellation(step=1)
    ),
    "attacks": RunAgent(id=3, user=ALICE, context="x1", script=(), victim=BOB),
}


@pytest.mark.parametrize("trouble", sorted(OWN_TROUBLE))
def test_who_is_in_trouble_may_fail(trouble: str) -> None:
    """A user whose own doing may fail is not judged."""
    assert NOT_REACHED == side_by_side("failed", alices=OWN_TROUBLE[trouble])


@pytest.mark.parametrize(
    "also",
    [
        CancelRun(id=8, user=ALICE, run=3),
        CleanupEngine(id=8, user=ALICE, context="x0"),
        CleanupUser(id=8, user=ALICE),
        Disconnect(id=8, user=ALICE, connection="c"),
        Reconnect(id=8, user=ALICE, connection="c", replaces="d"),
        Connect(id=8, user=ALICE, connection="c", forged=True),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_trouble_elsewhere_of_ones_own_may_explain_it(also: Operation) -> None:
    """A user with a cancellation, a cleanup or a disconnection is not judged."""
    assert NOT_REACHED == side_by_side("failed", more=(also,), also=(8,))


def test_trouble_that_comes_later_explains_nothing() -> None:
    """Trouble after the failure of an operation is not its cause."""
    later = CleanupUser(id=8, user=ALICE)

    assert violated("failed") == side_by_side("failed", more=(later,), later=(8,))


@pytest.mark.parametrize(
    "world",
    [Shutdown(id=8), AdvanceTime(id=8, seconds=31.0, stalled=True)],
    ids=["shutdown", "stall"],
)
def test_the_world_may_fail_anybody(world: Operation) -> None:
    """From a shutdown or a stall on no user is judged."""
    assert NOT_REACHED == side_by_side("failed", more=(world,), also=(8,))
    assert violated("failed") == side_by_side("failed", more=(world,), later=(8,))


# Stalled


def test_a_calm_user_who_had_to_wait_violates() -> None:
    """An operation that takes longer than it sleeps itself is one violation."""
    assert violated("stalled") == side_by_side(seconds=2.6)


def test_a_little_patience_does_not() -> None:
    """A short wait, as for a lock of the database, is no stall."""
    assert holds(1) == side_by_side(seconds=2.4)


def test_ones_own_sleep_is_no_stall() -> None:
    """A user waits for the sleep of their own agents."""
    sleepy = run_of(ALICE, Sleep(seconds=5.0))

    assert holds(1) == side_by_side(alices=sleepy, seconds=7.4)
    assert violated("stalled") == side_by_side(alices=sleepy, seconds=7.6)


def stalled_after(*own: Operation, over: bool = True) -> Judged:
    """Alice waits for bob's slow model, in operation 3, after something of her own."""
    numbers = [operation.id for operation in own]
    last = [ended(number, ALICE, "failed") for number in numbers]
    return judged(
        CLAIM,
        *(started(number, ALICE) for number in numbers),
        *(last if over else ()),
        started(4, BOB),
        started(3, ALICE),
        ended(3, ALICE, at=4.0),
        *(() if over else last),
        ended(4, BOB, at=4.0),
        scenario=scenario(*own, CALM, run_of(BOB, Think(prompt="p", seconds=4.0))),
    )


FAILED = (Fail(message="m"), Transact(items=(("k", "v"),), fails=True))


@pytest.mark.parametrize("step", FAILED)
def test_a_run_that_failed_before_excuses_no_stall(step: Step) -> None:
    """Nobody waits for a run of their own that is over."""
    own = RunAgent(id=8, user=ALICE, context="x0", script=(step,))

    assert violated("stalled") == stalled_after(own)
    assert NOT_REACHED == stalled_after(own, over=False)


@pytest.mark.parametrize(
    "own",
    [
        CleanupUser(id=8, user=ALICE),
        run_of(ALICE, Remember(key="k", value="v", broken=True)),
        run_of(ALICE, Fail(message="m"), Think(prompt="p", seconds=4.0)),
    ],
    ids=["cleans up", "breaks", "is slow"],
)
def test_what_may_go_on_excuses_a_stall(own: Operation) -> None:
    """A cleanup, a retry or a late answer may leave a run at work."""
    own = msgspec.structs.replace(own, id=8)

    assert NOT_REACHED == stalled_after(own)


def test_anothers_sleep_is_a_stall() -> None:
    """No user waits for the sleep of another user's agent."""
    sleepy = run_of(BOB, Sleep(seconds=5.0))

    assert violated("stalled") == side_by_side(bobs=sleepy, seconds=5.0)


@pytest.mark.parametrize(
    ("limits", "clauses"),
    [
        ({}, ("stalled",)),
        ({"runs_per_service": 1}, ()),
        ({"runs_per_service": Limit(1, beyond="waits")}, ()),
        ({"calls_per_service": Limit(1, beyond="waits", seconds=5.0)}, ()),
        ({"runs_per_service": Limit(1, beyond="waits", seconds=1.0)}, ("stalled",)),
        ({"runs_per_service": Limit(1, beyond="refused")}, ("stalled",)),
        ({"runs_per_service": 2}, ("stalled",)),
        ({"runs_per_user": 1}, ("stalled",)),
    ],
)
def test_a_declared_limit_excuses_a_wait(
    limits: Mapping[str, int | Limit], clauses: tuple[str, ...]
) -> None:
    """A run may wait while as many others as allowed may be at work, and as long."""
    sleepy = run_of(BOB, Sleep(seconds=5.0))

    found = side_by_side(bobs=sleepy, seconds=5.0, limits=limits)

    assert clauses == found.clauses


def test_a_declared_limit_excuses_a_refusal() -> None:
    """A run of another user may hold the last place of the service."""
    for limits, clauses in (
        ({"runs_per_service": 1}, ()),
        ({"runs_per_service": 2}, ("failed",)),
        ({"runs_per_user": 1}, ("failed",)),
    ):
        assert clauses == side_by_side("refused", limits=limits).clauses


# Cut off


def connected(
    *entries: Entry, code: int | None = 1000, more: tuple[Operation, ...] = ()
) -> Judged:
    """Alice's connection ends before the operations do, after these entries, while
    bob is there."""
    return judged(
        CLAIM,
        started(2, BOB),
        ended(2, BOB),
        started(1, ALICE),
        opened(1, ALICE),
        ended(1, ALICE),
        *entries,
        closed(1, ALICE, code=code, at=20.0),
        phase("cleanup"),
        scenario=scenario(CONNECT_ALICE, CONNECT_BOB, *more),
    )


RECENT = event(ALICE, at=10.0)


@pytest.mark.parametrize("code", [None, 1000, 1001, 1005, 1006, 1011])
def test_a_connection_that_nobody_left_is_cut_off(code: int | None) -> None:
    """A connection is not closed unless its user does something against it."""
    assert violated("cut-off") == connected(RECENT, code=code)


@pytest.mark.parametrize("code", [1008, 1013, 4003])
def test_a_connection_may_be_refused(code: int) -> None:
    """An engine that says that it refuses may have its reasons."""
    assert NOT_REACHED == connected(RECENT, code=code)


def test_a_connection_that_nobody_used_may_be_closed() -> None:
    """An engine may close a connection that was idle for more than ten seconds."""
    early = event(ALICE, at=9.9)

    assert NOT_REACHED == connected()
    assert NOT_REACHED == connected(early)
    assert violated("cut-off") == connected(early, RECENT)


OWN_DOING: dict[str, Operation] = {
    "disconnects": Disconnect(id=8, user=ALICE, connection="c1"),
    "cleans up": CleanupUser(id=8, user=ALICE),
    "connects again": Connect(id=8, user=ALICE, connection="c8"),
    "shuts down": Shutdown(id=8),
    "stalls": AdvanceTime(id=8, seconds=1.0, stalled=True),
}


@pytest.mark.parametrize("doing", OWN_DOING)
def test_who_does_something_against_it_is_not_cut_off(doing: str) -> None:
    """A departure, a cleanup or a second connection may cost the first one."""
    user = OWN_DOING[doing].user

    done = (started(8, user), ended(8, user))

    found = connected(*done, RECENT, more=(OWN_DOING[doing],))

    assert () == found.clauses


def test_what_others_do_excuses_nothing() -> None:
    """Another user's connecting and cleaning up closes nothing of alice's."""
    more = (CleanupUser(id=8, user=BOB),)
    bobs = (started(8, BOB),)

    found = connected(*bobs, RECENT, more=more)

    assert ("cut-off",) == found.clauses


def test_a_user_alone_accuses_no_other_user() -> None:
    """A failure before any operation of another user is not that user's doing."""
    alone = scenario(CALM, TROUBLED)
    before = (started(3, ALICE), ended(3, ALICE, "failed"), started(4, BOB))
    during = (started(3, ALICE), started(4, BOB), ended(3, ALICE, "failed"))

    assert () == judged(CLAIM, *before, scenario=alone).clauses
    assert ("failed",) == judged(CLAIM, *during, scenario=alone).clauses


def test_a_connection_that_does_not_read_may_be_closed() -> None:
    """A client that reads nothing is too slow for a server, sooner or later."""
    unread = Connect(id=1, user=ALICE, connection="c1", unread=True)
    found = judged(
        CLAIM,
        started(1, ALICE),
        opened(1, ALICE),
        ended(1, ALICE),
        closed(1, ALICE, code=1006),
        phase("cleanup"),
        scenario=scenario(unread),
    )

    assert () == found.clauses


def test_a_connection_may_end_with_the_operations() -> None:
    """A connection closed after all operations is cut off from nothing."""
    found = judged(
        CLAIM,
        started(1, ALICE),
        opened(1, ALICE),
        ended(1, ALICE),
        phase("cleanup"),
        closed(1, ALICE),
        scenario=scenario(CONNECT_ALICE),
    )

    assert NOT_REACHED == found


# Evidence


@pytest.mark.parametrize(
    ("bobs", "outcome", "expected"),
    [
        (run_of(BOB, Think(prompt="p")), "returned", NOT_REACHED),
        (run_of(BOB, Think(prompt="p")), "failed", None),
        (run_of(BOB, Sleep(seconds=1.0)), "returned", holds(2)),
        (run_of(BOB, CallTool(tool="slow", argument="a")), "returned", holds(1)),
        (CleanupUser(id=4, user=BOB), "returned", holds(1)),
    ],
    ids=["calm", "failed", "sleeps", "slow-tool", "cleans-up"],
)
def test_evidence_needs_anothers_trouble_at_that_moment(
    bobs: Operation, outcome: str, expected: Judged | None
) -> None:
    """An operation counts if another user was in trouble or slow meanwhile."""
    found = side_by_side(bobs=bobs, bobs_outcome=outcome)

    if expected is None:
        # Bob is harmed here: he did nothing wrong either.
        assert violated("failed", evidence=1) == found
    else:
        assert min(expected.evidence, 1) == min(found.evidence, 1)
        assert () == found.clauses


def test_an_empty_history_is_no_evidence() -> None:
    """Without an operation there is no opportunity."""
    assert NOT_REACHED == judged(CLAIM)


def test_one_user_alone_is_no_evidence() -> None:
    """Alone, no trouble of another user can reach alice."""
    assert NOT_REACHED == judged(
        CLAIM, started(3, ALICE), ended(3, ALICE), scenario=scenario(CALM)
    )


def test_one_after_the_other_is_no_evidence() -> None:
    """Trouble that was over before harmed no user."""
    assert NOT_REACHED == judged(
        CLAIM,
        started(4, BOB),
        ended(4, BOB),
        started(3, ALICE),
        ended(3, ALICE),
        scenario=scenario(CALM, TROUBLED),
    )


def test_two_contexts_of_ones_own_may_wait_for_each_other() -> None:
    """A user with several contexts may be in their own way, and is not judged."""
    opens = tuple(
        OpenContext(id=number, user=ALICE, context=f"x{number}", thread="t")
        for number in (8, 9)
    )

    assert NOT_REACHED == side_by_side("failed", more=opens, also=(8, 9))


@pytest.mark.parametrize(("allowed", "found"), [(1, NOT_REACHED), (2, None)])
def test_as_many_contexts_as_are_allowed_are_no_trouble(
    allowed: int, found: Judged | None
) -> None:
    """Where the engine says how many contexts a user may have, those are calm."""
    opens = tuple(
        OpenContext(id=number, user=ALICE, context=f"x{number}", thread="t")
        for number in (8, 9)
    )
    limits = {"contexts_per_user": allowed}

    assert (found or violated("failed")) == side_by_side(
        "failed", more=opens, also=(8, 9), limits=limits
    )


# Blocked loop

HELD = violated("blocked-loop")
TWICE = violated("blocked-loop", "blocked-loop")


def waits(user: int | None, seconds: float | None = 0.2, *, callback: int = 1) -> Entry:
    operation = None if user is None else 3 + user
    return LoopBlocked(
        time=0.0,
        turn=0,
        operation=operation,
        user=user,
        call="time.sleep",
        seconds=seconds,
        callback=callback,
        place="m:1",
        function="m.f",
    )


def beside_alice(*entries: Entry) -> Judged:
    """The clauses that fail where alice's operation 3 is under way meanwhile."""
    return judged(CLAIM, started(3, ALICE), *entries, ended(3, ALICE))


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([waits(BOB)], HELD),
        ([waits(None)], HELD),
        ([waits(BOB, None)], HELD),
        ([waits(BOB, 0.06), waits(BOB, 0.06)], HELD),
        ([waits(BOB), waits(BOB)], HELD),
        (
            [waits(BOB), waits(BOB, callback=2)],
            TWICE,
        ),
        ([waits(ALICE)], NOT_REACHED),
        ([waits(BOB, 0.09)], NOT_REACHED),
        ([waits(BOB, 0.06), waits(BOB, 0.06, callback=2)], NOT_REACHED),
    ],
)
def test_the_waits_of_one_callback_are_added_up(
    entries: list[Entry], found: Judged
) -> None:
    """From 0.1 s on, one callback that holds the loop harms another user once."""
    assert found == beside_alice(*entries)


def test_a_wait_beside_no_operation_harms_no_user() -> None:
    """Before an operation begins and after it ends, the wait delays no operation."""
    assert NOT_REACHED == judged(
        CLAIM, waits(BOB), started(3, ALICE), ended(3, ALICE), waits(BOB, callback=2)
    )
