"""Work in this process that takes too long is left by an exception."""

import contextlib
import signal
import time

import pytest

from isolation_spec.contract.errors import AdapterError
from isolation_spec.execution.isolation.time_limit import time_limit


def test_work_within_the_limit_leaves_no_alarm() -> None:
    """Nothing is raised, and neither timer nor handler is left."""
    with time_limit(60.0, "quick work"):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0

    assert (0.0, 0.0) == signal.getitimer(signal.ITIMER_REAL)
    assert signal.SIG_DFL == signal.getsignal(signal.SIGALRM)


def test_late_work_is_named() -> None:
    """The error names the work, the limit and the place."""
    with pytest.raises(AdapterError) as caught, time_limit(0.05, "slow work"):
        time.sleep(60)

    assert str(caught.value).startswith("slow work did not come back within 0.05 s")
    assert signal.SIG_DFL == signal.getsignal(signal.SIGALRM)


def test_work_that_swallows_the_alarm_is_late_all_the_same() -> None:
    """An engine that holds every exception back does not turn the limit off."""

    def swallow() -> None:
        with time_limit(0.05, "slow work"), contextlib.suppress(BaseException):
            time.sleep(60)

    with pytest.raises(AdapterError, match=r"slow work .* and went on"):
        swallow()
