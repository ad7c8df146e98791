"""The thread watch reports the threads that a run starts, and only these."""

import threading
from collections.abc import Iterator

import pytest

from isolation_spec.world.thread_watch import ThreadWatch

Report = tuple[str, str]


@pytest.fixture
def reports() -> Iterator[list[Report]]:
    """The reports of a watch during the test."""
    reported: list[Report] = []
    with ThreadWatch(lambda thread, place: reported.append((thread, place))):
        yield reported


def start(name: str = "worker-1") -> None:
    thread = threading.Thread(target=lambda: None, name=name)
    thread.start()
    thread.join()


def test_a_started_thread_is_reported_with_its_place(reports: list[Report]) -> None:
    """The place is the line of the engine, and the thread starts all the same."""
    start()

    line = start.__code__.co_firstlineno + 2
    assert [("thread worker-N", f"{__name__}:{line}")] == reports


def test_numbers_of_names_do_not_count(reports: list[Report]) -> None:
    """Names count up over the process, so two runs would report different ones."""
    start("Thread-7 (work)")
    start("Thread-8 (work)")

    assert {"thread Thread-N (work)"} == {thread for thread, _ in reports}


def test_threads_of_other_threads_are_not_reported(reports: list[Report]) -> None:
    """Only the thread that runs the world is watched."""
    outer = threading.Thread(target=start, name="outer")
    outer.start()
    outer.join()

    assert ["thread outer"] == [thread for thread, _ in reports]


def test_threading_is_restored() -> None:
    """After the watch `Thread.start` is the function that it was before."""
    before = threading.Thread.start
    reported: list[Report] = []
    with ThreadWatch(lambda thread, place: reported.append((thread, place))):
        assert before is not threading.Thread.start
    start()

    assert before is threading.Thread.start
    assert [] == reported
