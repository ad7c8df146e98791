"""A chat server whose sessions are addressed by id, with one turn at a time in each.

Fixed: nothing is wrong.
StopUnowned: a stop by session id checks no owner, onyx-dot-app/onyx#10413.
LockForever: the lock of a session is kept for ever, HKUDS/nanobot#4883.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any, ClassVar, cast

from isolation_spec import (
    Adapter,
    AgentFailure,
    Capability,
    Environment,
    Row,
    ScriptedAgent,
    Services,
    Toolbox,
    ToolOutcome,
)

acting_for: ContextVar[str | None] = ContextVar("acting_for", default=None)


class Forbidden(Exception):
    """The server does not do this for this user."""


class Session:
    """One user at work on one thread."""

    def __init__(self, id: str, user: str, thread: str) -> None:
        self.id = id
        self.user = user
        self.thread = thread
        self.is_open = True
        self.turns: dict[str, asyncio.Task[Any]] = {}


class TurnLock(asyncio.Lock):
    """The lock of a session, which counts the turns that hold it or wait for it."""

    turns = 0


class Server:
    """Sessions, their turns and the notes that are kept of each thread."""

    def __init__(
        self,
        model: Callable[[str], Awaitable[str]],
        toolbox: Toolbox,
        new_id: Callable[[str], str],
    ) -> None:
        self.model = model
        self.toolbox = toolbox
        self.new_id = new_id
        self.sessions: dict[str, Session] = {}
        self.locks: dict[str, TurnLock] = {}
        self.notes: dict[tuple[str, str], dict[str, str]] = {}

    def open(self, user: str, thread: str) -> str:
        session = Session(self.new_id("session"), user, thread)
        self.sessions[session.id] = session
        return session.id

    def session(self, user: str, id: str) -> Session:
        session = self.sessions.get(id)
        if session is None or session.user != user:
            raise Forbidden(f"no session {id} of {user}")
        return session

    async def chat(
        self, user: str, id: str, turn: str, work: Callable[[Session], Awaitable[Any]]
    ) -> Any:
        session = self.session(user, id)
        if not session.is_open:
            raise Forbidden(f"session {id} is closed")
        task = asyncio.ensure_future(self.turn(session, work))
        session.turns[turn] = task
        try:
            return await task
        finally:
            del session.turns[turn]

    async def turn(
        self, session: Session, work: Callable[[Session], Awaitable[Any]]
    ) -> Any:
        acting_for.set(session.user)
        lock = self.locks.setdefault(session.id, TurnLock())
        lock.turns += 1
        try:
            async with lock:
                return await work(session)
        finally:
            lock.turns -= 1
            if not lock.turns:
                del self.locks[session.id]

    def stop(self, user: str, id: str, turn: str) -> None:
        session = self.session(user, id)
        if turn not in session.turns:
            raise Forbidden(f"no turn {turn} in session {id}")
        session.turns[turn].cancel()

    async def call_tool(self, session: Session, tool: str, argument: str) -> str:
        known = tool in self.toolbox.names
        if not known or not self.toolbox.permits(session.user, tool):
            raise Forbidden(f"{tool} is not for {session.user}")
        return await self.toolbox.run(tool, argument, acting_for.get)

    def note(self, session: Session, key: str, value: str) -> None:
        self.notes.setdefault((session.user, session.thread), {})[key] = value

    def notes_of(self, session: Session) -> dict[str, str]:
        return dict(self.notes.get((session.user, session.thread), {}))

    def forget(self, session: Session) -> None:
        self.notes.pop((session.user, session.thread), None)

    async def close(self, session: Session) -> None:
        session.is_open = False
        turns = list(session.turns.values())
        for turn in turns:
            turn.cancel()
        await asyncio.gather(*turns, return_exceptions=True)
        self.sessions.pop(session.id, None)

    async def close_all(self, user: str | None = None) -> None:
        for session in [s for s in self.sessions.values() if user in (None, s.user)]:
            await self.close(session)


class UnownedStops(Server):
    """Stops a turn of any session for everybody who knows the session's id."""

    def stop(self, user: str, id: str, turn: str) -> None:
        session = self.sessions.get(id)
        if session is None or turn not in session.turns:
            raise Forbidden(f"no turn {turn} in session {id}")
        session.turns[turn].cancel()


