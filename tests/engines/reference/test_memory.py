"""Memory compares owners and keys exactly."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Insert

from isolation_spec.engines.reference import (
    DatabaseSessionManager,
    UserMemory,
    WriteLocks,
    storage,
)


def memory_of(world: Any, user: str, thread: str, locks: Any = None) -> UserMemory:
    context = world.context(user, thread)
    return UserMemory(
        context, DatabaseSessionManager(context, world.database), locks=locks
    )


@pytest.mark.asyncio
async def test_owners_that_look_alike_share_nothing(world) -> None:  # type: ignore[no-untyped-def]
    """Prefixes, case pairs, wildcards and joined ids are different owners."""
    owners = [("a", "b"), ("A", "b"), ("a", "B"), ("a%", "b"), ("ab", "b"), ("_", "b")]
    memories = {owner: memory_of(world, *owner) for owner in owners}
    for owner, memory in memories.items():
        await memory.remember("k", repr(owner))
    for owner, memory in memories.items():
        assert await memory.entries() == {"k": repr(owner)}
    await memories["a", "b"].erase()
    assert await memories["a", "b"].recall("k") is None
    assert await memories["A", "b"].recall("k") == repr(("A", "b"))


@pytest.mark.asyncio
async def test_keys_are_exact(world) -> None:  # type: ignore[no-untyped-def]
    """Searching is case-sensitive without wildcards; forgetting deletes one key."""
    memory = memory_of(world, "a", "b")
    for key in ("x1", "X1", "x%", "x_2", "y", "x\0z", ""):
        await memory.remember(key, key)
    await memory.remember("x1", "new")
    assert list(await memory.search("x")) == ["x\0z", "x%", "x1", "x_2"]
    assert await memory.search("x%") == {"x%": "x%"}
    assert await memory.recall("x1") == "new"
    assert await memory.forget("x1")
    assert not await memory.forget("x1")
    assert await memory.recall("X1") == "X1"


@pytest.mark.asyncio
async def test_only_text(world) -> None:  # type: ignore[no-untyped-def]
    """Values that are not text are refused before any write."""
    memory = memory_of(world, "a", "b")
    with pytest.raises(TypeError, match="value"):
        await memory.remember("k", 1)  # type: ignore[arg-type]


@pytest.mark.asyncio
async def test_without_an_upsert(world, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """A dialect without an upsert stores values as well."""

    def none(dialect: str) -> Insert | None:
        return None

    monkeypatch.setattr(storage, "upsert", none)
    memory = memory_of(world, "a", "b")
    await memory.remember("k", "1")
    await memory.remember("k", "2")
    assert await memory.entries() == {"k": "2"}


@pytest.mark.asyncio
async def test_erase_waits_for_writers(world) -> None:  # type: ignore[no-untyped-def]
    """A write in flight when erase was called does not come back."""
    locks = WriteLocks()
    one, two = (memory_of(world, "a", "b", locks) for _ in range(2))
    writers = [asyncio.create_task(one.remember(f"k{n}", "v")) for n in range(5)]
    await asyncio.sleep(0)
    await two.erase()
    await asyncio.gather(*writers)
    assert await two.entries() == {}
    assert len(locks) == 0


@pytest.mark.asyncio
async def test_a_cancelled_writer_leaves_the_line(world) -> None:  # type: ignore[no-untyped-def]
    """A cancelled writer does not block the writers behind it."""
    locks = WriteLocks()
    memory = memory_of(world, "a", "b", locks)
    writers = [asyncio.create_task(memory.remember(f"k{n}", "v")) for n in range(4)]
    await asyncio.sleep(0)
    for writer in writers[:3]:
        writer.cancel()
    await asyncio.wait(writers)
    assert await memory.entries() == {"k3": "v"}
    assert len(locks) == 0
    del writers, writer
    world.assert_nothing_left()
