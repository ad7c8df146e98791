"""A schedule without choices is plain asyncio."""

import msgspec
import pytest

from isolation_spec.model.scenario.schedule import Schedule


def test_an_empty_schedule_holds_no_choice() -> None:
    """No chain has a class, nothing falls behind, one arrival comes at a time."""
    empty = msgspec.json.decode(b"{}", type=Schedule)

    assert Schedule() == empty
    assert not any(getattr(empty, name) for name in Schedule.__struct_fields__)


@pytest.mark.parametrize("choice", ['"burst": -1', '"classes": {"1/start": -1}'])
def test_choices_are_not_negative(choice: str) -> None:
    """A file with a negative choice is refused."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(f"{{{choice}}}", type=Schedule)
