"""The tests of one engine: one for each claim, and one for the activity."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import pytest

from isolation_spec.claims import CLAIMS, Verdict
from isolation_spec.engines.registry import Engine, find_engine
from isolation_spec.plugin.items import (
    Group,
    IsolationItem,
    IsolationTestFailed,
    stands_for_itself,
)
from isolation_spec.plugin.options import OPTIONS
from isolation_spec.plugin.shared_search import Searched, Searches, search_engine
from isolation_spec.plugin.test_case import IsolationTestCase, isolation_test_case

__all__ = [
    "Case",
    "ClaimTest",
    "ReachedTest",
    "find_named",
    "named_cases",
]

_SKIPPING = ("skip", "skipif")
"""Markers by which pytest may skip a test: another one then reports for the case."""
_SEARCHES = pytest.StashKey[Searches]()


def find_named(config: pytest.Config, name: str) -> Engine:
    """Returns the engine that the user named in an option.

    Raises:
        EngineNotFound: no engine has that name.
    """
    here = str(config.invocation_params.dir)
    # As for the command, an engine may be a module in the working directory.
    if ":" in name and here not in sys.path:
        sys.path.append(here)
    return find_engine(name)


def named_cases(session: pytest.Session, names: Iterable[str]) -> Iterator[pytest.Item]:
    """Yields the tests of each engine, as for a collected test case."""
    group = Group.from_parent(
        session, name="isolation-engine", nodeid="isolation-engine"
    )
    for engine in names:
        find_named(session.config, engine)
        case = Case.from_parent(group, name=engine)
        case.obj = isolation_test_case(engine)
        yield from session.genitems(case)


class Case(pytest.Class):
    """The test case of one engine, whose tests share one search."""

    obj: type[IsolationTestCase]

    def collect(self) -> Iterator[pytest.Item]:
        """Yields a test for each claim that applies to the engine, and one more."""
        try:
            capabilities = self.obj.engine.make_adapter().capabilities
        except Exception as error:
            message = f"{self.obj.engine.name} could not be made: {error}"
            raise self.CollectError(message) from None
        for claim in CLAIMS:
            if claim.needs <= capabilities:
                yield ClaimTest.from_parent(
                    self, name=claim.id, callobj=stands_for_itself
                )
        yield ReachedTest.from_parent(
            self, name="everything-reached", callobj=stands_for_itself
        )

    def searched(self) -> Searched:
        """Returns the result of the one search of this engine."""
        options = self.config.stash[OPTIONS]
        searches = self.config.stash.setdefault(_SEARCHES, Searches(options.shared))
        profile = options.profile or self.obj.profile or options.default_profile
        return searches.get(
            self.nodeid,
            lambda: search_engine(
                self.obj.engine,
                where=self.nodeid,
                profile=profile,
                folder=options.failures,
                shown=options.shown,
            ),
        )

    def selected(self) -> list[str]:
        """Returns the names of the tests of this case that the session surely runs."""
        return [
            item.name
            for item in self.session.items
            if item.parent is not None
            and item.parent.nodeid == self.nodeid
            and not any(item.get_closest_marker(name) for name in _SKIPPING)
        ]


class CaseTest(IsolationItem):
    """One test of a case."""

    @property
    def case(self) -> Case:
        """The case that holds this test."""
        assert isinstance(self.parent, Case)
        return self.parent

    @property
    def isolation_engine(self) -> Engine:
        """The engine under test, which the user chose by collecting this test."""
        return self.case.obj.engine

    def runtest(self) -> None:
        """Searches the engine once per case, and judges one part of the result."""
        searched = self.case.searched()
        self.isolation_outcome = msgspec.json.encode(searched).decode()
        self.record(
            engine=searched.engine,
            profile=searched.profile,
            **self.properties(searched),
        )
        if searched.error:
            self.fail_once(searched.error, next(iter(self.case.selected()), self.name))
        assert searched.result is not None
        self.record(
            seed=searched.result.seed, interleavings=searched.result.interleavings
        )
        if searched.result.interrupted:
            self.config.stash[OPTIONS].interrupted.append(self.isolation_outcome)
            raise KeyboardInterrupt
        self.judge(searched)

    def properties(self, searched: Searched) -> dict[str, Any]:
        """Returns the properties of the report of this test, besides the engine."""
        raise NotImplementedError

    def judge(self, searched: Searched) -> None:
        """Fails unless this part of the result is green."""
        raise NotImplementedError

    def fail_once(self, reason: str, reporter: str) -> None:
        """Fails with the reason, unless the test `reporter` runs and fails with it.

        Raises:
            IsolationTestFailed: the session does not run `reporter`, or may skip it.
        """
        if reporter != self.name and reporter in self.case.selected():
            pytest.skip(f"no verdict: {self.case.name}::{reporter} failed and says why")
        raise IsolationTestFailed(reason)


class ClaimTest(CaseTest):
    """One claim holds, and was put to the test."""

    def properties(self, searched: Searched) -> dict[str, Any]:
        verdict, evidence, _ = searched.verdict(self.name)
        finding = searched.found.get(self.name)
        saved = {} if finding is None else {"failure_file": finding.path}
        return {
            "claim": self.name,
            "verdict": str(verdict),
            "evidence": evidence,
            **saved,
        }

    def judge(self, searched: Searched) -> None:
        verdict, _, reason = searched.verdict(self.name)
        if verdict is Verdict.VIOLATED:
            finding = searched.found[self.name]
            raise IsolationTestFailed(finding.text, finding.summary)
        if verdict is Verdict.HOLDS:
            return
        if searched.violated and self.name not in searched.found:
            stopped = (
                f"the search stopped when it found {searched.violated[0]} violated"
            )
            self.fail_once(f"inconclusive: {stopped}", searched.violated[0])
        message = f"{verdict}: {self.name}: {reason}"
        raise IsolationTestFailed(message)


class ReachedTest(CaseTest):
    """Every kind of activity that the engine supports was exercised."""

    def properties(self, searched: Searched) -> dict[str, Any]:
        return {"verdict": str(searched.result.verdict) if searched.result else ""}

    def judge(self, searched: Searched) -> None:
        assert searched.result is not None
        if searched.violated:
            stopped = (
                f"the search stopped when it found {searched.violated[0]} violated"
            )
            self.fail_once(f"inconclusive: {stopped}", searched.violated[0])
        if searched.result.verdict is not Verdict.HOLDS:
            message = "\n".join(f"inconclusive: {r}" for r in searched.result.reasons)
            raise IsolationTestFailed(message)
