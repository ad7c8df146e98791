"""Ctrl-C is remembered, and acted upon between two runs."""

import os
import signal

import pytest

from isolation_spec.execution.interrupts import Interrupts


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_interrupt_waits_for_the_end_of_the_run() -> None:
    """Nothing is raised in the middle; the check between two runs raises."""
    with Interrupts() as interrupts:
        interrupts.check()
        press()
        assert interrupts.heard
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()


def test_the_second_interrupt_is_raised_at_once() -> None:
    """A second interrupt is raised at once."""
    with Interrupts():
        press()
        with pytest.raises(KeyboardInterrupt):
            press()


def test_the_handler_is_put_back() -> None:
    """Afterwards SIGINT has its former handler, ignored signals included."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts():
            pass
        assert signal.SIG_IGN == signal.getsignal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
