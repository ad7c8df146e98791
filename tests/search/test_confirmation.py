"""Failures are confirmed within the capabilities of the engine, claim by claim."""

import gc
import itertools
from pathlib import Path
from typing import Any

import pytest

from isolation_spec.claims import find_claim
from isolation_spec.claims.facts import CleanupFailed
from isolation_spec.contract.capabilities import Capability
from isolation_spec.diagnosis.shrink.predicate import FailurePredicate
from isolation_spec.engines.registry import Engine, own_engine
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import judge_with_solos
from isolation_spec.failure.load import load
from isolation_spec.model.scenario import (
    OpenContext,
    Read,
    Recall,
    Remember,
    RunAgent,
    Scenario,
    Schedule,
    Spawn,
    User,
    Write,
    canary,
)
from isolation_spec.search.confirmation import confirm
from isolation_spec.search.events import Event
from isolation_spec.search.failure_store import FailureStore
from isolation_spec.search.findings import confirm_findings
from isolation_spec.search.plan import make_plan
from isolation_spec.search.result import Result
from isolation_spec.search.statistics import Finding, SearchStatistics
from isolation_spec.search.verification import verify
from tests.claims.facts import example, violation_of
from tests.strangers.test_ten_minutes import leaking

PLAIN = frozenset({Capability.MEMORY, Capability.IDENTITY})


def adapter_of(source: str) -> Any:
    names: dict[str, Any] = {"__name__": "confirmed"}
    exec(source, names)
    return names["MyAdapter"]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("kept")
    engine = own_engine(adapter_of(leaking()))
    return verify(engine, processes=0, folder=folder)


def test_shrinking_stays_within_the_capabilities() -> None:
    """Shrinking makes children of two runs; an engine without children runs no such
    scenario."""
    child = RunAgent(
        id=2,
        user=0,
        context="x",
        script=(Spawn(script=(Remember(key="k", value="v"), Recall(key="k"))),),
    )
    scenario = Scenario(
        users=(User(label="alice", id="alice"),),
        operations=(OpenContext(id=1, user=0, context="x", thread="t"), child),
    )
    violation = violation_of(example(CleanupFailed))
    made = adapter_of(leaking())
    assert PLAIN == made.capabilities

    probe = FailurePredicate(made, scenario, (violation,))

    assert not probe.fails(scenario)


def test_a_violation_is_kept_through_the_shrinking(result: Result) -> None:
    """An engine without children, erasure or tools gets its shrunk failures."""
    assert "violated" == result.verdict
    assert () == result.reasons
    assert [] == [path for path in result.failures if "unconfirmed" in Path(path).name]


def a_difference() -> tuple[Engine, Finding]:
    """A leaking engine, and a finding of noninterference in it."""
    engine = own_engine(adapter_of(leaking()))
    scenario = Scenario(
        users=(User(label="alice", id="alice"), User(label="bob", id="bob")),
        operations=(
            OpenContext(id=1, user=0, context="x", thread="t"),
            OpenContext(id=2, user=1, context="y", thread="t"),
            Write(id=3, user=1, context="y", key="k", value=canary("bob", 3, 1)),
            Read(id=4, user=0, context="x"),
        ),
        schedule=Schedule(classes={"4/start": 1}),
    )
    history = run(scenario, engine.make_adapter)
    claims = (find_claim("noninterference"),)
    (judgement,) = judge_with_solos(history, engine.make_adapter, claims)
    return engine, Finding(scenario=scenario, violation=judgement.violations[0])


def test_a_difference_is_explained_by_the_claim_of_its_leak(
    tmp_path: Path,
) -> None:
    """The other claims judge a shrunk difference from solo runs."""
    engine, found = a_difference()
    statistics = SearchStatistics(findings=[found])

    saved, reasons = confirm_findings(
        make_plan(engine), statistics, FailureStore(tmp_path, lambda _: None)
    )

    assert [] == reasons
    assert ["noninterference", "context-ownership"] == [one.claim for one in saved]
    assert all(one.confirmed for one in saved)


@pytest.mark.parametrize("processes", [0, 1])
def test_without_time_a_finding_stays_as_it_was_found(
    tmp_path: Path, processes: int
) -> None:
    """Its file is saved and loads, and the reason names the part without time."""
    engine, found = a_difference()
    plan = make_plan(engine, max_time=1e-9, processes=processes)
    statistics = SearchStatistics(findings=[found])

    saved, reasons = confirm_findings(
        plan, statistics, FailureStore(tmp_path, lambda _: None)
    )

    assert ["noninterference: time was up before the end of its confirmation"] == (
        reasons
    )
    (one,) = saved
    assert not one.confirmed
    assert not load(Path(one.path)).confirmed


@pytest.mark.parametrize(
    ("within", "cut"), [(400.0, "its shrinking"), (1e9, "")], ids=["short", "long"]
)
def test_shrinking_leaves_half_of_the_time(
    tmp_path: Path, within: float, cut: str
) -> None:
    """The rest confirms and explains the scenario, which may not be the smallest."""
    engine, found = a_difference()
    seconds = itertools.count(0.0, 1.0)

    saved = confirm(
        engine,
        found,
        FailureStore(tmp_path, lambda _: None),
        seconds=1e9,
        within=within,
        clock=lambda: next(seconds),
    )

    assert saved.confirmed
    assert saved.cut.startswith(cut)
    assert bool(cut) == bool(saved.cut)


def test_collections_are_fast_while_a_failure_is_shrunk(tmp_path: Path) -> None:
    """Shrinking runs a scenario hundreds of times, on a frozen heap."""
    gc.unfreeze()
    engine, found = a_difference()
    frozen: list[int] = []

    def listen(_: Event) -> None:
        frozen.append(gc.get_freeze_count())

    confirm(engine, found, FailureStore(tmp_path, listen))

    assert frozen
    assert all(frozen)
    assert 0 == gc.get_freeze_count()
