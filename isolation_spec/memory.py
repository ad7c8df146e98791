"""How much memory a process and its descendants really take."""

from __future__ import annotations

import psutil

__all__ = ["proportional_set_size"]


def proportional_set_size(process: psutil.Process) -> float:
    """Proportional set size of the process and all its descendants, in bytes.

    Zero where the system does not tell it.
    """
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            total += getattr(one.memory_full_info(), "pss", 0)
        except psutil.Error:
            continue
    return total
