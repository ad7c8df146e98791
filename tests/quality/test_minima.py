"""The minima of planted faults: each one fails, and no smaller scenario does.

A fault that no longer breaks the engine turns `test_a_minimum_fails` red.
"""

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
from tests.quality.enumerator import PLAIN, scenarios, with_each_decision
from tests.quality.exhaustive_search import find_smallest, make_probe
from tests.quality.minima import MINIMA, NAMES, Minimum
from tests.quality.notation import parse

pytestmark = pytest.mark.slow

PLANTED = {fault.id: fault for fault in FAULTS}
SAMPLE = 6
"""The number of smaller scenarios that every test run executes for each fault."""
ALL = "ISOLATION_SPEC_MINIMA"
"""The environment variable that enables the enumeration of all scenarios.

Its value bounds the operations and decisions together; a bound of 3 takes long.
"""

each_minimum = pytest.mark.parametrize(
    "minimum", MINIMA, ids=lambda m: f"{m.fault}-{m.claim}"
)


@pytest.fixture(autouse=True)
def _unclosed_connections(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ignores SQLAlchemy's warning about the connection that `left-open` leaks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        yield
        if "left-open" in request.node.name:
            gc.collect()


def names_of(fault: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return NAMES.get(fault, PLAIN)


def size(minimum: Minimum) -> tuple[int, int]:
    """(operations, decisions), counted here independently of the shrinker."""
    scenario = parse(minimum.scenario, names_of(minimum.fault))
    schedule = scenario.schedule
    cancelled = [o for o in scenario.operations if o.cancel]
    decisions = len(schedule.classes) + len(schedule.demotions) + len(cancelled)
    decisions += bool(schedule.burst) + schedule.split
    return len(scenario.operations), decisions


def engine_of(fault: str) -> Engine:
    return find_engine(f"reference+{fault}")


def test_every_fault_has_a_minimum() -> None:
    """Each fault has a minimum under at least one claim, and each claim is known."""
    assert set(PLANTED) == {minimum.fault for minimum in MINIMA}
    pairs = [(minimum.fault, minimum.claim) for minimum in MINIMA]
    assert sorted(set(pairs)) == sorted(pairs)
    assert all(find_claim(minimum.claim) for minimum in MINIMA)
    assert all(minimum.why for minimum in MINIMA)


def test_the_package_knows_the_minima() -> None:
    """The figures of `isolation-spec faults` are the sizes of the minima."""
    sizes: dict[str, dict[str, tuple[int, int]]] = {}
    for minimum in MINIMA:
        sizes.setdefault(minimum.fault, {})[minimum.claim] = size(minimum)

    assert sizes == LEAST


@each_minimum
def test_a_minimum_fails(minimum: Minimum) -> None:
    """The scenario violates the claim on the engine with the fault, and holds on the
    engine without it."""
    scenario = parse(minimum.scenario, names_of(minimum.fault))
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
def test_smaller_scenarios_hold(fault: str) -> None:
    """A sample of the scenarios with fewer operations and decisions holds."""
    least_of_all = min(sum(size(one)) for one in MINIMA if one.fault == fault)
    chance = random.Random(fault)
    smaller = [s for s in plain_scenarios(fault) if len(s.operations) < least_of_all]
    probe = make_probe(engine_of(fault), PLANTED[fault].claims)

    for scenario in chance.sample(smaller, min(SAMPLE, len(smaller))):
        history, claim = probe(scenario)
        assert claim is None, scenario
        if history is not None and len(scenario.operations) + 1 < least_of_all:
            one = chance.choice([*with_each_decision(history), scenario])
            assert probe(one)[1] is None, one


def has_single_steps(minimum: Minimum) -> bool:
    """Whether its scripts have at most one step, like those of the enumerator."""
    scenario = parse(minimum.scenario, names_of(minimum.fault))
    return all(len(o.script) < 2 for o in scenario.operations)


def check_exhaustive_search(fault: Fault) -> None:
    """The first scenario that violates a claim of the fault has the size of its
    minimum."""
    own = [one for one in MINIMA if one.fault == fault.id]
    named = [one for one in own if one.claim in fault.claims]
    known = min(sum(size(one)) for one in named or own)
    most = int(os.environ[ALL])

    found = find_smallest(fault, names_of(fault.id), min(known, most))

    shortest = [one for one in named or own if sum(size(one)) == known]
    if known <= most and any(map(has_single_steps, shortest)):
        assert found is not None
        assert known == len(found.scenario.operations) + found.decisions
    else:
        assert found is None, found


if ALL in os.environ:
    # Defined on demand, so that no test run skips a test.
    test_exhaustive_search_finds_the_minimum = pytest.mark.parametrize(
        "fault", FAULTS, ids=lambda fault: fault.id
    )(check_exhaustive_search)


def test_each_scenario_is_enumerated_once() -> None:
    """Each valid scenario of one operation and of two comes exactly once."""
    one, two = list(scenarios(PLAIN, 1)), list(scenarios(PLAIN, 2))

    assert (9, 121) == (len(one), len(two))
    assert len(two) == len({scenario.to_json() for scenario in two})
    assert [] == [problem for scenario in one + two for problem in scenario.problems()]


def test_each_possible_decision_is_made() -> None:
    """There is a cancellation before and after each step, and a demotion of each chain
    after each of its arrivals."""
    scenario = parse("open | open", PLAIN)
    history = run(scenario, find_engine("reference").make_adapter, count_steps=True)

    made = list(with_each_decision(history))

    steps = sum(len(waits) for waits in history.steps.values())
    chains = {c for c in history.order if not c.startswith("world")}
    arrivals = sum(not c.startswith("world") for c in history.order)
    cancelled = 2 * steps - len(history.steps)
    assert cancelled + len(chains) + (arrivals - len(chains)) + 2 == len(made)
    assert len(made) == len({one.to_json() for one in made})
