"""Scripted workloads: of the benchmark, and of a test that gathers five users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.environment import Environment
from isolation_spec.contract.scripted_agent import ScriptedAgent
from isolation_spec.model.scenario import (
    CallTool,
    Connect,
    Emit,
    OpenContext,
    Operation,
    Read,
    Recall,
    Remember,
    Return,
    RunAgent,
    Scenario,
    Step,
    Think,
    User,
    canary,
)

__all__ = ["NullAdapter", "gathered", "workload"]

USERS = (
    User(label="alice", id="u1"),
    User(label="bob", id="u11"),
    User(label="carol", id="u2"),
)


def workload(
    *, connected: bool = True, running: bool = True, storing: bool = True
) -> Scenario:
    """The scripted workload, or a part of it: all users connect, run, store."""
    operations: list[Operation] = []
    for user in range(len(USERS)) if connected else ():
        number = len(operations) + 1
        operations.append(Connect(id=number, user=user, connection=f"c{user}"))
    for user in range(len(USERS)) if running else ():
        number, context = len(operations) + 1, f"x{user}"
        script = _script(USERS[user].label, number + 1, storing)
        operations += (
            OpenContext(id=number, user=user, context=context, thread="t"),
            RunAgent(id=number + 1, user=user, context=context, script=script),
        )
    return Scenario(users=USERS, operations=tuple(operations))


def gathered() -> Scenario:
    """The workload of a test with `asyncio.gather`: five users connect, run, read."""
    users = tuple(User(label=f"user{n}", id=f"user-{n}") for n in range(1, 6))
    operations: list[Operation] = []
    for user, one in enumerate(users):
        number, context = len(operations) + 1, f"x{user}"
        script = _script(one.label, number + 2, storing=True)
        operations += (
            Connect(id=number, user=user, connection=f"c{user}"),
            OpenContext(id=number + 1, user=user, context=context, thread=context),
            RunAgent(id=number + 2, user=user, context=context, script=script),
            Read(id=number + 3, user=user, context=context),
        )
    return Scenario(users=users, operations=tuple(operations))


def _script(label: str, number: int, storing: bool) -> tuple[Step, ...]:
    values = (canary(label, number, ordinal) for ordinal in range(1, 10))
    store: tuple[Step, ...] = (Remember(key="k", value=next(values)), Recall(key="k"))
    return (
        Think(prompt=next(values)),
        CallTool(tool="echo", argument=next(values)),
        *(store if storing else ()),
        Emit(payload=next(values)),
        Return(value=next(values)),
    )


class NullAdapter(Adapter):
    """The adapter of no engine."""

    async def start(self, environment: Environment) -> None:
        pass

    async def open_context(
        self, user: str, thread: str, metadata: dict[str, Any]
    ) -> Any:
        pass

    async def run_agent(self, user: str, context: Any, agent: ScriptedAgent) -> Any:
        pass

    async def read(self, user: str, context: Any) -> Mapping[str, Any]:
        return {}

    async def cleanup_context(self, user: str, context: Any) -> None:
        pass

    async def cleanup_user(self, user: str) -> None:
        pass

    async def shutdown(self) -> None:
        pass
