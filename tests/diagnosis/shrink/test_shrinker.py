"""The shrinker on pure predicates: the least that fails is known, no engine is run."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from isolation_spec.diagnosis.shrink import shrinker
from isolation_spec.diagnosis.shrink.observation import RunObservation
from isolation_spec.diagnosis.shrink.shrinker import Shrinker
from isolation_spec.diagnosis.shrink.sort_key import size
from isolation_spec.model.scenario import (
    AdvanceTime,
    CallTool,
    Cancellation,
    Chain,
    CleanupUser,
    CollectGarbage,
    Connect,
    Demotion,
    Fail,
    Mutate,
    OpenContext,
    Operation,
    Read,
    Recall,
    Reconnect,
    Remember,
    RunAgent,
    Scenario,
    Schedule,
    Sleep,
    Spawn,
    Think,
    Transact,
    User,
    Write,
    walk,
)
from tests.diagnosis.shrink.small_scenarios import Fails, kinds, running, two

replace = msgspec.structs.replace

USERS = tuple(
    User(label=label, id=f"{label}/1") for label in ("alice", "bob", "carol", "dave")
)


def operations_of(user: int, first: int) -> tuple[Operation, ...]:
    """What each of the users does, with ids from `first` on."""
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
    """The smallest scenario found; it must fail, and no other may be returned."""
    assert fails(scenario)
    small = Shrinker(fails, **options).shrink(scenario)
    assert fails(small)
    return small


def label_of(scenario: Scenario, operation: Operation) -> str:
    """The label of the user who does it, "" for the world."""
    return "" if operation.user is None else scenario.users[operation.user].label


def has(kind: type, label: str = "") -> Fails:
    """Somebody, or the user of that label, does something of this kind."""

    def fails(scenario: Scenario) -> bool:
        return any(
            isinstance(operation, kind) and label in ("", label_of(scenario, operation))
            for operation in scenario.operations
        )

    return fails


def both(*conditions: Fails) -> Fails:
    return lambda scenario: all(condition(scenario) for condition in conditions)


# The least is found


def test_nothing_is_left_of_what_always_fails() -> None:
    """Without any condition, no user, operation or choice is left."""
    assert Scenario(users=(), operations=()) == minimal(lambda _: True)


@pytest.mark.parametrize("kind", [AdvanceTime, CollectGarbage])
def test_an_operation_of_the_world_stays_alone(kind: type) -> None:
    """An operation of the world needs no user."""
    small = minimal(has(kind))

    assert ((), [kind.__name__]) == (small.users, kinds(small))


@pytest.mark.parametrize("label", ["alice", "bob", "carol", "dave"])
def test_one_operation_of_one_user_stays_alone(label: str) -> None:
    """Of everything else, and of the other users, nothing is left."""
    small = minimal(has(Write, label))

    assert (User(label=label, id=label),) == small.users
    assert ["Write"] == kinds(small)
    assert (1, 0, 0) == size(small)


def test_users_are_renumbered() -> None:
    """Those who stay keep their order and their operations, under new numbers."""
    small = minimal(both(has(Write, "bob"), has(Read, "dave")))

    assert ["bob", "dave"] == [user.label for user in small.users]
    assert [("Write", 0), ("Read", 1)] == [
        (type(operation).__name__, operation.user) for operation in small.operations
    ]
    assert [] == list(small.problems())


def test_operations_keep_their_ids_and_their_order() -> None:
    """Canaries and chains are named after ids, so shrinking never changes one."""
    small = minimal(both(has(Connect, "alice"), has(Read, "carol")))

    assert [1, 25] == [operation.id for operation in small.operations]


def test_an_operation_and_a_choice_stay_together() -> None:
    """An operation of one user and a class on its chain: exactly these two stay."""

    def chosen(scenario: Scenario) -> bool:
        return scenario.schedule.classes.get("23/call", 0) > 0

    small = minimal(both(has(RunAgent, "carol"), chosen))

    assert (1, 1, 0) == size(small)
    assert {"23/call": 1} == small.schedule.classes
    assert [23] == [operation.id for operation in small.operations]


def test_a_class_stays_as_high_as_it_must_be() -> None:
    """A class that fails only above 1 is not made smaller than it can be."""
    small = minimal(lambda s: s.schedule.classes.get("23/call", 0) > 1)

    assert {"23/call": 5} == small.schedule.classes


def test_a_demotion_stays_alone() -> None:
    """A demotion that is needed is the one choice left, with its operation."""
    wanted = LARGE.schedule.demotions[0]

    small = minimal(lambda s: wanted in s.schedule.demotions)

    assert Schedule(demotions=(wanted,)) == small.schedule
    assert ["OpenContext"] == kinds(small)


def test_a_choice_of_the_world_needs_no_operation() -> None:
    """A chain of the world's own survives the removal of everything else."""
    wanted = LARGE.schedule.demotions[1]

    small = minimal(lambda s: wanted in s.schedule.demotions)

    assert Schedule(demotions=(wanted,)) == small.schedule
    assert () == small.operations


