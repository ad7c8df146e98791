"""Runs a command inside this process, as if it had a process of its own."""

import contextlib
import importlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

STRANGERS = Path(__file__).with_name("strangers")


class Done(NamedTuple):
    """How a command ended, and its output."""

    code: int
    out: str
    err: str


def run_in_process(
    run: Callable[[], int | None],
    arguments: Sequence[object],
    *,
    folder: Path,
    variables: Mapping[str, str],
) -> Done:
    """Runs a command, which returns its exit code or raises SystemExit with it.

    Args:
        run: the command.
        arguments: its command line, the name of the command first.
        folder: its working directory; modules from there are forgotten afterwards.
        variables: its whole environment.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    with (
        contextlib.chdir(folder),
        _own_state(arguments, variables),
        _own_modules(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code: Any
        try:
            code = run()
        except SystemExit as exited:
            code = exited.code
    return Done(int(code or 0), _read(out), _read(err))


@contextlib.contextmanager
def _own_state(
    arguments: Sequence[object], variables: Mapping[str, str]
) -> Iterator[None]:
    """Gives the command its own arguments, environment, path, warnings and logging."""
    handlers = logging.getLogger().handlers[:]
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(sys, "argv", [str(argument) for argument in arguments])
        patch.setattr(sys, "path", sys.path[:])
        for name in set(os.environ) - set(variables):
            patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(name, value)
        yield
    logging.getLogger().handlers[:] = handlers


@contextlib.contextmanager
def _own_modules(folder: Path) -> Iterator[None]:
    """Forgets the modules of a user, as other folders have others of their names."""
    importlib.invalidate_caches()
    try:
        yield
    finally:
        for name, module in list(sys.modules.items()):
            file = Path(getattr(module, "__file__", None) or "/")
            if file.parent == STRANGERS or file.is_relative_to(folder):
                del sys.modules[name]


def _read(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()
