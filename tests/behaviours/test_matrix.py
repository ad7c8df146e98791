"""Each behaviour fails under its own fault, and under hardly any other.

A check without an opportunity fails: green counts only with evidence.
"""

import functools

import pytest

from isolation_spec.engines.faults import FAULTS
from tests.behaviours.behaviours import BEHAVIOURS, NO_OPPORTUNITY

EXAMPLES = 6
"""With four, 77 of 78 pairs of behaviour and seed fail; a search spends 200."""
FOREIGN = 2
"""The number of the other twelve faults under which a behaviour may fail too."""

ADAPTERS = {fault.id: fault.adapter for fault in FAULTS}
ORDER = tuple(behaviour.fault for behaviour in BEHAVIOURS.values())


@functools.cache
def failure_of(name: str, fault: str) -> str:
    """The failure of the behaviour under the fault, "" if it holds."""
    try:
        BEHAVIOURS[name].check(ADAPTERS[fault], 0, EXAMPLES)
    except AssertionError as error:
        return str(error).partition("\n")[0]
    return ""


def render_matrix() -> str:
    """All behaviours under all of their faults: # fails, . holds."""
    rows = [
        f"{name:45}"
        + " ".join("#" if failure_of(name, fault) else "." for fault in ORDER)
        for name in BEHAVIOURS
    ]
    reasons = [
        f"{fault}: {failure_of(name, fault)}"
        for name in BEHAVIOURS
        for fault in ORDER
        if failure_of(name, fault)
    ]
    return "\n".join(("", *rows, "", "faults, from the left:", *ORDER, "", *reasons))


def test_each_behaviour_has_a_fault_of_its_own() -> None:
    """Thirteen behaviours, thirteen planted faults, all known."""
    assert len(BEHAVIOURS) == len(set(ORDER)) == 13
    assert set(ORDER) <= set(ADAPTERS)


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_a_behaviour_fails_under_its_own_fault(name: str) -> None:
    """Its own fault makes it fail, and not for lack of an opportunity."""
    failure = failure_of(name, BEHAVIOURS[name].fault)

    assert failure, f"{name} is green under {BEHAVIOURS[name].fault}\n{render_matrix()}"
    assert NO_OPPORTUNITY not in failure, failure


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_a_behaviour_holds_under_the_faults_of_others(name: str) -> None:
    """It holds, with evidence, under at least ten of the other twelve faults."""
    others = [fault for fault in ORDER if fault != BEHAVIOURS[name].fault]
    failures = [text for fault in others if (text := failure_of(name, fault))]

    assert len(failures) <= FOREIGN, render_matrix()
    assert not [text for text in failures if NO_OPPORTUNITY in text], failures