@pytest.mark.parametrize("choice", ["burst", "split"])
def test_the_form_of_a_turn_stays_alone(choice: str) -> None:
    """Burst and split are choices of their own."""
    small = minimal(lambda s: bool(getattr(s.schedule, choice)))

    assert (0, 1, 0) == size(small)


@pytest.mark.parametrize(
    ("needed", "left"),
    [
        (lambda c: c is not None, Cancellation(step=1)),
        (
            lambda c: c is not None and c.after_step,
            Cancellation(step=1, after_step=True),
        ),
        (lambda c: c is not None and c.step >= 4, Cancellation(step=4)),
        (lambda c: c is not None and c.step == 7, Cancellation(step=7)),
    ],
    ids=["any", "early", "from-4", "exactly-7"],
)
def test_a_cancellation_is_as_small_as_it_can_be(
    needed: Callable[[Cancellation | None], bool], left: Cancellation
) -> None:
    """Late before early, and the earliest step that still fails."""

    def fails(scenario: Scenario) -> bool:
        return any(needed(o.cancel) for o in scenario.operations)

    small = minimal(fails)

    assert [left] == [o.cancel for o in small.operations]


# Scripts


def steps(scenario: Scenario) -> list[object]:
    return [step for o in scenario.operations for step in o.script]


def inside(kind: type) -> Fails:
    """A step of this kind stands in some script, at any depth."""

    return lambda s: any(
        isinstance(step, kind) for o in s.operations for _, step in walk(o.script)
    )


def test_a_script_is_emptied() -> None:
    """A run that fails whatever it does, does nothing."""
    assert [] == steps(minimal(has(RunAgent)))


def test_a_run_comes_to_the_foreground() -> None:
    """A run that may as well be waited for is not in the background."""
    (run,) = minimal(has(RunAgent)).operations

    assert isinstance(run, RunAgent)
    assert not run.background


def test_a_run_stays_in_the_background_if_it_must() -> None:
    """What fails only in the background stays there."""
    small = minimal(lambda s: any(o.background for o in s.operations))

    assert (1, 0, 0) == size(small)


@pytest.mark.parametrize("kind", [Think, CallTool, Fail, Transact])
def test_one_step_stays_alone(kind: type) -> None:
    """A step that is needed is the only one left; a child's stands in its parent's."""
    (step,) = steps(minimal(inside(kind)))

    assert isinstance(step, kind)


def test_a_child_stays_if_it_must_and_does_nothing() -> None:
    """A spawned agent that is needed has an empty script."""
    assert [Spawn(script=())] == steps(minimal(inside(Spawn)))


