"""The errors of the contract name the method to write next."""

from isolation_spec.contract.errors import (
    AdapterError,
    NotImplementedYet,
    first_not_implemented,
)


class Half:
    """Half an adapter."""

    def start(self) -> None:
        """Starts the engine."""

    def read(self) -> None:
        """Shows what is stored,
        page by page."""
        raise NotImplementedYet

    def write(self) -> None:
        """Stores a value."""
        raise NotImplementedYet


def test_the_first_missing_method_is_named_with_its_purpose() -> None:
    """Of several missing methods the first one in the class is named, in one line."""
    error = first_not_implemented(Half, "write")

    assert isinstance(error, AdapterError)
    assert "Half.read is not written yet: Shows what is stored, page by page." == str(
        error
    )


def test_without_a_missing_method_the_given_one_is_named() -> None:
    """A method that the class lacks altogether is named, with where to look it up."""
    assert "Half.erase is not written yet: see isolation_spec.Adapter" == str(
        first_not_implemented(type("Half", (), {}), "erase")
    )


def test_an_error_without_a_text_has_one() -> None:
    """A bare `raise NotImplementedYet` explains itself."""
    assert "a method of the adapter is still to be written" == str(NotImplementedYet())
