"""Event routing: each clause violated alone, and the nearest history that is not."""

import json

import msgspec
import pytest

from isolation_spec.claims.event_routing import EVENT_ROUTING as CLAIM
from isolation_spec.model.event_names import EventNames
from isolation_spec.model.history.entries import Entry
from isolation_spec.model.scenario import (
    AdvanceTime,
    CleanupEngine,
    CleanupUser,
    Connect,
    Disconnect,
    Emit,
    Operation,
    Reconnect,
    Scenario,
    Shutdown,
)
from tests.claims.histories import (
    ALICE,
    ALICES,
    BOB,
    BOBS,
    CONNECT_ALICE,
    CONNECT_BOB,
    IDS,
    NOT_REACHED,
    PROMISED,
    Judged,
    closed,
    ended,
    event,
    holds,
    judged,
    opened,
    phase,
    received,
    run_of,
    scenario,
    started,
    stepped,
    story,
    violated,
)

BOTH = (opened(1, ALICE), opened(2, BOB))
RUNS = (started(3, ALICE), started(4, BOB))


# Nobody else's


def test_a_foreign_value_violates() -> None:
    """Alice's canary on bob's connection, under bob's own id, is one violation."""
    leak = event(BOB, payload=ALICES)

    assert violated("foreign-value") == judged(CLAIM, *BOTH, *RUNS, leak)


def test_a_foreign_value_in_no_event_violates() -> None:
    """A message that is no JSON object leaks as much as one that is."""
    leak = received(BOB, f"not json {ALICES}")

    assert violated("foreign-value") == judged(CLAIM, *BOTH, leak)


def test_the_readers_own_value_does_not() -> None:
    """Bob's canary on bob's connection is a situation that held."""
    assert holds(1) == judged(CLAIM, *BOTH, *RUNS, event(BOB, payload=BOBS))


def test_a_foreign_user_violates() -> None:
    """An event that names alice on bob's connection is one violation."""
    leak = event(BOB, owner=IDS[ALICE], run="run-3")

    assert violated("foreign-user") == judged(CLAIM, *BOTH, *RUNS, leak)


def test_an_event_that_names_nobody_does_not() -> None:
    """An engine need not say whose an event is."""
    text = json.dumps({"type": "hello"})

    assert holds(1) == judged(CLAIM, *BOTH, *RUNS, received(BOB, text))


def test_a_foreign_run_violates() -> None:
    """Alice's run reaches bob under bob's id: overwriting the id hides nothing."""
    leak = event(BOB, run="run-3")

    assert violated("foreign-run") == judged(CLAIM, *BOTH, *RUNS, leak)


def test_a_child_of_a_foreign_run_violates() -> None:
    """A child's run belongs to the owner of its parent."""
    leak = event(BOB, run="run-3.0")

    assert violated("foreign-run") == judged(CLAIM, *BOTH, *RUNS, leak)


@pytest.mark.parametrize("run", ["run-4", "run-4.0", "run-34", "context-3", "3"])
def test_a_run_that_is_not_anothers_does_not(run: str) -> None:
    """The reader's own runs, and ids that are no run of the scenario, hold."""
    assert holds(1) == judged(CLAIM, *BOTH, *RUNS, event(BOB, run=run))


# Forged tokens

FORGED = scenario(Connect(id=1, user=ALICE, connection="c1", forged=True))


def forged(*entries: Entry) -> object:
    """Alice connects with a forged token."""
    return judged(CLAIM, started(1, ALICE), opened(1, ALICE), *entries, scenario=FORGED)


@pytest.mark.parametrize("code", [1008, 4401])
def test_a_forged_token_that_is_refused_holds(code: int) -> None:
    """A connection that the engine closes, unheard, is one situation."""
    assert holds(1) == forged(closed(1, ALICE, code=code))


def test_a_forged_token_that_stays_connected_violates() -> None:
    """A connection with a forged token that stays open is one violation."""
    assert violated("forged-token") == forged()


def test_a_forged_token_that_only_its_client_closed_violates() -> None:
    """A closing handshake of the client's own shows no refusal."""
    assert violated("forged-token") == forged(closed(1, ALICE, code=1000))