def test_a_step_stays_in_its_child_if_it_must() -> None:
    """A step that fails only in a child is the child's only one."""

    def fails(scenario: Scenario) -> bool:
        return any(
            isinstance(step, Spawn) and any(isinstance(i, Fail) for i in step.script)
            for step in steps(scenario)
        )

    assert [Spawn(script=(Fail(message="m"),))] == steps(minimal(fails))


def test_deep_children_are_flattened() -> None:
    """However deep a step stands, it comes up to the run itself."""
    script: tuple[Spawn | Fail, ...] = (Fail(message="m"),)
    for _ in range(5):
        script = (Spawn(script=script),)
    run = RunAgent(id=1, user=0, context="x", script=script)
    deep = Scenario(users=USERS[:1], operations=(run,))

    assert [Fail(message="m")] == steps(minimal(inside(Fail), deep))


@pytest.mark.parametrize("key", ["k", "k1"])
def test_one_row_of_a_transaction_stays_alone(key: str) -> None:
    """Of the rows that a transaction writes, the one that is needed is left."""

    def fails(scenario: Scenario) -> bool:
        written = [s.items for s in steps(scenario) if isinstance(s, Transact)]
        return any(key in dict(items) for items in written)

    (step,) = steps(minimal(fails))

    assert isinstance(step, Transact)
    assert [key] == [name for name, _ in step.items]


# Names


def test_names_become_plain() -> None:
    """Users are called by their labels, and threads `t`, where that still fails."""
    small = minimal(has(OpenContext, "bob"))

    assert (User(label="bob", id="bob"),) == small.users
    assert ["t"] == [o.thread for o in small.operations]


def test_odd_names_stay_if_they_must() -> None:
    """An identity that the failure hangs on is kept."""
    small = minimal(
        lambda s: (
            any("/" in user.id for user in s.users)
            and any(o.thread == "t10" for o in s.operations)
        )
    )

    assert 1 == len(small.users)
    assert "/" in small.users[0].id
    assert (1, 0, 0) == size(small)


def test_what_one_pass_makes_possible_another_takes() -> None:
    """An operation that only a script needed goes once that script is empty."""

    def fails(scenario: Scenario) -> bool:
        return has(RunAgent)(scenario) and (not steps(scenario) or has(Write)(scenario))

    assert ["RunAgent"] == kinds(minimal(fails))


# What hangs on what


def every_candidate(fails: Fails, scenario: Scenario = LARGE) -> list[Scenario]:
    """Every scenario that the shrinker asks about on its way."""
    asked: list[Scenario] = []

    def recording(candidate: Scenario) -> bool:
        asked.append(candidate)
        return fails(candidate)

    Shrinker(recording).shrink(scenario)
    return asked


PREDICATES = (
    has(Write, "carol"),
    inside(Fail),
    both(has(Connect, "alice"), has(Read, "dave"), inside(Transact)),
    lambda s: len(s.operations) >= 3,
)

each_predicate = pytest.mark.parametrize("fails", PREDICATES, ids=range(4))


@each_predicate
def test_every_candidate_is_well_formed(fails: Fails) -> None:
    """No candidate names a user that is gone or an id twice."""
    problems = [p for candidate in every_candidate(fails) for p in candidate.problems()]

    assert [] == problems


@each_predicate
def test_choices_die_with_their_operation(fails: Fails) -> None:
    """No candidate has a choice on the chain of an operation that is gone."""
    for candidate in every_candidate(fails):
        schedule = candidate.schedule
        chains = [*schedule.classes, *(d.chain for d in schedule.demotions)]
        owners = {Chain.parse(chain).owner for chain in chains} - {None}

        assert owners <= {o.id for o in candidate.operations}


@each_predicate
def test_no_candidate_is_run_twice(fails: Fails) -> None:
    """A scenario that was tried once is not tried again."""
    asked = [candidate.to_json() for candidate in every_candidate(fails)]

    assert len(set(asked)) == len(asked)


