"""The factory makes engines within exact limits and releases all of them."""

import asyncio
import contextvars
import gc
import weakref
from typing import Any

import pytest

from isolation_spec.engines.reference import (
    CleanupError,
    ClosedError,
    LimitError,
    Limits,
    OwnershipError,
    UserExecutionContext,
    UserExecutionEngine,
)
from isolation_spec.engines.reference.factory import ExecutionEngineFactory


class SlowFactory(ExecutionEngineFactory):
    """Awaits while it builds an engine, like a factory that reads configuration."""

    fail = False

    async def _build(self, context: UserExecutionContext) -> UserExecutionEngine:
        await asyncio.sleep(0.005)
        if self.fail:
            raise RuntimeError("no engine today")
        return await super()._build(context)


def slow(world: Any, **limits: Any) -> SlowFactory:
    factory = world.factory(limits=Limits(**limits))
    factory.__class__ = SlowFactory
    assert isinstance(factory, SlowFactory)
    return factory


@pytest.mark.asyncio
async def test_limits_are_exact_under_concurrency(world) -> None:  # type: ignore[no-untyped-def]
    """Of many concurrent calls exactly as many as allowed get an engine."""
    factory = slow(world)
    calls = [factory.create_for_user(world.context()) for _ in range(6)]
    other = factory.create_for_user(world.context("bob"))
    made = await asyncio.gather(other, *calls, return_exceptions=True)
    assert sum(isinstance(engine, UserExecutionEngine) for engine in made) == 3
    assert sum(isinstance(engine, LimitError) for engine in made) == 4
    assert factory.get_active_contexts() == {"bob": 1, "ann": 2}
    assert (factory.metrics().created, factory.metrics().refused) == (3, 4)


