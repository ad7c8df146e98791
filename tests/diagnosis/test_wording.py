"""The words of a story: each operation, each step, each choice, each observation."""

import typing
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from isolation_spec.claims import Reason, ReasonKind
from isolation_spec.claims.remarks import (
    AnyRemark,
    CallbackComputes,
    IdentityOfDeparted,
    ObjectHeldByTwo,
    ValuesSeenInPart,
)
from isolation_spec.claims.teardown import TEARDOWN
from isolation_spec.diagnosis.wording import (
    Phrase,
    describe_chain,
    describe_demotion,
    describe_entry,
    describe_operation,
    describe_reason,
    describe_remark,
    excerpt,
    printable,
    strip_canary_digests,
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
from isolation_spec.model.scenario import (
    AdvanceTime,
    CallTool,
    Cancellation,
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
    Operation,
    Read,
    ReadState,
    Recall,
    Reconnect,
    Remember,
    Return,
    RunAgent,
    Scenario,
    Shutdown,
    Sleep,
    Spawn,
    Step,
    Think,
    Transact,
    User,
    Write,
    WriteState,
    canary,
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


# Choices


USERS = (User(label="alice", id="alice"), User(label="bob", id="user_1"))
SCENARIO = Scenario(
    users=USERS,
    operations=(
        OpenContext(id=2, user=0, context="x2", thread="t"),
        CleanupUser(id=13, user=1),
        Shutdown(id=14),
    ),
)


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ("2/start", "the start of alice's operation 2"),
        ("13/database", "the database's answers to bob's operation 13"),
        ("13/call", "the answers of model and tools to bob's operation 13"),
        ("2/connect", "the connecting of alice's operation 2"),
        ("2/accept", "the accepting of the connection of alice's operation 2"),
        ("2/to-server", "the data from the client of alice's operation 2"),
        ("2/to-client", "the data to the client of alice's operation 2"),
        (
            "2/to-client/1",
            "the data to the client of alice's operation 2 (stream 2)",
        ),
        ("14/start", "the start of the world's operation 14"),
        ("world/database", "the database's answers to the world"),
        ("99/start", "the start of operation 99"),
        ("2/unheard-of", "unheard-of of alice's operation 2"),
        ("2", "the arrivals of alice's operation 2"),
    ],
)
def test_a_chain_has_its_words(chain: str, words: str) -> None:
    """The arrivals of a chain are named by the operation that they belong to."""
    assert words == describe_chain(SCENARIO, chain)


ANSWERS = "the answers of model and tools to alice's operation 2"


@pytest.mark.parametrize(
    ("chain", "consumed", "words"),
    [
        ("2/start", 2, "holding back the start of alice's operation 2"),
        ("2/call", 0, f"holding back {ANSWERS}"),
        (
            "2/call",
            1,
            f"holding back {ANSWERS} after the first",
        ),
        (
            "2/call",
            3,
            f"holding back {ANSWERS} after the first 3",
        ),
    ],
)
def test_a_demotion_has_its_words(chain: str, consumed: int, words: str) -> None:
    """A demotion says from when on something is held back."""
    demotion = Demotion(chain=chain, consumed=consumed, rank=0)

    assert words == describe_demotion(SCENARIO, demotion)


# Entries

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


# Texts


def test_a_canary_is_told_without_its_digest() -> None:
    """Owner and place of a genuine canary are enough; a text that only looks like one
    stays."""
    false = "alice~3.1~00000000"

    assert f"a alice~3.1 b {false}" == strip_canary_digests(
        f"a {canary('alice', 3, 1)} b {false}"
    )


def test_control_characters_are_escaped() -> None:
    """Characters that steer a terminal are shown instead."""
    assert r"a\x1b[2Jb\nc" == printable("a\x1b[2Jb\nc")


PHRASE = Phrase("returned: ", "one two three four five six seven eight nine ten")
TEXT = str(PHRASE)


@pytest.mark.parametrize(
    ("place", "room", "expected"),
    [
        (0, 80, TEXT),
        (0, 20, "returned: one two..."),
        (TEXT.index("nine"), 30, "returned: ...nine ten"),
        (TEXT.index("six"), 30, "returned: ...five six seven..."),
        (TEXT.index("six"), 14, "...six seve..."),
    ],
)
def test_an_excerpt_surrounds_a_place(place: int, room: int, expected: str) -> None:
    """A long text keeps its verb and the place, and shows where it is cut."""
    assert expected == excerpt(PHRASE, place, room)


def test_an_excerpt_keeps_its_prefix() -> None:
    """User and operation remain in sight, even where the verb does not."""
    place = len("bob 3 ") + TEXT.index("nine")

    assert "bob 3 ...nine ten" == excerpt(PHRASE, place, 20, prefix="bob 3 ")


@given(st.text(), st.text(), st.integers(0, 80), st.integers(1, 80), st.text())
def test_an_excerpt_fits(
    lead: str, detail: str, place: int, room: int, prefix: str
) -> None:
    """An excerpt of any text takes no more cells than there is room for."""
    cut = excerpt(Phrase(lead, detail), place, room, prefix=prefix[: room // 2])

    assert cell_len(cut) <= max(room, 3)


# Reasons


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (None, ""),
        (
            Reason(ReasonKind.UNDECLARED, ("tools", "memory")),
            "the engine declares no tools, memory",
        ),
        (Reason(ReasonKind.NO_SOLO_RUN), "no user's solo run was made"),
        (
            Reason(ReasonKind.CHECK_CRASHED, ("KeyError: 1",)),
            "its check crashed: KeyError: 1",
        ),
        (
            Reason(ReasonKind.NOT_REACHED),
            f"never reached: {TEARDOWN.situation}",
        ),
        (Reason(ReasonKind.NEVER_JUDGED), "never reached"),
        (
            Reason(ReasonKind.OPAQUE, ("read (A: native)",)),
            "every value of read (A: native) has a part that cannot be seen: return "
            "plain data, or objects that hold their values as attributes",
        ),
    ],
)
def test_a_reason_has_its_words(reason: Reason | None, words: str) -> None:
    """Each reason why a claim has no evidence is said in a few words."""
    assert words == describe_reason("teardown", reason)


def test_every_kind_of_reason_has_words_of_its_own() -> None:
    """No two kinds of reasons are said in the same words."""
    words = {describe_reason("teardown", Reason(kind)) for kind in ReasonKind}

    assert len(ReasonKind) == len(words)


@pytest.mark.parametrize(
    ("remark", "words"),
    [
        (ObjectHeldByTwo("A.x", "A.y"), "hold one object, A.x (and as A.y): "),
        (ValuesSeenInPart("read", 2, 9, "A: native"), "2 of 9 values of read have a "),
        (IdentityOfDeparted("task", "work"), "the task work outlives the cleanup"),
        (CallbackComputes("engine.parse"), "1 s of CPU time or more in engine.parse,"),
    ],
)
def test_a_remark_has_its_words(remark: AnyRemark, words: str) -> None:
    """A remark is one sentence, which names its place."""
    text = describe_remark(remark)

    assert words in text
    assert "\n" not in text
