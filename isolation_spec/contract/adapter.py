"""The contract through which an engine is verified, and what a world gives it.

An adapter is a thin driver: it translates the operations of a scenario into calls of
one engine and says what came back. It judges nothing, catches nothing and remembers
nothing that the engine would not. One instance serves one run.

To write one in ten minutes:

1. Subclass `Adapter`, and make your engine in `start`, with `environment.time`,
   `environment.new_id` and `environment.database_url` where it would use its own. Let
   its model await `environment.completion(prompt)`, and whatever else is remote
   `environment.completion()`: between asking and answering is where users meet.
2. Write `open_context`, `run_agent`, `read`, `cleanup_context`, `cleanup_user` and
   `shutdown` as calls of the engine. Name the exceptions by which it refuses in
   `refusals`.
3. Write `Services` for the agent: `identity`, `think` and `sleep`, and what your
   capabilities add. Your engine runs an agent that awaits `agent.perform(services)`.
4. Declare the `capabilities` that the engine has, and no other. What is not declared is
   not asked for, and the claims about it are not applicable.
5. Say in `shared` what contexts share on purpose, the engine itself first, and, if it
   stores anything, in `observe` what is stored.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

from isolation_spec.contract.capabilities import Capability
from isolation_spec.contract.environment import Connection, Environment
from isolation_spec.contract.errors import AdapterError
from isolation_spec.contract.scripted_agent import ScriptedAgent
from isolation_spec.model.event_names import EventNames

__all__ = ["Adapter", "Row"]


class Row(NamedTuple):
    """One stored value, as the independent observer read it."""

    owner: str
    thread: str
    key: str
    value: str


class Adapter(ABC):
    """Drives one engine through one run.

    Seven methods must be written; each capability asks for those named with it in
    `METHODS`, and for the methods of `Services` that its steps call. What an engine
    does badly, its own exceptions included, goes through an adapter unchanged. Only
    what breaks this contract raises `AdapterError`, and ends the verification.

    Attributes:
        capabilities: what the engine offers; scenarios ask for nothing else.
        refusals: the exceptions by which the engine refuses a request.
        limits: what the engine allows: `contexts_per_user`, `runs_per_context`. A run
            beyond them waits, or is refused.
        event_names: what every event of a run names, and how. Where nothing is
            declared, the names of `EventNames` are believed wherever they are found,
            and nothing is missed where they are not.
        varying: regular expressions of what a user may rightly see otherwise than they
            would alone, beside times and ids that nobody asked for.
        packages: the names of the engine's packages, as `("myapp",)`. By default they
            are the top-level packages of the adapter and of the contexts that it opens.
            Objects of other packages are not searched for sharing, and an await in them
            is shown by the innermost frame of the engine.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    refusals: ClassVar[tuple[type[Exception], ...]] = ()
    limits: ClassVar[Mapping[str, int]] = {}
    event_names: ClassVar[EventNames | None] = None
    varying: ClassVar[tuple[str, ...]] = ()
    packages: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    async def start(self, environment: Environment) -> None:
        """Starts the engine with the clock, ids and database of the environment."""

    @abstractmethod
    async def open_context(
        self, user: str, thread: str, metadata: dict[str, Any]
    ) -> Any:
        """Opens a context of the user on the thread; returns a handle, not None.

        An engine that keeps metadata with a context gets it, and shows it when read.
        """

    @abstractmethod
    async def run_agent(self, user: str, context: Any, agent: ScriptedAgent) -> Any:
        """Runs the agent in the context at the user's request; returns the result.

        The engine's agent awaits `agent.perform(services)`, and returns what that
        returns. This method returns when the run has ended; cancelling its caller
        cancels the run. The engine knows the run by `agent.name`. The user may not be
        the owner of the context: the request is theirs all the same.

        Raises:
            AgentFailure: the engine says that the run failed; its text and arguments
                hold all that the engine said.
            Exception: one of `refusals`, if the engine did not run the agent.
        """

    @abstractmethod
    async def read(self, user: str, context: Any) -> Mapping[str, Any]:
        """Name of each read interface -> what it shows of the context to the user.

        Here and below the user is the one who asks, who may not be the owner of the
        context; then the engine must refuse, or act for the one who asks.
        """

    @abstractmethod
    async def cleanup_context(self, user: str, context: Any) -> None:
        """Releases the context at the user's request."""

    @abstractmethod
    async def cleanup_user(self, user: str) -> None:
        """Releases everything of the user."""

    @abstractmethod
    async def shutdown(self) -> None:
        """Stops the engine; afterwards nothing of it may be alive. Idempotent."""

    async def connect(
        self, user: str, *, claims_to_be: str | None = None, forged: bool = False
    ) -> Connection:
        """Connects a client of the user by a real handshake.

        The client may name another user wherever a client can name one, while it
        presents the user's own credentials; or present forged ones.
        """
        raise self._missing("connect", Capability.CONNECTIONS)

    async def cancel_run(self, user: str, context: Any, run: str) -> None:
        """Asks the engine, in a context of the user, to cancel the run of that name."""
        raise self._missing("cancel_run", Capability.CANCEL)

    async def write(self, user: str, context: Any, key: str, value: str) -> None:
        """Stores a durable value; returns once it is acknowledged."""
        raise self._missing("write", Capability.MEMORY)

    async def erase(self, user: str, context: Any) -> None:
        """Erases what is stored for the thread; returns once it is acknowledged."""
        raise self._missing("erase", Capability.ERASE)

    def identity(self) -> str | None:
        """The user id for which the engine says the current code runs, None if nobody.

        Asked in the task of each operation whenever it has come to an await, also one
        inside the engine.
        """
        return None

    def observe(self) -> Iterable[Row]:
        """Everything stored, read without the engine's help.

        From a database by a connection of the observer's own; from an engine that keeps
        what it stores in memory, out of that memory.
        """
        return ()

    def holdings(self, context: Any) -> Iterable[Any]:
        """The objects that belong to this context alone, as places to look from."""
        return (context,)

    def shared(self) -> Iterable[Any]:
        """The objects that contexts share on purpose; their attributes are, too."""
        return ()

    def gauges(self, user: str | None) -> Mapping[str, float]:
        """What the engine says it holds for the user, or for all; all zero when
        idle."""
        return {}

    def _missing(self, method: str, capability: Capability) -> AdapterError:
        return AdapterError(
            f"{type(self).__name__}.{method} is not implemented, but the adapter "
            f"declares the capability {capability.value!r}: implement the method or "
            "leave the capability out"
        )
