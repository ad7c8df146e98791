"""Operations move between users and stay as legitimate or hostile as before."""

from collections.abc import Iterator

import pytest

from isolation_spec.diagnosis.shrink.passes.user_merging import (
    with_attackers,
    with_merged_users,
    with_transferred_operations,
)
from isolation_spec.diagnosis.shrink.shrinker import Shrinker
from isolation_spec.diagnosis.shrink.sort_key import size
from isolation_spec.model.scenario import (
    CallTool,
    CancelRun,
    Connect,
    OpenContext,
    Read,
    Scenario,
    Think,
    Write,
    canary,
    owned_canaries,
)
from tests.diagnosis.shrink.small_scenarios import (
    kinds,
    opening,
    running,
    scripts,
    several,
    two,
    users_of,
)

THREE = several(
    opening(1, 0),
    running(2, 0, CallTool(tool="echo", argument=canary("alice", 2, 1))),
    opening(3, 1),
    Write(id=4, user=1, context="x", key="k", value=canary("bob", 4, 1)),
    opening(5, 2),
    running(6, 2, Think(prompt="p")),
    CancelRun(id=7, user=2, run=6),
    CancelRun(id=8, user=0, run=6, victim=2),
    Read(id=9, user=0, context="x", victim=2),
)


def every(scenario: Scenario = THREE) -> Iterator[Scenario]:
    yield from with_merged_users(scenario)
    yield from with_transferred_operations(scenario)
    yield from with_attackers(scenario)


def test_every_candidate_is_well_formed() -> None:
    """No candidate names a removed user, and no id occurs twice."""
    assert [] == [problem for one in every() for problem in one.problems()]


def test_values_carry_canaries_of_their_user() -> None:
    """A transferred operation has canaries of its new user."""
    for candidate in every():
        for operation in candidate.operations:
            alone = Scenario(users=candidate.users, operations=(operation,))
            owners = {o.split("~")[0] for o in owned_canaries(alone)}
            user = users_of(candidate)[operation.id]
            assert owners <= {candidate.users[user].label}


def test_cancelling_a_run_of_another_user_is_an_attack() -> None:
    """A cancel request names the owner of its run as victim if they are different."""
    for candidate in every():
        owners = users_of(candidate)
        for operation in candidate.operations:
            if isinstance(operation, CancelRun) and operation.run in owners:
                owner = owners[operation.run]
                victim = None if owner == operation.user else owner
                assert victim == operation.victim


def test_an_attack_follows_its_target() -> None:
    """The new owner of the target becomes the victim."""
    attacked = {
        one.users[operation.victim].label
        for one in with_merged_users(THREE)
        for operation in one.operations
        if isinstance(operation, Read) and operation.victim is not None
    }

    assert {"bob", "carol"} == attacked


def test_every_context_that_is_named_is_opened() -> None:
    """A transferred operation uses a context of its new user."""
    for candidate in every():
        opened = {o.user for o in candidate.operations if isinstance(o, OpenContext)}
        requesters = {
            operation.user
            for operation in candidate.operations
            if operation.context is not None
        }
        assert requesters <= opened


def test_two_users_become_one() -> None:
    """A user goes where sequential runs fail as concurrent ones do."""
    three = several(
        *(opening(number, number - 1) for number in (1, 2, 3)),
        *(running(number + 3, number - 1, Think(prompt="p")) for number in (1, 2, 3)),
    )

    def fails(scenario: Scenario) -> bool:
        users = set(users_of(scenario).values())
        return len(users) > 1 and 3 == sum(map(len, scripts(scenario)))

    small = Shrinker(fails).shrink(three)

    assert (2, 2) == (len(small.users), size(small)[0])
    assert [1, 2] == sorted(map(len, scripts(small)))


def test_an_operation_becomes_a_step_of_another_user() -> None:
    """A run of one user takes over an operation of another."""
    shared = two(
        opening(1, 0),
        running(2, 0, Think(prompt="p")),
        opening(3, 1),
        running(4, 1, Think(prompt="p")),
        running(5, 1),
    )

    made = [scripts(one) for one in with_transferred_operations(shared)]

    assert [["Think", "Think"], []] in made
    assert all(4 == len(one.operations) for one in with_transferred_operations(shared))


@pytest.mark.parametrize("forged", [True, False])
def test_an_attack_takes_the_place_of_a_lane(forged: bool) -> None:
    """An impersonating connection replaces all operations of its user."""
    lanes = two(Connect(id=1, user=0, connection="c1"), opening(2, 1), running(3, 1))

    def fails(scenario: Scenario) -> bool:
        attacks = [o for o in scenario.operations if isinstance(o, Connect)]
        attacked = any(o.victim == 0 and o.forged == forged for o in attacks)
        return attacked or kinds(scenario) == kinds(lanes)

    small = Shrinker(fails).shrink(lanes)

    assert ["Connect"] == kinds(small)


def test_beside_an_attack_others_only_connect() -> None:
    """Beside an attack on handshakes, only connections are left."""
    lanes = two(
        Connect(id=1, user=0, connection="c1"),
        opening(2, 0),
        running(3, 0),
        Connect(id=4, user=1, connection="c4"),
    )

    def fails(scenario: Scenario) -> bool:
        clients = [o for o in scenario.operations if isinstance(o, Connect)]
        attacked = len(clients) == 2 and clients[1].forged and clients[1].user == 1
        return (attacked and len(scenario.operations) == 2) or scenario == lanes

    small = Shrinker(fails).shrink(lanes)

    assert ["Connect", "Connect"] == kinds(small)
