"""A gateway to models: keys of users, two slots a key, a pool of three connections.

Fixed: nothing is wrong.
FixedShared: nothing is wrong; who comes when all four places are taken is told 503.
SlotDecrement: what gives a slot back can be cancelled, BerriAI/litellm#28160.
SlotLate: deferred work gives a slot back, not the end, BerriAI/litellm#40846.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, ClassVar, cast

from isolation_spec import (
    Adapter,
    Capability,
    Environment,
    Limit,
    ScriptedAgent,
    Services,
)

Work = Callable[[], Coroutine[Any, Any, Any]]


class Refused(Exception):
    """The gateway does not do this; the text is the status of the answer."""


class Connection:
    """A connection to the upstream."""


class Pool:
    """At most three connections to one upstream, for which calls wait in turn."""

    def __init__(self, connect: Callable[[], Awaitable[None]]) -> None:
        self.connect = connect
        self.places = asyncio.Semaphore(3)
        self.idle: list[Connection] = []

    async def acquire(self) -> Connection:
        await self.places.acquire()
        if self.idle:
            return self.idle.pop()
        try:
            await self.connect()
        except BaseException:
            self.places.release()
            raise
        return Connection()

    def release(self, connection: Connection, *, broken: bool) -> None:
        if not broken:
            self.idle.append(connection)
        self.places.release()


class Key:
    """What a user presents with each request."""

    def __init__(self, id: str, user: str) -> None:
        self.id = id
        self.user = user
        self.requests: set[asyncio.Task[Any]] = set()


class Gateway:
    """Lets requests of a key through to the upstream, as many at once as it has
    slots."""

    SLOTS = 2

    def __init__(self, remote: Callable[..., Awaitable[None]]) -> None:
        self.remote = remote
        self.pool = Pool(remote)
        self.keys: list[Key] = []
        self.slots: dict[str, int] = {}  # id of a key -> its requests under way

    def issue(self, id: str, user: str) -> Key:
        key = Key(id, user)
        self.keys.append(key)
        return key

    def take(self, key: Key) -> None:
        if self.slots.get(key.id, 0) >= self.SLOTS:
            raise Refused("429")
        self.slots[key.id] = self.slots.get(key.id, 0) + 1

    def give_back(self, key: Key) -> None:
        self.slots[key.id] -= 1
        if not self.slots[key.id]:
            del self.slots[key.id]

    async def request(self, key: Key, work: Work) -> Any:
        self.check(key)
        self.take(key)
        try:
            return await self.perform(key, work)
        finally:
            await self.settle(key)

    async def settle(self, key: Key) -> None:
        self.give_back(key)

    def check(self, key: Key) -> None:
        if key not in self.keys:
            raise Refused("401")

    async def perform(self, key: Key, work: Work) -> Any:
        task = asyncio.ensure_future(work())
        key.requests.add(task)
        task.add_done_callback(key.requests.discard)
        return await task

    async def complete(self, prompt: str) -> str:
        connection = await self.pool.acquire()
        broken = True
        try:
            await self.remote(prompt)
            await self.remote()
            broken = False
        finally:
            self.pool.release(connection, broken=broken)
        return f"answer to {prompt}"

    async def close(self, key: Key) -> None:
        requests = list(key.requests)
        if key in self.keys:
            self.keys.remove(key)
        for request in requests:
            request.cancel()
        await asyncio.gather(*requests, return_exceptions=True)

    async def close_all(self, user: str | None = None) -> None:
        for key in [k for k in self.keys if user in (None, k.user)]:
            await self.close(key)

    async def stop(self) -> None:
        await self.close_all()
        self.pool.idle.clear()


class FourPlaces(Gateway):
    """Has four places for the requests of all keys, beside the slots of each."""

    PLACES = 4

    def take(self, key: Key) -> None:
        if sum(self.slots.values()) >= self.PLACES:
            raise Refused("503")
        super().take(key)


class AwaitedDecrement(Gateway):
    """Counts slots in a store far away, and waits for it after each request."""

    async def settle(self, key: Key) -> None:
        await self.remote()
        self.give_back(key)


class DeferredDecrement(Gateway):
    """Gives a slot back together with the log of a request, which is written later."""

    def __init__(self, remote: Callable[..., Awaitable[None]]) -> None:
        super().__init__(remote)
        self.deferred: set[asyncio.Task[None]] = set()

    async def settle(self, key: Key) -> None:
        task = asyncio.ensure_future(self.log(key))
        self.deferred.add(task)
        task.add_done_callback(self.deferred.discard)

    async def log(self, key: Key) -> None:
        await self.remote()
        self.give_back(key)


class Fixed(Adapter):
    """The gateway with nothing wrong."""

    capabilities = frozenset({Capability.LIMITS, Capability.CHILDREN})
    refusals = (Refused,)
    limits: ClassVar[Mapping[str, int | Limit]] = {"runs_per_context": Gateway.SLOTS}
    gateway_class: ClassVar[type[Gateway]] = Gateway

    async def start(self, environment: Environment) -> None:
        self.environment = environment
        self.gateway = self.gateway_class(environment.completion)

    async def open_context(
        self, user: str, thread: str, metadata: dict[str, Any]
    ) -> Key:
        return self.gateway.issue(self.environment.new_id("key"), user)

    async def run_agent(self, user: str, context: Key, agent: ScriptedAgent) -> Any:
        self.require(user, context)

        async def work() -> Any:
            return await agent.perform(cast(Services, Desk(self.gateway, context)))

        return await self.gateway.request(context, work)

    async def read(self, user: str, context: Key) -> Mapping[str, Any]:
        self.require(user, context)
        return {"user": context.user}

    async def cleanup_context(self, user: str, context: Key) -> None:
        self.require(user, context)
        await self.gateway.close(context)

    async def cleanup_user(self, user: str) -> None:
        await self.gateway.close_all(user)

    async def shutdown(self) -> None:
        await self.gateway.stop()

    def require(self, user: str, key: Key) -> None:
        if key.user != user:
            raise Refused("403")

    def shared(self) -> Iterable[Any]:
        return (self, self.gateway, self.environment)

    def gauges(self, user: str | None) -> Mapping[str, float]:
        return {"keys": sum(user in (None, k.user) for k in self.gateway.keys)}


class FixedShared(Fixed):
    """Nothing is wrong: beside the slots of a key, the service has four places."""

    limits: ClassVar[Mapping[str, int | Limit]] = {
        **Fixed.limits,
        "runs_per_service": Limit(FourPlaces.PLACES, beyond="refused"),
    }
    gateway_class = FourPlaces


class SlotDecrement(Fixed):
    """A request that is cancelled while it gives its slot back keeps it for ever."""

    gateway_class = AwaitedDecrement


class SlotLate(Fixed):
    """A request that has ended has its slot until its log is written."""

    gateway_class = DeferredDecrement


class Desk:
    """What an agent works with in a request."""

    def __init__(self, gateway: Gateway, key: Key) -> None:
        self.gateway = gateway
        self.key = key

    def identity(self) -> str:
        return self.key.user

    async def think(self, prompt: str) -> str:
        return await self.gateway.complete(prompt)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def spawn(self, agent: ScriptedAgent) -> Any:
        return await agent.perform(cast(Services, Desk(self.gateway, self.key)))