class KeptLocks(Server):
    """Makes a lock for each session, and never drops one."""

    async def turn(
        self, session: Session, work: Callable[[Session], Awaitable[Any]]
    ) -> Any:
        acting_for.set(session.user)
        async with self.locks.setdefault(session.id, TurnLock()):
            return await work(session)


class Fixed(Adapter):
    """The server with nothing wrong."""

    capabilities = frozenset(
        {
            Capability.TOOLS,
            Capability.PERMISSIONS,
            Capability.MEMORY,
            Capability.ERASE,
            Capability.CANCEL,
            Capability.IDENTITY,
            Capability.LIMITS,
        }
    )
    refusals = (Forbidden,)
    limits: ClassVar[Mapping[str, int]] = {"runs_per_context": 1}
    server_class: ClassVar[type[Server]] = Server

    async def start(self, environment: Environment) -> None:
        async def model(prompt: str) -> str:
            await environment.completion(prompt)
            return f"answer to {prompt}"

        self.server = self.server_class(model, environment.toolbox, environment.new_id)

    async def open_context(
        self, user: str, thread: str, metadata: dict[str, Any]
    ) -> str:
        return self.server.open(user, thread)

    async def run_agent(self, user: str, context: str, agent: ScriptedAgent) -> Any:
        async def work(session: Session) -> Any:
            return await agent.perform(cast(Services, Desk(self.server, session)))

        return await self.server.chat(user, context, agent.name, work)

    async def cancel_run(self, user: str, context: str, run: str) -> None:
        self.server.stop(user, context, run)

    async def read(self, user: str, context: str) -> Mapping[str, Any]:
        return {"notes": self.server.notes_of(self.server.session(user, context))}

    async def write(self, user: str, context: str, key: str, value: str) -> None:
        self.server.note(self.server.session(user, context), key, value)

    async def erase(self, user: str, context: str) -> None:
        self.server.forget(self.server.session(user, context))

    async def cleanup_context(self, user: str, context: str) -> None:
        await self.server.close(self.server.session(user, context))

    async def cleanup_user(self, user: str) -> None:
        await self.server.close_all(user)

    async def shutdown(self) -> None:
        await self.server.close_all()

    def identity(self) -> str | None:
        return acting_for.get()

    def observe(self) -> Iterable[Row]:
        for (user, thread), notes in self.server.notes.items():
            for key, value in notes.items():
                yield Row(user, thread, key, value)

    def shared(self) -> Iterable[Any]:
        return (self, self.server)

    def gauges(self, user: str | None) -> Mapping[str, float]:
        sessions = self.server.sessions.values()
        return {"sessions": sum(user in (None, s.user) for s in sessions)}


class StopUnowned(Fixed):
    """The stop of a turn names a session, and whose it is is not asked."""

    server_class = UnownedStops


class LockForever(Fixed):
    """The map of locks grows by one with each session that has had a turn."""

    server_class = KeptLocks


class Desk:
    """What an agent works with in a turn."""

    def __init__(self, server: Server, session: Session) -> None:
        self.server = server
        self.session = session

    def identity(self) -> str | None:
        return acting_for.get()

    async def think(self, prompt: str) -> str:
        return await self.server.model(prompt)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def call_tool(self, tool: str, argument: str) -> ToolOutcome:
        try:
            result = await self.server.call_tool(self.session, tool, argument)
        except (AgentFailure, Forbidden) as error:
            return ToolOutcome(False, None, str(error))
        return ToolOutcome(True, result, None)

    async def remember(self, key: str, value: str) -> None:
        self.server.note(self.session, key, value)

    async def recall(self, key: str) -> str | None:
        return self.server.notes_of(self.session).get(key)
