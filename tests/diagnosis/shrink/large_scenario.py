"""Scenarios that the tests shrink, and pure predicates over them."""

from typing import Any

from isolation_spec.diagnosis.shrink.shrinker import Shrinker
from isolation_spec.model.scenario import (
    AdvanceTime,
    CallTool,
    Cancellation,
    CleanupUser,
    CollectGarbage,
    Connect,
    Demotion,
    Fail,
    OpenContext,
    Operation,
    Read,
    RunAgent,
    Scenario,
    Schedule,
    Spawn,
    Think,
    Transact,
    User,
    Write,
    walk,
)
from tests.diagnosis.shrink.small_scenarios import Fails

USERS = tuple(
    User(label=label, id=f"{label}/1") for label in ("alice", "bob", "carol", "dave")
)


def operations_of(user: int, first: int) -> tuple[Operation, ...]:
    """The operations of each user, with ids from `first` on."""
    context = f"x{user}"
    return (
        Connect(id=first, user=user, connection=f"c{first}"),
        OpenContext(
            id=first + 1,
            user=user,
            context=context,
            thread="t10",
            cancel=Cancellation(step=7, after_step=True),
        ),
        RunAgent(
            id=first + 2,
            user=user,
            context=context,
            script=(
                Think(prompt="p"),
                Spawn(script=(CallTool(tool="echo", argument="a"), Fail(message="m"))),
                Transact(items=(("k", "v"), ("k1", "v1")), fails=True),
            ),
            background=True,
        ),
        Write(id=first + 3, user=user, context=context, key="k", value="v"),
        Read(id=first + 4, user=user, context=context),
    )


LARGE = Scenario(
    users=USERS,
    operations=(
        *operations_of(0, 1),
        AdvanceTime(id=6, seconds=1.0),
        *operations_of(1, 11),
        *operations_of(2, 21),
        CollectGarbage(id=26),
        *operations_of(3, 31),
        CleanupUser(id=36, user=2),
    ),
    schedule=Schedule(
        classes={"23/call": 5, "3/call": 2, "31/start": 7},
        demotions=(
            Demotion(chain="22/database", consumed=2, rank=0),
            Demotion(chain="world/timer", consumed=1, rank=1),
        ),
        burst=2,
        split=True,
    ),
)


def minimal(fails: Fails, scenario: Scenario = LARGE, **options: Any) -> Scenario:
    """The smallest scenario found; it must fail."""
    assert fails(scenario)
    small = Shrinker(fails, **options).shrink(scenario)
    assert fails(small)
    return small


def label_of(scenario: Scenario, operation: Operation) -> str:
    """The label of the user who performs it, "" for the world."""
    return "" if operation.user is None else scenario.users[operation.user].label


def has(kind: type, label: str = "") -> Fails:
    """Whether a user, or the user of the label, performs an operation of the kind."""

    def fails(scenario: Scenario) -> bool:
        return any(
            isinstance(operation, kind) and label in ("", label_of(scenario, operation))
            for operation in scenario.operations
        )

    return fails


def both(*conditions: Fails) -> Fails:
    return lambda scenario: all(condition(scenario) for condition in conditions)


def steps(scenario: Scenario) -> list[object]:
    return [step for o in scenario.operations for step in o.script]


def inside(kind: type) -> Fails:
    """Whether a script has a step of this kind, at any depth."""

    return lambda s: any(
        isinstance(step, kind) for o in s.operations for _, step in walk(o.script)
    )


def held_back(scenario: Scenario, number: int) -> bool:
    """Whether the schedule delays an arrival of the operation."""
    chains = [
        *scenario.schedule.classes,
        *(d.chain for d in scenario.schedule.demotions),
    ]
    return any(chain.startswith(f"{number}/") for chain in chains)


def every_candidate(fails: Fails, scenario: Scenario = LARGE) -> list[Scenario]:
    """Every scenario that the shrinker runs on its way."""
    candidates: list[Scenario] = []

    def recording(candidate: Scenario) -> bool:
        candidates.append(candidate)
        return fails(candidate)

    Shrinker(recording).shrink(scenario)
    return candidates