@each_predicate
def test_shrinking_is_deterministic(fails: Fails) -> None:
    """The same scenario is shrunk by the same steps to the same end."""
    assert every_candidate(fails) == every_candidate(fails)
    assert minimal(fails) == minimal(fails)


@each_predicate
def test_shrinking_again_changes_nothing(fails: Fails) -> None:
    """What was shrunk is as small as the shrinker gets."""
    small = minimal(fails)

    assert small == minimal(fails, small)


@each_predicate
def test_shrinking_never_makes_larger(fails: Fails) -> None:
    """In no count is the result larger than what it was made of."""
    assert all(
        after <= before
        for after, before in zip(size(minimal(fails)), size(LARGE), strict=True)
    )


def attacking(*victims: int) -> Scenario:
    """Carol attacks these users; everybody has written something."""
    written = tuple(
        Write(id=n, user=n - 1, context="x", key="k", value="v") for n in range(1, 5)
    )
    attacks = tuple(
        Connect(id=10 + n, user=2, connection=f"c{n}", victim=victim)
        for n, victim in enumerate(victims)
    )
    return Scenario(users=USERS, operations=(*written, *attacks))


def victims(scenario: Scenario) -> dict[int, str]:
    """The label of the victim of each attack, by the id of the operation."""
    return {
        operation.id: scenario.users[operation.victim].label
        for operation in scenario.operations
        if operation.victim is not None
    }


def test_victims_are_renumbered() -> None:
    """An attack stays aimed at the same user when others are removed."""
    small = minimal(lambda s: "dave" in victims(s).values(), attacking(0, 1, 3))

    assert ["carol", "dave"] == [user.label for user in small.users]
    assert ["dave"] == list(victims(small).values())
    assert (1, 0, 0) == size(small)


def test_an_attack_dies_with_its_victim() -> None:
    """No candidate has an attack on somebody else than the user it was aimed at."""
    for candidate in every_candidate(has(Connect), attacking(0, 1, 3)):
        aimed = victims(candidate)

        assert aimed.items() <= {10: "alice", 11: "bob", 12: "dave"}.items()
        assert [] == list(candidate.problems())


# What is never returned


def test_what_does_not_fail_is_never_returned() -> None:
    """Where nothing smaller fails, the scenario itself is returned."""
    small = minimal(lambda scenario: scenario == LARGE)

    assert LARGE == small


def test_a_scenario_without_operations_is_left_alone() -> None:
    """Nothing can be smaller than nothing."""
    empty = Scenario(users=(), operations=())

    assert empty == minimal(lambda _: True, empty)


# The budget


@pytest.mark.parametrize("most", [0, 1, 7, 40])
def test_the_budget_is_kept(most: int) -> None:
    """No more scenarios are run than allowed, and the best so far is returned."""
    asked = 0
    wanted = has(Write, "carol")

    def counting(scenario: Scenario) -> bool:
        nonlocal asked
        asked += 1
        return wanted(scenario)

    shrinker = Shrinker(counting, most=most)
    small = shrinker.shrink(LARGE)

    assert asked <= most
    assert asked == shrinker.runs
    assert wanted(small)


def test_a_large_scenario_is_shrunk_within_the_usual_budget() -> None:
    """Two operations out of 200 are found without trying thousands of others."""
    many = tuple(
        Write(id=n, user=n % 4, context="x", key="k", value=f"v{n}")
        for n in range(1, 201)
    )
    large = Scenario(users=USERS, operations=many)

    def fails(scenario: Scenario) -> bool:
        return {17, 190} <= {operation.id for operation in scenario.operations}

    shrinker = Shrinker(fails)
    small = shrinker.shrink(large)

    assert [17, 190] == [operation.id for operation in small.operations]
    assert shrinker.runs < 500


# Size


def test_size_counts_operations_decisions_and_steps() -> None:
    """Decisions are choices that are not zero; a child's steps count, and the spawn."""
    assert (23, 11, 20) == size(LARGE)