@pytest.mark.asyncio
async def test_a_slot_is_released(world) -> None:  # type: ignore[no-untyped-def]
    """A failed or cancelled creation releases its slot."""
    factory = slow(world, engines_per_user=1)
    factory.fail = True
    with pytest.raises(RuntimeError):
        await factory.create_for_user(world.context())
    factory.fail = False
    task = asyncio.create_task(factory.create_for_user(world.context()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    engine = await factory.create_for_user(world.context())
    with pytest.raises(LimitError, match="engines_per_user is 1"):
        await factory.create_for_user(world.context())
    await engine.cleanup()
    assert factory.get_active_contexts() == {}
    await factory.create_for_user(world.context())


@pytest.mark.asyncio
async def test_the_dispatcher_limit(world) -> None:  # type: ignore[no-untyped-def]
    """An engine beyond the limit of dispatchers is refused; no dispatcher is
    evicted."""
    factory = world.factory(limits=Limits(engines_per_user=20))
    engines = [await factory.create_for_user(world.context()) for _ in range(10)]
    with pytest.raises(LimitError, match="dispatchers_per_user is 10"):
        await factory.create_for_user(world.context())
    assert not any(engine.closed for engine in engines)


@pytest.mark.asyncio
async def test_a_scope_always_cleans_up(world) -> None:  # type: ignore[no-untyped-def]
    """Error and cancellation leave no engine, and no object of the user."""
    factory = world.factory()
    gone: list[weakref.ref[UserExecutionEngine]] = []

    async def fail() -> None:
        async with factory.user_execution_scope(world.context()) as engine:
            gone.append(weakref.ref(engine))
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    gc.collect()
    assert gone[0]() is None

    async def stay() -> None:
        async with factory.user_execution_scope(world.context()):
            await asyncio.Event().wait()

    task = asyncio.create_task(stay())
    await asyncio.sleep(0)
    assert factory.get_active_contexts() == {"ann": 1}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert factory.metrics().active == 0
    del task
    world.assert_nothing_left()


@pytest.mark.asyncio
async def test_cleanup_of_a_user_spares_the_others(world) -> None:  # type: ignore[no-untyped-def]
    """All engines of one user are cleaned up, repeatedly without error, and no
    others."""
    factory = world.factory()
    for user in ("ann", "ann", "bob"):
        await factory.create_for_user(world.context(user))
    await asyncio.gather(*[factory.cleanup_user_context("ann") for _ in range(3)])
    assert factory.get_active_contexts() == {"bob": 1}
    assert factory.metrics().cleaned == 2
    world.assert_nothing_left()


@pytest.mark.asyncio
async def test_an_engine_of_another_factory(world) -> None:  # type: ignore[no-untyped-def]
    """A factory cleans up its own engines, repeatedly without error, and no others."""
    one, two = world.factory(), world.factory()
    engine = await one.create_for_user(world.context())
    with pytest.raises(OwnershipError):
        await two.cleanup_engine(engine)
    assert not engine.closed
    await one.cleanup_engine(engine)
    await one.cleanup_engine(engine)


@pytest.mark.asyncio
async def test_the_reaper(world) -> None:  # type: ignore[no-untyped-def]
    """Engines over age are cleaned up by a task with an empty context."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    seen: list[str | None] = []

    def clock() -> float:
        seen.append(variable.get(None))
        return float(world.now)

    factory = world.factory(clock=clock)
    variable.set("ann")
    await factory.create_for_user(world.context())
    world.now = 200.0
    await factory.create_for_user(world.context("bob"))
    assert await factory.reap() == 0
    world.now = 301.0
    seen.clear()
    factory.start_reaper(0.001)
    factory.start_reaper(0.001)
    await world.until(lambda: factory.metrics().cleaned)
    assert factory.get_active_contexts() == {"bob": 1}
    assert factory.metrics().reaped == 1
    assert set(seen) == {None}
    await factory.shutdown()
    with pytest.raises(ClosedError):
        factory.start_reaper(1)
    world.assert_nothing_left()


@pytest.mark.asyncio
async def test_a_failing_cleanup_is_reported_and_unregistered(world) -> None:  # type: ignore[no-untyped-def]
    """The error lists unreleased parts; other engines and the slot are released."""

    class Hanging(UserExecutionEngine):
        async def _release_dispatcher(self) -> list[str]:
            raise OSError("disk")

    factory = world.factory(engine_class=Hanging)
    for user in ("ann", "ann"):
        await factory.create_for_user(world.context(user))
    with pytest.raises(CleanupError, match="disk") as caught:
        await factory.cleanup_user_context("ann")
    assert caught.value.failures == ("OSError: disk",) * 2
    assert factory.get_active_contexts() == {}
    assert factory.metrics().failed_cleanups == 2
    await factory.create_for_user(world.context())
    world.now = 1.0
    with pytest.raises(CleanupError):
        await factory.shutdown()
    world.factories.clear()
    world.assert_nothing_left()


@pytest.mark.asyncio
async def test_the_reaper_survives_a_failing_cleanup(world) -> None:  # type: ignore[no-untyped-def]
    """An engine that cannot be released does not stop the reaper."""

    class Hanging(UserExecutionEngine):
        async def _release_sessions(self) -> list[str]:
            await super()._release_sessions()
            return ["something"]

    factory = world.factory(engine_class=Hanging, clock=lambda: world.now)
    factory.start_reaper(0.001)
    for expected in (1, 2):
        await factory.create_for_user(world.context())
        world.now += 1000.0
        await world.until(
            lambda count=expected: factory.metrics().failed_cleanups == count
        )
    await factory.shutdown()
    world.assert_nothing_left()


@pytest.mark.asyncio
async def test_shutdown(world) -> None:  # type: ignore[no-untyped-def]
    """After shutdown no engine is alive or made, even after a cancelled shutdown."""

    async def hang(services: Any, value: Any) -> None:
        await asyncio.Event().wait()

    world.agent("hang", hang)
    factory = slow(world)
    factory.start_reaper(1.0)
    engines = [await factory.create_for_user(world.context(user)) for user in "abcd"]
    runs = [asyncio.create_task(world.run(engine, "hang", "r")) for engine in engines]
    late = asyncio.create_task(factory.create_for_user(world.context("e")))
    await asyncio.sleep(0)
    closers = [asyncio.create_task(factory.shutdown()) for _ in range(3)]
    await asyncio.sleep(0)
    closers[0].cancel()
    await asyncio.wait(closers)
    assert [closer.cancelled() for closer in closers] == [True, False, False]
    assert all(engine.closed for engine in engines)
    await asyncio.wait(runs)
    with pytest.raises(ClosedError):
        await late
    with pytest.raises(ClosedError):
        await factory.create_for_user(world.context("f"))
    assert factory.get_active_contexts() == {}
    await factory.shutdown()
    del runs, late, closers
    world.assert_nothing_left()
