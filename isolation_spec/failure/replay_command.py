"""The one command that replays a failure file."""

from __future__ import annotations

import shlex

__all__ = ["replay_command"]


def replay_command(path: str, engine: str) -> str:
    """The command, to be copied into a shell.

    An engine that is not registered is named in it: nothing that a file names is
    imported.
    """
    words = ["isolation-spec", "replay", path]
    if ":" in engine:
        words += ["--engine", engine]
    return shlex.join(words)
