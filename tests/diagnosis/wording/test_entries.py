"""The words of each observation."""

import typing
from typing import Any

import pytest

from isolation_spec.diagnosis.wording import (
    describe_entry,
)
from isolation_spec.model.history.entries import (
    AgentStepped,
    CancellationDelivered,
    ConnectionClosed,
    ConnectionOpened,
    Entry,
    EventReceived,
    ExceptionUnhandled,
    GaugeRead,
    IdentityChanged,
    IdentityKept,
    LoopBlocked,
    ObjectShared,
    OperationEnded,
    OperationStarted,
    PathStep,
    PhaseStarted,
    ResourceAlive,
    RowStored,
    SessionMoved,
    ThreadStarted,
    ToolRan,
)
from isolation_spec.model.history.states import (
    Outcome,
    Phase,
    SessionMove,
    StepOutcome,
    ToolMoment,
)

AT: dict[str, Any] = {"time": 0.0, "turn": 0, "operation": 2, "user": 0}

ENTRIES = [
    (OperationStarted(**AT), "begins"),
    (OperationEnded(**AT, outcome=Outcome.RETURNED, value="None"), "returned"),
    (OperationEnded(**AT, outcome=Outcome.RETURNED, value="a  b"), "returned: a b"),
    (OperationEnded(**AT, outcome=Outcome.FAILED, error="No"), "failed: No"),
    (OperationEnded(**AT, outcome=Outcome.UNFINISHED), "never ends"),
    (
        AgentStepped(**AT, path=(), step="begin", seen="", identity=None),
        "its agent begins",
    ),
    (
        AgentStepped(**AT, path=(0,), step="think", seen="ok", identity=None),
        "think gives ok",
    ),
    (
        AgentStepped(**AT, path=(0,), step="sleep", seen="None", identity=None),
        "sleep is done",
    ),
    (
        AgentStepped(
            **AT,
            path=(0,),
            step="call_tool",
            seen="",
            identity=None,
            outcome=StepOutcome.FAILED,
        ),
        "call tool failed",
    ),
    (
        IdentityChanged(**AT, identity="bob", place="engine:3"),
        "the engine works for 'bob', at engine:3",
    ),
    (ConnectionOpened(**AT, connection="c1"), "c1 is connected"),
    (
        ConnectionClosed(**AT, connection="c1", code=1000),
        "c1 is closed, code 1000",
    ),
    (EventReceived(**AT, connection="c1", text="hi"), "c1 receives hi"),
    (EventReceived(**AT, connection="c1", text="[1]"), "c1 receives [1]"),
    (
        EventReceived(
            **AT,
            connection="c1",
            text='{"type": "said", "sequence": 2, "run_id": "run-3", "a": 1}',
        ),
        "c1 receives said 2 of run-3 a 1",
    ),
    (
        EventReceived(**AT, connection="c1", text='{"type": "said"}'),
        "c1 receives said",
    ),
    (
        SessionMoved(**AT, session=3, move=SessionMove.ROLLED_BACK),
        "database session 3 rolls back",
    ),
    (
        CancellationDelivered(**AT, step=2, after_step=False, place="engine:3"),
        "is cancelled before its step 2, at engine:3",
    ),
    (PhaseStarted(**AT, phase=Phase.TEARDOWN), "the engine is shut down"),
    (ResourceAlive(**AT, kind="task", what="beat"), "still alive: task (beat)"),
    (
        IdentityKept(**AT, kind="task", what="beat", identity="bob"),
        "task (beat) works for 'bob'",
    ),
    (GaugeRead(**AT, gauge="runs", value=2.0), "the engine's own runs reads 2"),
    (ExceptionUnhandled(**AT, message="Oh"), "unhandled: Oh"),
    (
        ToolRan(**AT, tool="echo", argument="a", identity=None),
        "tool echo began for no user: a",
    ),
    (
        ToolRan(
            **AT, tool="echo", argument="a", identity="bob", moment=ToolMoment.ENDED
        ),
        "tool echo ended for 'bob': a",
    ),
    (
        ObjectShared(
            **AT,
            other=1,
            path=(PathStep("Desk"), PathStep(".notes")),
            others_path=(PathStep("Desk"), PathStep(key="k")),
        ),
        "holds an object of another user, too: Desk.notes, the same object as "
        "Desk['k']",
    ),
    (
        ThreadStarted(**AT, what="a thread", place="engine:3"),
        "a thread is started at engine:3",
    ),
    (
        LoopBlocked(
            **AT,
            call="time.sleep",
            seconds=1,
            callback=1,
            place="engine:3",
            function="",
        ),
        "holds the loop 1 s: time.sleep at engine:3",
    ),
    (
        RowStored(**AT, owner="bob", thread="t", key="k", value="v"),
        "stored for 'bob' on 't': k=v",
    ),
]


@pytest.mark.parametrize(("entry", "words"), ENTRIES, ids=lambda v: str(v)[:40])
def test_what_was_observed_has_its_words(entry: Any, words: str) -> None:
    """Each kind of observation is said in a few words."""
    assert words.rstrip() == describe_entry(entry)


def test_every_kind_of_observation_has_words_of_its_own() -> None:
    """No kind is described by the name of its type."""
    assert {type(entry) for entry, _ in ENTRIES} == set(typing.get_args(Entry))
