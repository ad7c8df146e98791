"""The known minima are what they say: no story is longer than its fault needs."""

import functools
import gc
import os
import random
import warnings
from collections.abc import Iterator

import pytest
from sqlalchemy.exc import SAWarning

from isolation_spec.claims import Verdict, find_claim
from isolation_spec.engines.faults import FAULTS, LEAST, Fault
from isolation_spec.engines.registry import Engine, find_engine
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import judge_with_solos
from isolation_spec.model.scenario import Scenario
from tests.quality.enumerator import PLAIN, decided, fails, least, scenarios
from tests.quality.minima import MINIMA, NAMES, Minimum
from tests.quality.stories import tell

PLANTED = {fault.id: fault for fault in FAULTS}
SAMPLE = 6
"""Smaller scenarios that are run for each fault in every test run."""
ALL = "ISOLATION_SPEC_MINIMA"
"""Set to a number: every fault that needs at most so many operations and decisions is
enumerated from nothing, one after the other; with 3 that takes its time."""

each_minimum = pytest.mark.parametrize(
    "minimum", MINIMA, ids=lambda m: f"{m.fault}-{m.claim}"
)


@pytest.fixture(autouse=True)
def _what_a_fault_leaves_open(request: pytest.FixtureRequest) -> Iterator[None]:
    """What SQLAlchemy says of a connection that this fault leaves to the collector."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        yield
        if "left-open" in request.node.name:
            gc.collect()


def names_of(fault: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return NAMES.get(fault, PLAIN)


def size(minimum: Minimum) -> tuple[int, int]:
    """(operations, decisions), counted here and not by what shrinks."""
    scenario = tell(minimum.story, names_of(minimum.fault))
    schedule = scenario.schedule
    cancelled = [o for o in scenario.operations if o.cancel]
    decisions = len(schedule.classes) + len(schedule.demotions) + len(cancelled)
    decisions += bool(schedule.burst) + schedule.split
    return len(scenario.operations), decisions


def engine_of(fault: str) -> Engine:
    return find_engine(f"reference+{fault}")


def test_every_fault_has_a_minimum() -> None:
    """For each fault one claim at least, and each claim is known."""
    assert set(PLANTED) == {minimum.fault for minimum in MINIMA}
    pairs = [(minimum.fault, minimum.claim) for minimum in MINIMA]
    assert sorted(set(pairs)) == sorted(pairs)
    assert all(find_claim(minimum.claim) for minimum in MINIMA)
    assert all(minimum.why for minimum in MINIMA)


def test_the_package_knows_the_minima() -> None:
    """What `isolation-spec faults` compares with is what the stories have."""
    told: dict[str, dict[str, tuple[int, int]]] = {}
    for minimum in MINIMA:
        told.setdefault(minimum.fault, {})[minimum.claim] = size(minimum)

    assert told == LEAST


@each_minimum
def test_the_story_fails(minimum: Minimum) -> None:
    """The story violates the claim on the engine with the fault, and without it
    nothing."""
    scenario = tell(minimum.story, names_of(minimum.fault))
    claims = (find_claim(minimum.claim),)
    verdicts = [
        judge_with_solos(
            run(scenario, engine.make_adapter), engine.make_adapter, claims
        )
        for engine in (engine_of(minimum.fault), find_engine("reference"))
    ]

    (broken,), (clean,) = verdicts
    assert Verdict.VIOLATED is broken.verdict
    assert () == clean.violations


@functools.cache
def plain_scenarios(fault: str) -> tuple[Scenario, ...]:
    return tuple(
        scenario for count in (1, 2) for scenario in scenarios(names_of(fault), count)
    )


@pytest.mark.parametrize("fault", sorted(PLANTED))
def test_nothing_that_is_smaller_fails(fault: str) -> None:
    """Of the scenarios with fewer operations and decisions, a sample holds."""
    least_of_all = min(sum(size(one)) for one in MINIMA if one.fault == fault)
    chance = random.Random(fault)
    smaller = [s for s in plain_scenarios(fault) if len(s.operations) < least_of_all]
    probe = fails(engine_of(fault), PLANTED[fault].claims)

    for scenario in chance.sample(smaller, min(SAMPLE, len(smaller))):
        history, claim = probe(scenario)
        assert claim is None, scenario
        if history is not None and len(scenario.operations) + 1 < least_of_all:
            one = chance.choice([*decided(history), scenario])
            assert probe(one)[1] is None, one


def has_single_steps(minimum: Minimum) -> bool:
    """True if no agent in it does two things: the enumerator has no others."""
    scenario = tell(minimum.story, names_of(minimum.fault))
    return all(len(o.script) < 2 for o in scenario.operations)


def check_the_enumerator_finds_the_same(fault: Fault) -> None:
    """The first scenario that violates a claim of the fault is as large as the table
    says, and nothing smaller does."""
    own = [one for one in MINIMA if one.fault == fault.id]
    named = [one for one in own if one.claim in fault.claims]
    known = min(sum(size(one)) for one in named or own)
    most = int(os.environ[ALL])

    found = least(fault, names_of(fault.id), min(known, most))

    shortest = [one for one in named or own if sum(size(one)) == known]
    if known <= most and any(map(has_single_steps, shortest)):
        assert found is not None
        seen = found.scenario
        assert known == len(seen.operations) + found.decisions
    else:
        assert found is None, found


if ALL in os.environ:
    # Made on demand alone, so that no run of the tests skips anything.
    test_the_enumerator_finds_the_same = pytest.mark.parametrize(
        "fault", FAULTS, ids=lambda fault: fault.id
    )(check_the_enumerator_finds_the_same)


def test_scenarios_are_all_there_and_none_twice() -> None:
    """Of one operation and of two, each that makes sense comes exactly once."""
    one, two = list(scenarios(PLAIN, 1)), list(scenarios(PLAIN, 2))

    assert (9, 121) == (len(one), len(two))
    assert len(two) == len({scenario.to_json() for scenario in two})
    assert [] == [problem for scenario in one + two for problem in scenario.problems()]


def test_each_decision_that_has_a_place_is_made() -> None:
    """A cancellation before and after each step, and each chain held back once it had
    any number of its arrivals."""
    scenario = tell("open | open", PLAIN)
    history = run(scenario, find_engine("reference").make_adapter, count_steps=True)

    made = list(decided(history))

    steps = sum(len(waits) for waits in history.steps.values())
    chains = {c for c in history.order if not c.startswith("world")}
    arrivals = sum(not c.startswith("world") for c in history.order)
    cancelled = 2 * steps - len(history.steps)
    assert cancelled + len(chains) + (arrivals - len(chains)) + 2 == len(made)
    assert len(made) == len({one.to_json() for one in made})
