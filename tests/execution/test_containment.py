"""Engines that end their process, or listen to its signals, are contained."""

import io
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import redirect_stdout

import pytest

from isolation_spec.contract.errors import AdapterError
from isolation_spec.execution.containment import (
    contain_process_exit,
    quiet,
    without_pool_warnings,
)
from isolation_spec.world.loop import WorldExhausted


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("leave", "name"), [(sys.exit, "SystemExit"), (interrupt, "KeyboardInterrupt")]
)
def test_an_end_of_the_process_breaks_the_contract(
    leave: Callable[[], None], name: str
) -> None:
    """The error names the exception.

    While SIGINT is ignored, nothing but the engine can have raised an interrupt.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with (
            pytest.raises(AdapterError, match=f"raised {name}"),
            contain_process_exit(),
        ):
            leave()
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("error", [ValueError("x"), WorldExhausted("y")])
def test_other_exceptions_pass(error: BaseException) -> None:
    """An exception that ends no process breaks no contract."""
    with pytest.raises(type(error)) as caught, contain_process_exit():
        raise error

    assert error is caught.value


def test_signal_handlers_are_put_back() -> None:
    """A handler that an engine installs is gone afterwards."""
    before = signal.getsignal(signal.SIGTERM)

    with contain_process_exit():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    assert before == signal.getsignal(signal.SIGTERM)


def test_quiet_drops_the_output() -> None:
    """Output inside is lost, and printing works again afterwards."""
    with redirect_stdout(io.StringIO()) as output:
        with quiet():
            print("lost")
        print("shown")

    assert "shown\n" == output.getvalue()


def test_the_level_of_the_pool_is_put_back() -> None:
    """SQLAlchemy's pool is silent inside, also where an exception leaves."""
    pool = logging.getLogger("sqlalchemy.pool")
    before = pool.level

    levels: list[int] = []

    def fail() -> None:
        with without_pool_warnings():
            levels.append(pool.level)
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()

    assert [logging.CRITICAL, before] == [*levels, pool.level]
