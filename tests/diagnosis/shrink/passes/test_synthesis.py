"""What is small and made of the same steps is found, however far it is from here."""

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
    """The crowd, which fails as it is, or whatever has only these scripts, so many
    contexts, and so many runs in the background."""

    def fails(scenario: Scenario) -> bool:
        opened = kinds(scenario).count("OpenContext")
        waiting = sum(o.background for o in scenario.operations)
        made = (scripts(scenario), opened, waiting)
        return scenario == CROWD or made == (wanted, contexts, behind)

    small = Shrinker(fails).shrink(CROWD)

    assert wanted == scripts(small)
    return small


def test_two_users_do_one_thing_each() -> None:
    """Of many steps two are put together, in two contexts."""
    small = shrunk([["Recall", "Think"], ["Sleep", "Recall"]], contexts=2)

    assert (4, 0, 4) == size(small)
    assert 2 == len(small.users)


def test_one_user_does_whatever_an_agent_can() -> None:
    """A step is tried that stood nowhere, beside one that did."""
    small = shrunk([["Think", "Fail"]], contexts=1)

    assert (["OpenContext", "RunAgent"], 1) == (kinds(small), len(small.users))


def test_one_user_does_three_things_at_once() -> None:
    """All but the last of them in the background."""
    small = shrunk([[], [], ["Remember"]], contexts=1, behind=2)

    assert (4, 0, 1) == size(small)


def test_nothing_is_made_that_is_not_smaller() -> None:
    """Of two operations nothing with four is made."""
    small = several(opening(1, 0), running(2, 0, Think(prompt="p")))

    assert [] == list(synthesize(small))
    assert {2} == {len(one.operations) for one in synthesize(CROWD)} - {4}


def test_what_is_made_is_well_formed() -> None:
    """Ids come once, values are those of who stores them, and rows have one key."""
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
    """Under which something is stored."""
    for operation in scenario.operations:
        script = operation.script if isinstance(operation, RunAgent) else ()
        for one in (operation, *script):
            if isinstance(one, Write | Remember):
                yield one.key


def test_odd_names_are_tried_both_ways() -> None:
    """Who does what matters where the names do."""
    users = (User(label="alice", id="1"), User(label="bob", id="01"))
    transact = Transact(items=(("k1", canary("alice", 2, 1)),))
    lanes = (opening(1, 0), running(2, 0, transact), opening(3, 1), running(4, 1))
    odd = Scenario(users=users, operations=(*lanes, running(5, 1)))

    first = {next(iter(users_of(made).values())) for made in synthesize(odd)}

    assert {0, 1} == first
