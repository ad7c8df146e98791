"""The body of a worker process: searches its share of the workloads."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from isolation_spec.contract.errors import AdapterError
from isolation_spec.engines.registry import Engine, find_engine
from isolation_spec.execution.isolation.beacon import RunBeacon
from isolation_spec.execution.isolation.parent_death import end_with_parent
from isolation_spec.execution.isolation.time_limit import (
    TimeLimit,
)
from isolation_spec.search.corpus import CorpusWriter, Database, read_workload
from isolation_spec.search.statistics import SearchStatistics
from isolation_spec.search.workload_runner import search
from isolation_spec.world.live.world import Live, LiveWorld

if TYPE_CHECKING:
    from isolation_spec.strategies.workloads import Workload

__all__ = ["REPORT_EVERY", "Message", "Share", "search_share", "work_watched"]

REPORT_EVERY = 0.1


class Message(msgspec.Struct, kw_only=True):
    """What a worker tells: a tally so far, the last one, or why it cannot go on."""

    tally: SearchStatistics
    last: bool = False
    error: str = ""


class Share(NamedTuple):
    """What one worker is to do: the workloads numbered `range(first, examples,
    stride)`.

    Before them those of a corpus from `first_kept` on, None for none of them.
    """

    engine: str
    profile: str
    examples: int
    seed: int
    live: Live | None
    pct: int | None
    first: int = 0
    stride: int = 1
    first_kept: int | None = None
    deadline: float | None = None
    fuzz: Path | None = None
    workload: Path | None = None

    def after(self, number: int | None) -> Share:
        """What is left of it after the workload of that number, None for none yet."""
        if number is None:
            return self
        if number < 0:
            return self._replace(first_kept=-1 - number + self.stride)
        return self._replace(first=number + self.stride, first_kept=None)


def _live_worlds(live: Live | None, seed: str) -> Callable[[int], LiveWorld] | None:
    """What makes the live world of each run, numbered from 0; None if simulated."""
    return None if live is None else lambda run: live.world(f"{seed}/{run}")


def work_watched(
    slate: RunBeacon, share: Share, sending: Connection, stop: Any, least: Any
) -> None:
    """The body of a worker process."""
    end_with_parent()
    slate.install()
    _work(share, sending, stop, least, slate)


def _work(
    share: Share,
    sending: Connection,
    stop: Any,
    least: Any,
    slate: RunBeacon | None = None,
) -> None:
    """Searches a share, and tells of it."""
    last_sent, last_number = time.monotonic(), -1

    def progressed(tally: SearchStatistics) -> bool:
        nonlocal last_sent, last_number
        now = time.monotonic()
        # With each workload, so that one that hangs costs what it did itself.
        if now - last_sent > REPORT_EVERY or tally.number != last_number:
            last_sent, last_number = now, tally.number
            sending.send_bytes(msgspec.msgpack.encode(Message(tally=tally)))
        return not stop.is_set() and tally.number <= least.value

    message = _searched(share, progressed, slate)
    if slate is not None:
        slate.ended()
    with contextlib.suppress(BrokenPipeError):
        sending.send_bytes(msgspec.msgpack.encode(message))
    sending.close()


def _searched(
    share: Share,
    progressed: Callable[[SearchStatistics], bool],
    slate: RunBeacon | None,
) -> Message:
    try:
        if slate is not None:
            slate.renewed()
        engine = find_engine(share.engine)
        if slate is not None:
            slate.ended()
        tally = search_share(engine, share, progressed, slate)
    except AdapterError as error:
        return Message(tally=SearchStatistics(), last=True, error=str(error))
    except Exception as error:
        text = f"the search broke off: {type(error).__name__}: {error}"
        return Message(tally=SearchStatistics(), last=True, error=text)
    return Message(tally=tally, last=True)


def search_share(
    engine: Engine,
    share: Share,
    progressed: Callable[[SearchStatistics], bool],
    slate: RunBeacon | TimeLimit | None = None,
) -> SearchStatistics:
    """Searches one share until its time is up."""

    def goes_on(tally: SearchStatistics) -> bool:
        if share.deadline is not None and time.monotonic() >= share.deadline:
            tally.time_up = True
            return False
        return progressed(tally)

    corpus = None
    if share.fuzz is not None:
        database = Database(share.fuzz, engine.name)
        corpus = CorpusWriter(database, share.profile, share.seed)
    try:
        return search(
            engine,
            profile=share.profile,
            examples=share.examples,
            seed=share.seed,
            progressed=goes_on,
            live=_live_worlds(share.live, f"{share.seed}/{share.first}"),
            pct=share.pct,
            workloads=_workloads(share, corpus),
            corpus=corpus,
            slate=slate,
        )
    finally:
        if corpus is not None:
            corpus.end()


def _workloads(share: Share, corpus: CorpusWriter | None) -> Iterator[Workload]:
    """What a share searches: one workload of a file, or the corpus and its numbers."""
    from isolation_spec.strategies.profiles import find_profile
    from isolation_spec.strategies.workloads import draw_workloads

    if share.workload is not None:
        yield read_workload(share.workload)
        return
    if corpus is not None and share.first_kept is not None:
        yield from corpus.workloads(share.first_kept, share.stride)
    yield from draw_workloads(
        find_profile(share.profile),
        seed=share.seed,
        examples=share.examples,
        first=share.first,
        stride=share.stride,
    )
