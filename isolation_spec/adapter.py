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

import enum
import inspect
import random
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from hashlib import shake_128
from typing import Any, ClassVar, NamedTuple, Protocol

from isolation_spec.event_names import EventNames
from isolation_spec.scenario import (
    CallTool,
    Emit,
    Fail,
    ReadState,
    Recall,
    Remember,
    Return,
    Sleep,
    Spawn,
    Step,
    Think,
    Transact,
    User,
    WriteState,
    permitted,
)

__all__ = [
    "FILLER",
    "HALF",
    "METHODS",
    "NOBODY",
    "Adapter",
    "AdapterError",
    "AgentFailure",
    "Capability",
    "Connection",
    "Environment",
    "EventNames",
    "Row",
    "ScriptedAgent",
    "Services",
    "ToolOutcome",
    "Toolbox",
    "Unwritten",
    "first_unwritten",
]


NOBODY = "nobody"
"""What the tool `whoami` answers where a tool cannot know for whom it works."""


class AdapterError(Exception):
    """An adapter broke the contract; the text names the method and the rule."""


class Unwritten(AdapterError):
    """Raised by a method that is still to be written; its docstring says what."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or "a method of the adapter is still to be written")


def first_unwritten(of: type, method: str = "") -> Unwritten:
    """Says what to write in the first method of a class that is still to be written.

    In the order in which they stand there; of several that are missing, one at a time.
    Without any, it is the method that was asked for.
    """
    for name, member in vars(of).items():
        code = getattr(member, "__code__", None)
        if code is not None and "Unwritten" in code.co_names:
            method = name
            break
    does = inspect.getdoc(vars(of).get(method)) or "see isolation_spec.adapter"
    return Unwritten(
        f"{of.__name__}.{method} is not written yet: {' '.join(does.split())}"
    )


class AgentFailure(Exception):
    """Raised by a scripted agent at a `fail` step, and inside a failing transaction."""


class Capability(enum.StrEnum):
    """What an engine offers; a claim about anything else is not applicable to it."""

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
    """What a user stored can be erased."""
    CHILDREN = "children"
    """Agents run child agents."""
    PERMISSIONS = "permissions"
    """Whether a tool is allowed depends on the user: `Toolbox.permits` says."""
    LIMITS = "limits"
    """The engine refuses what exceeds the limits that the adapter names."""


METHODS: Mapping[Capability, tuple[str, ...]] = {
    Capability.CONNECTIONS: ("connect",),
    Capability.MEMORY: ("write", "observe"),
    Capability.TRANSACTIONS: ("observe",),
    Capability.CANCEL: ("cancel_run",),
    Capability.ERASE: ("erase",),
}
"""The methods of an adapter that a capability asks for, beside those of every one."""


class Environment(Protocol):
    """What a world supplies instead of the wall clock, the network and chance."""

    database_url: str
    host: str
    random: random.Random
    toolbox: Toolbox

    def time(self) -> float:
        """Seconds, monotonic."""

    def new_id(self, kind: str) -> str:
        """An id that nothing else in this run has."""

    async def completion(self, asked: str = "") -> None:
        """Returns when something outside, a model or a remote tool, has answered.

        A model says what it was `asked`, as the answer to a prompt may take long; what
        is asked for many at once is best asked without.
        """

    def observe(self) -> Any:
        """A `sqlite3.Connection` to the database, independent of the engine; close
        it."""


class Connection(Protocol):
    """A client's end of a connection. `websockets` clients have this form."""

    @property
    def close_code(self) -> int | None:
        """The code with which the connection was closed, None while open."""

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yields messages until the connection is closed, however that happens."""

    async def close(self) -> None:
        """Closes with a closing handshake."""

    def abort(self) -> None:
        """Drops the connection as a lost network does."""


class ToolOutcome(NamedTuple):
    """What the engine said of a tool call."""

    success: bool
    result: Any
    error: str | None


class Row(NamedTuple):
    """One stored value, as the independent observer read it."""

    owner: str
    thread: str
    key: str
    value: str


class Services(Protocol):
    """What an engine offers to the agent that it runs, one method a kind of step.

    An adapter implements those of its capabilities by calling the engine, for the run
    in which the agent is.
    """

    def identity(self) -> str | None:
        """The user id for which the engine says the current code runs."""

    async def think(self, prompt: str) -> Any:
        """Prompts the model; returns what the model was shown and answered."""

    async def call_tool(self, tool: str, argument: str) -> ToolOutcome:
        """Calls a tool of the toolbox through the engine."""

    async def write_state(self, key: str, value: str) -> None:
        """Stores a value in the state of the run."""

    async def read_state(self) -> Any:
        """Returns the whole state of the run."""

    async def remember(self, key: str, value: str) -> None:
        """Stores a durable value; returns once it is acknowledged."""

    async def recall(self, key: str) -> Any:
        """Returns a durable value, None if there is none."""

    async def transact(
        self, items: Iterable[tuple[str, str]], error: Exception | None
    ) -> None:
        """Writes all items in one database session, then raises `error` in it, if
        any."""

    async def emit(self, payload: str) -> None:
        """Sends an event of the agent's own to its user."""

    async def spawn(self, agent: ScriptedAgent) -> Any:
        """Runs a child agent and returns its result."""

    async def sleep(self, seconds: float) -> None:
        """Waits."""


HALF = "\ud800"
"""Half a character: it is text, and nothing encodes it."""
FILLER = b64encode(shake_128(b"filler").digest(45_000), b"-_").decode()
"""More than the buffers between an engine and its client hold, compressed or not."""


