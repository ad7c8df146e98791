"""Hints at methods whose capability an adapter does not declare."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from isolation_spec.adapter_check.result import Status
from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.capabilities import METHODS, Capability
from isolation_spec.contract.services import Services

__all__ = ["report_undeclared"]

_SERVICES = {
    Capability.TOOLS: ("call_tool",),
    Capability.STATE: ("write_state", "read_state"),
    Capability.MEMORY: ("remember", "recall"),
    Capability.TRANSACTIONS: ("transact",),
    Capability.CONNECTIONS: ("emit",),
    Capability.CHILDREN: ("spawn",),
}
"""The methods of `Services` that a capability requires."""


def report_undeclared(
    adapter: Adapter,
    services: Services | None,
    report: Callable[[Status, str, str], None],
) -> None:
    """Hints at each method that exists but is never called."""
    for method, capability in _undeclared(adapter, services):
        note = f"is there, but never called: {capability.value!r} is not declared"
        report("hint", note, method)


def _undeclared(
    adapter: Adapter, services: Services | None
) -> Iterator[tuple[str, Capability]]:
    declared = adapter.capabilities
    called = {method for one in declared for method in METHODS.get(one, ())}
    for capability, methods in METHODS.items():
        for method in methods if capability not in declared else ():
            own = getattr(type(adapter), method) is not getattr(Adapter, method)
            if own and method not in called:
                yield method, capability
    for capability, methods in _SERVICES.items():
        for method in methods if capability not in declared else ():
            if services is not None and hasattr(services, method):
                yield f"agent: {method}", capability
