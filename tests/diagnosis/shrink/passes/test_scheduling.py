"""The same with another timing: less is done, and one thing more is decided."""

from isolation_spec.diagnosis.shrink.observation import RunObservation
from isolation_spec.diagnosis.shrink.passes.scheduling import (
    with_decision_for_kind,
    with_decision_for_operation,
    with_decision_for_two_operations,
)
from isolation_spec.diagnosis.shrink.shrinker import Shrinker
from isolation_spec.model.scenario import Connect, Scenario, Schedule, Think
from tests.diagnosis.shrink.small_scenarios import kinds, opening, running, two

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
    """Whatever is left has the arrivals of the whole."""
    return RunObservation(ORDER, {})


def test_all_of_a_kind_go_for_one_decision() -> None:
    """However many there are; what others name stays."""
    tried = list(with_decision_for_kind(CONNECTED, observe))

    assert {("OpenContext", "OpenContext", "RunAgent")} == {
        tuple(kinds(one)) for one in tried
    }
    assert set(ORDER) == {chain for one in tried for chain in one.schedule.classes}


def test_what_is_decided_first_is_tried_of_all_first() -> None:
    """One candidate without each operation, or two, before the next one of any."""
    for retiming in (with_decision_for_operation, with_decision_for_two_operations):
        left = [tuple(kept(one)) for one in retiming(CONNECTED, observe)]
        count = len(set(left))

        assert count == len(set(left[:count])) > 4


def kept(scenario: Scenario) -> list[int]:
    return [operation.id for operation in scenario.operations]


def test_many_go_where_one_alone_cannot() -> None:
    """What only holds all connections back together is found with one decision."""

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
