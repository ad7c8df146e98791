"""The pytest plugin: an engine is verified, and failures are replayed, as tests.

Loaded into every session of everybody who has the package installed, so that it imports
pytest and the standard library alone; what verifies and replays is imported once there
is something to verify or to replay.
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
    """Tells a worker of pytest-xdist what this process has read and made."""
    node.config.stash[OPTIONS].tell(node)


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
    """Collects a test case made by `isolation_test_case`, before unittest does."""
    verify = sys.modules.get("isolation_spec.search.verification")
    # Until somebody has imported it, nothing can be such a test case.
    base = getattr(verify, "IsolationTestCase", None)
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
    """Adds what the options name, before anything is selected by name or marker."""
    options = config.stash[OPTIONS]
    if options.engines:
        from isolation_spec.plugin.claim_tests import named_cases

        items.extend(named_cases(session, options.engines))
    if options.replay is not None:
        from isolation_spec.plugin.replay_tests import replays

        given = (getattr(item, "isolation_engine", None) for item in items)
        engines = {engine.name: engine for engine in given if engine is not None}
        items.extend(replays(session, options.replay, engines))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    told = getattr(item, "isolation_told", None)
    if told is not None and call.when == "call":
        vars(report)["isolation"] = told
        report.sections = _ends(report.sections)
    return report


def _ends(sections: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The ends of what was captured: thousands of runs may have printed."""
    return [(name, text[-2000:]) for name, text in sections]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    told = [
        report.isolation
        for reports in terminalreporter.stats.values()
        for report in reports
        if hasattr(report, "isolation")
    ]
    told += terminalreporter.config.stash[OPTIONS].told
    if told:
        from isolation_spec.plugin.summary import write_summary

        write_summary(terminalreporter, told)
