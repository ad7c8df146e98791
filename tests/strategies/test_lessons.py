"""Lessons of real bugs: the situations that they need are drawn often enough.

The eight lessons are those at the end of the catalogue of incidents: how scenarios must
be, so that the mechanisms of real bugs have a chance to show.
"""

from collections.abc import Callable, Iterator

import pytest

from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.run import run
from isolation_spec.model.history.entries import OperationEnded, OperationStarted
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import (
    SLOW,
    AdvanceTime,
    CallTool,
    CancelRun,
    CleanupUser,
    CollectGarbage,
    Connect,
    Emit,
    Erase,
    Fail,
    Mutate,
    Operation,
    Read,
    Reconnect,
    Remember,
    RunAgent,
    Scenario,
    Sleep,
    Step,
    Think,
    Transact,
    canaries_in,
    names_victim,
    walk,
)
from isolation_spec.strategies.cancellations import FirstRunReport
from isolation_spec.strategies.scripts import COMMON
from isolation_spec.strategies.seeded_schedules import seeded_runs
from tests.strategies.drawn import draw

pytestmark = pytest.mark.slow

STEPS = ("before its first step", "a:1", "b:2", "b:2", "c:3")


def scenarios() -> list[Scenario]:
    return [drawn.scenario for drawn in draw()]


def share(is_one: Callable[[Scenario], bool]) -> float:
    """The share of the drawn scenarios for which it is so."""
    found = [is_one(scenario) for scenario in scenarios()]
    return sum(found) / len(found)


def steps(scenario: Scenario) -> Iterator[Step]:
    for operation in scenario.operations:
        for _, step in walk(operation.script):
            yield step


def has(kind: type[Operation]) -> Callable[[Scenario], bool]:
    return lambda scenario: any(isinstance(o, kind) for o in scenario.operations)


# 1. Identifiers


def related(one: str, other: str) -> bool:
    """One is in the other, or they differ in case, width or blanks alone."""
    return one in other or one.casefold().strip() == other.casefold().strip()


def test_identities_are_related() -> None:
    """In half of all scenarios an engine that is careless could take two for one."""

    def is_one(scenario: Scenario) -> bool:
        ids = [user.id for user in scenario.users]
        return any(related(a, b) for a in ids for b in ids if a != b)

    assert 0.5 <= share(is_one)


# 2. Cancellation at every place


def test_cancellations_reach_every_place_of_an_operation() -> None:
    """Over some runs a workload is cancelled at each place that it waits at."""
    drawn = draw()[5]
    counted = {o.id: STEPS for o in drawn.workload.operations}
    runs = list(
        seeded_runs(
            drawn.workload, drawn.search, 200, FirstRunReport(counted, choices=60)
        )
    )

    hit = {
        (STEPS[cancel.step - 1 + cancel.after_step], cancel.after_step)
        for scheduled in runs
        for operation in scheduled.scenario.operations
        if (cancel := operation.cancel) is not None
        and cancel.step <= len(STEPS) - cancel.after_step
    }

    assert {place for place, _ in hit} == set(STEPS)
    assert {after_step for _, after_step in hit} == {False, True}


def test_cancelled_runs_are_many() -> None:
    """More than a third of the further runs have a further cancellation."""
    drawn = draw()[5]
    counted = {o.id: STEPS for o in drawn.workload.operations}
    before = [o.cancel for o in drawn.workload.operations]
    cancelled = [
        before != [o.cancel for o in scheduled.scenario.operations]
        for scheduled in seeded_runs(
            drawn.workload, drawn.search, 200, FirstRunReport(counted, choices=60)
        )
    ]

    assert 1 / 3 < sum(cancelled) / len(cancelled) < 1


# 3. Failure as a rule


def fails(step: Step) -> bool:
    match step:
        case Fail() | Transact(fails=True) | Remember(broken=True):
            return True
        case CallTool(tool="failing" | "forbidden" | "unknown"):
            return True
    return False


def test_agents_fail_in_most_scenarios() -> None:
    """Somebody's agent raises, or its tool or its transaction does."""
    assert 0.6 <= share(lambda scenario: any(map(fails, steps(scenario))))