def test_a_forged_token_that_hears_something_violates() -> None:
    """One event before the refusal is one too many."""
    hello = received(ALICE, json.dumps({"type": "hello"}))

    assert violated("forged-token") == forged(hello, closed(1, ALICE, code=1008))


@pytest.mark.parametrize(
    "leaving",
    [
        Disconnect(id=2, user=ALICE, connection="c1"),
        Reconnect(id=2, user=ALICE, connection="c2", replaces="c1"),
    ],
    ids=["closed", "replaced"],
)
def test_a_forged_token_whose_client_leaves_shows_nothing(leaving: Operation) -> None:
    """The engine may not have known it; events that it received count all the same."""
    asked = scenario(Connect(id=1, user=ALICE, connection="c1", forged=True), leaving)
    hello = received(ALICE, json.dumps({"type": "hello"}))

    def judge(*entries: Entry) -> object:
        first = (started(1, ALICE), opened(1, ALICE), *entries, started(2, ALICE))
        return judged(CLAIM, *first, closed(1, ALICE, code=1000), scenario=asked)

    assert NOT_REACHED == judge()
    assert violated("forged-token") == judge(hello)


def test_another_connection_that_is_left_excuses_nothing() -> None:
    """A forged one stayed open, however the user's other one ended."""
    other = Disconnect(id=2, user=ALICE, connection="c9")
    asked = scenario(Connect(id=1, user=ALICE, connection="c1", forged=True), other)

    assert violated("forged-token") == judged(
        CLAIM,
        started(1, ALICE),
        opened(1, ALICE),
        started(2, ALICE),
        ended(2, ALICE),
        scenario=asked,
    )


# Once and in order


def test_the_same_event_twice_violates() -> None:
    """A second delivery of one number is one violation."""
    events = (event(BOB, "a", 1), event(BOB, "b", 2), event(BOB, "b", 2))

    assert violated("twice", evidence=3) == judged(CLAIM, *BOTH, *RUNS, *events)


def test_an_earlier_event_after_a_later_one_violates() -> None:
    """A number below the highest so far is one violation."""
    events = (event(BOB, "a", 1), event(BOB, "c", 3), event(BOB, "b", 2))

    assert violated("order", evidence=3) == judged(CLAIM, *BOTH, *RUNS, *events)


def test_a_gap_in_what_was_heard_late_does_not() -> None:
    """Without a connection from before the run, a gap is no disorder."""
    events = (event(BOB, "b", 2), event(BOB, "d", 4))

    assert holds(2) == judged(CLAIM, *RUNS, *BOTH, *events)


def test_each_run_counts_for_itself() -> None:
    """The same numbers of two runs on one connection are no repetition."""
    events = (event(BOB, "a", 1, run="run-4"), event(BOB, "a", 1, run="run-4.0"))

    assert holds(2) == judged(CLAIM, *BOTH, *RUNS, *events)


def test_each_connection_counts_for_itself() -> None:
    """The same event on two connections of its owner is no repetition."""
    second = Connect(id=5, user=BOB, connection="c5")
    one = event(BOB, "a", 1)
    other = msgspec.structs.replace(one, operation=5, connection="c5")
    world = scenario(CONNECT_ALICE, CONNECT_BOB, run_of(ALICE), run_of(BOB), second)

    assert holds(2) == judged(
        CLAIM, *BOTH, opened(5, BOB), *RUNS, one, other, scenario=world
    )


def test_events_without_numbers_have_no_order() -> None:
    """An engine that numbers nothing can be neither late nor twice."""
    events = (event(BOB, "a", None), event(BOB, "a", None))

    assert holds(2) == judged(CLAIM, *BOTH, *RUNS, *events)


# All of them. Alice alone, so that the events themselves are no situations.

ALONE = scenario(CONNECT_ALICE, run_of(ALICE, Emit(payload=ALICES)))
HEARD = story(ALICE, "agent_started", "agent_thinking", "agent_completed")


def attended(
    *entries: Entry,
    outcome: str = "returned",
    world: Scenario = ALONE,
    names: EventNames | None = PROMISED,
    late: tuple[Entry, ...] = (),
) -> Judged:
    """Alice was connected before her run, while it went on, and after it; what is late
    came once those who read nothing were made to."""
    return judged(
        CLAIM,
        started(1, ALICE),
        opened(1, ALICE),
        ended(1, ALICE),
        started(3, ALICE, at=1.0),
        *entries,
        ended(3, ALICE, outcome),
        phase("cleanup"),
        *late,
        scenario=world,
        names=names,
    )


