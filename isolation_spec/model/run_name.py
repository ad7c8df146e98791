"""The name by which an engine knows a run: `run-3`, and `run-3.1` for its child."""

from __future__ import annotations

import re

__all__ = ["named_run", "run_name"]

# Nine digits: Python refuses to read very long numbers, and operation ids are short.
_RUN = re.compile(r"run-(\d{1,9})(?!\d)")


def run_name(operation: int, path: tuple[int, ...] = ()) -> str:
    """Returns the name of an operation's run, or of its child at that path."""
    return "run-" + ".".join(str(part) for part in (operation, *path))


def named_run(text: str) -> int | None:
    """Returns the operation of the first run that a text names, None without one."""
    match = _RUN.search(text)
    return int(match.group(1)) if match else None
