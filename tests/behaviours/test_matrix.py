"""Each behaviour is red under its own fault, and under hardly any other.

Green counts only with evidence: a check that never reached its situation fails.
"""

import functools

import pytest

from isolation_spec.engines.faults import FAULTS
from tests.behaviours.behaviours import BEHAVIOURS

EXAMPLES = 4
"""Enough for each fault to show in its own behaviour; the search spends 200."""
FOREIGN = 2
"""Under how many of the other twelve faults a behaviour may be red too."""

ADAPTERS = {fault.id: fault.adapter for fault in FAULTS}
ORDER = tuple(behaviour.fault for behaviour in BEHAVIOURS.values())


@functools.cache
def said(name: str, fault: str) -> str:
    """What was wrong with the behaviour under the fault, "" if nothing was."""
    try:
        BEHAVIOURS[name].check(ADAPTERS[fault], 0, EXAMPLES)
    except AssertionError as error:
        return str(error).partition("\n")[0]
    return ""


def matrix() -> str:
    """All behaviours under all of their faults: # is red, . is green."""
    rows = [
        f"{name:45}" + " ".join("#" if said(name, fault) else "." for fault in ORDER)
        for name in BEHAVIOURS
    ]
    reasons = [
        f"{fault}: {said(name, fault)}"
        for name in BEHAVIOURS
        for fault in ORDER
        if said(name, fault)
    ]
    return "\n".join(("", *rows, "", "faults, from the left:", *ORDER, "", *reasons))


def test_each_behaviour_has_a_fault_of_its_own() -> None:
    """Thirteen behaviours, thirteen planted faults, all known."""
    assert len(BEHAVIOURS) == len(set(ORDER)) == 13
    assert set(ORDER) <= set(ADAPTERS)


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_a_behaviour_fails_under_its_own_fault(name: str) -> None:
    """Whoever breaks it sees it red, and not because nothing happened."""
    wrong = said(name, BEHAVIOURS[name].fault)

    assert wrong, f"{name} is green under {BEHAVIOURS[name].fault}\n{matrix()}"
    assert "never reached" not in wrong, wrong


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_a_behaviour_holds_under_the_faults_of_others(name: str) -> None:
    """It is green, with evidence, under at least ten of the other twelve faults."""
    others = [fault for fault in ORDER if fault != BEHAVIOURS[name].fault]
    wrong = [text for fault in others if (text := said(name, fault))]

    assert len(wrong) <= FOREIGN, matrix()
    assert not [text for text in wrong if "never reached" in text], wrong