def test_a_run_that_was_heard_completely_holds() -> None:
    """A run whose owner was there all the time is one situation, even alone."""
    assert holds(1) == attended(*HEARD)


@pytest.mark.parametrize("gone", [0, 1])
def test_an_event_that_never_came_violates(gone: int) -> None:
    """A gap before the last number heard is one violation."""
    assert violated("missing") == attended(*HEARD[:gone], *HEARD[gone + 1 :])


@pytest.mark.parametrize("outcome", ["returned", "failed"])
def test_a_run_that_was_not_heard_at_all_violates(outcome: str) -> None:
    """No event at all of a run that ended is one violation."""
    assert violated("missing") == attended(outcome=outcome)


def test_a_repetition_alone_leaves_no_gap() -> None:
    """An event heard twice is `twice`, and nothing is missing."""
    repeated = (HEARD[0], HEARD[1], HEARD[1], HEARD[2])

    assert ("twice",) == attended(*repeated).clauses


def test_a_run_cancelled_before_it_told_anything_is_not_missed() -> None:
    """A cancelled run may have been cancelled before its first event."""
    assert NOT_REACHED == attended(outcome="cancelled")


def test_a_gap_in_a_cancelled_run_violates() -> None:
    """The events of a cancelled run have no gap."""
    assert violated("missing") == attended(HEARD[1], outcome="cancelled")


@pytest.mark.parametrize("outcome", ["refused", "unavailable"])
def test_a_run_that_never_began_is_not_missed(outcome: str) -> None:
    """The engine owes no events of a refused run."""
    assert NOT_REACHED == attended(outcome=outcome)


def test_an_unfinished_run_is_not_missed() -> None:
    """Without an end of the run, all of its events may still be to come."""
    assert NOT_REACHED == judged(
        CLAIM,
        opened(1, ALICE),
        started(3, ALICE, at=1.0),
        phase("cleanup"),
        scenario=ALONE,
    )


def test_events_without_numbers_cannot_be_missed() -> None:
    """An engine that numbers nothing is not blamed for a gap."""
    unnumbered = story(ALICE, "agent_started", "agent_completed", numbered=False)

    assert NOT_REACHED == attended(*unnumbered)


def test_a_run_that_began_before_the_connection_is_not_missed() -> None:
    """A connection that opens later is owed no earlier event."""
    assert NOT_REACHED == judged(
        CLAIM,
        started(3, ALICE),
        opened(1, ALICE),
        ended(3, ALICE),
        phase("cleanup"),
        scenario=ALONE,
    )


def test_a_connection_that_closed_meanwhile_is_not_missed() -> None:
    """A connection that closes before the end of the operations is owed nothing."""
    assert NOT_REACHED == judged(
        CLAIM,
        opened(1, ALICE),
        started(3, ALICE, at=1.0),
        closed(1, ALICE),
        ended(3, ALICE),
        phase("cleanup"),
        scenario=ALONE,
    )


@pytest.mark.parametrize(
    "stop",
    [
        CleanupUser(id=5, user=ALICE),
        CleanupEngine(id=5, user=ALICE, context="x0"),
        Shutdown(id=5),
    ],
    ids=["user", "engine", "shutdown"],
)
def test_a_run_ended_by_a_cleanup_is_not_missed(stop: Operation) -> None:
    """A cleanup or shutdown may end a run without a word."""
    world = scenario(*ALONE.operations, stop)
    user = stop.user

    assert NOT_REACHED == attended(started(5, user), ended(5, user), world=world)


def test_the_cleanup_of_another_user_excuses_nothing() -> None:
    """Bob's cleanup does not end alice's run, so she still hears all of it."""
    world = scenario(*ALONE.operations, CleanupUser(id=5, user=BOB))

    assert violated("missing") == attended(started(5, BOB), world=world)


# Whether the engine can have known the connection


