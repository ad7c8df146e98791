"""Checks reading and writing: values that the engine stores are shown and observed."""

from __future__ import annotations

from isolation_spec.adapter_check.result import ALICE
from isolation_spec.adapter_check.session import VALUE, CheckFailed, Session
from isolation_spec.contract.capabilities import Capability
from isolation_spec.model.history.rendering import render
from isolation_spec.model.scenario import Recall, Remember

__all__ = ["check_erasure", "check_storage"]


async def check_storage(session: Session) -> None:
    """Checks `read`, and with the capability for it also memory."""
    await session.exercise("read", session.checked.read(ALICE.id, session.context))
    if not session.has(Capability.MEMORY):
        for method in ("write", "observe", "agent: remember", "agent: recall"):
            session.skip(method, Capability.MEMORY)
        return
    remember = Remember(key="r", value=VALUE)
    await session.exercise("write", _write(session))
    await session.exercise("observe", _observe(session))
    await session.exercise("agent: remember", session.run_steps(remember))
    await session.exercise("agent: recall", _recall(session, remember))


async def check_erasure(session: Session) -> None:
    """Checks `erase`, after all else that uses the context: it may be gone then."""
    if session.has(Capability.ERASE):
        await session.exercise("erase", _erase(session))
    else:
        session.skip("erase", Capability.ERASE)


async def _write(session: Session) -> None:
    await session.checked.write(ALICE.id, session.context, "k", VALUE)
    if await _is_read(session):
        return
    if not _is_observed(session):
        message = (
            f"returned, and neither read nor observe shows {VALUE!r}: the value is "
            "lost, so store it before write returns"
        )
        raise CheckFailed(message)
    session.report(
        "hint",
        "does not show the value that write stored: return every value that the "
        "engine would show",
        "read",
    )


async def _is_read(session: Session) -> bool:
    return VALUE in render(await session.checked.read(ALICE.id, session.context))


def _is_observed(session: Session) -> bool:
    values = {(row.owner, row.key, row.value) for row in session.checked.observe()}
    return (ALICE.id, "k", VALUE) in values


async def _observe(session: Session) -> None:
    rows = session.checked.observe()
    # A value that read does not show either is lost, and write has been blamed.
    if not _is_observed(session) and await _is_read(session):
        message = (
            f"gave {len(rows)} rows without {ALICE.id!r}, 'k', {VALUE!r}, which "
            "write stored: give Row(owner, thread, key, value) for each stored value"
        )
        raise CheckFailed(message)


async def _recall(session: Session, remember: Remember) -> None:
    results = await session.run_steps(remember, Recall(key=remember.key))
    if not results or VALUE not in render(results[-1]):
        shown = render(results[-1])[:40] if results else "nothing"
        message = f"gave {shown!r}, not the value that remember stored under that key"
        raise CheckFailed(message)


async def _erase(session: Session) -> None:
    await session.checked.erase(ALICE.id, session.context)
    left = [row for row in session.checked.observe() if row.owner == ALICE.id]
    if left:
        message = f"left {len(left)} rows of the user in observe: erase them all"
        raise CheckFailed(message)
