"""A whole adapter that tests break in one place, and the error that they get."""

from collections.abc import Mapping
from typing import Any

import pytest

from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.environment import Environment
from isolation_spec.contract.errors import AdapterError
from isolation_spec.contract.scripted_agent import ScriptedAgent
from isolation_spec.contract.services import ToolOutcome
from isolation_spec.engines.registry import own_engine
from isolation_spec.execution.run import run
from isolation_spec.model.history.entries import OperationEnded
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import (
    Connect,
    OpenContext,
    Operation,
    Read,
    RunAgent,
    Scenario,
    Think,
    User,
)

USERS = (User(label="alice", id="a"), User(label="bob", id="b"))
PERFORM = (
    ": an agent performs its script by such methods, so write it as in "
    "isolation_spec.Services"
)


class Whole(Adapter):
    """A whole adapter of an engine that is its own services."""

    refusals = (PermissionError,)

    async def start(self, environment: Environment) -> None:
        self.environment = environment

    async def open_context(
        self, user: str, thread: str, metadata: dict[str, Any]
    ) -> Any:
        return user

    async def run_agent(self, user: str, context: Any, agent: ScriptedAgent) -> Any:
        return await agent.perform(Services())  # type: ignore[arg-type]

    async def read(self, user: str, context: Any) -> Mapping[str, Any]:
        return {"all": ""}

    async def cleanup_context(self, user: str, context: Any) -> None:
        pass

    async def cleanup_user(self, user: str) -> None:
        pass

    async def shutdown(self) -> None:
        pass


class Silence:
    """A connection on which nothing is heard."""

    close_code = 1000

    async def __aiter__(self) -> Any:
        for message in ():  # type: ignore[var-annotated]
            yield message

    async def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


class Services:
    """All that a script of this module needs."""

    def identity(self) -> str | None:
        return None

    async def think(self, prompt: str) -> str:
        return prompt

    async def call_tool(self, tool: str, argument: str) -> ToolOutcome:
        return ToolOutcome(True, argument, None)

    async def spawn(self, agent: ScriptedAgent) -> Any:
        return await agent.perform(self)  # type: ignore[arg-type]


THINK = Think(prompt="p")
OPEN = OpenContext(id=1, user=0, context="x", thread="t")
RUN = RunAgent(id=2, user=0, context="x", script=(THINK,))
READ = Read(id=3, user=0, context="x")
CONNECT = Connect(id=4, user=0, connection="c")


def performed(adapter: type[Adapter], *operations: Operation) -> History:
    given = operations or (OPEN, RUN, READ)
    return run(Scenario(users=USERS, operations=given), adapter)


def broken(name: str, member: Any, base: type[Adapter] = Whole) -> type[Adapter]:
    """A class `Broken` with this member instead."""
    return type("Broken", (base,), {name: member})


def said(adapter: type[Adapter], *operations: Operation) -> str:
    """The error of the contract when the adapter is declared or runs."""
    with pytest.raises(AdapterError) as caught:
        performed(own_engine(adapter).make_adapter, *operations)  # type: ignore[arg-type]
    return str(caught.value)


def outcomes(history: History) -> dict[int | None, str]:
    return {one.operation: one.outcome for one in history.of(OperationEnded)}


def returning(value: Any) -> Any:
    """An async method that returns the value for any arguments."""

    async def method(self: Any, *arguments: Any, **named: Any) -> Any:
        return value

    return method


def raising(error: BaseException) -> Any:
    async def method(self: Any, *arguments: Any, **named: Any) -> Any:
        raise error

    return method
