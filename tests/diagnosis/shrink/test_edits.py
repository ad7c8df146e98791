"""Edits keep a scenario well formed."""

import pytest

from isolation_spec.diagnosis.shrink.edits import (
    LONG_SLEEP,
    as_script,
    keep_operations,
    merge_contexts,
    opens_every_named_context,
    remove_user,
    replace_operation,
    sleep_before_step,
    sleep_first,
)
from isolation_spec.model.scenario import (
    Connect,
    Demotion,
    OpenContext,
    Operation,
    Read,
    Recall,
    Remember,
    RunAgent,
    Schedule,
    Sleep,
    Step,
    Think,
    Write,
)
from tests.diagnosis.shrink.small_scenarios import opening, running, several, two

READ = Read(id=2, user=0, context="x")
WRITE = Write(id=3, user=0, context="x", key="k", value="v")


def test_choices_go_with_their_operations() -> None:
    """Choices on chains of kept operations and of the world stay; others go."""
    schedule = Schedule(
        classes={"1/start": 1, "2/start": 2, "world/timer": 3},
        demotions=(
            Demotion(chain="1/call", consumed=1, rank=0),
            Demotion(chain="2/call", consumed=1, rank=1),
        ),
    )
    kept = keep_operations(
        two(opening(1, 0), READ, schedule=schedule), (opening(1, 0),)
    )

    assert {"1/start": 1, "world/timer": 3} == kept.schedule.classes
    assert ["1/call"] == [d.chain for d in kept.schedule.demotions]


def test_an_operation_is_replaced_in_its_place() -> None:
    """The other operations keep their places."""
    changed = replace_operation(two(opening(1, 0), READ, WRITE), 1, running(2, 0))

    assert (opening(1, 0), running(2, 0), WRITE) == changed.operations


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ((opening(1, 0), READ), True),
        ((opening(1, 1), READ), False),
        ((opening(1, 1), Read(id=2, user=0, context="x", victim=1)), True),
        ((Connect(id=1, user=0, connection="c"),), True),
    ],
    ids=["own", "of-another-user", "of-the-victim", "no-context"],
)
def test_named_contexts_must_be_opened(
    operations: tuple[Operation, ...], expected: bool
) -> None:
    """A context belongs to the victim of an attack, and else to the user."""
    assert expected == opens_every_named_context(operations)


def test_contexts_are_merged() -> None:
    """Operations in the removed context use the other one, attacks on it as well."""
    gone = OpenContext(id=4, user=0, context="y", thread="t")
    attack = Read(id=5, user=1, context="y", victim=0)
    own = Read(id=6, user=1, context="y")
    merged = merge_contexts(two(opening(1, 0), gone, attack, own), gone, "x")

    assert (
        opening(1, 0),
        Read(id=5, user=1, context="x", victim=0),
        own,
    ) == merged.operations


def test_a_user_is_removed_with_operations_and_attacks() -> None:
    """Later users move up by one, as users and as victims."""
    removed = remove_user(
        several(
            opening(1, 0),
            opening(2, 1),
            Read(id=3, user=0, context="x", victim=1),
            Read(id=4, user=0, context="x", victim=2),
            opening(5, 2),
        ),
        1,
    )

    assert ["alice", "carol"] == [user.label for user in removed.users]
    assert (
        opening(1, 0),
        Read(id=4, user=0, context="x", victim=1),
        opening(5, 1),
    ) == removed.operations


@pytest.mark.parametrize(
    ("operation", "script"),
    [
        (running(1, 0, Think(prompt="p")), (Think(prompt="p"),)),
        (WRITE, (Remember(key="k", value="v"),)),
        (READ, (Recall(key="k"),)),
    ],
    ids=["run", "write", "read"],
)
def test_an_operation_has_a_script_of_the_same_effect(
    operation: Operation, script: tuple[Step, ...]
) -> None:
    """A write remembers its value, and a read recalls one."""
    assert script == as_script(operation)


def test_a_run_sleeps_before_a_step() -> None:
    """The sleep stands before the given step; an operation without a script stays."""
    think, nap = Think(prompt="p"), Sleep(seconds=LONG_SLEEP)

    assert running(1, 0, think, nap, think) == sleep_before_step(
        running(1, 0, think, think), 1
    )
    assert RunAgent(
        id=2, user=0, context="x", script=(nap, Recall(key="k"))
    ) == sleep_first(READ)
    assert opening(1, 0) == sleep_first(opening(1, 0))
