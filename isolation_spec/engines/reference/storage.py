"""The two tables: the memories of users, and their ended runs."""

import asyncio
from functools import cache
from typing import Any, cast

from sqlalchemy import URL, Insert, Table, and_, bindparam, delete, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateIndex, CreateTable

from .waiting import wait_until_done

__all__ = [
    "MEMORIES",
    "RUNS",
    "Base",
    "Memory",
    "RunRow",
    "create_schema",
    "store_memory",
    "store_run",
    "upsert",
]


class Base(DeclarativeBase):
    """The base of the engine's tables."""


class Memory(Base):
    """One remembered value; the owner is part of the key."""

    __tablename__ = "memories"

    user_id: Mapped[str] = mapped_column(primary_key=True)
    thread_id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class RunRow(Base):
    """One ended run. The key is the request id, since users choose run ids freely."""

    __tablename__ = "runs"

    request_id: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(index=True)
    user_id: Mapped[str]
    thread_id: Mapped[str]
    agent: Mapped[str]
    success: Mapped[bool]
    error: Mapped[str | None]


# Statements go to the tables: mapped instances would live on in an identity map.
MEMORIES = cast(Table, Memory.__table__)
RUNS = cast(Table, RunRow.__table__)


@cache
def upsert(dialect_name: str) -> Insert | None:
    """The statement that inserts or updates a memory, or None if the dialect has none.

    It is built once, with parameters for its values: building a statement with values
    takes longer than SQLite takes to run it.
    """
    known: Any = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
    if dialect_name not in known:
        return None
    statement = known[dialect_name](MEMORIES)
    return cast(
        Insert,
        statement.on_conflict_do_update(
            index_elements=["user_id", "thread_id", "key"],
            set_={"value": statement.excluded.value},
        ),
    )


_IS_STORED = and_(
    MEMORIES.c.user_id == bindparam("user_id"),
    MEMORIES.c.thread_id == bindparam("thread_id"),
    MEMORIES.c.key == bindparam("key"),
)


async def store_memory(
    session: AsyncSession, owner: tuple[str, str], key: str, value: str
) -> None:
    """Stores one value of an owner (user, thread) and overwrites an old one."""
    user_id, thread_id = owner
    row = {"user_id": user_id, "thread_id": thread_id, "key": key}
    statement = upsert(session.get_bind().dialect.name)
    if statement is None:
        await session.execute(delete(MEMORIES).where(_IS_STORED), row)
        statement = insert(MEMORIES)
    await session.execute(statement, {**row, "value": value})


_STORE_RUN = insert(RUNS)


async def store_run(
    session: AsyncSession, row: dict[str, Any], *, replace: bool
) -> None:
    """Stores one ended run; `replace` first deletes an outcome stored before."""
    if replace:
        request_id = row["request_id"]
        await session.execute(delete(RUNS).where(RUNS.c.request_id == request_id))
    await session.execute(_STORE_RUN, row)


async def create_schema(database: AsyncEngine) -> None:
    """Create the tables that are missing."""
    task = asyncio.get_running_loop().create_task(_create_all(database))
    await wait_until_done(task)
    task.result()


async def _create_all(database: AsyncEngine) -> None:
    async with database.begin() as connection:
        for statement in _schema(database.dialect.name):
            await connection.exec_driver_sql(statement)


@cache
def _schema(dialect_name: str) -> tuple[str, ...]:
    """The statements that create the tables; compiled once for each dialect."""
    dialect = URL.create(dialect_name).get_dialect()()
    elements: list[CreateTable | CreateIndex] = []
    for table in Base.metadata.sorted_tables:
        elements.append(CreateTable(table, if_not_exists=True))
        elements += (CreateIndex(one, if_not_exists=True) for one in table.indexes)
    return tuple(str(element.compile(dialect=dialect)) for element in elements)
