"""The shrinker on pure predicates: no engine runs, the smallest failure is known."""

import itertools
from collections.abc import Iterator

import msgspec
import pytest

from isolation_spec.diagnosis.shrink import shrinker
from isolation_spec.diagnosis.shrink.observation import RunObservation
from isolation_spec.diagnosis.shrink.shrinker import Shrinker
from isolation_spec.diagnosis.shrink.sort_key import size
from isolation_spec.model.scenario import (
    Chain,
    CollectGarbage,
    Connect,
    Fail,
    Read,
    RunAgent,
    Scenario,
    Schedule,
    Transact,
    Write,
)
from tests.diagnosis.shrink.large_scenario import (
    LARGE,
    USERS,
    both,
    every_candidate,
    has,
    inside,
    minimal,
    steps,
)
from tests.diagnosis.shrink.small_scenarios import Fails, kinds, running, two

replace = msgspec.structs.replace


def test_an_empty_scenario_is_left_without_conditions() -> None:
    """A predicate without conditions shrinks to an empty scenario."""
    assert Scenario(users=(), operations=()) == minimal(lambda _: True)


def test_operations_keep_their_ids_and_their_order() -> None:
    """Canaries and chains are named after ids, so shrinking never changes one."""
    small = minimal(both(has(Connect, "alice"), has(Read, "carol")))

    assert [1, 25] == [operation.id for operation in small.operations]


def test_passes_run_until_not_one_succeeds() -> None:
    """An operation that only a script step needed goes once that step is gone."""

    def fails(scenario: Scenario) -> bool:
        return has(RunAgent)(scenario) and (not steps(scenario) or has(Write)(scenario))

    assert ["RunAgent"] == kinds(minimal(fails))


PREDICATES = (
    has(Write, "carol"),
    inside(Fail),
    both(has(Connect, "alice"), has(Read, "dave"), inside(Transact)),
    lambda s: len(s.operations) >= 3,
)


each_predicate = pytest.mark.parametrize("fails", PREDICATES, ids=range(4))


@each_predicate
def test_every_candidate_is_well_formed(fails: Fails) -> None:
    """No candidate names a removed user, and no id occurs twice."""
    problems = [p for candidate in every_candidate(fails) for p in candidate.problems()]

    assert [] == problems


@each_predicate
def test_choices_go_with_their_operation(fails: Fails) -> None:
    """No candidate has a choice on the chain of a removed operation."""
    for candidate in every_candidate(fails):
        schedule = candidate.schedule
        chains = [*schedule.classes, *(d.chain for d in schedule.demotions)]
        owners = {Chain.parse(chain).owner for chain in chains} - {None}

        assert owners <= {o.id for o in candidate.operations}


@each_predicate
def test_no_candidate_is_run_twice(fails: Fails) -> None:
    """A scenario that was tried once is not tried again."""
    runs = [candidate.to_json() for candidate in every_candidate(fails)]

    assert len(set(runs)) == len(runs)


@each_predicate
def test_shrinking_is_deterministic(fails: Fails) -> None:
    """The same scenario is shrunk by the same steps to the same result."""
    assert every_candidate(fails) == every_candidate(fails)
    assert minimal(fails) == minimal(fails)


@each_predicate
def test_shrinking_again_changes_nothing(fails: Fails) -> None:
    """A shrunk scenario does not shrink any further."""
    small = minimal(fails)

    assert small == minimal(fails, small)


@each_predicate
def test_shrinking_never_makes_larger(fails: Fails) -> None:
    """No count of the result is larger than that of the original."""
    assert all(
        after <= before
        for after, before in zip(size(minimal(fails)), size(LARGE), strict=True)
    )


def attacking(*victims: int) -> Scenario:
    """Carol attacks these users; every user has stored a value."""
    written = tuple(
        Write(id=n, user=n - 1, context="x", key="k", value="v") for n in range(1, 5)
    )
    attacks = tuple(
        Connect(id=10 + n, user=2, connection=f"c{n}", victim=victim)
        for n, victim in enumerate(victims)
    )
    return Scenario(users=USERS, operations=(*written, *attacks))


def victims(scenario: Scenario) -> dict[int, str]:
    """The label of the victim of each attack, by the id of the operation."""
    return {
        operation.id: scenario.users[operation.victim].label
        for operation in scenario.operations
        if operation.victim is not None
    }


def test_victims_are_renumbered() -> None:
    """An attack keeps its victim when other users are removed."""
    small = minimal(lambda s: "dave" in victims(s).values(), attacking(0, 1, 3))

    assert ["carol", "dave"] == [user.label for user in small.users]
    assert ["dave"] == list(victims(small).values())
    assert (1, 0, 0) == size(small)


