"""The tree of tests mirrors the packages."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sources import SOURCES

TESTS = Path(__file__).parents[1]
ACROSS = {"behaviours", "quality", "screens", "strangers"}
"""Folders whose tests look at the suite as a whole."""
NO_MODULE = {
    "claims/test_clauses.py": "mutates each clause of each claim",
    "cli/test_robust.py": "the command under broken terminals, pipes and disks",
    "cli/test_verify_live.py": "the option --live of `verify`",
    "cli/test_workflows.py": "the workflows that users copy",
    "execution/isolation/test_broken_adapters.py": "each method, broken in each manner",
    "execution/isolation/test_isolation.py": "hostile engines, from end to end",
    "execution/test_cancelled_tasks.py": "cancelled tasks are let go of",
    "execution/test_engine_code.py": "engines in packages of any name",
    "failure/test_mutations.py": "mutated failure files",
    "plugin/test_coexistence.py": "other plugins of pytest beside this one",
    "search/test_sight.py": "values that cannot be seen",
    "strategies/test_lessons.py": "situations that a search must reach",
    "test_layers.py": "the rooms",
}
"""Test file -> its subject, where that is more than one module."""
ELSEWHERE = {
    "adapter_check": "adapter_check/test_check.py",
    "claims/blocked_loop.py": "claims/test_error_containment.py",
    "claims/capacity.py": "claims/test_exact_limits.py",
    "claims/expected_runs.py": "claims/test_exact_limits.py",
    "claims/facts": "claims/test_facts.py",
    "claims/history_index.py": "claims/test_claim.py",
    "cli": "cli/test_robust.py",
    "diagnosis/diagnosis.py": "diagnosis/test_ablation.py",
    "diagnosis/shrink": "diagnosis/shrink/test_shrinker.py",
    "diagnosis/wording": "diagnosis/wording/test_facts.py",
    "engines/reference/frozen.py": "engines/reference/test_context.py",
    "engines/reference/runs.py": "engines/reference/test_run_execution.py",
    "execution/isolation/beacon.py": "execution/isolation/test_isolation.py",
    "execution/isolation/post_mortem.py": "execution/isolation/test_isolation.py",
    "execution/operation_tasks.py": "execution/test_run.py",
    "execution/engine_modules.py": "search/test_warm_up.py",
    "execution/run_limit.py": "execution/isolation/test_time_limit.py",
    "execution/phases.py": "execution/test_run.py",
    "execution/step_recorder.py": "execution/test_run.py",
    "failure/diagnosed_replay.py": "report/test_failure_page.py",
    "failure/outcome.py": "failure/test_replay.py",
    "failure/replay_hang.py": "execution/isolation/test_isolation.py",
    "model/history/history.py": "model/test_history.py",
    "model/history/object_storage.py": "model/history/test_object_parts.py",
    "model/history/opaque.py": "model/history/test_rendering.py",
    "model/limits.py": "contract/test_limits.py",
    "plugin/items.py": "plugin/test_claim_tests.py",
    "plugin/summary.py": "plugin/test_claim_tests.py",
    "report/terminal.py": "screens/test_terminal.py",
    "report/timeline": "report/timeline/test_layout.py",
    "search/failure_store.py": "cli/test_robust.py",
    "search/findings.py": "search/test_confirmation.py",
    "search/plan.py": "search/test_verification.py",
    "search/worker.py": "search/test_worker_pool.py",
    "search/workload_runner.py": "strategies/test_extra_schedules.py",
    "strategies/rule_weights.py": "strategies/test_lessons.py",
    "strategies/scenario_builder.py": "strategies/test_machine.py",
    "strategies/scheduled_runs.py": "strategies/test_extra_schedules.py",
    "strategies/seeded_schedules.py": "strategies/test_schedules.py",
    "strategies/sync_members.py": "strategies/test_machine.py",
    "world/tasks.py": "world/test_loop.py",
}
"""Module or package without a test of its own name -> the test file that covers it."""
PACKAGE = SOURCES["isolation_spec"].parent
MODULES = {
    path.relative_to(PACKAGE)
    for path in SOURCES.values()
    if path.name != "__init__.py"
    and path.parent != PACKAGE
    and "faults" not in path.parts
}
"""Every module of a room, but for the planted faults."""


def place_of_test(module: Path) -> Path:
    return module.with_name(f"test_{module.name}")


def files() -> Iterator[Path]:
    for path in TESTS.rglob("test_*.py"):
        file = path.relative_to(TESTS)
        if file.parts[0] not in ACROSS:
            yield file


def test_each_test_file_stands_for_a_module() -> None:
    """A test file has the path of its module or package, or names its subject."""
    packages = {
        path.parent.relative_to(PACKAGE).with_suffix(".py")
        for path in SOURCES.values()
        if path.name == "__init__.py" and path.parent != PACKAGE
    }
    places = {place_of_test(module) for module in MODULES | packages}

    strange = sorted(str(file) for file in set(files()) - places)

    assert sorted(NO_MODULE) == strange


def test_each_module_has_a_test() -> None:
    """A module has a test file of its own name, or the table names its test file."""
    missing = {
        module for module in MODULES if not (TESTS / place_of_test(module)).exists()
    }
    named = {
        place.as_posix()
        for module in missing
        for place in (module, *module.parents)
        if place.as_posix() in ELSEWHERE
    }

    assert [] == sorted(
        module.as_posix()
        for module in missing
        if not {place.as_posix() for place in (module, *module.parents)} & named
    )
    assert set(ELSEWHERE) == named


@pytest.mark.parametrize("file", sorted({*NO_MODULE, *ELSEWHERE.values()}))
def test_each_named_file_is_there(file: str) -> None:
    """A test file that moves is named anew."""
    assert (TESTS / file).is_file()
