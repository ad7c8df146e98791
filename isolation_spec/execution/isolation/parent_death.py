"""Processes that end with their parent, even if SIGKILL ends it.

An orphaned worker would block forever: it keeps both ends of its own pipe, so that a
full pipe never breaks.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading

__all__ = ["end_with_parent"]

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Kills this child process of `multiprocessing` as soon as its parent has ended."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    # A thread is the second choice: an engine that forks would be warned of it.
    if not _kernel_kills():
        threading.Thread(target=_outlive, args=(parent,), daemon=True).start()
    elif os.getppid() != parent.pid:
        # The parent ended before the kernel had registered the signal.
        os.kill(os.getpid(), signal.SIGKILL)


def _kernel_kills() -> bool:
    """Whether the kernel kills this process after its parent, as Linux does."""
    if sys.platform != "linux":
        return False
    return not ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _outlive(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGKILL)
