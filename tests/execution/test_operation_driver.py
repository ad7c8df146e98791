"""The calls of one operation; an intruder's request harms no other user."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from isolation_spec.claims import judge
from isolation_spec.engines.reference import ClosedError, UserExecutionEngine
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.execution.run import AdapterFactory, run
from isolation_spec.model.history.entries import (
    ConnectionClosed,
    ExceptionUnhandled,
    OperationEnded,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import (
    AdvanceTime,
    CleanupEngine,
    Connect,
    Disconnect,
    Erase,
    Mutate,
    OpenContext,
    Operation,
    Read,
    Remember,
    RunAgent,
    Scenario,
    User,
    Write,
    canary,
)

ALICE, BOB = 0, 1
USERS = (User(label="alice", id="alice"), User(label="bob", id="bob"))
OWN = canary("alice", 2, 1)
STRANGE = canary("bob", 4, 1)

ATTACKS: dict[str, Operation] = {
    "read": Read(id=4, user=BOB, context="x", victim=ALICE),
    "write": Write(id=4, user=BOB, context="x", key="k", value=STRANGE, victim=ALICE),
    "mutate": Mutate(id=4, user=BOB, context="x", value=STRANGE, victim=ALICE),
    "erase": Erase(id=4, user=BOB, context="x", victim=ALICE),
    "clean up": CleanupEngine(id=4, user=BOB, context="x", victim=ALICE),
    "run": RunAgent(
        id=4,
        user=BOB,
        context="x",
        script=(Remember(key="k", value=STRANGE),),
        victim=ALICE,
    ),
}

each_attack = pytest.mark.parametrize("attack", ATTACKS)


def attacked(attack: str) -> Scenario:
    """Alice stores a value, Bob attacks, and then Alice reads it again."""
    return Scenario(
        users=USERS,
        operations=(
            OpenContext(id=1, user=ALICE, context="x", thread="t"),
            Write(id=2, user=ALICE, context="x", key="k", value=OWN),
            OpenContext(id=3, user=BOB, context="y", thread="t"),
            AdvanceTime(id=5, seconds=1.0),
            ATTACKS[attack],
            AdvanceTime(id=6, seconds=1.0),
            Read(id=7, user=ALICE, context="x"),
        ),
    )


def ended(history: History, number: int) -> OperationEnded:
    """How the operation ended."""
    (entry,) = (e for e in history.of(OperationEnded) if e.operation == number)
    return entry


def violated(attack: str, adapter: AdapterFactory) -> set[str]:
    """The claims that the attack violates."""
    history = run(attacked(attack), adapter)
    judged = judge(history, adapter().capabilities)
    return {v.claim for judgement in judged for v in judgement.violations}


@each_attack
def test_an_intruder_is_refused(attack: str) -> None:
    """The request is refused, and the victim reads their stored value."""
    history = run(attacked(attack), ReferenceAdapter)

    assert "refused" == ended(history, 4).outcome
    assert OWN in ended(history, 7).value
    assert 1 == history.reached.attacks
    assert set() == violated(attack, ReferenceAdapter)


class _Believing(UserExecutionEngine):
    """Believes everybody to be its user."""

    def require_owner(self, user_id: str) -> None:
        pass

    def _check_request(self, request: object) -> None:
        pass


class _BelievingAdapter(ReferenceAdapter):
    engine_class = _Believing


@each_attack
def test_an_intruder_who_is_believed_is_seen(attack: str) -> None:
    """Where the engine checks no user, some claim is violated."""
    assert violated(attack, _BelievingAdapter)


class _Own(ReferenceAdapter):
    """Takes a request in another's context as one in the intruder's own."""

    async def open_context(
        self, user: str, thread: str, metadata: dict[str, object]
    ) -> UserExecutionEngine:
        self.own: dict[str, UserExecutionEngine] = getattr(self, "own", {})
        self.own[user] = await super().open_context(user, thread, metadata)
        return self.own[user]

    async def write(
        self, user: str, context: UserExecutionEngine, key: str, value: str
    ) -> None:
        await super().write(user, self.own[user], key, value)

    async def erase(self, user: str, context: UserExecutionEngine) -> None:
        await super().erase(user, self.own[user])

    async def read(self, user: str, context: UserExecutionEngine) -> dict[str, object]:
        return dict(await super().read(user, self.own[user]))


@pytest.mark.parametrize("attack", ["read", "write", "erase"])
@pytest.mark.parametrize("again", [(), (Read(id=8, user=BOB, context="y"),)])
def test_an_intruder_may_be_taken_for_the_owner_of_the_own(
    attack: str, again: tuple[Operation, ...]
) -> None:
    """An engine that acts for the requesting user violates no claim."""
    scenario = attacked(attack)
    before = Write(id=9, user=BOB, context="y", key="k", value=canary("bob", 9, 1))
    operations = (*scenario.operations[:3], before, *scenario.operations[3:], *again)
    history = run(Scenario(users=USERS, operations=operations), _Own)

    assert "returned" == ended(history, 4).outcome
    assert not any(j.violations for j in judge(history, _Own().capabilities))


class _RawClient:
    """A client of `websockets` as it is: iterating it raises when it is lost."""

    def __init__(self, client: ClientConnection) -> None:
        self.client = client

    @property
    def close_code(self) -> int | None:
        return self.client.close_code

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        return aiter(self.client)

    async def close(self) -> None:
        await self.client.close()

    def abort(self) -> None:
        self.client.transport.abort()


class _RawAdapter(ReferenceAdapter):
    """Hands out the client of `websockets` itself."""

    async def connect(self, user: str, **claims: Any) -> Any:
        client: Any = await super().connect(user, **claims)
        return _RawClient(client.connection)


def test_a_client_that_is_lost_is_no_fault_of_the_engine() -> None:
    """A connection that is dropped ends, however the client says so."""
    scenario = Scenario(
        users=USERS[:1],
        operations=(
            Connect(id=1, user=ALICE, connection="c"),
            AdvanceTime(id=2, seconds=1.0),
            Disconnect(id=3, user=ALICE, connection="c", abrupt=True),
        ),
    )

    history = run(scenario, _RawAdapter)

    assert [1006] == [entry.code for entry in history.of(ConnectionClosed)]
    assert [] == list(history.of(ExceptionUnhandled))


class _Feed:
    """A client's end that has nothing to do with `websockets`."""

    close_code = None

    async def __aiter__(self) -> AsyncIterator[str]:
        for message in ("one", "two"):
            yield message

    async def close(self) -> None:
        """Nothing is open."""

    def abort(self) -> None:
        """Nothing is open."""


class _Feeding(ReferenceAdapter):
    """Connects clients of another library, and refuses a forged token."""

    async def connect(
        self, user: str, *, claims_to_be: str | None = None, forged: bool = False
    ) -> Any:
        if forged:
            raise ClosedError("not you")
        return _Feed()


def test_connections_of_any_library_are_counted() -> None:
    """A connected client is a handshake, and each message that it is given an event."""
    history = run(
        Scenario(
            users=USERS,
            operations=(
                Connect(id=1, user=ALICE, connection="c"),
                Connect(id=2, user=BOB, connection="c", forged=True),
            ),
        ),
        _Feeding,
    )

    reached = history.reached
    assert (1, 2) == (reached.handshakes, reached.events_delivered)
