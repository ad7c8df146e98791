"""The bounds of the fields of a scenario hold for files."""

import msgspec
import pytest

from isolation_spec.model.scenario.fields import (
    LARGEST,
    MOST_USERS,
    Id,
    User,
    UserIndex,
)


@pytest.mark.parametrize(
    ("kind", "largest"), [(Id, LARGEST), (UserIndex, MOST_USERS - 1)]
)
def test_numbers_are_bounded(kind: type, largest: int) -> None:
    """A file may hold the largest number and no larger or negative one."""
    assert largest == msgspec.json.decode(str(largest).encode(), type=kind)
    for outside in (largest + 1, -1):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(str(outside).encode(), type=kind)


def test_unknown_fields_are_refused() -> None:
    """A misspelt field in a file is an error, not ignored."""
    with pytest.raises(msgspec.ValidationError, match="unknown field `name`"):
        msgspec.json.decode(b'{"label": "a", "id": "b", "name": "c"}', type=User)
