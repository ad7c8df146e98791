"""The database of a live world is a fresh file, or the database of a URL."""

import os
import sqlite3
from collections.abc import Iterable
from typing import ClassVar

import pytest

from isolation_spec.contract.adapter import Row
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.execution.run import run
from isolation_spec.measurement.workloads import workload
from isolation_spec.model.history.entries import (
    RowStored,
)
from isolation_spec.model.history.history import History
from isolation_spec.world.live.database import BadDatabase, check_database
from isolation_spec.world.live.world import Live, LiveWorld
from tests.world.live.judging import violations_of


class Keeping(ReferenceAdapter):
    """Its observer sees the rows of all runs so far, as that of a kept database."""

    rows: ClassVar[dict[Row, None]] = {}

    def observe(self) -> Iterable[Row]:
        self.rows.update(dict.fromkeys(super().observe()))
        return tuple(self.rows)


def test_each_run_has_a_fresh_file(patient: None) -> None:
    """Of a SQLite URL only the driver counts; two runs share nothing."""
    worlds = [Live("sqlite+aiosqlite:///mine.db").world("0") for _ in range(2)]
    files = [world.database_url for world in worlds]
    for world in worlds:
        with world:
            observer = world.observe()
            assert isinstance(observer, sqlite3.Connection)
            observer.close()

    assert 2 == len(set(files))
    assert not os.path.exists("mine.db")


def test_a_kept_database_shows_nothing_of_earlier_runs(patient: None) -> None:
    """On a database that is used as it is, users and rows of every run are its own."""
    histories: list[History] = []
    for seed in range(2):
        world = LiveWorld(str(seed))
        world.persistent = True
        histories.append(run(workload(), Keeping, world=world))
    first, second = ({user.id for user in h.scenario.users} for h in histories)
    stored = [[row.owner for row in history.of(RowStored)] for history in histories]

    assert not first & second
    assert [sorted(first), sorted(second)] == [sorted(owners) for owners in stored]
    assert [] == violations_of(histories[0]) + violations_of(histories[1])


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "nonsense"),
        ("foo+bar://x", "foo"),
        ("sqlite:///x", "not one of asyncio"),
        ("postgresql+asyncpg://u:secret@localhost/x", "asyncpg"),
    ],
)
def test_bad_database_is_refused_in_a_sentence(url: str, words: str) -> None:
    """The message about an unusable URL is one line."""
    with pytest.raises(BadDatabase) as refused:
        check_database(url)

    assert words in str(refused.value)
    assert 1 == len(str(refused.value).splitlines())
