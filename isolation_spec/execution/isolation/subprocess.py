"""Runs work in a forked process that its parent may kill."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable
from typing import Any, TypeAlias

from isolation_spec.execution.hang import HangReport
from isolation_spec.execution.isolation.beacon import RunBeacon
from isolation_spec.execution.isolation.parent_death import end_with_parent
from isolation_spec.execution.isolation.post_mortem import describe_hang
from isolation_spec.execution.isolation.time_limit import (
    ANSWERS_WITHIN,
    INTERRUPTED_WITHIN,
)

__all__ = ["run_in_subprocess"]
_LOOKS_EVERY = 0.05


Work: TypeAlias = Callable[
    [RunBeacon, Callable[[bytes], None], Callable[[], bool]], None
]
"""Takes the slate, what to tell things by, and what says whether to stop."""


def run_in_subprocess(
    work: Work,
    *,
    heard: Callable[[bytes], None],
    engine: str,
    adapter: str,
    allowed: float,
    interrupted: Callable[[], bool] = lambda: False,
) -> HangReport | None:
    """Does work in a forked process, and hears what it tells.

    Returns None if it came to its end, else in what it hung, after more than `allowed`
    seconds since the slate was told last, or died.
    """
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    stop = context.Event()
    slate = RunBeacon()
    process = context.Process(target=_do_apart, args=(work, slate, sending, stop))
    # An interrupt is for this process to hear, and to pass on.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    sending.close()
    try:
        while not slate.is_late(allowed):
            if interrupted():
                stop.set()
                allowed = min(allowed, INTERRUPTED_WITHIN)
            if not receiving.poll(_LOOKS_EVERY):
                continue
            try:
                data = receiving.recv_bytes()
            except EOFError:
                break
            if not data:
                return None
            heard(data)
        return describe_hang(
            slate, process, engine=engine, adapter=adapter, allowed=allowed
        )
    finally:
        _end(process)
        slate.close()


def _do_apart(work: Work, slate: RunBeacon, sending: Any, stop: Any) -> None:
    end_with_parent()
    slate.install()
    slate.renewed()
    work(slate, sending.send_bytes, stop.is_set)
    slate.ended()
    with contextlib.suppress(BrokenPipeError):
        sending.send_bytes(b"")


def _end(process: Any) -> None:
    process.join(ANSWERS_WITHIN)
    if process.is_alive():
        # Threads of the engine's own keep it from ending.
        process.kill()
        process.join()