def in_one_instant(*entries: Entry, world: Scenario) -> object:
    return judged(
        CLAIM,
        started(1, ALICE),
        opened(1, ALICE),
        *entries,
        started(3, ALICE),
        ended(3, ALICE),
        phase("cleanup"),
        scenario=world,
    )


TWICE_CONNECTED = scenario(
    CONNECT_ALICE, Connect(id=5, user=ALICE, connection="c5"), run_of(ALICE)
)


def test_an_only_connection_gets_what_waited_for_it() -> None:
    """Events before a user's only connection is known wait for it."""
    assert violated("missing") == in_one_instant(world=ALONE)


def test_one_of_two_connections_may_not_be_known_yet() -> None:
    """With another connection there, the run may end before this one is known."""
    entries = (started(5, ALICE), ended(5, ALICE, "failed"))

    assert NOT_REACHED == in_one_instant(*entries, world=TWICE_CONNECTED)


def test_an_earlier_event_shows_that_it_is_known() -> None:
    """Once something was heard on a connection, the engine knows it."""
    entries = (
        started(5, ALICE),
        ended(5, ALICE, "failed"),
        event(ALICE, "hello", None, run="other"),
    )

    assert violated("missing") == in_one_instant(*entries, world=TWICE_CONNECTED)


def test_time_that_passed_while_stalled_shows_nothing() -> None:
    """In a stall time passes while the handshake may still be under way."""
    world = scenario(
        *TWICE_CONNECTED.operations, AdvanceTime(id=6, seconds=1.0, stalled=True)
    )

    assert NOT_REACHED == judged(
        CLAIM,
        started(1, ALICE),
        opened(1, ALICE),
        ended(1, ALICE),
        started(6, None),
        started(3, ALICE, at=1.0),
        started(5, ALICE),
        ended(5, ALICE, "failed"),
        ended(3, ALICE),
        phase("cleanup"),
        scenario=world,
    )


def test_time_that_passed_after_a_stall_shows_that_it_is_known() -> None:
    """Once a stall is over, time passes only when nothing is pending."""
    world = scenario(
        AdvanceTime(id=6, seconds=1.0, stalled=True), *TWICE_CONNECTED.operations
    )

    assert violated("missing") == judged(
        CLAIM,
        started(6, None),
        ended(6, None),
        started(1, ALICE),
        opened(1, ALICE),
        ended(1, ALICE),
        started(3, ALICE, at=1.0),
        ended(3, ALICE),
        phase("cleanup"),
        scenario=world,
    )


def heard_late(*operations: Operation) -> Judged:
    """Of her run alice hears all, but late."""
    others = (started(o.id, o.user) for o in operations)
    world = scenario(*ALONE.operations, *operations)
    return attended(*others, world=world, late=HEARD)


def test_who_reads_nothing_keeps_up_no_other_user() -> None:
    """What comes only once another is made to read is missed, or once nobody is; what
    waits for a connection of one's own is not."""
    unread = Connect(id=7, user=ALICE, connection="c7", unread=True)
    of_bob = msgspec.structs.replace(unread, user=BOB)

    assert violated("missing") == heard_late()
    assert violated("missing") == heard_late(of_bob)
    assert holds(1) == heard_late(unread)


# An engine that does not say how it names its events


def test_a_value_that_was_told_and_never_came_violates() -> None:
    """An emitted value is missed by itself, under any type of event."""
    emitted = stepped(3, ALICE, "emit")
    other = received(ALICE, json.dumps({"text": BOBS.replace("bob", "ann")}))

    assert violated("missing") == attended(emitted, other, names=None)
    assert violated("missing") == attended(emitted, *story(ALICE, "agent_started"))


def test_a_value_that_came_is_evidence() -> None:
    """A message of any form that holds the emitted value is its event."""
    emitted = stepped(3, ALICE, "emit")

    assert holds(1) == attended(emitted, received(ALICE, f"<p>{ALICES}"), names=None)


@pytest.mark.parametrize(
    ("outcome", "step"), [("cancelled", "ok"), ("returned", "refused")]
)
def test_a_value_that_may_not_have_been_told_is_not_missed(
    outcome: str, step: str
) -> None:
    """The event of a refused or cancelled step need not come."""
    emitted = stepped(3, ALICE, "emit", outcome=step)

    assert NOT_REACHED == attended(emitted, outcome=outcome, names=None)


