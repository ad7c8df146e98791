"""The world as an adapter sees it: clock, chance, network and database."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from isolation_spec.contract.toolbox import Toolbox

__all__ = ["Connection", "Environment"]


class Environment(Protocol):
    """The clock, network, database and chance that a world supplies to an engine."""

    database_url: str
    host: str
    random: random.Random
    toolbox: Toolbox

    def time(self) -> float:
        """Seconds, monotonic."""

    def new_id(self, kind: str) -> str:
        """An id that is unique in this run."""

    async def completion(self, asked: str = "") -> None:
        """Returns when something outside, a model or a remote tool, has answered.

        A model passes its prompt in `asked`, as the answer to a prompt may take long. A
        request on behalf of several users is best made without.
        """

    def observe(self) -> Any:
        """A `sqlite3.Connection` to the database, independent of the engine; close
        it."""


class Connection(Protocol):
    """A client's end of a connection. `websockets` clients have this form."""

    @property
    def close_code(self) -> int | None:
        """The code of the close frame, None while the connection is open."""

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yields messages until the connection is closed, however that happens."""

    async def close(self) -> None:
        """Closes with a closing handshake."""

    def abort(self) -> None:
        """Drops the connection as a lost network does."""
