"""Operations and decisions replace each other where their effect on timing is equal."""

import msgspec

from isolation_spec.diagnosis.shrink.observation import RunObservation
from isolation_spec.diagnosis.shrink.passes.scheduling import (
    with_decision_for_kind,
    with_decision_for_operation,
    with_decision_for_two_operations,
)
from isolation_spec.diagnosis.shrink.shrinker import Shrinker
from isolation_spec.diagnosis.shrink.sort_key import size
from isolation_spec.model.scenario import (
    Cancellation,
    CleanupUser,
    Connect,
    Demotion,
    OpenContext,
    Read,
    Recall,
    Remember,
    RunAgent,
    Scenario,
    Schedule,
    Sleep,
    Think,
)
from tests.diagnosis.shrink.large_scenario import has, held_back, minimal, steps
from tests.diagnosis.shrink.small_scenarios import kinds, opening, running, two

replace = msgspec.structs.replace

ORDER = ("1/start", "2/start", "3/start", "3/call")


def connecting(number: int) -> Connect:
    return Connect(id=number, user=1, connection=f"c{number}")


CONNECTED = two(
    opening(1, 0),
    *(connecting(number) for number in (4, 5, 6)),
    opening(2, 1),
    running(3, 1, Think(prompt="")),
)


def observe(scenario: Scenario) -> RunObservation:
    """Every candidate has the arrivals of the whole scenario."""
    return RunObservation(ORDER, {})


def test_a_decision_replaces_all_operations_of_a_kind() -> None:
    """Their number does not matter; contexts in use stay."""
    tried = list(with_decision_for_kind(CONNECTED, observe))

    assert {("OpenContext", "OpenContext", "RunAgent")} == {
        tuple(kinds(one)) for one in tried
    }
    assert set(ORDER) == {chain for one in tried for chain in one.schedule.classes}


def test_the_first_decision_of_each_candidate_comes_first() -> None:
    """Each deletion yields one candidate before any yields its second."""
    for retiming in (with_decision_for_operation, with_decision_for_two_operations):
        left = [tuple(ids(one)) for one in retiming(CONNECTED, observe)]
        count = len(set(left))

        assert count == len(set(left[:count])) > 4


def ids(scenario: Scenario) -> list[int]:
    return [operation.id for operation in scenario.operations]


def test_operations_that_cannot_go_alone_go_for_one_decision() -> None:
    """One decision replaces three connections that delay a run only together."""

    def fails(scenario: Scenario) -> bool:
        there = sum(isinstance(o, Connect) for o in scenario.operations)
        late = "3/start" in scenario.schedule.classes
        rest = kinds(scenario).count("OpenContext") == 2 and "RunAgent" in kinds(
            scenario
        )
        return rest and (there == 3 or (there == 0 and late))

    small = Shrinker(fails, observe=observe, seconds=60.0).shrink(CONNECTED)

    assert ["OpenContext", "OpenContext", "RunAgent"] == kinds(small)
    assert Schedule(classes={"3/start": 1}) == small.schedule


def test_a_moved_lane_replaces_a_decision() -> None:
    """A moved lane replaces a decision of the same effect."""

    def fails(scenario: Scenario) -> bool:
        ids = [operation.id for operation in scenario.operations]
        return {1, 2} <= set(ids) and (ids == [2, 1] or held_back(scenario, 1))

    late = Schedule(classes={"1/start": 1})
    small = minimal(fails, two(running(1, 0), running(2, 1), schedule=late))

    assert [2, 1] == [operation.id for operation in small.operations]
    assert (2, 0, 0) == size(small)


def test_a_sleep_replaces_a_decision() -> None:
    """A sleep of an agent replaces a decision of the same effect."""

    def fails(scenario: Scenario) -> bool:
        late = any(isinstance(step, Sleep) for step in steps(scenario))
        return has(RunAgent)(scenario) and (late or held_back(scenario, 1))

    late = Schedule(classes={"1/database": 1})
    small = minimal(fails, two(running(1, 0), schedule=late))

    assert (1, 0, 1) == size(small)


def test_one_decision_replaces_two() -> None:
    """A single new decision replaces two decisions."""
    both_late = Schedule(classes={"1/start": 1, "2/start": 1})

    def fails(scenario: Scenario) -> bool:
        schedule = scenario.schedule
        one = Demotion(chain="1/call", consumed=1, rank=0) in schedule.demotions
        return len(scenario.operations) == 2 and (
            one or {"1/start", "2/start"} <= schedule.classes.keys()
        )

    observation = RunObservation(("1/start", "1/call", "1/call", "2/start"), {})
    small = Shrinker(fails, observe=lambda _: observation).shrink(
        two(
            Read(id=1, user=0, context="x"),
            Read(id=2, user=1, context="x"),
            schedule=both_late,
        )
    )

    assert (2, 1, 0) == size(small)


def test_a_decision_replaces_an_operation() -> None:
    """A decision replaces an operation that only affects the timing."""

    def fails(scenario: Scenario) -> bool:
        ids = {operation.id for operation in scenario.operations}
        cancelled = any(o.cancel for o in scenario.operations)
        return 1 in ids and (2 in ids or cancelled)

    small = Shrinker(fails, observe=lambda _: RunObservation((), {1: 3})).shrink(
        two(CleanupUser(id=1, user=0), CleanupUser(id=2, user=1))
    )

    assert [Cancellation(step=1)] == [o.cancel for o in small.operations]


def test_two_simultaneous_runs_replace_a_crowd() -> None:
    """Two runs that resume at the same moment replace a crowd of operations."""
    opened = (OpenContext(id=n, user=n - 1, context="x", thread="t") for n in (1, 2))
    runs = (
        running(3, 0, Recall(key="k"), Remember(key="k", value="v")),
        running(4, 1, Think(prompt="p")),
    )
    crowd = (Connect(id=n, user=n % 2, connection=f"c{n}") for n in range(5, 9))

    def fails(scenario: Scenario) -> bool:
        meeting = [[Sleep, Remember], [Sleep, Think]]
        scripts = [o.script for o in scenario.operations]
        made = [[type(step) for step in script] for script in scripts if script]
        crowded = len(scenario.operations) == 8 and held_back(scenario, 3)
        return (crowded and made == [[Recall, Remember], [Think]]) or made == meeting

    late = Schedule(classes={"3/start": 1, "4/start": 1})

    assert (2, 0, 4) == size(minimal(fails, two(*opened, *runs, *crowd, schedule=late)))


def test_a_preceding_run_replaces_two_decisions() -> None:
    """A preceding run replaces two decisions of the same effect."""
    late = Schedule(classes={"1/start": 1, "2/database": 1})

    def fails(scenario: Scenario) -> bool:
        read = [isinstance(o, Read) for o in scenario.operations]
        decided = len(read) == 2 and late == scenario.schedule
        return read.count(True) == 2 and (decided or read == [True, False, True])

    reads = (Read(id=1, user=0, context="x"), Read(id=2, user=1, context="x"))

    assert (3, 0, 0) == size(minimal(fails, two(*reads, schedule=late)))
