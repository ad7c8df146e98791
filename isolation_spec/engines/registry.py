"""Adapters: the reference engine's, and how an engine is found by its name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.declarations import check_declarations
from isolation_spec.contract.errors import AdapterError

__all__ = [
    "Engine",
    "EngineNotFound",
    "find_engine",
    "known_engines",
    "own_engine",
]

_GROUP = "isolation_spec.adapters"


class EngineNotFound(AdapterError):
    """No engine has that name, or what has it is no adapter."""


class Engine(NamedTuple):
    """An engine under verification: its name, what makes an adapter for one run, and
    how the class of the adapter is called."""

    name: str
    make_adapter: Callable[[], Adapter]
    adapter_name: str = "the adapter"


def known_engines() -> tuple[str, ...]:
    """The names of all registered engines, without those with a planted fault."""
    return tuple(sorted({point.name for point in entry_points(group=_GROUP)}))


def find_engine(name: str) -> Engine:
    """The engine called `reference`, `reference+FAULT`, an entry point's name, or
    `module:factory`.

    Raises:
        EngineNotFound: there is none, or it is not a factory of adapters.
    """
    base, _, fault = name.partition("+")
    if fault:
        return _engine(name, _planted(base, fault))
    if ":" in name:
        return _engine(name, _imported(name))
    for point in entry_points(group=_GROUP):
        if point.name == name:
            return _engine(name, point.load())
    message = (
        f"no engine is called {name!r}: write one of {', '.join(known_engines())}, "
        "reference+FAULT, or module:factory of your own adapter"
    )
    raise EngineNotFound(message)


def own_engine(factory: Callable[[], Adapter]) -> Engine:
    """The engine of an adapter that the user hands over.

    Raises:
        EngineNotFound: it is not a factory of adapters.
    """
    name = f"{factory.__module__}:{getattr(factory, '__qualname__', factory)}"
    return _engine(name, factory)


def _planted(base: str, fault: str) -> Any:
    from isolation_spec.engines.faults import FAULTS

    if base != "reference":
        message = f"faults are planted in 'reference' only, not in {base!r}"
        raise EngineNotFound(message)
    for known in FAULTS:
        if known.id == fault:
            return known.adapter
    names = ", ".join(known.id for known in FAULTS)
    message = f"no planted fault is called {fault!r}: there are {names}"
    raise EngineNotFound(message)


def _imported(name: str) -> Any:
    module_name, _, attribute = name.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:
        # The module is somebody's own: whatever it does when imported ends here.
        message = (
            f"the engine {name!r} cannot be imported ({_line(error)}): write "
            "module:factory of a module on the import path"
        )
        raise EngineNotFound(message) from None
    return found


def _line(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _engine(name: str, factory: Any) -> Engine:
    """Makes one adapter, so that a wrong shape is found before anything runs.

    Raises:
        EngineNotFound: the factory gives no adapter.
        AdapterError: what the adapter declares does not fit together.
    """
    rule = "a class or function without arguments that gives an isolation_spec Adapter"
    if not callable(factory):
        message = f"the engine {name!r} is {type(factory).__name__}, not {rule}"
        raise EngineNotFound(message)
    try:
        adapter = factory()
    except (Exception, SystemExit) as error:
        message = (
            f"the engine {name!r} could not be made ({_line(error)}): it must be {rule}"
        )
        raise EngineNotFound(message) from None
    if not isinstance(adapter, Adapter):
        message = (
            f"the engine {name!r} gave {type(adapter).__name__}: it must be {rule}"
        )
        raise EngineNotFound(message)
    check_declarations(adapter)
    return Engine(name, factory, type(adapter).__name__)
