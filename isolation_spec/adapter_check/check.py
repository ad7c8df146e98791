"""Checks an adapter before a search: each method for one user, then two users.

This check judges only the adapter; the claims judge the engine. It reports for
each method whether it keeps the contract, and hints at likely oversights.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from isolation_spec.adapter_check.result import LATER, MethodResult, Status
from isolation_spec.adapter_check.session import Session
from isolation_spec.adapter_check.single_user import check_single_user
from isolation_spec.adapter_check.two_users import check_two_users
from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.errors import AdapterError
from isolation_spec.engines.registry import Engine, own_engine
from isolation_spec.execution.containment import contain_process_exit
from isolation_spec.model.scenario import Schedule
from isolation_spec.world import World
from isolation_spec.world.loop import WorldExhausted
from isolation_spec.world.schedulers.base import Scheduler

__all__ = ["MethodResult", "Status", "assert_adapter_works", "check_adapter"]


def check_adapter(
    engine: Engine, report: Callable[[MethodResult], None], began: Callable[[str], None]
) -> None:
    """Exercises an adapter, and reports on each method as soon as its result is known.

    `began` is called with the name of each method before the method is exercised, so
    that an observer in another process can name a method that hangs.
    """
    printed = _Printed(sys.stdout)
    sys.stdout = printed
    try:
        works = _check_alone(engine, report, began)
        if works:
            began("two users")
            for one in check_two_users(engine):
                report(one)
        else:
            report(MethodResult(method="two users", status="not exercised", note=LATER))
    finally:
        sys.stdout = printed.stream
    if printed.count:
        note = "prints to the standard output; `verify` drops the output"
        report(MethodResult(method="print", status="hint", note=note))


def assert_adapter_works(make_adapter: Callable[[], Adapter]) -> None:
    """Asserts that an adapter keeps the contract.

    Raises:
        AdapterError: names the first method that fails, and the code to write.
    """
    failed: list[MethodResult] = []

    def report(one: MethodResult) -> None:
        if one.status in ("not written", "breaks"):
            failed.append(one)

    check_adapter(own_engine(make_adapter), report, lambda _: None)
    for one in failed:
        raise AdapterError(one.note)


class _Printed:
    """Counts printed texts and drops them."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.count = 0

    def write(self, text: str) -> int:
        """Drops a text."""
        self.count += bool(text.strip())
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _check_alone(
    engine: Engine, report: Callable[[MethodResult], None], began: Callable[[str], None]
) -> bool:
    """Checks the adapter with one user; returns whether every method works."""
    status: list[Status] = []

    def note(one: MethodResult) -> None:
        status.append(one.status)
        report(one)

    threads = set(threading.enumerate())
    try:
        with contain_process_exit() as named, World(Scheduler(Schedule())) as world:
            adapter = engine.make_adapter()
            named.adapter = type(adapter).__name__
            session = Session(adapter, world, note, began)
            try:
                world.run(check_single_user(session))
            except WorldExhausted as error:
                session.report("breaks", f"{session.name} never returned ({error})")
            session.report_signals()
    except AdapterError as error:
        note(MethodResult(method="the process", status="breaks", note=str(error)))
    if more := set(threading.enumerate()) - threads:
        note(_outliving(more))
    return not {"not written", "breaks"} & set(status)


def _outliving(threads: set[threading.Thread]) -> MethodResult:
    names = ", ".join(sorted(one.name for one in threads))
    text = (
        f"starts threads that outlive it ({names}): the world cannot schedule them, so "
        "use loop.run_in_executor or asyncio.to_thread"
    )
    return MethodResult(method="threads", status="hint", note=text)
