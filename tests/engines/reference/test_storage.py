"""Creating the tables is idempotent, and the upsert depends on the dialect."""

import pytest

from isolation_spec.engines.reference import create_schema
from isolation_spec.engines.reference.storage import upsert


@pytest.mark.asyncio
async def test_schema_is_idempotent(world) -> None:  # type: ignore[no-untyped-def]
    """Creating existing tables changes nothing."""
    await create_schema(world.database)
    names = world.rows("SELECT name FROM sqlite_master WHERE type='table' ORDER BY 1")
    assert names == [("memories",), ("runs",)]


def test_upsert_by_dialect() -> None:
    """A dialect without an upsert gets None."""
    assert upsert("sqlite") is not None
    assert upsert("postgresql") is not None
    assert upsert("mysql") is None
