"""Merging replaces two operations of one context by one run."""

from isolation_spec.diagnosis.shrink.sort_key import size
from isolation_spec.model.scenario import Remember, Scenario, Sleep, Think
from tests.diagnosis.shrink.large_scenario import inside, minimal, steps
from tests.diagnosis.shrink.small_scenarios import running, two


def test_two_operations_become_one_run() -> None:
    """One run replaces two operations of a context."""

    def fails(scenario: Scenario) -> bool:
        return inside(Remember)(scenario) and inside(Think)(scenario)

    thinking = running(1, 0, Think(prompt="p"))
    storing = running(2, 0, Remember(key="k", value="v"))

    assert (1, 0, 2) == size(minimal(fails, two(thinking, storing)))


def test_two_operations_become_one_run_that_waits() -> None:
    """The merged run sleeps between its two parts where the second must come late."""

    def fails(scenario: Scenario) -> bool:
        kept = [type(step) for step in steps(scenario)]
        return kept in ([Remember, Think], [Remember, Sleep, Think]) and (
            len(scenario.operations) == 2 or Sleep in kept
        )

    storing = running(1, 0, Remember(key="k", value="v"))
    thinking = running(2, 0, Think(prompt="p"))

    assert (1, 0, 3) == size(minimal(fails, two(storing, thinking)))
