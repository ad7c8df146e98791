"""The tables can be made again, and other dialects have a statement or none."""

import pytest

from isolation_spec.engines.reference import create_schema
from isolation_spec.engines.reference.storage import upsert


@pytest.mark.asyncio
async def test_schema_is_idempotent(house) -> None:  # type: ignore[no-untyped-def]
    """Creating what is there changes nothing."""
    await create_schema(house.database)
    names = house.rows("SELECT name FROM sqlite_master WHERE type='table' ORDER BY 1")
    assert names == [("memories",), ("runs",)]


def test_upsert_by_dialect() -> None:
    """Dialects without an upsert are told apart."""
    assert upsert("sqlite") is not None
    assert upsert("postgresql") is not None
    assert upsert("mysql") is None
