"""Waiting for a task continues across cancellations."""

import asyncio

import pytest

from isolation_spec.engines.reference.waiting import cancel_others, wait_until_done


@pytest.mark.asyncio
async def test_the_task_ends_before_the_cancellation_goes_on() -> None:
    """A waiter cancelled several times waits for the task, and is then cancelled."""
    gate = asyncio.Event()
    inner = asyncio.create_task(gate.wait())
    seen: list[int] = []
    outer = asyncio.create_task(
        wait_until_done(inner, on_cancel=lambda: seen.append(1))
    )
    for _ in range(3):
        await asyncio.sleep(0)
        outer.cancel("why")
    await asyncio.sleep(0)
    assert not outer.done()
    assert not inner.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError, match="why"):
        await outer
    assert inner.result()
    assert len(seen) == 3


@pytest.mark.asyncio
async def test_a_done_task_needs_no_wait() -> None:
    """Waiting for a done task returns at once."""
    inner = asyncio.create_task(asyncio.sleep(0))
    await inner
    await wait_until_done(inner)


@pytest.mark.asyncio
async def test_cancel_others_spares_the_caller() -> None:
    """Each other task is cancelled once, the current task never."""
    other = asyncio.create_task(asyncio.sleep(1))
    current = asyncio.current_task()
    assert current is not None
    cancel_others([other, current, other])
    assert (other.cancelling(), current.cancelling()) == (1, 0)
    with pytest.raises(asyncio.CancelledError):
        await other