@pytest.mark.parametrize(
    "failing",
    [Fail, Transact, Remember],
    ids=["the agent", "its transaction", "its value"],
)
def test_each_way_to_fail_occurs(failing: type[Step]) -> None:
    """Agents raise, transactions raise, and values cannot be encoded."""
    assert 0.05 <= share(
        lambda scenario: any(
            isinstance(s, failing) and fails(s) for s in steps(scenario)
        )
    )


# 4. Erase, wait, read again


def test_what_was_erased_is_looked_at_later() -> None:
    """A user erases, an agent of theirs sleeps, so that time passes in their lane, and
    the user reads once more."""

    def is_one(scenario: Scenario) -> bool:
        operations = scenario.operations
        return any(
            isinstance(erase, Erase)
            and isinstance(wait, RunAgent)
            and not wait.background
            and any(isinstance(s, Sleep) and s.seconds > 1 for s in wait.script)
            and wait.user == erase.user
            and isinstance(read, Read)
            and read.user == erase.user
            for i, erase in enumerate(operations)
            for j, wait in enumerate(operations[i:], i)
            for read in operations[j:]
        )

    assert 0.15 <= share(is_one)


# 5. The first user creates the shared thing, and leaves


def test_the_first_user_leaves_while_others_go_on() -> None:
    """The first user is cleaned up or cancelled, and others still work."""

    def is_one(scenario: Scenario) -> bool:
        gone = False
        for operation in scenario.operations:
            leaves = isinstance(operation, CleanupUser | CancelRun)
            cancelled = operation.cancel is not None
            user = operation.user
            gone = gone or ((leaves or cancelled) and user == 0)
            if gone and user not in (None, 0) and isinstance(operation, RunAgent):
                return True
        return False

    assert 0.1 <= share(is_one)


def test_users_ask_for_the_same() -> None:
    """In a third of the scenarios two users' first agents do the same things."""

    def is_one(scenario: Scenario) -> bool:
        first: dict[int, list[type[Step]]] = {}
        for operation in scenario.operations:
            if isinstance(operation, RunAgent):
                kinds = [type(step) for _, step in walk(operation.script)]
                first.setdefault(operation.user, kinds)
        shapes = [tuple(kinds) for kinds in first.values() if kinds]
        return len(set(shapes)) < len(shapes)

    assert 1 / 3 <= share(is_one)


def test_equal_questions_are_asked() -> None:
    """In a tenth of the scenarios two users ask their model the very same thing."""

    def is_one(scenario: Scenario) -> bool:
        asking = {
            o.user
            for o in scenario.operations
            if isinstance(o, RunAgent)
            and any(s == Think(prompt=COMMON) for _, s in walk(o.script))
        }
        return len(asking) > 1

    assert 0.1 <= share(is_one)


def test_all_ask_the_same_at_once() -> None:
    """In a fifth of the scenarios all users ask it after the same pause, when all other
    work is over."""

    def is_one(scenario: Scenario) -> bool:
        asking = {
            o.user
            for o in scenario.operations
            if isinstance(o, RunAgent)
            and [Sleep(seconds=2.0), Think(prompt=COMMON)] == list(o.script[-3:-1])
        }
        return len(asking) > 1

    assert 0.15 <= share(is_one) <= 0.35


def test_one_users_model_is_slow_while_others_ask_theirs() -> None:
    """In a fifth of the scenarios one user's answers take long, and no other's do."""

    def is_one(scenario: Scenario) -> bool:
        asked = [
            (operation.user, step.seconds == SLOW)
            for operation in scenario.operations
            if isinstance(operation, RunAgent)
            for _, step in walk(operation.script)
            if isinstance(step, Think) and step.prompt != COMMON
        ]
        slow = {user for user, is_slow in asked if is_slow}
        return len(slow) == 1 and any(user not in slow for user, _ in asked)

    assert 0.18 <= share(is_one) <= 0.5


# 6. Reconnects, clients that do not read, collections, changed objects


