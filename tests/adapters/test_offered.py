"""What an engine has no surface for is neither asked for nor missed."""

import pytest

from isolation_spec import scenario as ask
from isolation_spec.adapter import Capability
from isolation_spec.adapters.offered import offered, reachable
from isolation_spec.history import Reached
from isolation_spec.scenario import Demotion, Scenario, Schedule, User

USERS = (User(label="alice", id="a"), User(label="bob", id="b"))
SPAWN = ask.Spawn(script=(ask.ReadState(), ask.Sleep(seconds=1.0)))
NEEDED = {
    Capability.CONNECTIONS: (
        ask.Connect(id=1, user=0, connection="c"),
        ask.Disconnect(id=2, user=0, connection="c"),
        ask.Reconnect(id=3, user=0, connection="d", replaces="c"),
        ask.Emit(payload="p"),
    ),
    Capability.CANCEL: (ask.CancelRun(id=4, user=0, run=9),),
    Capability.MEMORY: (
        ask.Write(id=5, user=0, context="x", key="k", value="v"),
        ask.Mutate(id=6, user=0, context="x", value="v"),
        ask.Remember(key="k", value="v"),
        ask.Recall(key="k"),
    ),
    Capability.ERASE: (ask.Erase(id=7, user=0, context="x"),),
    Capability.TOOLS: (ask.CallTool(tool="echo", argument="a"),),
    Capability.STATE: (ask.WriteState(key="s", value="v"), ask.ReadState()),
    Capability.TRANSACTIONS: (ask.Transact(items=(("k", "v"),)),),
    Capability.CHILDREN: (ask.Spawn(script=()),),
}
ALWAYS = (
    ask.OpenContext(id=8, user=0, context="x", thread="t"),
    ask.Read(id=10, user=0, context="x"),
    ask.CleanupEngine(id=11, user=0, context="x"),
    ask.CleanupUser(id=12, user=0),
    ask.AdvanceTime(id=13, seconds=1.0),
    ask.CollectGarbage(id=14),
    ask.Shutdown(id=15),
)
STEPS = (
    ask.Think(prompt="p"),
    ask.Sleep(seconds=1.0),
    ask.Fail(message="m"),
    ask.Return(value="r"),
)


def everything() -> Scenario:
    """One of each operation and step."""
    needed = [one for ones in NEEDED.values() for one in ones]
    script = (*STEPS, *(one for one in needed if isinstance(one, ask.Step)))
    run = ask.RunAgent(id=9, user=0, context="x", script=script)
    operations = tuple(one for one in needed if not isinstance(one, ask.Step))
    return Scenario(users=USERS, operations=(*operations, run, *ALWAYS))


def parts(scenario: Scenario) -> tuple[object, ...]:
    """Operations, runs without their scripts, and the steps of all scripts."""
    found: list[object] = []
    for operation in scenario.operations:
        if isinstance(operation, ask.RunAgent):
            found += [step for _, step in ask.walk(operation.script)]
        else:
            found.append(operation)
    return tuple(found)


def test_an_engine_of_everything_is_asked_everything() -> None:
    """With every capability the scenario is the same object."""
    scenario = everything()

    assert scenario is offered(scenario, frozenset(Capability))


def test_an_engine_of_nothing_is_asked_what_every_engine_has() -> None:
    """Without capabilities, contexts, runs, reads, cleanups and the world remain."""
    left = offered(everything(), frozenset())

    assert {*STEPS, *ALWAYS} == set(parts(left))
    assert [9, 8, *range(10, 16)] == [one.id for one in left.operations]


@pytest.mark.parametrize("capability", NEEDED)
def test_a_missing_capability_takes_its_own_parts_away(capability: Capability) -> None:
    """Exactly the operations and steps of the one missing capability are left out."""
    scenario = everything()
    left = offered(scenario, frozenset(Capability) - {capability})

    assert set(NEEDED[capability]) == set(parts(scenario)) - set(parts(left))


def test_scripts_of_children_are_filtered_too() -> None:
    """A step inside a spawned script is left out as one outside."""
    run = ask.RunAgent(id=1, user=0, context="x", script=(SPAWN,))
    scenario = Scenario(users=USERS, operations=(run,))
    (left,) = offered(scenario, frozenset({Capability.CHILDREN})).operations

    assert isinstance(left, ask.RunAgent)
    assert (ask.Spawn(script=(ask.Sleep(seconds=1.0),)),) == left.script


def test_choices_go_with_their_operation() -> None:
    """Classes and demotions of what is left out are left out, and no other."""
    operations = (
        ask.Connect(id=1, user=0, connection="c"),
        ask.OpenContext(id=10, user=0, context="x", thread="t"),
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
        == offered(scenario, frozenset()).schedule
    )


def test_filtering_twice_is_filtering_once() -> None:
    """What an engine offers anything for is left as it is."""
    once = offered(everything(), frozenset({Capability.TOOLS}))

    assert once == offered(once, frozenset({Capability.TOOLS}))


def test_every_count_is_missed_by_an_engine_of_everything() -> None:
    """With every capability no count may stay zero."""
    required = reachable(frozenset(Capability))

    assert set(Reached.__struct_fields__) == set(required)
    assert Reached().missing() == Reached().missing(required)


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
    """Beyond what every engine must reach, each capability adds its own counts."""
    always = {"users", "runs_completed", "cancellations", "cleanups", "attacks"}

    assert always == set(reachable(frozenset()))
    assert always | counts == set(reachable(frozenset({capability})))


def test_only_required_counts_are_missing() -> None:
    """A count that is not required may stay zero, and one that is not zero is there."""
    reached = Reached(users=2, tools_run=0, handshakes=0)

    assert ("tools_run",) == reached.missing(("users", "tools_run"))