def test_an_attack_goes_with_its_victim() -> None:
    """No candidate has an attack whose victim is another user than before."""
    for candidate in every_candidate(has(Connect), attacking(0, 1, 3)):
        aimed = victims(candidate)

        assert aimed.items() <= {10: "alice", 11: "bob", 12: "dave"}.items()
        assert [] == list(candidate.problems())


def test_only_failing_scenarios_are_returned() -> None:
    """A scenario of which no smaller one fails is returned unchanged."""
    small = minimal(lambda scenario: scenario == LARGE)

    assert LARGE == small


def test_a_scenario_without_operations_is_left_alone() -> None:
    """An empty scenario is returned unchanged."""
    empty = Scenario(users=(), operations=())

    assert empty == minimal(lambda _: True, empty)


@pytest.mark.parametrize("most", [0, 1, 7, 40])
def test_the_budget_is_kept(most: int) -> None:
    """The shrinker runs no more scenarios than allowed and returns the best so far."""
    runs = 0
    wanted = has(Write, "carol")

    def counting(scenario: Scenario) -> bool:
        nonlocal runs
        runs += 1
        return wanted(scenario)

    shrinker = Shrinker(counting, most=most)
    small = shrinker.shrink(LARGE)

    assert runs <= most
    assert runs == shrinker.runs
    assert wanted(small)


def test_a_large_scenario_is_shrunk_within_the_usual_budget() -> None:
    """Two operations out of 200 are isolated in fewer than 500 runs."""
    many = tuple(
        Write(id=n, user=n % 4, context="x", key="k", value=f"v{n}")
        for n in range(1, 201)
    )
    large = Scenario(users=USERS, operations=many)

    def fails(scenario: Scenario) -> bool:
        return {17, 190} <= {operation.id for operation in scenario.operations}

    shrinker = Shrinker(fails)
    small = shrinker.shrink(large)

    assert [17, 190] == [operation.id for operation in small.operations]
    assert shrinker.runs < 500


def test_no_pass_takes_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass with endless candidates leaves other passes their turn."""

    def endless(scenario: Scenario) -> Iterator[Scenario]:
        for number in range(1000):
            odd = Read(id=100 + number, user=0, context="x")
            yield replace(scenario, operations=(odd,))

    def useful(scenario: Scenario) -> Iterator[Scenario]:
        yield replace(scenario, operations=scenario.operations[:1])

    monkeypatch.setattr(shrinker, "_CHEAP_PASSES", ())
    monkeypatch.setattr(shrinker, "_COSMETIC_PASSES", ())
    monkeypatch.setattr(shrinker, "_expensive_passes", lambda _: (endless, useful))
    small = Shrinker(lambda s: s.operations[0].id < 100, most=200).shrink(
        two(running(1, 0), running(2, 1))
    )

    assert [1] == [operation.id for operation in small.operations]


def test_no_scenario_is_observed_twice() -> None:
    """The shrinker remembers the observation of a scenario."""
    observed: list[bytes] = []

    def observe(scenario: Scenario) -> RunObservation:
        observed.append(scenario.to_json())
        return RunObservation(("1/start", "2/start"), {1: 2, 2: 2})

    runs = (running(1, 0), running(2, 1))
    late = Schedule(classes={"1/start": 1, "2/start": 1})
    Shrinker(lambda s: len(s.operations) == 2, observe=observe).shrink(
        two(*runs, CollectGarbage(id=3), schedule=late)
    )

    assert len(set(observed)) == len(observed) > 0


def test_it_ends_when_its_time_is_over() -> None:
    """After the given seconds the smallest scenario so far is returned."""
    seconds = itertools.count()
    shrinker = Shrinker(
        has(Write, "carol"), seconds=5, clock=lambda: float(next(seconds))
    )
    small = shrinker.shrink(LARGE)

    assert has(Write, "carol")(small)
    assert size(small) > (1, 0, 0)
    assert shrinker.runs < 8


def test_progress_is_reported() -> None:
    """Each smaller scenario is reported, and also the number of runs in between."""
    reports: list[tuple[int, tuple[int, int, int]]] = []
    shrinker = Shrinker(
        has(Write, "carol"), progressed=lambda runs, s: reports.append((runs, size(s)))
    )
    small = shrinker.shrink(LARGE)

    assert sorted(runs for runs, _ in reports) == [runs for runs, _ in reports]
    assert sorted((s for _, s in reports), reverse=True)[-1] == size(small)
    assert reports[-1][0] <= shrinker.runs
