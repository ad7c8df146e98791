"""The declarations of an adapter are checked before anything runs."""

from typing import Any

import pytest

from isolation_spec.contract.declarations import check_declarations, short_repr
from isolation_spec.contract.errors import AdapterError
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.measurement.workloads import NullAdapter


def refusal(**declared: Any) -> str:
    adapter = type("Mine", (NullAdapter,), declared)
    with pytest.raises(AdapterError) as caught:
        check_declarations(adapter())
    return str(caught.value)


def test_whole_declarations_pass() -> None:
    """The smallest adapter and the fullest one are accepted."""
    check_declarations(NullAdapter())
    check_declarations(ReferenceAdapter())


@pytest.mark.parametrize("varying", ["[0-9]+ ms", ["[0-9]+ ms"], (1,), ("(",)])
def test_varying_is_regular_expressions(varying: Any) -> None:
    """A bare string, a list, a number and a broken expression are refused by name."""
    text = refusal(varying=varying)

    assert text.startswith("Mine.varying must be a tuple of regular expressions, saw ")
    assert "write (r'[0-9]+ ms',)" in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "None"), ("x" * 100, "'" + "x" * 59), ([1, 2], "list"), (1.5, "1.5")],
)
def test_a_value_is_shown_in_one_short_line(value: Any, shown: str) -> None:
    """Plain values are shown up to 60 characters, of any other the type alone."""
    assert shown == short_repr(value)
