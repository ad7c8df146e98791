"""Work in this process that computes for too long is left by an exception."""

import contextlib
import signal
import threading

import pytest

from isolation_spec.contract.errors import AdapterError
from isolation_spec.execution.isolation.time_limit import time_limit
from isolation_spec.execution.run_limit import RUN_LIMIT


def spin() -> None:
    while True:
        pass


def test_work_within_the_limit_leaves_no_watch() -> None:
    """Nothing is raised, and neither thread, handler nor limit is left."""
    before = threading.active_count()
    with time_limit(60.0, "quick work", at_once=False) as limit:
        assert limit is RUN_LIMIT.get()
        limit.start()
        assert before + 1 == threading.active_count()

    assert before == threading.active_count()
    assert signal.SIG_DFL == signal.getsignal(signal.SIGALRM)
    assert None is RUN_LIMIT.get()


def test_late_work_is_named() -> None:
    """The error names the work, the limit and the place."""
    with pytest.raises(AdapterError) as caught, time_limit(0.05, "slow work"):
        spin()

    assert str(caught.value).startswith("slow work did not come back within 0.05 s")
    assert "test_time_limit.py" in str(caught.value)
    assert signal.SIG_DFL == signal.getsignal(signal.SIGALRM)


def test_work_that_sleeps_is_late_too() -> None:
    """A wait that nothing ends is left after as many seconds of sleep."""

    def wait() -> None:
        with time_limit(0.5, "slow work"):
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()

    with pytest.raises(AdapterError, match="slow work"):
        wait()


def test_work_between_two_runs_is_not_timed() -> None:
    """Where runs are limited, judging and shrinking between them take their time."""
    with time_limit(0.05, "a run", at_once=False) as limit:
        limit.start()
        limit.end_run()
        for _ in range(3_000_000):
            pass


def test_work_that_swallows_the_alarm_is_late_all_the_same() -> None:
    """An engine that holds every exception back does not turn the limit off."""

    def swallow() -> None:
        with time_limit(0.05, "slow work"), contextlib.suppress(BaseException):
            spin()

    with pytest.raises(AdapterError, match=r"slow work .* and went on"):
        swallow()
