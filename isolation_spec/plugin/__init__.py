"""The pytest plugin: verifies engines and replays failure files as tests.

pytest loads it into every session wherever the package is installed. It therefore
imports only pytest and the standard library, and the rest of the package once a session
has an engine to verify or a failure file to replay.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from importlib.metadata import version
from typing import Any

import pytest

from isolation_spec.plugin.options import OPTIONS, add_options, read_options

__all__ = [
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_configure_node",
    "pytest_pycollect_makeitem",
    "pytest_report_header",
    "pytest_runtest_makereport",
    "pytest_terminal_summary",
]

_MARKERS = (
    "isolation: a claim about an engine, or a failure file, of isolation-spec",
    "isolation_replay: a failure file of isolation-spec",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    options = read_options(config)
    config.stash[OPTIONS] = options
    config.add_cleanup(options.remove_shared)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Sends the options and the shared folder to a worker of pytest-xdist."""
    node.config.stash[OPTIONS].send_to(node)


def pytest_report_header(config: pytest.Config) -> str:
    options = config.stash[OPTIONS]
    parts = [f"isolation-spec: {version('isolation-spec')}"]
    parts.append(f"profile {options.profile or options.default_profile}")
    if options.engines:
        parts.append(f"engines {', '.join(options.engines)}")
    if options.replay is not None:
        parts.append(f"replaying {options.replay}")
    return ", ".join(parts)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> Any:
    """Collects a test case of `isolation_test_case`, ahead of unittest."""
    # Before its module is imported, no test case can exist.
    module = sys.modules.get("isolation_spec.plugin.test_case")
    base = getattr(module, "IsolationTestCase", None)
    if base is None or not isinstance(obj, type) or not issubclass(obj, base):
        return None
    if not hasattr(obj, "engine"):
        return []
    from isolation_spec.plugin.claim_tests import Case

    return Case.from_parent(collector, name=name)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Adds the tests that options name, before pytest selects by name or marker."""
    options = config.stash[OPTIONS]
    if options.engines:
        from isolation_spec.plugin.claim_tests import named_cases

        items.extend(named_cases(session, options.engines))
    if options.replay is not None:
        from isolation_spec.plugin.replay_tests import replay_tests

        collected = (getattr(item, "isolation_engine", None) for item in items)
        engines = {one.name: one for one in collected if one is not None}
        items.extend(replay_tests(session, options.replay, engines))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    outcome = getattr(item, "isolation_outcome", None)
    if outcome is not None and call.when == "call":
        vars(report)["isolation"] = outcome
        report.sections = _ends(report.sections)
    return report


def _ends(sections: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns the end of each captured output, as thousands of runs may print."""
    return [(name, text[-2000:]) for name, text in sections]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    outcomes = [
        report.isolation
        for reports in terminalreporter.stats.values()
        for report in reports
        if hasattr(report, "isolation")
    ]
    outcomes += terminalreporter.config.stash[OPTIONS].interrupted
    if outcomes:
        from isolation_spec.plugin.summary import write_summary

        write_summary(terminalreporter, outcomes)
