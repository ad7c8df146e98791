"""The questions that every operation answers, and the fields in its JSON."""

import typing
from operator import attrgetter
from typing import Any

import msgspec
import pytest

from isolation_spec.model.scenario import (
    AdvanceTime,
    Cancellation,
    CancelRun,
    CleanupUser,
    Connect,
    Operation,
    Read,
    RunAgent,
    Think,
    UserOperation,
    WorldOperation,
)

QUESTIONS = {
    "user": None,
    "victim": None,
    "owner": None,
    "cancel": None,
    "context": None,
    "thread": None,
    "script": (),
    "background": False,
    "forged": False,
    "unread": False,
    "stalled": False,
    "seconds": 0.0,
}
"""Question -> the answer of an operation that has no such field."""


def least(kind: type[Operation]) -> Operation:
    """An operation of the kind with the least that has to be given."""
    given: dict[str, Any] = {"id": 1, "user": 3, "run": 2, "seconds": 1.0, "script": ()}
    fields = [f for f in msgspec.structs.fields(kind) if f.required]
    return kind(**{f.name: given.get(f.name, "x") for f in fields})


@pytest.mark.parametrize("kind", typing.get_args(Operation), ids=lambda k: k.__name__)
def test_every_operation_answers(kind: type[Operation]) -> None:
    """An operation answers with its field, or else with the default."""
    operation = least(kind)
    answers = QUESTIONS | msgspec.structs.asdict(operation)

    assert {**answers, "owner": operation.user} == {
        name: attrgetter(name)(operation) for name in answers
    }


@pytest.mark.parametrize("kind", typing.get_args(Operation), ids=lambda k: k.__name__)
def test_answers_are_no_fields(kind: type[Operation]) -> None:
    """Only the fields of a kind stand in its JSON."""
    written = msgspec.json.decode(msgspec.json.encode(least(kind)))

    assert {"operation", *kind.__struct_fields__} == set(written)


def test_the_owner_is_the_victim_or_the_user() -> None:
    """The owner of an attack is its victim, of any other operation its user."""
    assert 2 == Read(id=1, user=0, context="x", victim=2).owner
    assert 0 == CancelRun(id=1, user=0, run=4, victim=0).owner
    assert 1 == CleanupUser(id=1, user=1).owner
    assert AdvanceTime(id=1, seconds=1.0).owner is None


def test_the_world_has_its_own_operations() -> None:
    """An operation is the world's exactly if no user performs it."""
    worlds = {k for k in typing.get_args(Operation) if least(k).is_world}

    assert set(typing.get_args(WorldOperation)) == worlds
    assert set(typing.get_args(UserOperation)).isdisjoint(worlds)


def test_fields_win_over_defaults() -> None:
    """A field that is given is the answer."""
    script = (Think(prompt="p"),)
    run = RunAgent(id=1, user=0, context="x", script=script, background=True)

    assert (script, True, "x") == (run.script, run.background, run.context)
    assert Connect(id=1, user=0, connection="c", forged=True, unread=True).forged


def test_the_side_of_a_cancellation_is_called_early_in_json() -> None:
    """Scenarios that were saved with `early` are read, and new ones look the same."""
    after = Cancellation(step=2, after_step=True)
    written = b'{"step":2,"early":true,"turns":0}'

    assert written == msgspec.json.encode(after)
    assert after == msgspec.json.decode(written, type=Cancellation)
