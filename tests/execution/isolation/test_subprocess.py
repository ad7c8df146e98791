"""A forked process sends typed messages, and ends as its parent asks it to."""

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable

import msgspec
import pytest

from isolation_spec.contract.errors import AdapterError
from isolation_spec.execution.hang import HangReport
from isolation_spec.execution.isolation.beacon import RunBeacon
from isolation_spec.execution.isolation.subprocess import (
    IsolatedProcess,
    Parent,
    Stop,
    Work,
    run_in_subprocess,
)


class Digest(msgspec.Struct, frozen=True, tag=True):
    """The message of the work in these tests."""

    text: str


def run_apart(
    work: Work[Digest],
    receive: Callable[[Digest], None],
    *,
    adapter: str = "A",
    allowed: float = 30,
    is_interrupted: Callable[[], bool] = lambda: False,
) -> HangReport | None:
    return run_in_subprocess(
        work,
        Digest,
        receive=receive,
        name="the work",
        engine="bad",
        adapter=adapter,
        allowed=allowed,
        is_interrupted=is_interrupted,
    )


def test_completed_work_is_no_hang() -> None:
    """A process that completes its work sends its messages, and is no hang."""
    received: list[Digest] = []

    def work(parent: Parent[Digest]) -> None:
        for text in ("one", "two"):
            parent.send(Digest(text))

    assert None is run_apart(work, received.append)
    assert [Digest("one"), Digest("two")] == received


def test_the_lowest_last_workload_counts() -> None:
    """After `Stop` with a number, no run of a later workload is needed."""
    beacon = RunBeacon()
    ours, theirs = multiprocessing.Pipe()
    with ours, theirs, contextlib.closing(beacon):
        parent = Parent[Digest](theirs, beacon)
        assert not parent.wants_stop(9)

        for last in (7, 3, 5):
            ours.send_bytes(msgspec.msgpack.encode(Stop(last)))

        assert [False, True] == [parent.wants_stop(number) for number in (3, 4)]


def test_a_process_that_dies_sends_nothing() -> None:
    """Its last message is None, without an `Ended`."""

    def work(parent: Parent[Digest]) -> None:
        parent.send(Digest("one"))
        os._exit(3)

    process = IsolatedProcess(work, Digest, name="the work")
    try:
        assert [Digest("one"), None] == [process.receive(), process.receive()]
    finally:
        process.close()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (AdapterError("no such method"), "no such method"),
        (ValueError("odd"), "the work broke off: ValueError: odd"),
    ],
    ids=["adapter", "own"],
)
def test_an_exception_of_the_work_is_an_error_of_the_adapter(
    error: Exception, text: str
) -> None:
    """The parent raises it, with the text of the exception."""

    def work(_: Parent[Digest]) -> None:
        raise error

    with pytest.raises(AdapterError, match=f"^{text}$"):
        run_apart(work, list[Digest]().append)


def test_an_interrupt_ends_the_work_between_two_runs() -> None:
    """The parent sends `Stop` once, and raises KeyboardInterrupt after the end."""
    received: list[Digest] = []

    def work(parent: Parent[Digest]) -> None:
        parent.send(Digest("began"))
        while not parent.wants_stop():
            time.sleep(0.001)
        parent.send(Digest("ended"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_apart(work, received.append, is_interrupted=lambda: bool(received))

    assert [Digest("began"), Digest("ended")] == received
