"""The base class of adapters: its required and its optional methods."""

import asyncio
from typing import Any

import pytest

from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.errors import AdapterError
from isolation_spec.measurement.workloads import NullAdapter

REQUIRED = {
    "start",
    "open_context",
    "run_agent",
    "read",
    "cleanup_context",
    "cleanup_user",
    "shutdown",
}
OPTIONAL: dict[str, tuple[Any, ...]] = {
    "connect": ("alice",),
    "cancel_run": ("alice", "x", "run-1"),
    "write": ("alice", "x", "k", "v"),
    "erase": ("alice", "x"),
}


def test_seven_methods_are_required() -> None:
    """A class without one of the seven cannot be made into an adapter."""
    assert REQUIRED == Adapter.__abstractmethods__


@pytest.mark.parametrize("method", OPTIONAL)
def test_an_undeclared_capability_is_refused(method: str) -> None:
    """A method that is left out names itself and the capability to leave out."""
    call = getattr(NullAdapter(), method)

    with pytest.raises(AdapterError) as caught:
        asyncio.run(call(*OPTIONAL[method]))

    assert str(caught.value).startswith(f"NullAdapter.{method} is not implemented")
    assert "leave the capability out" in str(caught.value)


def test_nothing_is_claimed_by_default() -> None:
    """An adapter that says nothing shares, stores, holds and measures nothing."""
    adapter = NullAdapter()

    assert None is adapter.identity()
    assert [] == [*adapter.observe(), *adapter.shared(), *adapter.gauges(None)]
    assert ["x"] == list(adapter.holdings("x"))
