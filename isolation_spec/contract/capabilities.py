"""The capabilities that an engine declares, and the methods that each requires."""

from __future__ import annotations

import enum
from collections.abc import Mapping

__all__ = ["METHODS", "Capability"]


class Capability(enum.StrEnum):
    """A feature of an engine; claims about undeclared ones are not applicable."""

    CONNECTIONS = "connections"
    """Users connect by `websockets`, and events are routed to their connections."""
    TOOLS = "tools"
    """Agents call tools, of which some are denied to them."""
    STATE = "state"
    """A run has a state of its own."""
    MEMORY = "memory"
    """Values are stored durably for a user and thread."""
    TRANSACTIONS = "transactions"
    """Agents work in database sessions of SQLAlchemy."""
    IDENTITY = "identity"
    """Code inside a run can ask on whose behalf it runs."""
    CANCEL = "cancel"
    """A run can be cancelled by its user through the engine."""
    ERASE = "erase"
    """A user's stored values can be erased."""
    CHILDREN = "children"
    """Agents run child agents."""
    PERMISSIONS = "permissions"
    """Whether a tool is allowed depends on the user: `Toolbox.permits` says."""
    LIMITS = "limits"
    """The engine has limits, which the adapter names in `limits`."""


METHODS: Mapping[Capability, tuple[str, ...]] = {
    Capability.CONNECTIONS: ("connect",),
    Capability.MEMORY: ("write", "observe"),
    Capability.TRANSACTIONS: ("observe",),
    Capability.CANCEL: ("cancel_run",),
    Capability.ERASE: ("erase",),
}
"""Capability -> the methods that it requires, beside those of every adapter."""
