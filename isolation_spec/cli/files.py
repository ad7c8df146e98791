"""Writes the file that a command was given."""

from __future__ import annotations

from pathlib import Path

from isolation_spec.cli.errors import UsageError

__all__ = ["write_file"]


def write_file(path: Path, content: str | bytes, noun: str) -> None:
    """Writes a file; `noun` names its content, as in "the scores".

    Raises:
        UsageError: the file cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        path.write_bytes(data)
    except OSError as error:
        message = f"{noun} cannot be written to {path}: {error.strerror}"
        raise UsageError(message) from None
