"""Values are rendered as text without running the engine's code."""

import pytest

from isolation_spec.model.history.rendering import render


class Trap:
    """An object of an engine that does not want to be shown."""

    def __repr__(self) -> str:
        raise AssertionError

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    __hash__ = object.__hash__


def test_code_of_the_value_does_not_run() -> None:
    """An object that refuses to be printed is shown by the name of its type."""
    assert "a Trap b" == render(["a", Trap(), {"b": ()}]).rstrip()


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "None"), (True, "True"), (b"a\xff", "a\ufffd"), ("\ud800", "\\ud800")],
)
def test_text_can_be_encoded(value: object, text: str) -> None:
    """The text of any value is valid UTF-8."""
    assert text == render(value)
    assert render(value).encode()


def test_the_walk_ends_twelve_levels_deep() -> None:
    """Deeper levels are shown as dots."""
    value: object = "deep"
    for _ in range(11):
        value = [value]

    assert "deep" == render(value)
    assert "..." == render([[value]])