def test_a_run_that_is_told_of_in_other_words_is_not_missed() -> None:
    """No field that is known names the run, so nothing is missed by it."""
    emitted = received(ALICE, json.dumps({"event": "run.started", "id": "run-3"}))

    assert NOT_REACHED == attended(emitted, names=None)
    assert violated("missing") == attended(emitted)


def test_numbers_that_go_through_all_runs_are_not_missed() -> None:
    """One count over all events of a user leaves gaps in each run."""
    child = (
        event(ALICE, "agent_started", 2, run="run-3.0"),
        event(ALICE, "agent_completed", 3, run="run-3.0"),
    )
    own = (event(ALICE, "agent_started", 1), event(ALICE, "agent_completed", 4))

    assert holds(1) == attended(own[0], *child, own[1], names=None)
    assert violated("missing") == attended(own[0], *child, own[1])


def test_numbers_that_each_run_counts_for_itself_are_missed() -> None:
    """A number in two runs of one user shows that each run counts from 1."""
    child = event(ALICE, "agent_started", 1, run="run-3.0")
    gap = (event(ALICE, "agent_started", 1), event(ALICE, "agent_completed", 3))

    assert violated("missing") == attended(gap[0], child, gap[1], names=None)


def test_a_run_without_a_word_is_missed_where_another_was_told_of() -> None:
    """An engine that tells of beginnings owes each run one."""
    emitted = event(ALICE, "agent_started", 1, run="run-4")

    found = attended(emitted, names=None)

    assert "missing" in found.clauses
    assert NOT_REACHED == attended(names=None)


def test_an_id_of_the_engine_s_own_is_no_foreign_user() -> None:
    """Only the id of another user is foreign where nothing is promised."""
    own, foreign = event(BOB, owner="17"), event(BOB, owner=IDS[ALICE])

    assert holds(1) == judged(CLAIM, *BOTH, *RUNS, own, names=None)
    assert violated("foreign-user") == judged(CLAIM, *BOTH, *RUNS, own)
    assert violated("foreign-user") == judged(CLAIM, *BOTH, *RUNS, foreign, names=None)


def test_events_are_read_by_the_names_that_are_declared() -> None:
    """Run, user and number are found in the fields that the engine uses."""
    names = EventNames(run="id", user="whose", number="n", begun=("run.started",))
    gap = [
        received(ALICE, json.dumps({"id": "run-3", "n": n, "whose": IDS[ALICE]}))
        for n in (1, 3)
    ]
    foreign = received(ALICE, json.dumps({"id": "run-3", "n": 2, "whose": IDS[BOB]}))

    assert violated("missing") == attended(*gap, names=names)
    assert violated("foreign-user", evidence=1) == attended(
        *gap[:1], foreign, names=names
    )


# Evidence


def test_an_empty_history_is_no_evidence() -> None:
    """Where nothing was received, nothing was put to the test."""
    assert NOT_REACHED == judged(CLAIM)


def test_an_event_with_nobody_else_connected_is_no_evidence() -> None:
    """With one user alone no event could have gone astray."""
    assert NOT_REACHED == judged(
        CLAIM, started(4, BOB), opened(1, ALICE), event(ALICE), started(3, ALICE)
    )


@pytest.mark.parametrize(
    ("entries", "evidence"),
    [
        ((*BOTH, event(ALICE)), 1),
        ((*BOTH, event(ALICE), event(ALICE, sequence=2)), 2),
        ((*BOTH, closed(2, BOB), event(ALICE)), 0),
        ((opened(1, ALICE), event(ALICE), opened(2, BOB)), 0),
    ],
    ids=["there", "there-twice", "gone", "not-yet"],
)
def test_evidence_needs_another_connection_at_that_moment(
    entries: tuple[Entry, ...], evidence: int
) -> None:
    """An event counts if another user was connected when it came."""
    assert evidence == judged(CLAIM, *entries).evidence


def test_other_entries_are_not_this_claims() -> None:
    """Context ownership judges the results of an agent's steps."""
    assert NOT_REACHED == judged(CLAIM, *BOTH, *RUNS, stepped(4, BOB, seen=ALICES))
