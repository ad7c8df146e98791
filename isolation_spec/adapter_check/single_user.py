"""Checks an adapter with one user: each of its methods once, in a world."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from isolation_spec.adapter_check.agents import check_agents
from isolation_spec.adapter_check.declared import check_declared
from isolation_spec.adapter_check.result import ALICE, LATER, THREAD
from isolation_spec.adapter_check.session import CheckFailed, CheckStopped, Session
from isolation_spec.adapter_check.storage import check_erasure, check_storage
from isolation_spec.adapter_check.undeclared import report_undeclared
from isolation_spec.contract.errors import AdapterError

__all__ = ["check_single_user"]

_REQUIRED = (
    "start",
    "open_context",
    "run_agent",
    "read",
    "cleanup_context",
    "cleanup_user",
    "shutdown",
)
"""The required methods, in the order in which they are exercised."""


async def check_single_user(session: Session) -> None:
    """Exercises the methods one at a time, in the order in which an author implements
    them."""
    checked = session.checked
    try:
        await session.require("start", checked.start(session.world))
        session.context = await session.require(
            "open_context", checked.open_context(ALICE.id, THREAD, {})
        )
        await check_agents(session)
        await check_storage(session)
        await check_declared(session)
        await _check_views(session)
        await check_erasure(session)
        await session.exercise(
            "cleanup_context", checked.cleanup_context(ALICE.id, session.context)
        )
        await session.exercise("open_context again", _open_again(session))
        await session.exercise("cleanup_user", checked.cleanup_user(ALICE.id))
        await session.exercise("shutdown", _shut_down(session))
    except CheckStopped:
        _report_rest(session)
    report_undeclared(session.adapter, session.services, session.report)


async def _check_views(session: Session) -> None:
    """Checks the methods that read the engine without awaiting it."""
    checked = session.checked
    await session.exercise("shared", _check_shared(session))
    await session.exercise("holdings", _call(checked.holdings, session.context))
    gauges = await session.exercise("gauges", _call(checked.gauges, ALICE.id))
    await session.exercise("identity", _call(checked.identity))
    if not gauges:
        note = (
            "gives nothing: if the engine counts the resources that a user holds, "
            "return the counts"
        )
        session.report("hint", note, "gauges")


async def _call(method: Callable[..., Any], *arguments: Any) -> Any:
    return method(*arguments)


async def _check_shared(session: Session) -> None:
    if not session.checked.shared():
        note = (
            "gives nothing: name the objects that users share on purpose, the engine "
            "first"
        )
        session.report("hint", note, "shared")


async def _open_again(session: Session) -> None:
    """Opens a context on the same thread, so that `cleanup_user` has one to release."""
    await session.checked.open_context(ALICE.id, THREAD, {})


async def _shut_down(session: Session) -> None:
    await session.checked.shutdown()
    try:
        await session.checked.shutdown()
    except AdapterError:
        raise
    except Exception as error:
        message = (
            f"raised {type(error).__name__} the second time: a second call must do "
            "nothing"
        )
        raise CheckFailed(message) from None
    await asyncio.sleep(5)
    for gauge, value in session.checked.gauges(None).items():
        if value:
            note = f"{gauge!r} is {value:g} after shutdown"
            session.report("hint", note, "gauges")


def _report_rest(session: Session) -> None:
    """Reports the required methods after the one that failed."""
    failed = session.method if session.method in _REQUIRED else "run_agent"
    for method in _REQUIRED[_REQUIRED.index(failed) + 1 :]:
        session.report("not exercised", LATER, method)