def test_the_schedule_of_plain_asyncio_has_no_decisions() -> None:
    """Without choices and cancellations nothing was decided."""
    plain = msgspec.structs.replace(LARGE, schedule=Schedule(), operations=())

    assert (0, 0, 0) == size(plain)


# One thing for another


def held_back(scenario: Scenario, number: int) -> bool:
    """Something of the operation comes late."""
    chains = [
        *scenario.schedule.classes,
        *(d.chain for d in scenario.schedule.demotions),
    ]
    return any(chain.startswith(f"{number}/") for chain in chains)


def test_a_decision_is_given_for_another_place_in_the_list() -> None:
    """Where the order of the lanes does what a decision did, the decision goes."""

    def fails(scenario: Scenario) -> bool:
        ids = [operation.id for operation in scenario.operations]
        return {1, 2} <= set(ids) and (ids == [2, 1] or held_back(scenario, 1))

    late = Schedule(classes={"1/start": 1})
    small = minimal(fails, two(running(1, 0), running(2, 1), schedule=late))

    assert [2, 1] == [operation.id for operation in small.operations]
    assert (2, 0, 0) == size(small)


def test_a_decision_is_given_for_a_sleep() -> None:
    """Where an agent that sleeps comes as late as one that is held back, it sleeps."""

    def fails(scenario: Scenario) -> bool:
        late = any(isinstance(step, Sleep) for step in steps(scenario))
        return has(RunAgent)(scenario) and (late or held_back(scenario, 1))

    late = Schedule(classes={"1/database": 1})
    small = minimal(fails, two(running(1, 0), schedule=late))

    assert (1, 0, 1) == size(small)


def test_two_decisions_are_given_for_one() -> None:
    """Where one that was not there before does what two did, it takes their place."""
    both_late = Schedule(classes={"1/start": 1, "2/start": 1})

    def fails(scenario: Scenario) -> bool:
        schedule = scenario.schedule
        one = Demotion(chain="1/call", consumed=1, rank=0) in schedule.demotions
        return len(scenario.operations) == 2 and (
            one or {"1/start", "2/start"} <= schedule.classes.keys()
        )

    observation = RunObservation(("1/start", "1/call", "1/call", "2/start"), {})
    small = Shrinker(fails, observe=lambda _: observation).shrink(
        two(
            Read(id=1, user=0, context="x"),
            Read(id=2, user=1, context="x"),
            schedule=both_late,
        )
    )

    assert (2, 1, 0) == size(small)


def test_an_operation_is_given_for_a_decision() -> None:
    """Where an operation is there for the timing alone, a decision takes its place."""

    def fails(scenario: Scenario) -> bool:
        ids = {operation.id for operation in scenario.operations}
        cancelled = any(o.cancel for o in scenario.operations)
        return 1 in ids and (2 in ids or cancelled)

    small = Shrinker(fails, observe=lambda _: RunObservation((), {1: 3})).shrink(
        two(CleanupUser(id=1, user=0), CleanupUser(id=2, user=1))
    )

    assert [Cancellation(step=1)] == [o.cancel for o in small.operations]


def test_two_operations_are_given_for_another_one() -> None:
    """Where something else does what two operations did, it takes their place."""

    def fails(scenario: Scenario) -> bool:
        return kinds(scenario) in (["Write", "Read", "Read"], ["Write", "Erase"])

    write = Write(id=1, user=0, context="x", key="k", value="v")
    reads = (Read(id=n, user=0, context="x") for n in (2, 3))

    assert ["Write", "Erase"] == kinds(minimal(fails, two(write, *reads)))


