"""Small scenarios of the same steps are found, however far from the first one."""

from collections.abc import Iterator

from isolation_spec.diagnosis.shrink.passes.synthesis import synthesize
from isolation_spec.diagnosis.shrink.shrinker import Shrinker
from isolation_spec.diagnosis.shrink.sort_key import size
from isolation_spec.model.scenario import (
    Recall,
    Remember,
    RunAgent,
    Scenario,
    Think,
    Transact,
    User,
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
    users_of,
)

STORED = Remember(key="K", value=canary("bob", 5, 1))
CROWD = several(
    opening(1, 0),
    running(2, 0, Think(prompt="p"), Recall(key="K")),
    opening(3, 1),
    running(4, 1),
    running(5, 1, STORED),
    opening(6, 2),
    running(7, 2, Think(prompt=canary("carol", 7, 1))),
    Write(id=8, user=1, context="x", key="K", value=canary("bob", 8, 1)),
)


def shrunk(wanted: list[list[str]], contexts: int, behind: int = 0) -> Scenario:
    """The shrunk crowd.

    Besides the crowd itself, a scenario fails that has exactly these scripts, so many
    contexts, and so many runs in the background.
    """

    def fails(scenario: Scenario) -> bool:
        opened = kinds(scenario).count("OpenContext")
        waiting = sum(o.background for o in scenario.operations)
        made = (scripts(scenario), opened, waiting)
        return scenario == CROWD or made == (wanted, contexts, behind)

    small = Shrinker(fails).shrink(CROWD)

    assert wanted == scripts(small)
    return small


def test_two_users_have_one_operation_each() -> None:
    """Two steps of the scenario are combined in two contexts."""
    small = shrunk([["Recall", "Think"], ["Sleep", "Recall"]], contexts=2)

    assert (4, 0, 4) == size(small)
    assert 2 == len(small.users)


def test_one_user_performs_any_step() -> None:
    """A step of the scenario is combined with any step of the catalogue."""
    small = shrunk([["Think", "Fail"]], contexts=1)

    assert (["OpenContext", "RunAgent"], 1) == (kinds(small), len(small.users))


def test_one_user_has_three_operations_at_once() -> None:
    """All but the last of them are in the background."""
    small = shrunk([[], [], ["Remember"]], contexts=1, behind=2)

    assert (4, 0, 1) == size(small)


def test_every_candidate_is_smaller() -> None:
    """No candidate of two operations has four."""
    small = several(opening(1, 0), running(2, 0, Think(prompt="p")))

    assert [] == list(synthesize(small))
    assert {2} == {len(one.operations) for one in synthesize(CROWD)} - {4}


def test_every_candidate_is_well_formed() -> None:
    """Ids are unique, values carry canaries of their user, and rows have one key."""
    for made in synthesize(CROWD):
        assert [] == list(made.problems())
        for operation in made.operations:
            alone = Scenario(users=made.users, operations=(operation,))
            label = made.users[users_of(made)[operation.id]].label
            assert set(owned_canaries(alone).values()) <= {label}
            assert {f"{label}~{operation.id}"} >= {
                value.partition(".")[0] for value in owned_canaries(alone)
            }
        assert {"k"} >= set(keys(made))


def keys(scenario: Scenario) -> Iterator[str]:
    """Yields the keys of all writes."""
    for operation in scenario.operations:
        script = operation.script if isinstance(operation, RunAgent) else ()
        for one in (operation, *script):
            if isinstance(one, Write | Remember):
                yield one.key


def test_odd_names_are_tried_both_ways() -> None:
    """With odd names, each user is tried in each role."""
    users = (User(label="alice", id="1"), User(label="bob", id="01"))
    transact = Transact(items=(("k1", canary("alice", 2, 1)),))
    lanes = (opening(1, 0), running(2, 0, transact), opening(3, 1), running(4, 1))
    odd = Scenario(users=users, operations=(*lanes, running(5, 1)))

    first = {next(iter(users_of(made).values())) for made in synthesize(odd)}

    assert {0, 1} == first