class Toolbox:
    """The tools of a world. An adapter registers each with its engine.

    `names` are registered and, but for `denied`, allowed; any other name is unknown.
    An engine that decides by user and tool asks `permits`, and its adapter declares
    the capability `permissions`.
    """

    names: tuple[str, ...] = (
        *("echo", "slow", "whoami", "failing", "forbidden", "personal"),
    )
    denied: frozenset[str] = frozenset({"forbidden"})

    def __init__(
        self,
        environment: Environment,
        users: Iterable[User],
        record: Callable[[str, str, str | None, str], None],
    ) -> None:
        self._environment = environment
        self._users = {user.id: user for user in users}
        self._record = record

    def permits(self, user: str, tool: str) -> bool:
        """Whether the user of this identity may call the tool; nobody else may."""
        known = self._users.get(user)
        return known is not None and permitted(tool, known)

    async def run(
        self, name: str, argument: str, identity: Callable[[], str | None]
    ) -> str:
        """The body of a tool; `identity` says for whom the engine has it work, now.

        Raises:
            AgentFailure: in the failing tool, with its argument in the text.
        """
        self._record(name, argument, identity(), "began")
        await self._environment.completion()
        if name == "slow":
            self._record(name, argument, identity(), "went on")
            await self._environment.completion()
        who = identity()
        self._record(name, argument, who, "ended")
        if name == "whoami":
            return NOBODY if who is None else who
        if name == "failing":
            message = f"tool failed on {argument}"
            raise AgentFailure(message)
        return argument


class ScriptedAgent:
    """What a scripted agent does; the adapter's agent calls `perform` and no more.

    Arguments:
        run: the id of the operation that runs it.
        record: takes (path, step, what was seen or raised, identity) at its beginning
            and after each step.
    """

    def __init__(
        self,
        run: int,
        script: tuple[Step, ...],
        record: Callable[[tuple[int, ...], str, Any, str | None], None],
        path: tuple[int, ...] = (),
    ) -> None:
        self.run = run
        self.script = script
        self.path = path
        self.performed = False
        self.finished = False
        self.broken: list[AdapterError] = []
        self._record = record

    @property
    def name(self) -> str:
        """The id that the engine must know the run by: `run-3`, its child `run-3.1`."""
        return "run-" + ".".join(str(part) for part in (self.run, *self.path))

    async def perform(self, services: Services) -> Any:
        """Performs the script and returns its result.

        Raises:
            AgentFailure: at a `fail` step, or where a failing transaction raised.
        """
        step: Step = Return(value="")
        self.performed = True
        if not callable(getattr(services, "identity", None)):
            raise self._break(services, "identity", "is missing")
        self._record(self.path, "begin", "", self._identity(services))
        for index, step in enumerate(self.script):
            path = (*self.path, index)
            try:
                seen = await self._take(step, path, services)
            except BaseException as error:
                kind = type(step).__struct_config__.tag
                if isinstance(error, AdapterError):
                    if isinstance(error, Unwritten):
                        error = first_unwritten(type(services), str(kind))
                    self.broken.append(error)
                    raise error
                if (problem := _problem(error, services, str(kind))) is not None:
                    raise self._break(services, str(kind), problem) from error
                self._record(path, str(kind), error, services.identity())
                raise
            kind = type(step).__struct_config__.tag
            self._record(path, str(kind), seen, services.identity())
            if isinstance(step, Return):
                break
        self.finished = True
        return step.value if isinstance(step, Return) and self.script else None

    def _identity(self, services: Services) -> str | None:
        try:
            return services.identity()
        except Unwritten:
            self.broken.append(first_unwritten(type(services), "identity"))
            raise self.broken[-1] from None

    async def _take(self, step: Step, path: tuple[int, ...], services: Services) -> Any:
        match step:
            case Think():
                return await services.think(step.prompt)
            case CallTool():
                return await services.call_tool(step.tool, step.argument)
            case WriteState():
                return await services.write_state(step.key, step.value)
            case ReadState():
                return await services.read_state()
            case Remember():
                value = f"{step.value}{HALF}" if step.broken else step.value
                return await services.remember(step.key, value)
            case Recall():
                return await services.recall(step.key)
            case Transact():
                error = AgentFailure("in a transaction") if step.fails else None
                return await services.transact(step.items, error)
            case Emit():
                filler = FILLER if step.large else ""
                return await services.emit(f"{step.payload}{filler}")
            case Spawn():
                child = ScriptedAgent(self.run, step.script, self._record, path)
                child.broken = self.broken
                return await services.spawn(child)
            case Sleep():
                return await services.sleep(step.seconds)
            case Fail():
                raise AgentFailure(step.message)
            case Return():
                return None

    def _break(self, services: Services, method: str, problem: str) -> AdapterError:
        """The error, kept as well, as an engine may swallow what its agent raises."""
        message = (
            f"{type(services).__name__}.{method} {problem}: an agent performs its "
            f"script by such methods, so write it as in isolation_spec.adapter.Services"
        )
        self.broken.append(AdapterError(message))
        return self.broken[-1]


def _problem(error: BaseException, services: Services, method: str) -> str | None:
    """What is wrong with the method, None if the error came from within it."""
    if isinstance(error, AttributeError) and not hasattr(services, method):
        return "is missing"
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    # What is no coroutine, or does not take these arguments, fails in our own frame.
    ours = trace is not None and trace.tb_frame.f_code is ScriptedAgent._take.__code__
    is_shape = ours and isinstance(error, TypeError)
    return f"cannot be called and awaited ({error})" if is_shape else None


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
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    refusals: ClassVar[tuple[type[Exception], ...]] = ()
    limits: ClassVar[Mapping[str, int]] = {}
    event_names: ClassVar[EventNames | None] = None
    varying: ClassVar[tuple[str, ...]] = ()

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
