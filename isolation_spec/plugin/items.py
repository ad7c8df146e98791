"""The base of all tests of the plugin."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Group", "IsolationItem", "IsolationTestFailed", "stands_for_itself"]


class IsolationTestFailed(Exception):
    """A test of the plugin fails; pytest shows its text without a traceback.

    Where CI is set, pytest repeats the `summary` below all failures.
    """

    def __init__(self, text: str, summary: str = "") -> None:
        super().__init__(text)
        self.summary = summary or text


class Group(pytest.Collector):
    """The parent of tests that options name; its maker adds them."""

    def collect(self) -> Iterable[pytest.Item]:
        """Returns no items."""
        return ()


def stands_for_itself() -> None:
    """Takes the place of the test function; it requests no fixture by name."""


class IsolationItem(pytest.Function):
    """A test that runs no function of the user's.

    It is a `pytest.Function`, so that the autouse fixtures of a user apply to it.

    Attributes:
        isolation_outcome: the outcome for the summary, as JSON; None before the run.
    """

    isolation_outcome: str | None = None

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.add_marker("isolation")

    def record(self, **properties: Any) -> None:
        """Adds properties to the reports of this test, JUnit's among them."""
        self.user_properties.extend(properties.items())

    def reportinfo(self) -> tuple[Path, int, str]:
        """Returns the file of the test case, a line, and the node id as a name."""
        # pytest asserts that a test which a marker skips has a line.
        # With spaces, as pytest would replace dots behind the last "::".
        return self.path, 0, self.nodeid.replace("::", " ")

    def repr_failure(  # type: ignore[override]  # so is the one of pytest.Function
        self, excinfo: pytest.ExceptionInfo[BaseException]
    ) -> Any:
        """Returns the text of a failed test, with its own summary."""
        if not isinstance(excinfo.value, IsolationTestFailed):
            return super().repr_failure(excinfo)
        shown = excinfo.getrepr(style="value")
        if shown.reprcrash is not None:
            shown.reprcrash.message = " ".join(excinfo.value.summary.split())
        return shown
