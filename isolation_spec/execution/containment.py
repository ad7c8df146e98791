"""Contains engines that exit the process or replace its signal handlers."""

from __future__ import annotations

import contextlib
import io
import logging
import signal
import threading
import warnings
from collections.abc import Iterator

from isolation_spec.contract.errors import AdapterError
from isolation_spec.execution.attribution import attribute, frames_of
from isolation_spec.model.code_origin import own_path
from isolation_spec.world.loop import WorldExhausted

__all__ = ["TimedOut", "contain_process_exit", "quiet", "without_pool_warnings"]

_HEARD = (signal.SIGINT, signal.SIGTERM)
_INTERRUPTS = "execution/interrupts.py"


class TimedOut(BaseException):
    """Raised in the middle of a call that takes too long; its text says how long.

    A BaseException, so that no engine's `except Exception` can swallow it.
    """


class _Named:
    """The name of the adapter's class, once there is one."""

    adapter = "the adapter"


@contextlib.contextmanager
def contain_process_exit() -> Iterator[_Named]:
    """Restores the signal handlers, and turns an exit of the engine into an error.

    `SystemExit`, `KeyboardInterrupt`, `CancelledError` and other exceptions that are no
    `Exception` would end the process. An interrupt by the user passes.

    Raises:
        AdapterError: the engine raised such an exception; names the method.
    """
    before = _handlers()
    named = _Named()
    try:
        yield named
    except Exception:
        raise
    except WorldExhausted:
        raise
    except TimedOut as error:
        where = attribute(frames_of(error.__traceback__), named.adapter)
        message = (
            f"{where} did not come back {error}: it blocks the loop, on which all "
            "users wait"
        )
        raise AdapterError(message) from None
    except BaseException as error:
        if _is_users(error):
            raise
        stack = frames_of(error.__traceback__)
        message = (
            f"{attribute(stack, named.adapter)} raised {type(error).__name__}, which "
            "is no Exception and ends a whole process: raise one of refusals or an "
            "Exception"
        )
        raise AdapterError(message) from error
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler and handler is not None:
                signal.signal(number, handler)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Discards standard output, as of a module that is imported; stderr stays."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def without_pool_warnings() -> Iterator[None]:
    """Silences SQLAlchemy about connections that an engine left behind.

    The ledger reports them; a thousand lines of warnings would hide its report.
    """
    pool = logging.getLogger("sqlalchemy.pool")
    level = pool.level
    pool.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            # A connection that SQLAlchemy had to terminate is closed, but its object
            # does not know.
            warnings.filterwarnings("ignore", "<aiosqlite", ResourceWarning)
            warnings.filterwarnings("ignore", "The garbage collector is trying")
            yield
    finally:
        pool.setLevel(level)


def _handlers() -> dict[signal.Signals, signal._HANDLER]:
    # Python allows only the main thread to install signal handlers.
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.getsignal(number) for number in _HEARD}


def _is_users(error: BaseException) -> bool:
    """Whether it is Ctrl-C: not where SIGINT is blocked, or has another handler."""
    if not isinstance(error, KeyboardInterrupt):
        return False
    stack = frames_of(error.__traceback__)
    if stack and own_path(stack[-1].file) == _INTERRUPTS:
        return True
    return signal.getsignal(
        signal.SIGINT
    ) is signal.default_int_handler and signal.SIGINT not in signal.pthread_sigmask(
        signal.SIG_BLOCK, []
    )
