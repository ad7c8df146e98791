"""Test cases that verify one engine, for pytest and unittest."""

from __future__ import annotations

import unittest
from collections.abc import Callable

from isolation_spec.claims import Verdict, find_claim
from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.errors import AdapterError
from isolation_spec.engines.registry import Engine, find_engine, own_engine
from isolation_spec.report.failure_text import failure_lines
from isolation_spec.search.events import (
    Event,
    FailureSaved,
)
from isolation_spec.search.verification import verify

__all__ = ["IsolationTestCase", "isolation_test_case"]


# Under a test runner


class IsolationTestCase(unittest.TestCase):
    """Verifies one engine; `isolation_test_case` makes subclasses.

    Under pytest each claim is a test. Under unittest there is one test, and each
    violated claim is a failed subtest of it.

    Attributes:
        engine: what is verified.
        profile: the name of a profile; None for quick, or what pytest is told.
    """

    engine: Engine
    profile: str | None = None

    def runTest(self) -> None:
        """No claim is violated, and everything was really exercised.

        Raises:
            IsolationViolated: the subclass that belongs to the claim; its text is the
                whole story, with the command that replays it.
        """
        saved: list[FailureSaved] = []

        def listen(event: Event) -> None:
            if isinstance(event, FailureSaved) and event.confirmed:
                saved.append(event)

        profile = self.profile or "quick"
        result = verify(self.engine, profile=profile, processes=0, listen=listen)
        for event in saved:
            exception = find_claim(event.violation.claim).exception
            with self.subTest(claim=event.violation.claim):
                text = "\n".join(("", *failure_lines(event)))
                raise exception(event.violation, story=text)
        if not saved and result.verdict is not Verdict.HOLDS:
            self.fail(f"inconclusive: {'; '.join(result.reasons)}")


def isolation_test_case(
    engine: str | Callable[[], Adapter], *, profile: str | None = None
) -> type[IsolationTestCase]:
    """A test case that verifies an engine; assign it to a name that starts with `Test`.

        TestMyEngine = isolation_test_case(MyAdapter)

    Raises:
        EngineNotFound: no engine has that name, or it gives no adapter.
    """
    __tracebackhide__ = True
    try:
        found = find_engine(engine) if isinstance(engine, str) else own_engine(engine)
    except AdapterError as error:
        # It is raised while a test file is imported: the line there is what matters.
        raise error.with_traceback(None) from None
    return type(
        "IsolationTestCase",
        (IsolationTestCase,),
        {"engine": found, "profile": profile},
    )
