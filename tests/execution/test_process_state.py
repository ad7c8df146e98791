"""State that survives a run is found by its effect, and named."""

import itertools
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.registry import own_engine
from isolation_spec.execution.determinism import divergence_of_rerun
from isolation_spec.execution.process_state import changed_between, process_state
from isolation_spec.execution.run import AdapterFactory, run
from isolation_spec.model.code_origin import EngineCode
from isolation_spec.model.scenario import OpenContext, Read, Scenario, User
from isolation_spec.search.plan import make_plan
from isolation_spec.strategies.workloads import draw_workloads
from tests.strangers.notebook import NotebookAdapter

SCENARIO = Scenario(
    users=(User(label="alice", id="u1"),),
    operations=(
        OpenContext(id=1, user=0, context="x", thread="t"),
        Read(id=2, user=0, context="x"),
    ),
)


class Registry:
    """Remembers each caller; nothing removes an entry."""

    everybody: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        self.readers: list[str] = []

    def __len__(self) -> int:
        raise AssertionError("the engine's own code is called")


class LoudList(list[str]):
    """A container that answers nothing."""

    def __len__(self) -> int:
        raise AssertionError("the engine's own code is called")


REGISTRY = Registry()
LOUD = LoudList()
NUMBERS = itertools.count()
CONSTANT = ("never", "changes")


class Carrying(NotebookAdapter):
    """Says how many reads its process has seen."""

    packages = (__name__,)

    async def read(self, user: str, context: Any) -> Mapping[str, Any]:
        REGISTRY.readers.append(user)
        Registry.everybody.add(f"{user} {len(REGISTRY.readers)}")
        LOUD.append(user)
        seen = f"read {next(NUMBERS)}"
        return {**await super().read(user, context), "seen": seen}


def test_state_carried_from_run_to_run_is_named() -> None:
    """The hint names the globals that one more run changed."""
    found = divergence_of_rerun(run(SCENARIO, Carrying), Carrying)

    assert found is not None
    assert (
        f"probably state that the process carries from run to run: "
        f"{__name__}.REGISTRY.readers, {__name__}.LOUD, {__name__}.NUMBERS "
        "and 1 more changed with one more run; make it anew in start"
    ) == found.hint


def test_the_state_holds_sizes_and_counters() -> None:
    """Containers are there by size and counters by value; other objects are not."""
    before = process_state(EngineCode((), (__name__,)))
    REGISTRY.readers.append("alice")
    Registry.everybody.add("alice")
    next(NUMBERS)
    after = process_state(EngineCode((), (__name__,)))

    changed = ("REGISTRY.readers", "NUMBERS", "Registry.everybody")
    assert [f"{__name__}.{one}" for one in changed] == changed_between(before, after)
    assert f"{__name__}.CONSTANT" not in after


def in_both_orders(
    make_adapter: AdapterFactory, scenarios: list[Scenario]
) -> tuple[list[str], list[str]]:
    """The digests of the histories, in the order of the scenarios, of two passes."""
    forwards = [run(one, make_adapter).digest() for one in scenarios]
    backwards = [run(one, make_adapter).digest() for one in reversed(scenarios)]
    return forwards, backwards[::-1]


@pytest.mark.slow
def test_the_order_of_workloads_changes_no_history() -> None:
    """200 workloads give the same histories in order and reversed."""
    plan = make_plan(own_engine(ReferenceAdapter))
    drawn = draw_workloads(plan.profile, seed=plan.seed, examples=200)
    scenarios = [workload.scenario for workload in drawn]
    forwards, backwards = in_both_orders(ReferenceAdapter, scenarios)

    assert 200 == len(forwards)
    assert forwards == backwards


def test_the_order_of_workloads_shows_carried_state() -> None:
    """An engine that carries state fails the same comparison."""
    forwards, backwards = in_both_orders(Carrying, [SCENARIO, SCENARIO])

    assert forwards != backwards
