"""Runs jobs of executors on the thread of the loop, and suspends those that wait.

A job that waits for another thread waits in a thread of its own, beside the loop. Here
it gives its greenlet up, and the loop goes on: it may be the loop that ends the wait,
as in `run_coroutine_threadsafe(...).result()`.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from greenlet import GreenletExit, getcurrent, greenlet

__all__ = ["Attempt", "JobRunner"]

Attempt = Callable[[], bool]
"""Tries to end a wait; returns whether it succeeds."""
Done = Callable[[Any, BaseException | None, float], None]
"""Takes the result of a job, or its error, and the seconds for which it slept."""


class Job:
    """One job; `seconds` is the virtual time for which it has slept so far."""

    def __init__(self, done: Done) -> None:
        self.done = done
        self.seconds = 0.0


class _Wait(NamedTuple):
    job: Job
    suspended: greenlet
    attempt: Attempt
    until: float


class JobRunner:
    """The jobs of one loop.

    Attributes:
        current: the job that runs now, None while it is the loop's own code.
        went_on: whether a job went on as the loop last asked, and so may another.
    """

    def __init__(self) -> None:
        self.current: Job | None = None
        self.went_on = False
        self._loop = getcurrent()
        self._waits: list[_Wait] = []

    def run(self, function: Callable[[], Any], done: Done) -> None:
        """Runs the function until it ends or waits; `done` is called as it ends."""

        own = greenlet(partial(_end_of, function))
        own.gr_context = contextvars.copy_context()
        self._loop = getcurrent()
        self._switch(Job(done), own)

    def wait(self, attempt: Attempt, until: float) -> bool:
        """Suspends the present job until the attempt succeeds, or the virtual time.

        Returns whether it succeeded.
        """
        assert self.current is not None
        self._waits.append(_Wait(self.current, getcurrent(), attempt, until))
        return bool(self._loop.switch())

    def resume(self, now: float) -> None:
        """Goes on with each job whose wait is over at this virtual time."""
        self.went_on = False
        for wait in tuple(self._waits):
            succeeds = wait.attempt()
            if succeeds or wait.until <= now:
                self.went_on = True
                self._waits.remove(wait)
                self._loop = getcurrent()
                self._switch(wait.job, wait.suspended, succeeds)

    def close(self) -> None:
        """Ends the jobs that still wait; one that waits again is left."""
        waits, self._waits = self._waits, []
        self._loop = getcurrent()
        for wait in waits:
            self.current = wait.job
            wait.suspended.throw(GreenletExit)
            self.current = None
        self._waits.clear()

    def _switch(self, job: Job, into: greenlet, *values: Any) -> None:
        before, self.current = self.current, job
        try:
            end = into.switch(*values)
        finally:
            self.current = before
        if end:
            result, failure = end
            job.done(result, failure, job.seconds)


def _end_of(function: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    """The result of a job, or its error; its frame knows nothing that holds the error.

    An error leads to its frames; with a cycle they would stay until a collection.
    """
    try:
        return function(), None
    except GreenletExit:
        raise
    except BaseException as error:
        return None, error