def test_two_who_meet_are_left_alone() -> None:
    """Where two runs at the same moment do what many operations did, they stay."""
    opened = (OpenContext(id=n, user=n - 1, context="x", thread="t") for n in (1, 2))
    runs = (
        running(3, 0, Recall(key="k"), Remember(key="k", value="v")),
        running(4, 1, Think(prompt="p")),
    )
    crowd = (Connect(id=n, user=n % 2, connection=f"c{n}") for n in range(5, 9))

    def fails(scenario: Scenario) -> bool:
        meeting = [[Sleep, Remember], [Sleep, Think]]
        scripts = [o.script for o in scenario.operations]
        made = [[type(step) for step in script] for script in scripts if script]
        crowded = len(scenario.operations) == 8 and held_back(scenario, 3)
        return (crowded and made == [[Recall, Remember], [Think]]) or made == meeting

    late = Schedule(classes={"3/start": 1, "4/start": 1})

    assert (2, 0, 4) == size(minimal(fails, two(*opened, *runs, *crowd, schedule=late)))


def test_two_operations_become_one_run() -> None:
    """Where one run does what two operations of a context did, it takes their place."""

    def fails(scenario: Scenario) -> bool:
        return inside(Remember)(scenario) and inside(Think)(scenario)

    thinking = running(1, 0, Think(prompt="p"))
    storing = running(2, 0, Remember(key="k", value="v"))

    assert (1, 0, 2) == size(minimal(fails, two(thinking, storing)))


def test_two_operations_that_need_each_other_go_together() -> None:
    """What fails without both, and not without one of them, loses both."""

    def fails(scenario: Scenario) -> bool:
        ids = {operation.id for operation in scenario.operations}
        return 1 in ids and len(ids & {2, 4}) != 1

    operations = tuple(Read(id=n, user=n % 2, context="x") for n in range(1, 5))

    assert (1, 0, 0) == size(minimal(fails, two(*operations)))


def test_two_operations_become_one_run_that_waits() -> None:
    """Where the second must come late, the one run sleeps in between."""

    def fails(scenario: Scenario) -> bool:
        kept = [type(step) for step in steps(scenario)]
        return kept in ([Remember, Think], [Remember, Sleep, Think]) and (
            len(scenario.operations) == 2 or Sleep in kept
        )

    storing = running(1, 0, Remember(key="k", value="v"))
    thinking = running(2, 0, Think(prompt="p"))

    assert (1, 0, 3) == size(minimal(fails, two(storing, thinking)))


def test_two_decisions_are_given_for_an_operation() -> None:
    """Where a run before it makes an operation as late as two decisions did, it is
    there instead."""
    late = Schedule(classes={"1/start": 1, "2/database": 1})

    def fails(scenario: Scenario) -> bool:
        read = [isinstance(o, Read) for o in scenario.operations]
        decided = len(read) == 2 and late == scenario.schedule
        return read.count(True) == 2 and (decided or read == [True, False, True])

    reads = (Read(id=1, user=0, context="x"), Read(id=2, user=1, context="x"))

    assert (3, 0, 0) == size(minimal(fails, two(*reads, schedule=late)))


