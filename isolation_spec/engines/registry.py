"""The registry of engines: an engine's name resolves to its factory of adapters."""

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
    """Raised when no engine has the name, or its factory makes no adapter."""


class Engine(NamedTuple):
    """An engine under verification.

    Attributes:
        name: the name under which the engine was requested.
        make_adapter: makes a new adapter for one run.
        adapter_name: the class name of the adapters.
    """

    name: str
    make_adapter: Callable[[], Adapter]
    adapter_name: str = "the adapter"


def known_engines() -> tuple[str, ...]:
    """The names of all registered engines, without the engines with a planted fault."""
    return tuple(sorted({point.name for point in entry_points(group=_GROUP)}))


def find_engine(name: str) -> Engine:
    """The engine of this name.

    The name is `reference`, `reference+FAULT`, the name of an entry point, or
    `module:factory`.

    Raises:
        EngineNotFound: no engine has the name, or it is not a factory of adapters.
    """
    base, _, fault = name.partition("+")
    if fault:
        return _engine(name, _find_planted(base, fault))
    if ":" in name:
        return _engine(name, _import_factory(name))
    for point in entry_points(group=_GROUP):
        if point.name == name:
            return _engine(name, point.load())
    message = (
        f"no engine is called {name!r}: write one of {', '.join(known_engines())}, "
        "reference+FAULT, or module:factory of your own adapter"
    )
    raise EngineNotFound(message)


def own_engine(factory: Callable[[], Adapter]) -> Engine:
    """The engine of a factory of adapters.

    Raises:
        EngineNotFound: it is not a factory of adapters.
    """
    name = f"{factory.__module__}:{getattr(factory, '__qualname__', factory)}"
    return _engine(name, factory)


def _find_planted(base: str, fault: str) -> Any:
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


def _import_factory(name: str) -> Any:
    module_name, _, attribute = name.partition(":")
    try:
        factory: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            factory = getattr(factory, part)
    except (Exception, SystemExit) as error:
        # A user's module may raise anything or exit when it is imported.
        message = (
            f"the engine {name!r} cannot be imported ({_one_line(error)}): write "
            "module:factory of a module on the import path"
        )
        raise EngineNotFound(message) from None
    return factory


def _one_line(error: BaseException) -> str:
    """The error on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _engine(name: str, factory: Any) -> Engine:
    """Makes one adapter to check the factory before any run.

    Raises:
        EngineNotFound: the factory makes no adapter.
        AdapterError: the declarations of the adapter contradict each other.
    """
    rule = "a class or function without arguments that gives an isolation_spec Adapter"
    if not callable(factory):
        message = f"the engine {name!r} is {type(factory).__name__}, not {rule}"
        raise EngineNotFound(message)
    try:
        adapter = factory()
    except (Exception, SystemExit) as error:
        cause = _one_line(error)
        message = f"the engine {name!r} could not be made ({cause}): it must be {rule}"
        raise EngineNotFound(message) from None
    if not isinstance(adapter, Adapter):
        message = (
            f"the engine {name!r} gave {type(adapter).__name__}: it must be {rule}"
        )
        raise EngineNotFound(message)
    check_declarations(adapter)
    return Engine(name, factory, type(adapter).__name__)
