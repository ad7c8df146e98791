"""Operations beyond an engine's capabilities are neither performed nor missed."""

import pytest

from isolation_spec.contract.capabilities import Capability
from isolation_spec.contract.capability_filter import (
    required_activity,
    restrict_to_capabilities,
)
from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.model.scenario import (
    AdvanceTime,
    CallTool,
    CancelRun,
    CleanupEngine,
    CleanupUser,
    CollectGarbage,
    Connect,
    Demotion,
    Disconnect,
    Emit,
    Erase,
    Fail,
    Mutate,
    OpenContext,
    Read,
    ReadState,
    Recall,
    Reconnect,
    Remember,
    Return,
    RunAgent,
    Scenario,
    Schedule,
    Shutdown,
    Sleep,
    Spawn,
    Step,
    Think,
    Transact,
    User,
    Write,
    WriteState,
    walk,
)

USERS = (User(label="alice", id="a"), User(label="bob", id="b"))
SPAWN = Spawn(script=(ReadState(), Sleep(seconds=1.0)))
NEEDED = {
    Capability.CONNECTIONS: (
        Connect(id=1, user=0, connection="c"),
        Disconnect(id=2, user=0, connection="c"),
        Reconnect(id=3, user=0, connection="d", replaces="c"),
        Emit(payload="p"),
    ),
    Capability.CANCEL: (CancelRun(id=4, user=0, run=9),),
    Capability.MEMORY: (
        Write(id=5, user=0, context="x", key="k", value="v"),
        Mutate(id=6, user=0, context="x", value="v"),
        Remember(key="k", value="v"),
        Recall(key="k"),
    ),
    Capability.ERASE: (Erase(id=7, user=0, context="x"),),
    Capability.TOOLS: (CallTool(tool="echo", argument="a"),),
    Capability.STATE: (WriteState(key="s", value="v"), ReadState()),
    Capability.TRANSACTIONS: (Transact(items=(("k", "v"),)),),
    Capability.CHILDREN: (Spawn(script=()),),
}
ALWAYS = (
    OpenContext(id=8, user=0, context="x", thread="t"),
    Read(id=10, user=0, context="x"),
    CleanupEngine(id=11, user=0, context="x"),
    CleanupUser(id=12, user=0),
    AdvanceTime(id=13, seconds=1.0),
    CollectGarbage(id=14),
    Shutdown(id=15),
)
STEPS = (
    Think(prompt="p"),
    Sleep(seconds=1.0),
    Fail(message="m"),
    Return(value="r"),
)


def everything() -> Scenario:
    """One of each operation and step."""
    needed = [one for ones in NEEDED.values() for one in ones]
    script = (*STEPS, *(one for one in needed if isinstance(one, Step)))
    run = RunAgent(id=9, user=0, context="x", script=script)
    operations = tuple(one for one in needed if not isinstance(one, Step))
    return Scenario(users=USERS, operations=(*operations, run, *ALWAYS))


def parts(scenario: Scenario) -> tuple[object, ...]:
    """Operations, runs without their scripts, and the steps of all scripts."""
    found: list[object] = []
    for operation in scenario.operations:
        if isinstance(operation, RunAgent):
            found += [step for _, step in walk(operation.script)]
        else:
            found.append(operation)
    return tuple(found)


def test_an_engine_of_everything_is_asked_everything() -> None:
    """With every capability the scenario is the same object."""
    scenario = everything()

    assert scenario is restrict_to_capabilities(scenario, frozenset(Capability))


def test_an_engine_of_nothing_is_asked_what_every_engine_has() -> None:
    """Without capabilities, contexts, runs, reads, cleanups and the world remain."""
    left = restrict_to_capabilities(everything(), frozenset())

    assert {*STEPS, *ALWAYS} == set(parts(left))
    assert [9, 8, *range(10, 16)] == [one.id for one in left.operations]


@pytest.mark.parametrize("capability", NEEDED)
def test_a_missing_capability_takes_its_own_parts_away(capability: Capability) -> None:
    """Exactly the operations and steps of the one missing capability are left out."""
    scenario = everything()
    left = restrict_to_capabilities(scenario, frozenset(Capability) - {capability})

    assert set(NEEDED[capability]) == set(parts(scenario)) - set(parts(left))


def test_scripts_of_children_are_filtered_too() -> None:
    """A step inside a spawned script is left out as one outside."""
    run = RunAgent(id=1, user=0, context="x", script=(SPAWN,))
    scenario = Scenario(users=USERS, operations=(run,))
    (left,) = restrict_to_capabilities(
        scenario, frozenset({Capability.CHILDREN})
    ).operations

    assert isinstance(left, RunAgent)
    assert (Spawn(script=(Sleep(seconds=1.0),)),) == left.script


def test_choices_go_with_their_operation() -> None:
    """Classes and demotions go with the operations that are left out, and no others."""
    operations = (
        Connect(id=1, user=0, connection="c"),
        OpenContext(id=10, user=0, context="x", thread="t"),
    )
    schedule = Schedule(
        classes={"1/start": 2, "10/start": 3, "10/call/2": 4},
        demotions=(
            Demotion(chain="1/database", consumed=1, rank=1),
            Demotion(chain="10/database", consumed=2, rank=2),
        ),
        burst=2,
        split=True,
    )
    scenario = Scenario(users=USERS, operations=operations, schedule=schedule)

    assert (
        Schedule(
            classes={"10/start": 3, "10/call/2": 4},
            demotions=(Demotion(chain="10/database", consumed=2, rank=2),),
            burst=2,
            split=True,
        )
        == restrict_to_capabilities(scenario, frozenset()).schedule
    )


def test_filtering_twice_is_filtering_once() -> None:
    """Operations within an engine's capabilities stay as they are."""
    once = restrict_to_capabilities(everything(), frozenset({Capability.TOOLS}))

    assert once == restrict_to_capabilities(once, frozenset({Capability.TOOLS}))


def test_every_count_is_missed_by_an_engine_of_everything() -> None:
    """With every capability no count may stay zero."""
    required = required_activity(frozenset(Capability))

    assert set(ActivityCounters.__struct_fields__) == set(required)
    assert ActivityCounters().missing() == ActivityCounters().missing(required)


@pytest.mark.parametrize(
    ("capability", "counts"),
    [
        (Capability.CONNECTIONS, {"handshakes", "events_delivered"}),
        (Capability.TRANSACTIONS, {"database_sessions"}),
        (Capability.TOOLS, {"tools_run"}),
        (Capability.MEMORY, set()),
    ],
)
def test_a_count_is_missed_with_its_capability(
    capability: Capability, counts: set[str]
) -> None:
    """Each capability adds its own counts to those of every engine."""
    always = {"users", "runs_completed", "cancellations", "cleanups", "attacks"}

    assert always == set(required_activity(frozenset()))
    assert always | counts == set(required_activity(frozenset({capability})))


def test_only_required_counts_are_missing() -> None:
    """A count that is not required may stay zero, and one that is not zero is there."""
    reached = ActivityCounters(users=2, tools_run=0, handshakes=0)

    assert ("tools_run",) == reached.missing(("users", "tools_run"))