def test_no_kind_of_move_takes_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much there is to try of one kind, another one has its turn soon."""

    def endless(scenario: Scenario) -> Iterator[Scenario]:
        for number in range(1000):
            odd = Read(id=100 + number, user=0, context="x")
            yield replace(scenario, operations=(odd,))

    def useful(scenario: Scenario) -> Iterator[Scenario]:
        yield replace(scenario, operations=scenario.operations[:1])

    monkeypatch.setattr(shrinker, "_CHEAP_PASSES", ())
    monkeypatch.setattr(shrinker, "_COSMETIC_PASSES", ())
    monkeypatch.setattr(shrinker, "_expensive_passes", lambda _: (endless, useful))
    small = Shrinker(lambda s: s.operations[0].id < 100, most=200).shrink(
        two(running(1, 0), running(2, 1))
    )

    assert [1] == [operation.id for operation in small.operations]


def test_no_scenario_is_observed_twice() -> None:
    """The shrinker remembers the observation of a scenario."""
    observed: list[bytes] = []

    def observe(scenario: Scenario) -> RunObservation:
        observed.append(scenario.to_json())
        return RunObservation(("1/start", "2/start"), {1: 2, 2: 2})

    runs = (running(1, 0), running(2, 1))
    late = Schedule(classes={"1/start": 1, "2/start": 1})
    Shrinker(lambda s: len(s.operations) == 2, observe=observe).shrink(
        two(*runs, CollectGarbage(id=3), schedule=late)
    )

    assert len(set(observed)) == len(observed) > 0


@pytest.mark.parametrize(
    ("operation", "simpler"),
    [
        (running(1, 0, Remember(key="K", value="v")), "Write"),
        (running(1, 0), "Read"),
        (Mutate(id=1, user=0, context="x", value="v"), "Read"),
        (Reconnect(id=1, user=0, connection="c1", replaces="c0"), "Connect"),
    ],
    ids=["run-that-stores", "run", "mutate", "reconnect"],
)
def test_a_simpler_operation_takes_the_place(
    operation: Operation, simpler: str
) -> None:
    """What fails with something simpler is told with that."""
    small = minimal(
        lambda s: kinds(s) in ([simpler], [type(operation).__name__]), two(operation)
    )

    assert [simpler] == kinds(small)


def test_waits_become_short_and_keys_plain() -> None:
    """Time, keys and tools are no odder than they must be."""
    slowly = Think(prompt="p", seconds=4.0)
    script = (Sleep(seconds=5.0), slowly, CallTool(tool="slow", argument="a"))
    write = Write(id=2, user=0, context="x", key="K", value="v")
    waiting = AdvanceTime(id=3, seconds=301.0, stalled=True)
    odd = two(running(1, 0, *script), write, waiting)

    def fails(scenario: Scenario) -> bool:
        kept = [type(step).__name__ for step in steps(scenario)]
        return kinds(scenario) == kinds(odd) and kept == ["Sleep", "Think", "CallTool"]

    small = minimal(fails, odd)

    plain = (Sleep(seconds=0.1), Think(prompt="p"), CallTool(tool="echo", argument="a"))
    assert (
        two(
            running(1, 0, *plain),
            Write(id=2, user=0, context="x", key="k", value="v"),
            AdvanceTime(id=3, seconds=0.1),
        ).operations
        == small.operations
    )


def test_names_lose_what_they_have_in_common() -> None:
    """Of two identities that must be confusable the shortest such pair is left."""
    long = Scenario(
        users=(User(label="alice", id="u" * 20), User(label="bob", id="u" * 21)),
        operations=(
            Read(id=1, user=0, context="x"),
            Read(id=2, user=1, context="x"),
        ),
    )

    def fails(scenario: Scenario) -> bool:
        ids = [user.id for user in scenario.users]
        return len(ids) == 2 and ids[1].startswith(ids[0])

    assert ["u", "uu"] == [user.id for user in minimal(fails, long).users]


# Time and progress


def test_it_ends_when_its_time_is_over() -> None:
    """After so many seconds the smallest scenario so far is returned."""
    seconds = itertools.count()
    shrinker = Shrinker(
        has(Write, "carol"), seconds=5, clock=lambda: float(next(seconds))
    )
    small = shrinker.shrink(LARGE)

    assert has(Write, "carol")(small)
    assert size(small) > (1, 0, 0)
    assert shrinker.runs < 8


def test_progress_is_told() -> None:
    """Each smaller scenario is told, and now and then how many were run."""
    told: list[tuple[int, tuple[int, int, int]]] = []
    shrinker = Shrinker(
        has(Write, "carol"), progressed=lambda runs, s: told.append((runs, size(s)))
    )
    small = shrinker.shrink(LARGE)

    assert sorted(runs for runs, _ in told) == [runs for runs, _ in told]
    assert sorted((s for _, s in told), reverse=True)[-1] == size(small)
    assert told[-1][0] <= shrinker.runs
