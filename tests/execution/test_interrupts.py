"""Ctrl-C and SIGTERM are remembered, and acted upon between two runs."""

import os
import signal

import pytest

from isolation_spec.execution.interrupts import Interrupts

BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


def press(number: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


@BOTH
def test_the_first_interrupt_waits_for_the_end_of_the_run(number: int) -> None:
    """Nothing is raised in the middle; the check between two runs raises."""
    with Interrupts() as interrupts:
        interrupts.check()
        press(number)
        assert interrupts.heard
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()


def test_the_second_interrupt_is_raised_at_once() -> None:
    """A second interrupt is raised at once."""
    with Interrupts():
        press()
        with pytest.raises(KeyboardInterrupt):
            press()


@BOTH
def test_the_handler_is_put_back(number: int) -> None:
    """Afterwards each signal has its former handler, ignored signals included."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with Interrupts():
            pass
        assert signal.SIG_IGN == signal.getsignal(number)
    finally:
        signal.signal(number, before)
