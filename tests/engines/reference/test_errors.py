"""Errors describe their cause and never fail to do so."""

from isolation_spec.engines.reference import CleanupError
from isolation_spec.engines.reference.errors import describe


class Unreadable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def test_describe_never_raises() -> None:
    """An error is described by its type if its text cannot be read."""
    assert describe(ValueError("x")) == "ValueError: x"
    assert describe(ValueError()) == "ValueError"
    assert describe(Unreadable()) == "Unreadable: (its text cannot be read)"


def test_cleanup_error_lists_its_failures() -> None:
    """The failures are in the text and in a tuple."""
    error = CleanupError("engine", ("a", "b"))
    assert error.failures == ("a", "b")
    assert str(error) == "cleanup of engine left: a; b"
