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
    "execution/isolation/test_isolation.py": "hostile engines, from end to end",
    "failure/test_mutations.py": "mutated failure files",
    "plugin/test_plugin.py": "sessions of pytest",
    "strategies/test_lessons.py": "situations that a search must reach",
    "test_layers.py": "the rooms",
}
"""Test file -> its subject, where that is more than one module."""
ELSEWHERE = {
    "adapter_check/result.py": "adapter_check/test_check.py",
    "adapter_check/single_user.py": "adapter_check/test_check.py",
    "adapter_check/two_users.py": "adapter_check/test_check.py",
    "claims/history_index.py": "claims/test_claim.py",
    "diagnosis/diagnosis.py": "diagnosis/test_ablation.py",
    "diagnosis/shrink/canaries.py": "diagnosis/shrink/test_shrinker.py",
    "diagnosis/shrink/observation.py": "diagnosis/shrink/test_shrinker.py",
    "diagnosis/shrink/passes/deletion.py": "diagnosis/shrink/test_shrinker.py",
    "diagnosis/shrink/passes/merging.py": "diagnosis/shrink/test_shrinker.py",
    "diagnosis/shrink/passes/simplification.py": "diagnosis/shrink/test_shrinker.py",
    "diagnosis/shrink/predicate.py": "diagnosis/shrink/test_shrinker.py",
    "diagnosis/shrink/sort_key.py": "diagnosis/shrink/test_shrinker.py",
    "diagnosis/shrink/step_catalogue.py": "diagnosis/shrink/test_shrinker.py",
    "engines/reference/frozen.py": "engines/reference/test_context.py",
    "engines/reference/runs.py": "engines/reference/test_run_execution.py",
    "execution/isolation/beacon.py": "execution/isolation/test_isolation.py",
    "execution/isolation/post_mortem.py": "execution/isolation/test_isolation.py",
    "execution/isolation/process_map.py": "measurement/test_mutation_score.py",
    "execution/isolation/subprocess.py": "execution/isolation/test_isolation.py",
    "failure/diagnosed_replay.py": "report/test_failure_page.py",
    "failure/replay_hang.py": "execution/isolation/test_isolation.py",
    "model/history/history.py": "model/test_history.py",
    "plugin/claim_tests.py": "plugin/test_plugin.py",
    "plugin/items.py": "plugin/test_plugin.py",
    "plugin/options.py": "plugin/test_plugin.py",
    "plugin/replay_tests.py": "plugin/test_plugin.py",
    "plugin/shared_search.py": "plugin/test_plugin.py",
    "plugin/summary.py": "plugin/test_plugin.py",
    "plugin/test_case.py": "plugin/test_plugin.py",
    "report/terminal.py": "screens/test_terminal.py",
    "report/timeline/shapes.py": "report/timeline/test_layout.py",
    "search/failure_store.py": "cli/test_robust.py",
    "search/findings.py": "search/test_confirmation.py",
    "search/plan.py": "search/test_verification.py",
    "search/worker.py": "search/test_worker_pool.py",
    "search/workload_runner.py": "strategies/test_extra_schedules.py",
    "strategies/scenario_builder.py": "strategies/test_machine.py",
    "world/instrumentation.py": "world/test_ledger.py",
    "world/interface.py": "contract/test_environment.py",
    "world/live/database.py": "world/live/test_world.py",
    "world/live/ledger.py": "world/live/test_world.py",
    "world/live/step_counter.py": "world/live/test_world.py",
    "world/schedulers/replay.py": "execution/test_solo_runs.py",
    "world/thread_watch.py": "world/test_ledger.py",
    "world/world.py": "world/test_loop.py",
}
"""Module without a test of its own name -> the test file that covers it."""


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
    """A test file has the path of its module or package, or says what it is about."""
    packages = {
        path.parent.relative_to(PACKAGE).with_suffix(".py")
        for path in SOURCES.values()
        if path.name == "__init__.py" and path.parent != PACKAGE
    }
    places = {place_of_test(module) for module in MODULES | packages}

    strange = sorted(str(file) for file in set(files()) - places)

    assert sorted(NO_MODULE) == strange


def test_each_module_has_a_test() -> None:
    """A module has a test file of its own name, or one that is named here."""
    missing = {
        module for module in MODULES if not (TESTS / place_of_test(module)).exists()
    }

    assert set(ELSEWHERE) == {module.as_posix() for module in missing}


@pytest.mark.parametrize("file", sorted({*NO_MODULE, *ELSEWHERE.values()}))
def test_each_named_file_is_there(file: str) -> None:
    """A test file that moves is named anew."""
    assert (TESTS / file).is_file()
