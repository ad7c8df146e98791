"""Checks of the other capabilities that an adapter declares."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from isolation_spec.adapter_check.event_schema import find_contradiction, find_unnamed
from isolation_spec.adapter_check.result import ALICE
from isolation_spec.adapter_check.session import VALUE, CheckFailed, Session
from isolation_spec.contract.capabilities import Capability
from isolation_spec.model.history.rendering import render
from isolation_spec.model.run_name import run_name
from isolation_spec.model.scenario import (
    CallTool,
    Emit,
    ReadState,
    Return,
    Sleep,
    Spawn,
    Transact,
    WriteState,
)

__all__ = ["check_declared"]


async def check_declared(session: Session) -> None:
    """Checks tools, state, transactions, children, cancelling and connections."""
    for capability, method, check in _CHECKS:
        if session.has(capability):
            await session.exercise(method, check(session))
        else:
            session.skip(method, capability)


async def _tools(session: Session) -> None:
    results = await session.run_steps(
        CallTool(tool="echo", argument=VALUE),
        CallTool(tool="forbidden", argument=VALUE),
    )
    allowed, denied = results[0], results[-1]
    if not allowed.success or VALUE not in render(allowed.result):
        message = f"gave {allowed!r} for the tool echo, which returns its argument"
        raise CheckFailed(message)
    if denied.success:
        note = (
            "ran the tool forbidden, which environment.toolbox.denied denies: give the "
            "engine its denied tools; if it has them, verify reports the engine under "
            "tool-isolation"
        )
        session.report("engine", note)


async def _state(session: Session) -> None:
    results = await session.run_steps(WriteState(key="s", value=VALUE), ReadState())
    if VALUE not in render(results[-1]):
        note = "does not show the value that write_state stored"
        session.report("hint", note, "agent: read_state")


async def _transact(session: Session) -> None:
    await session.run_steps(Transact(items=(("t", VALUE),)))
    if not any(row.key == "t" for row in session.checked.observe()):
        message = "stored no value that observe gives: commit, and observe it"
        raise CheckFailed(message)


async def _spawn(session: Session) -> None:
    results = await session.run_steps(Spawn(script=(Return(value=VALUE),)))
    if VALUE not in render(results[-1]):
        message = f"gave {render(results[-1])[:40]!r}, not the child's result"
        raise CheckFailed(message)


async def _cancel(session: Session) -> None:
    agent = session.make_agent((Sleep(seconds=1e5), Return(value=VALUE)))
    work = asyncio.ensure_future(
        session.checked.run_agent(ALICE.id, session.context, agent)
    )
    await asyncio.sleep(1)
    await session.checked.cancel_run(ALICE.id, session.context, agent.name)
    await asyncio.wait((work,), timeout=10)
    if not work.done():
        work.cancel()
        await asyncio.wait((work,))
        message = f"did not end the run {agent.name!r} within 10 s"
        raise CheckFailed(message)
    if not work.cancelled():
        work.exception()


async def _connect(session: Session) -> None:
    client = await session.checked.connect(ALICE.id)
    received: list[str] = []

    async def listen() -> None:
        async for message in client:
            received.append(render(message))

    listening = asyncio.ensure_future(listen())
    await session.exercise("agent: emit", session.run_steps(Emit(payload=VALUE)))
    await asyncio.sleep(1)
    session.method = "connect"
    await client.close()
    listening.cancel()
    await asyncio.wait((listening,))
    if not any(VALUE in text for text in received):
        message = (
            f"gave a connection that received {len(received)} messages, but not the "
            "payload that the agent emitted"
        )
        raise CheckFailed(message)
    _check_names(session, received)


def _check_names(session: Session, received: list[str]) -> None:
    """Holds the messages of the latest run against the adapter's `event_names`."""
    names, run = session.adapter.event_names, run_name(session.runs)
    if names is None:
        if (note := find_unnamed(run, ALICE.id, received)) is not None:
            session.report("hint", note, "event_names")
    elif (wrong := find_contradiction(names, run, ALICE.id, received)) is not None:
        message = (
            f"gave a connection whose messages are not as event_names declares: {wrong}"
        )
        raise CheckFailed(message)


_CHECKS: tuple[tuple[Capability, str, Callable[[Session], Awaitable[None]]], ...] = (
    (Capability.TOOLS, "agent: call_tool", _tools),
    (Capability.STATE, "agent: write_state", _state),
    (Capability.TRANSACTIONS, "agent: transact", _transact),
    (Capability.CHILDREN, "agent: spawn", _spawn),
    (Capability.CANCEL, "cancel_run", _cancel),
    (Capability.CONNECTIONS, "connect", _connect),
)
