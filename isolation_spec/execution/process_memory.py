"""The memory that a process and its descendants take, and collections of garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

__all__ = ["frozen_heap", "proportional_set_size"]


def proportional_set_size(process: psutil.Process) -> float:
    """Proportional set size of the process and all its descendants, in bytes.

    Zero where the system does not report it.
    """
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            total += getattr(one.memory_full_info(), "pss", 0)
        except psutil.Error:
            continue
    return total


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Keeps all objects of now alive: collections look at later objects only, and are
    five times faster."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()
