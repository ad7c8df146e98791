"""A wait in a callback is reported with the engine's own place."""

import threading
from collections.abc import Callable

from isolation_spec.world.blocking import (
    LOOPS,
    BlockingCall,
    BlockingWatch,
    hold_loop,
    wait_for_thread,
)


class Loop:
    """Takes the waits of its thread."""

    def __init__(self) -> None:
        self.calls: list[BlockingCall] = []

    def time(self) -> float:
        return 0.0

    def hold(self, call: BlockingCall) -> None:
        self.calls.append(call)

    def wait_in_job(
        self, attempt: Callable[[], bool], seconds: float | None
    ) -> bool | None:
        return None


def test_a_wait_is_reported_with_its_place() -> None:
    """The innermost frame outside this package and the standard library counts."""
    loop = Loop()
    hold_loop(loop, "time.sleep", 2.0)

    ((call, seconds, place, function),) = loop.calls

    assert ("time.sleep", 2.0) == (call, seconds)
    assert place.startswith(f"{__name__}:")
    assert f"{__name__}.test_a_wait_is_reported_with_its_place" == function


def test_a_watch_is_of_one_thread() -> None:
    """The loop outside is back after the watch; other threads have no loop."""
    outer, inner = Loop(), Loop()
    others: list[object] = []
    here = threading.get_ident()
    with BlockingWatch(outer):
        with BlockingWatch(inner):
            assert inner is LOOPS[here]
            thread = threading.Thread(
                target=lambda: others.append(LOOPS.get(threading.get_ident()))
            )
            thread.start()
            thread.join()
        assert outer is LOOPS[here]

    assert here not in LOOPS
    assert [None] == others


def test_a_wait_without_another_thread_is_not_made() -> None:
    """The time-out passes at once, and the loop stays known."""
    loop = Loop()
    waits: list[bool] = []

    def wait(really: bool) -> bool:
        waits.append(really)
        return True

    with BlockingWatch(loop):
        found = wait_for_thread(loop, "wait", 5.0, wait)
        assert loop is LOOPS[threading.get_ident()]

    assert (False, []) == (found, waits)
    assert [("wait", 5.0)] == [(one.call, one.seconds) for one in loop.calls]