@pytest.mark.parametrize(
    ("kind", "least"),
    [(Reconnect, 0.15), (CollectGarbage, 0.05), (Mutate, 0.1)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_disturbance_occurs(kind: type[Operation], least: float) -> None:
    """Connections overlap, garbage is collected, and returned objects are changed."""
    assert least <= share(has(kind))


def test_some_client_reads_nothing_and_is_sent_much() -> None:
    """A client that reads nothing is sent more than buffers hold, and others work."""

    def is_one(scenario: Scenario) -> bool:
        unread = [o for o in scenario.operations if isinstance(o, Connect) and o.unread]
        return any(
            isinstance(o, RunAgent)
            and o.user == unread[0].user
            and o.id > unread[0].id
            and any(isinstance(s, Emit) and s.large for _, s in walk(o.script))
            for o in scenario.operations
            if unread
        )

    assert 0.05 <= share(is_one)


# 7. The independent observer, and 8. canaries


def test_somebody_reads_in_the_end() -> None:
    """Mostly the last operation is a read, some time later."""
    assert 0.6 <= share(lambda scenario: isinstance(scenario.operations[-1], Read))


def test_every_value_is_its_owners_canary() -> None:
    """Every value that a user hands to the engine proves whose it is."""
    for scenario in scenarios():
        for operation in scenario.operations:
            if isinstance(operation, RunAgent):
                label = scenario.users[operation.user].label
                owners = {owner for owner, _ in canaries_in(str(operation.script))}
                assert owners <= {label}


def test_all_leave_together_while_agents_work() -> None:
    """Now and then everybody is cleaned up at once, in the midst of a run."""

    def is_one(scenario: Scenario) -> bool:
        *_, before, last = scenario.operations
        leaving = {o.user for o in scenario.operations if isinstance(o, CleanupUser)}
        at_work = isinstance(before, RunAgent) and before.background
        return at_work and isinstance(last, CleanupUser) and len(leaving) > 1

    assert 0.05 <= share(is_one) <= 0.2


# Attacks


def test_users_attack_one_another() -> None:
    """In a quarter of the scenarios an operation names a victim."""
    assert 0.25 <= share(lambda scenario: any(map(names_victim, scenario.operations)))


def test_the_last_reads_come_after_all_earlier_operations() -> None:
    """Mostly, in plain order, all earlier operations have ended when a user reads in
    the end."""
    make = find_engine("reference").make_adapter
    looks = after = 0
    for drawn in draw()[:60]:
        history = run(drawn.scenario, make)
        asked, last = split(drawn.scenario)
        began, ended = moments(history)
        reads = [one for one in last if isinstance(history.operations()[one], Read)]
        for read in reads:
            looks += 1
            after += all(ended.get(one, 10**9) < began[read] for one in asked)

    assert looks > 60
    assert 0.65 < after / looks


def split(scenario: Scenario) -> tuple[list[int], list[int]]:
    """The operations that took no time away from the world, before the end and in it:
    there each user's run is followed by all their reads."""
    operations = scenario.operations
    first = len(operations)
    while isinstance(operations[first - 1], Read):
        first -= 1
    reads = len(operations) - first
    while reads and isinstance(operations[first - 1], RunAgent):
        first, reads = first - 1, reads - 1
    asked = [o.id for o in operations[:first] if not isinstance(o, AdvanceTime)]
    return asked, [o.id for o in operations[first:]]


def moments(history: History) -> tuple[dict[int | None, int], dict[int | None, int]]:
    """Operation id -> the entry with which it began, and the one with which it
    ended."""
    entries = list(enumerate(history.entries))
    began = {e.operation: n for n, e in entries if isinstance(e, OperationStarted)}
    ended = {e.operation: n for n, e in entries if isinstance(e, OperationEnded)}
    return began, ended


# Clients that leave in their handshake


def test_clients_leave_in_their_handshakes() -> None:
    """While others connect: before the server knows them, and as soon as it does."""

    def leaves_at(step: int) -> Callable[[Scenario], bool]:
        def is_one(scenario: Scenario) -> bool:
            first = scenario.operations[:8]
            return sum(isinstance(o, Connect) for o in first) > 1 and any(
                isinstance(o, Connect)
                and o.cancel is not None
                and o.cancel.step == step
                for o in first
            )

        return is_one

    shares = [share(leaves_at(step)) for step in (2, 3, 4)]

    assert 0.1 <= sum(shares)
    assert all(shares)
