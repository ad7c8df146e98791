"""The fields of a message, read as an engine's events name them."""

import pytest

from isolation_spec.model.event_names import fields_of


@pytest.mark.parametrize("text", ["", "{", "[1]", "1", '"a"', "null", "[" * 100_000])
def test_other_messages_have_no_fields(text: str) -> None:
    """Broken JSON, JSON that is no object, and JSON of any depth have no fields."""
    assert {} == fields_of(text)


def test_an_object_has_its_fields() -> None:
    """The fields of a JSON object come with their values."""
    assert {"run_id": "run-3", "sequence": 2} == fields_of(
        '{"run_id": "run-3", "sequence": 2}'
    )
