"""The words of each operation and each step."""

import typing
from typing import Any

import msgspec
import pytest

from isolation_spec.diagnosis.wording import (
    describe_operation,
)
from isolation_spec.model.scenario import (
    AdvanceTime,
    CallTool,
    Cancellation,
    CancelRun,
    CleanupEngine,
    CleanupUser,
    CollectGarbage,
    Connect,
    Disconnect,
    Emit,
    Erase,
    Fail,
    Mutate,
    OpenContext,
    Operation,
    Read,
    ReadState,
    Recall,
    Reconnect,
    Remember,
    Return,
    RunAgent,
    Shutdown,
    Sleep,
    Spawn,
    Step,
    Think,
    Transact,
    Write,
    WriteState,
)

WORDS = [
    (Connect(id=1, user=0, connection="c1"), "connect c1"),
    (
        Connect(id=1, user=0, connection="c1", forged=True),
        "connect c1 with a forged token",
    ),
    (Disconnect(id=1, user=0, connection="c1"), "disconnect c1"),
    (
        Disconnect(id=1, user=0, connection="c1", abrupt=True),
        "disconnect c1 without a closing handshake",
    ),
    (
        Reconnect(id=1, user=0, connection="c2", replaces="c1"),
        "reconnect c2, then close c1",
    ),
    (
        OpenContext(id=1, user=0, context="x1", thread="T"),
        "open context x1 on thread 'T'",
    ),
    (RunAgent(id=1, user=0, context="x1", script=()), "run agent in x1: nothing"),
    (
        RunAgent(id=1, user=0, context="x1", script=(), background=True),
        "run agent in x1 in the background: nothing",
    ),
    (
        RunAgent(id=1, user=0, context="x1", script=(ReadState(), Sleep(seconds=1.0))),
        "run agent in x1: read state; sleep 1.0",
    ),
    (CancelRun(id=1, user=0, run=7), "cancel run 7"),
    (Read(id=1, user=0, context="x1"), "read x1"),
    (Write(id=1, user=0, context="x1", key="k", value="v"), "write k=v in x1"),
    (Mutate(id=1, user=0, context="x1", value="v"), "mutate x1 with v"),
    (Erase(id=1, user=0, context="x1"), "erase x1"),
    (CleanupEngine(id=1, user=0, context="x1"), "cleanup engine x1"),
    (CleanupUser(id=1, user=0), "cleanup user"),
    (AdvanceTime(id=1, seconds=301.0), "advance time by 301 s"),
    (AdvanceTime(id=1, seconds=0.1), "advance time by 0.1 s"),
    (
        AdvanceTime(id=1, seconds=6.0, stalled=True),
        "advance time by 6 s, the outside stalled",
    ),
    (CollectGarbage(id=1), "collect garbage"),
    (Shutdown(id=1), "shutdown"),
    (
        CleanupUser(id=1, user=0, cancel=Cancellation(step=3)),
        "cleanup user, cancelled before its step 3",
    ),
    (
        Read(id=1, user=0, context="x1", cancel=Cancellation(step=1, after_step=True)),
        "read x1, cancelled after its step 1",
    ),
]

STEPS = [
    (Think(prompt="p"), "think p"),
    (Think(prompt="p", seconds=4.0), "think p, answered after 4 s"),
    (CallTool(tool="echo", argument="a"), "call tool echo a"),
    (WriteState(key="s", value="v"), "write state s v"),
    (ReadState(), "read state"),
    (Remember(key="k", value="v"), "remember k v"),
    (Recall(key="k"), "recall k"),
    (Transact(items=(("k", "v"),)), "transact k=v"),
    (
        Transact(items=(("k", "v"), ("k1", "w")), fails=True),
        "transact k=v, k1=w and raise",
    ),
    (Emit(payload="e"), "emit e"),
    (Spawn(script=()), "spawn (nothing)"),
    (Spawn(script=(Think(prompt="p"), ReadState())), "spawn (think p; read state)"),
    (Spawn(script=(Spawn(script=(ReadState(),)),)), "spawn (spawn (read state))"),
    (Sleep(seconds=0.01), "sleep 0.01"),
    (Fail(message="m"), "fail m"),
    (Return(value="v"), "return v"),
]


@pytest.mark.parametrize(("operation", "words"), WORDS, ids=lambda v: str(v)[:40])
def test_an_operation_has_its_words(operation: Operation, words: str) -> None:
    """Each operation is said in a few words."""
    assert words == describe_operation(operation)


@pytest.mark.parametrize(("step", "words"), STEPS, ids=lambda v: str(v)[:40])
def test_a_step_has_its_words(step: Step, words: str) -> None:
    """Each step of a script is said in a few words."""
    run = RunAgent(id=1, user=0, context="x1", script=(step,))

    assert f"run agent in x1: {words}" == describe_operation(run)


def a_value(kind: Any, *, other: bool) -> Any:
    """One of two different values of a type."""
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        inner = a_value(arguments[0], other=other)
        return (inner, inner) if other else (inner,)
    if type(None) in arguments:
        return a_value(arguments[0], other=True) if other else None
    if arguments:
        return Return(value="w") if other else Return(value="v")
    values: dict[Any, tuple[Any, Any]] = {
        str: ("some", "other"),
        bool: (False, True),
        int: (3, 4),
        float: (3.5, 4.5),
    }
    if kind is Cancellation:
        return Cancellation(step=4 if other else 3)
    return values[kind][other]


def fields_of(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


SHOWN = [
    (kind, field)
    for kind in typing.get_args(Operation)
    for field in kind.__struct_fields__
    if field not in ("id", "user", "victim")
]
"""Whose operation it is, and whose it names, stand in columns of the story."""


@pytest.mark.parametrize(
    ("kind", "field"), SHOWN, ids=lambda v: getattr(v, "__name__", v)
)
def test_no_field_of_an_operation_is_hidden(kind: Any, field: str) -> None:
    """Two operations that differ are said in different words."""
    types = fields_of(kind)
    plain = kind(
        **{name: a_value(types[name], other=False) for name in kind.__struct_fields__}
    )
    changed = msgspec.structs.replace(
        plain, **{field: a_value(types[field], other=True)}
    )

    assert plain != changed
    assert describe_operation(plain) != describe_operation(changed)


@pytest.mark.parametrize("kind", typing.get_args(Operation), ids=lambda k: k.__name__)
def test_words_are_one_line(kind: Any) -> None:
    """No operation's words break the line, end in a blank or show Python's notation."""
    types = fields_of(kind)
    words = describe_operation(
        kind(
            **{
                name: a_value(types[name], other=True)
                for name in kind.__struct_fields__
            }
        )
    )

    assert words.strip() == words
    assert "\n" not in words
    assert "None" not in words
    assert "  " not in words
    assert "(id=" not in words
