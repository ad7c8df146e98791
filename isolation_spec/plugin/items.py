"""What all tests of the plugin have in common."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Group", "IsolationItem", "IsolationTestFailed", "stands_for_itself"]


class IsolationTestFailed(Exception):
    """A test of the plugin fails; its text is all that is shown."""


class Group(pytest.Collector):
    """Holds tests that options name rather than files; whoever makes it fills it."""

    def collect(self) -> Iterable[pytest.Item]:
        """Nothing."""
        return ()


def stands_for_itself() -> None:
    """What pytest takes for the test function: it needs no fixture by name."""


class IsolationItem(pytest.Function):
    """A test that runs no function of the user's.

    It is a `pytest.Function` so that the fixtures that a user wants around every test
    are around these, too.

    Attributes:
        isolation_told: what the summary shows, as JSON; None until it ran.
    """

    isolation_told: str | None = None

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.add_marker("isolation")

    def record(self, **properties: Any) -> None:
        """Adds properties to the reports of this test, JUnit's among them."""
        self.user_properties.extend(properties.items())

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands: in the file of the test case, under its node id."""
        # A line there must be: pytest asserts it where a marker skips the test.
        # With spaces: pytest replaces dots in what looks like the end of an id.
        return self.path, 0, self.nodeid.replace("::", " ")

    def repr_failure(  # type: ignore[override]  # so is the one of pytest.Function
        self, excinfo: pytest.ExceptionInfo[BaseException]
    ) -> Any:
        """The text alone if it is one of ours, and its first sentence in a summary."""
        if not isinstance(excinfo.value, IsolationTestFailed):
            return super().repr_failure(excinfo)
        shown = excinfo.getrepr(style="value")
        if shown.reprcrash is not None:
            # Where CI is set, pytest repeats the whole of this below all failures.
            first, *_ = str(excinfo.value).split("\n\n")
            shown.reprcrash.message = " ".join(first.split())
        return shown
