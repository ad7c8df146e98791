"""The contract of an adapter, through which an engine is verified.

An adapter is a thin driver: it translates the operations of a scenario into calls of
one engine and returns the answers. It judges nothing, catches nothing and remembers
nothing that the engine would not. One instance serves one run.

To write one in ten minutes:

1. Subclass `Adapter`, and make your engine in `start`, with `environment.time`,
   `environment.new_id` and `environment.database_url` where it would use its own. Let
   its model await `environment.completion(prompt)`, and any other remote call
   `environment.completion()`: between asking and answering is where users meet.
2. Write `open_context`, `run_agent`, `read`, `cleanup_context`, `cleanup_user` and
   `shutdown` as calls of the engine. Name the exceptions by which it refuses in
   `refusals`.
3. Write `Services` for the agent: `identity`, `think` and `sleep`, and those that your
   capabilities add. Your engine runs an agent that awaits `agent.perform(services)`.
4. Declare the `capabilities` that the engine has, and no other. Undeclared capabilities
   are never exercised; their claims are not applicable.
5. Return from `shared` the objects that contexts share on purpose, the engine itself
   first, and, if it stores anything, from `observe` the stored rows.
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
from isolation_spec.model.limits import PATIENCE, Limit

__all__ = ["Adapter", "Row"]


class Row(NamedTuple):
    """One stored value, as the independent observer read it."""

    owner: str
    thread: str
    key: str
    value: str


class Adapter(ABC):
    """Drives one engine through one run.

    Seven methods must be written. Each capability requires the adapter methods that
    `METHODS` lists for it, and the `Services` methods that its steps call. The
    engine's answers and exceptions go through an adapter unchanged. Only a breach of
    this contract raises `AdapterError`, and ends the verification.

    Attributes:
        capabilities: the features of the engine; scenarios exercise no others.
        refusals: the exceptions by which the engine refuses a request.
        limits: the limits of the engine, each as a whole number or as a `Limit` that
            says whether a request beyond it waits, how long, or is refused. A limit on
            open contexts is `contexts_per_user` or `contexts_per_service` (of all
            users); on runs at work `runs_per_context`, `runs_per_user` or
            `runs_per_service`; on the rate at which runs begin `starts_per_context`,
            `starts_per_user` or `starts_per_service`, as in `Limit(10, within=60.0)`;
            on work within runs `calls_per_tool` (at once, for each tool) or
            `calls_per_service`, such as a pool of connections.
        patience: the virtual seconds by which other users may delay an operation where
            no limit is declared, beyond the sleep of its own user's agents.
        event_names: the fields by which every event names its run. If undeclared, the
            names of `EventNames` count where an event has them, and are not missed
            where it has not.
        varying: regular expressions for output that may legitimately differ between a
            shared run and a solo run, beside times and generated ids.
        packages: the names of the engine's packages, as `("myapp",)`. By default they
            are the top-level packages of the adapter and of the contexts that it opens.
            Objects of other packages are not searched for sharing, and an await in them
            is shown by the innermost frame of the engine.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    refusals: ClassVar[tuple[type[Exception], ...]] = ()
    limits: ClassVar[Mapping[str, int | Limit]] = {}
    patience: ClassVar[float] = PATIENCE
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

        The engine's agent awaits `agent.perform(services)` and returns its result. This
        method returns when the run has ended; cancelling its caller cancels the run.
        The engine knows the run by `agent.name`. The user may not be the owner of the
        context, and the request is the user's all the same.

        Raises:
            AgentFailure: the engine says that the run failed; its text and arguments
                hold everything that the engine said.
            Exception: one of `refusals`, if the engine did not run the agent.
        """

    @abstractmethod
    async def read(self, user: str, context: Any) -> Mapping[str, Any]:
        """Name of each read interface -> its view of the context for the user.

        Here and below the user makes the request, and may not be the owner of the
        context; then the engine must refuse, or act for the user.
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
        """Cancels, in a context of the user, the run of that name."""
        raise self._missing("cancel_run", Capability.CANCEL)

    async def write(self, user: str, context: Any, key: str, value: str) -> None:
        """Stores a durable value; returns once it is acknowledged."""
        raise self._missing("write", Capability.MEMORY)

    async def erase(self, user: str, context: Any) -> None:
        """Erases the values stored for the thread; returns once it is acknowledged."""
        raise self._missing("erase", Capability.ERASE)

    def identity(self) -> str | None:
        """The user id for which the engine says the current code runs, else None.

        Called in the task of each operation whenever it has come to an await, also one
        inside the engine.
        """
        return None

    def observe(self) -> Iterable[Row]:
        """Everything stored, read without the engine's help.

        From a database by a connection of the observer's own; from an engine that
        stores in memory, out of that memory.
        """
        return ()

    def holdings(self, context: Any) -> Iterable[Any]:
        """The objects that belong to this context alone, as places to look from."""
        return (context,)

    def shared(self) -> Iterable[Any]:
        """The objects that contexts share on purpose; their attributes are, too."""
        return ()

    def gauges(self, user: str | None) -> Mapping[str, float]:
        """The engine's own counts of its holdings for the user, or for all users; zero
        when idle."""
        return {}

    def _missing(self, method: str, capability: Capability) -> AdapterError:
        return AdapterError(
            f"{type(self).__name__}.{method} is not implemented, but the adapter "
            f"declares the capability {capability.value!r}: implement the method or "
            "leave the capability out"
        )
