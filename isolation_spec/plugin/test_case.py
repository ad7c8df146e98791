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


class IsolationTestCase(unittest.TestCase):
    """Verifies one engine; `isolation_test_case` makes subclasses.

    Under pytest each claim is a test. Under unittest the case is one test, and each
    violated claim is a failed subtest.

    Attributes:
        engine: the engine under verification.
        profile: the name of a profile; None for quick, or for the option of pytest.
    """

    engine: Engine
    profile: str | None = None

    def runTest(self) -> None:
        """Asserts that no claim is violated and that all activity was exercised.

        Raises:
            IsolationViolated: the subclass of the violated claim; its text is the
                explanation, with the command that replays it.
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
                raise exception(event.violation, explanation=text)
        if not saved and result.verdict is not Verdict.HOLDS:
            self.fail(f"inconclusive: {'; '.join(result.reasons)}")


def isolation_test_case(
    engine: str | Callable[[], Adapter], *, profile: str | None = None
) -> type[IsolationTestCase]:
    """Returns a test case for an engine; assign it to a name that starts with `Test`.

        TestMyEngine = isolation_test_case(MyAdapter)

    Raises:
        EngineNotFound: no engine has that name, or its factory makes no adapter.
    """
    __tracebackhide__ = True
    try:
        found = find_engine(engine) if isinstance(engine, str) else own_engine(engine)
    except AdapterError as error:
        # The line of the test file that is being imported is the one to show.
        raise error.with_traceback(None) from None
    return type(
        "IsolationTestCase",
        (IsolationTestCase,),
        {"engine": found, "profile": profile},
    )
