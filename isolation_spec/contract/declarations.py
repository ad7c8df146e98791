"""Checks the class attributes that an adapter declares, before anything runs."""

from __future__ import annotations

import importlib.util
import inspect
import math
import re
import sys
from typing import Any

import msgspec

from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.capabilities import METHODS, Capability
from isolation_spec.contract.errors import (
    AdapterError,
)
from isolation_spec.contract.limits import limit_problems
from isolation_spec.model.event_names import EventNames

__all__ = ["CONNECTION_MEMBERS", "broken_rule", "check_declarations", "short_repr"]

REQUEST_METHODS = (
    "start",
    "open_context",
    "run_agent",
    "read",
    "cleanup_context",
    "cleanup_user",
    "shutdown",
    "connect",
    "cancel_run",
    "write",
    "erase",
)
CONNECTION_MEMBERS = ("__aiter__", "close", "abort", "close_code")


def broken_rule(adapter: Adapter, name: str, rule: str, saw: str, instead: str) -> Any:
    return AdapterError(f"{type(adapter).__name__}.{name} {rule}, saw {saw}: {instead}")


def short_repr(value: Any) -> str:
    """A plain value in one short line; of any other value, the name of its type."""
    if value is None or isinstance(value, str | int | float):
        return repr(value)[:60]
    return type(value).__name__


def check_declarations(adapter: Adapter) -> None:
    """Refuses an adapter whose declarations and methods do not fit together.

    Raises:
        AdapterError: names class, member, rule, the value found, and the fix.
    """
    _check_capabilities(adapter)
    _check_refusals(adapter)
    _check_limits(adapter)
    _check_patience(adapter)
    _check_varying(adapter)
    _check_event_names(adapter)
    _check_packages(adapter)
    for capability, methods in METHODS.items():
        for method in methods if capability in adapter.capabilities else ():
            if getattr(type(adapter), method) is getattr(Adapter, method):
                raise adapter._missing(method, capability)
    for method in REQUEST_METHODS:
        _check_parameters(adapter, method)


def _check_capabilities(adapter: Adapter) -> None:
    found: Any = adapter.capabilities
    if not isinstance(found, set | frozenset):
        saw = short_repr(found)
    elif strange := sorted(
        short_repr(one) for one in found if one not in set(Capability)
    ):
        saw = f"{', '.join(strange)} in it"
    else:
        return
    raise broken_rule(
        adapter,
        "capabilities",
        "must be a set of Capability",
        saw,
        "write frozenset({Capability.TOOLS}), of those that the engine has",
    )


def _check_refusals(adapter: Adapter) -> None:
    found: Any = adapter.refusals
    if not isinstance(found, tuple) or not all(
        isinstance(one, type) and issubclass(one, Exception) for one in found
    ):
        raise broken_rule(
            adapter,
            "refusals",
            "must be a tuple of exception classes",
            short_repr(found),
            "write (PermissionError,), of those by which the engine refuses",
        )


def _check_limits(adapter: Adapter) -> None:
    found: Any = adapter.limits
    declared = Capability.LIMITS in adapter.capabilities
    for rule, saw, instead in limit_problems(found):
        raise broken_rule(adapter, "limits", rule, saw, instead)
    if declared != bool(found):
        raise broken_rule(
            adapter,
            "limits",
            f"must be given if and only if {Capability.LIMITS.value!r} is declared",
            f"{len(found)} limits and {'the' if declared else 'no'} capability",
            "give both or neither",
        )


def _check_patience(adapter: Adapter) -> None:
    found: Any = adapter.patience
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    if not is_number or not 0 < found < math.inf:
        rule = "must be a positive number of seconds"
        instead = "write 10.0, or nothing"
        raise broken_rule(adapter, "patience", rule, short_repr(found), instead)


def _check_varying(adapter: Adapter) -> None:
    found: Any = adapter.varying
    saw = short_repr(found)
    if isinstance(found, tuple) and all(isinstance(one, str) for one in found):
        try:
            for one in found:
                re.compile(one)
        except re.error as error:
            saw = f"{one!r} ({error})"
        else:
            return
    rule = "must be a tuple of regular expressions"
    raise broken_rule(
        adapter, "varying", rule, saw, "write (r'[0-9]+ ms',), or nothing"
    )


def _check_event_names(adapter: Adapter) -> None:
    found: Any = adapter.event_names
    if found is None:
        return
    instead = 'write EventNames(run="run", number=""), or nothing'
    if not isinstance(found, EventNames):
        rule = "must be EventNames, or None"
        raise broken_rule(adapter, "event_names", rule, short_repr(found), instead)
    try:
        msgspec.convert(msgspec.to_builtins(found), EventNames)
    except (msgspec.ValidationError, TypeError) as error:
        rule = "must name fields by strings and types by tuples of strings"
        raise broken_rule(adapter, "event_names", rule, str(error), instead) from None


def _check_packages(adapter: Adapter) -> None:
    found: Any = adapter.packages
    saw = short_repr(found)
    if isinstance(found, tuple) and all(isinstance(one, str) for one in found):
        lacking = next((one for one in found if not _is_importable(one)), None)
        if lacking is None:
            return
        saw = f"{lacking!r}"
    rule = "must be a tuple of the names of packages that can be imported"
    raise broken_rule(adapter, "packages", rule, saw, "write ('myapp',), or nothing")


def _is_importable(name: str) -> bool:
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except (Exception, SystemExit):
        # The parent of a dotted name is imported, and it may raise anything.
        return False


def _check_parameters(adapter: Adapter, method: str) -> None:
    """A call as the verifier makes it must fit the parameters of the method."""
    wanted = inspect.signature(getattr(Adapter, method)).parameters.values()
    found = inspect.signature(getattr(adapter, method))
    given = [one.name for one in wanted if one.kind is one.POSITIONAL_OR_KEYWORD][1:]
    named = {one.name: None for one in wanted if one.kind is one.KEYWORD_ONLY}
    try:
        found.bind(*given, **named)
    except TypeError:
        rule = f"must take ({', '.join((*given, *named))})"
        saw = f"({', '.join(found.parameters)})"
        instead = f"write 'async def {method}' with those parameters"
        raise broken_rule(adapter, method, rule, saw, instead) from None
