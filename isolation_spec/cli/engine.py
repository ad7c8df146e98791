"""Finds the engine that a command names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isolation_spec.engines.registry import Engine

__all__ = ["import_engine"]


def import_engine(name: str, allowed: float = 30.0) -> Engine:
    """Returns the engine of that name and drops the output of its modules.

    Args:
        name: as the user writes it on the command line.
        allowed: seconds that the import may take.

    Raises:
        AdapterError: no engine has the name, or its module cannot be imported.
    """
    from isolation_spec.engines.registry import find_engine
    from isolation_spec.execution.containment import quiet
    from isolation_spec.execution.isolation.time_limit import time_limit

    with time_limit(allowed, f"the engine {name!r}"), quiet():
        return find_engine(name)
