"""Computes many results in forked processes, several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from typing import Any, Generic, TypeVar

import msgspec

from isolation_spec.contract.errors import AdapterError
from isolation_spec.execution.isolation.subprocess import (
    IsolatedProcess,
    Parent,
    Work,
)

__all__ = ["map_in_processes"]

Item = TypeVar("Item")
Value = TypeVar("Value")
_ENDS_WITHIN = 0.1
"""Seconds; a process that has sent all its results has nothing left to do."""


class Computed(msgspec.Struct, Generic[Value], frozen=True, tag=True):
    """The result for the item of that index."""

    index: int
    value: Value


def map_in_processes(
    function: Callable[[Item], Value],
    items: Sequence[Item],
    values: type[Value],
    *,
    jobs: int,
    name: str,
) -> Iterator[tuple[Item, Value]]:
    """Yields (item, value) as `jobs` processes compute them, each every `jobs`-th item.

    Raises:
        AdapterError: the function raised an exception, or ended its process.
    """

    def work_from(first: int) -> Work[Computed[Value]]:
        def work(parent: Parent[Computed[Value]]) -> None:
            for index in range(first, len(items), jobs):
                parent.send(Computed(index, function(items[index])))

        return work

    messages = Computed[values]  # type: ignore[valid-type]
    processes: list[IsolatedProcess[Computed[Value]]] = []
    try:
        for first in range(min(jobs, len(items))):
            processes.append(IsolatedProcess(work_from(first), messages, name=name))
        for message in _messages(processes, name):
            yield items[message.index], message.value
    finally:
        for process in processes:
            process.close(_ENDS_WITHIN)


def _messages(
    processes: list[IsolatedProcess[Computed[Value]]], name: str
) -> Iterator[Computed[Value]]:
    """Yields the messages of all processes until the last one ends."""
    waiting: dict[Any, IsolatedProcess[Computed[Value]]] = {
        process.connection: process for process in processes
    }
    while waiting:
        for connection in wait(list(waiting)):
            message = waiting[connection].receive()
            if isinstance(message, Computed):
                yield message
                continue
            del waiting[connection]
            if message is None:
                error = f"{name} broke off: its process died"
                raise AdapterError(error)
            if message.error:
                raise AdapterError(message.error)
