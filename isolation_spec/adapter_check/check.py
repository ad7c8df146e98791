"""An adapter alone: each of its methods once, by one user, then by two, in a world.

Says of each whether it does what the contract asks for, and hints at what is likely to
be an oversight. It judges the adapter, never the engine: that is for the claims.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from isolation_spec.adapter_check.result import LATER, MethodResult, Status
from isolation_spec.adapter_check.single_user import Exercise
from isolation_spec.adapter_check.two_users import check_together
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
    engine: Engine, tell: Callable[[MethodResult], None], began: Callable[[str], None]
) -> None:
    """Exercises an adapter, and tells of each method as soon as it is known.

    `began` is told which method comes next, so that whoever watches from outside knows
    in which one it hangs.
    """
    printed = _Printed(sys.stdout)
    sys.stdout = printed
    try:
        works = _check_alone(engine, tell, began)
        if works:
            began("two users")
            for one in check_together(engine):
                tell(one)
        else:
            tell(MethodResult(method="two users", status="not exercised", note=LATER))
    finally:
        sys.stdout = printed.stream
    if printed.count:
        note = "prints to the standard output; what it prints in `verify` is dropped"
        tell(MethodResult(method="print", status="hint", note=note))


def assert_adapter_works(make_adapter: Callable[[], Adapter]) -> None:
    """Holds if an adapter does what the contract asks for.

    Raises:
        AdapterError: says what to write next, or instead.
    """
    failed: list[MethodResult] = []

    def tell(one: MethodResult) -> None:
        if one.status in ("not written", "breaks"):
            failed.append(one)

    check_adapter(own_engine(make_adapter), tell, lambda _: None)
    for one in failed:
        raise AdapterError(one.note)


class _Printed:
    """Counts what is printed, and drops it."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.count = 0

    def write(self, text: str) -> int:
        """Drops it."""
        self.count += bool(text.strip())
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _check_alone(
    engine: Engine, tell: Callable[[MethodResult], None], began: Callable[[str], None]
) -> bool:
    """True if every required method works."""
    status: list[Status] = []

    def note(one: MethodResult) -> None:
        status.append(one.status)
        tell(one)

    threads = set(threading.enumerate())
    try:
        with contain_process_exit() as named, World(Scheduler(Schedule())) as world:
            adapter = engine.make_adapter()
            named.adapter = type(adapter).__name__
            exercise = Exercise(adapter, world, note, began)
            try:
                world.run(exercise.conduct())
            except WorldExhausted as error:
                text = f"{exercise.name} never came to its end ({error})"
                note(MethodResult(method=exercise.method, status="breaks", note=text))
            exercise.signals()
    except AdapterError as error:
        note(MethodResult(method="the process", status="breaks", note=str(error)))
    if more := set(threading.enumerate()) - threads:
        names = ", ".join(sorted(one.name for one in more))
        text = (
            f"starts threads that outlive it ({names}): the world decides nothing "
            "about them, so use loop.run_in_executor or asyncio.to_thread"
        )
        note(MethodResult(method="threads", status="hint", note=text))
    return not {"not written", "breaks"} & set(status)
