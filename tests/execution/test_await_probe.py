"""The probe looks around at each await of a task, in the task's context."""

import asyncio
import contextvars

from isolation_spec.execution.await_probe import (
    BEFORE_FIRST_STEP,
    ProbedCoroutine,
    await_site,
)
from isolation_spec.model.code_origin import EngineCode

ENGINE = EngineCode([__name__])
OWNER: contextvars.ContextVar[str] = contextvars.ContextVar("owner", default="nobody")


async def steps() -> None:
    OWNER.set("alice")
    await asyncio.sleep(0)
    OWNER.set("bob")
    await asyncio.sleep(0)
    OWNER.set("carol")


def test_each_await_is_looked_at_in_the_context_of_the_task() -> None:
    """The look comes after the step, and sees the variables that the task has set."""
    seen: list[str] = []

    async def main() -> None:
        await asyncio.create_task(
            ProbedCoroutine(steps(), lambda: seen.append(OWNER.get()))
        )

    asyncio.run(main())

    assert ["alice", "bob"] == seen


def test_a_cancellation_that_is_caught_is_looked_at() -> None:
    """A step that begins with an exception is a step like any other."""
    looks: list[None] = []

    async def stubborn() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            await asyncio.sleep(0)

    async def main() -> None:
        task = asyncio.create_task(
            ProbedCoroutine(stubborn(), lambda: looks.append(None))
        )
        await asyncio.sleep(0)
        task.cancel()
        await task

    asyncio.run(main())

    assert 2 == len(looks)


def test_an_await_site_is_module_and_line() -> None:
    """The innermost frame of the engine is named, not the frame of asyncio below it."""

    async def main() -> str:
        task = asyncio.create_task(steps())
        await asyncio.sleep(0)
        site = await_site(task, ENGINE)
        await task
        return site

    line = steps.__code__.co_firstlineno + 2
    assert f"{__name__}:{line}" == asyncio.run(main())


def test_a_task_of_libraries_alone_has_no_await_site() -> None:
    """Without a frame of the engine the task counts as not begun."""

    async def main() -> str:
        task = asyncio.create_task(asyncio.sleep(0))
        await asyncio.sleep(0)
        site = await_site(task, ENGINE)
        await task
        return site

    assert BEFORE_FIRST_STEP == asyncio.run(main())
