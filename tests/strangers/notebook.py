"""A small agent engine of many users, all in memory, and its adapter.

The engine does not use isolation-spec. Its author writes the adapter only.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from isolation_spec.contract.adapter import Adapter, Row
from isolation_spec.contract.capabilities import Capability
from isolation_spec.contract.environment import Environment
from isolation_spec.contract.errors import AgentFailure
from isolation_spec.contract.scripted_agent import ScriptedAgent
from isolation_spec.contract.services import ToolOutcome

Tool = Callable[["Session", str], Awaitable[str]]


class Refused(Exception):
    """Raised when the notebook refuses a request of a user."""


@dataclass(eq=False)
class Session:
    """One user at work in one notebook."""

    user: str
    thread: str
    runs: dict[str, asyncio.Task[Any]] = field(default_factory=dict)
    is_open: bool = True


class Notebook:
    """Agents that think, call tools and take notes, for many users at once."""

    def __init__(self, model: Callable[[str], Awaitable[str]]) -> None:
        self.model = model
        self.tools: dict[str, Tool] = {}
        self.denied: set[str] = set()
        self.notes: dict[tuple[str, str], dict[str, str]] = {}
        self.sessions: list[Session] = []
        self.is_open = True

    def open(self, user: str, thread: str) -> Session:
        if not self.is_open:
            raise Refused("the notebook is closed")
        session = Session(user, thread)
        self.sessions.append(session)
        return session

    async def close(self, session: Session) -> None:
        session.is_open = False
        if session in self.sessions:
            self.sessions.remove(session)
        tasks = list(session.runs.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close_all(self, user: str | None = None) -> None:
        self.is_open = self.is_open and user is not None
        for session in [s for s in self.sessions if user in (None, s.user)]:
            await self.close(session)

    def require(self, session: Session, user: str) -> None:
        if session.user != user or not session.is_open:
            raise Refused(f"not an open session of {user}")

    async def run(
        self,
        session: Session,
        user: str,
        name: str,
        agent: Callable[[], Awaitable[Any]],
    ) -> Any:
        self.require(session, user)
        task = asyncio.ensure_future(agent())
        session.runs[name] = task
        try:
            return await task
        finally:
            del session.runs[name]

    def cancel(self, session: Session, user: str, name: str) -> None:
        if session.user != user or name not in session.runs:
            raise Refused(f"no run {name} of {user} in this session")
        session.runs[name].cancel()

    def user_of(self, session: Session) -> str:
        return session.user

    def pages(self, session: Session) -> dict[str, str]:
        if not session.is_open:
            raise Refused("the session is closed")
        return self.notes.setdefault((self.user_of(session), session.thread), {})

    async def call_tool(self, session: Session, tool: str, argument: str) -> str:
        if tool not in self.tools or tool in self.denied:
            raise Refused(f"{tool} is not for {session.user}")
        return await self.tools[tool](session, argument)


class NotebookAdapter(Adapter):
    """Translates scenarios into calls of the notebook."""

    capabilities = frozenset(
        {
            Capability.TOOLS,
            Capability.MEMORY,
            Capability.ERASE,
            Capability.CANCEL,
            Capability.IDENTITY,
        }
    )
    refusals = (Refused,)
    engine_class: ClassVar[type[Notebook]] = Notebook

    async def start(self, environment: Environment) -> None:
        self.environment = environment
        self.notebook = self.engine_class(self.answer)
        self.notebook.denied = set(environment.toolbox.denied)
        for name in environment.toolbox.names:
            self.notebook.tools[name] = self.tool(name)

    async def answer(self, prompt: str) -> str:
        await self.environment.completion(prompt)
        return f"answer to {prompt}"

    def tool(self, name: str) -> Tool:
        def body(session: Session, argument: str) -> Awaitable[str]:
            def identity() -> str:
                return self.notebook.user_of(session)

            return self.environment.toolbox.run(name, argument, identity)

        return body

    async def open_context(
        self, user: str, thread: str, metadata: dict[str, Any]
    ) -> Session:
        return self.notebook.open(user, thread)

    async def run_agent(self, user: str, context: Session, agent: ScriptedAgent) -> Any:
        desk = Desk(self.notebook, context)
        work = partial(agent.perform, desk)  # type: ignore[arg-type]
        return await self.notebook.run(context, user, agent.name, work)

    async def cancel_run(self, user: str, context: Session, run: str) -> None:
        self.notebook.cancel(context, user, run)

    async def read(self, user: str, context: Session) -> Mapping[str, Any]:
        self.notebook.require(context, user)
        return {"notes": dict(self.notebook.pages(context))}

    async def write(self, user: str, context: Session, key: str, value: str) -> None:
        self.notebook.require(context, user)
        self.notebook.pages(context)[key] = value

    async def erase(self, user: str, context: Session) -> None:
        self.notebook.require(context, user)
        self.notebook.pages(context).clear()

    async def cleanup_context(self, user: str, context: Session) -> None:
        if context.user != user:
            raise Refused(f"not a session of {user}")
        await self.notebook.close(context)

    async def cleanup_user(self, user: str) -> None:
        await self.notebook.close_all(user)

    async def shutdown(self) -> None:
        await self.notebook.close_all()

    def observe(self) -> Iterable[Row]:
        for (user, thread), pages in self.notebook.notes.items():
            for key, value in pages.items():
                yield Row(user, thread, key, value)

    def shared(self) -> Iterable[Any]:
        return (self, self.notebook)

    def gauges(self, user: str | None) -> Mapping[str, float]:
        own = [s for s in self.notebook.sessions if user in (None, s.user)]
        return {"open sessions": len(own)}


class Desk:
    """The services of an agent, as scripted agents call them."""

    def __init__(self, notebook: Notebook, session: Session) -> None:
        self.notebook = notebook
        self.session = session

    def identity(self) -> str:
        return self.notebook.user_of(self.session)

    async def think(self, prompt: str) -> str:
        return await self.notebook.model(prompt)

    async def call_tool(self, tool: str, argument: str) -> ToolOutcome:
        try:
            result = await self.notebook.call_tool(self.session, tool, argument)
        except (AgentFailure, Refused) as error:
            return ToolOutcome(False, None, str(error))
        return ToolOutcome(True, result, None)

    async def remember(self, key: str, value: str) -> None:
        self.notebook.pages(self.session)[key] = value

    async def recall(self, key: str) -> str | None:
        return self.notebook.pages(self.session).get(key)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
