"""Real failures of a faulty reference engine, and one as hostile as data gets."""

from functools import cache
from typing import Any, NamedTuple

import msgspec

from isolation_spec.claims import Violation
from isolation_spec.claims.facts import RecordedText
from isolation_spec.contract.adapter import Adapter
from isolation_spec.diagnosis.diagnosis import (
    ArrivalOrder,
    ClassChoice,
    Diagnosis,
    OtherUsers,
    PassingRun,
    ProvenanceStep,
    ScheduleChoice,
)
from isolation_spec.diagnosis.provenance import trace_provenance
from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import judge_with_solos
from isolation_spec.failure import Failure, Replay, make_failure, replay
from isolation_spec.failure.diagnosed_replay import diagnose_replay
from isolation_spec.model.history.entries import OperationEnded, OperationStarted
from isolation_spec.model.history.history import History
from isolation_spec.model.history.states import Outcome
from isolation_spec.model.scenario import (
    CallTool,
    Cancellation,
    CancelRun,
    CleanupUser,
    Connect,
    Disconnect,
    Emit,
    OpenContext,
    Operation,
    Read,
    ReadState,
    Remember,
    RunAgent,
    Scenario,
    Schedule,
    Think,
    User,
    Write,
    WriteState,
    canary,
)
from isolation_spec.report.failure_page import failure_page
from tests.builders import make_history

ENGINE = "reference+state-on-agent"
NAMES = ("alice", "bob", "carol", "dave", "erin", "frank")

HOSTILE = (
    "</script><script>window.hacked=1</script><img src=x onerror='window.hacked=1'>"
    "\x00\x1b[2J\x07\u202e\u2066\u200f{{7*7}}<!--\u2028`${1}`&amp;"
    "\u05d0\u05d1\u0627e" + "\u0301" * 20
)
"""Ends scripts, steers terminals and readers, reverses text, piles up accents."""
LONG = "W" * 300


def make_adapter() -> Adapter:
    return find_engine(ENGINE).make_adapter()


class Sample(NamedTuple):
    """A failure, as it was found and as it was replayed."""

    failure: Failure
    replayed: Replay

    @property
    def history(self) -> History:
        assert self.replayed.history is not None
        return self.replayed.history

    @property
    def violation(self) -> Violation:
        assert self.replayed.judgement is not None
        return self.replayed.judgement.violations[0]


def scenario_of(users: int) -> Scenario:
    """Everybody connects and runs an agent at once; some are cancelled, some clean
    up."""
    names = NAMES[:users]
    steps: list[Operation] = []

    def add(kind: type, user: int, **fields: object) -> None:
        steps.append(kind(id=len(steps) + 1, user=user, **fields))

    for user in range(users):
        add(Connect, user, connection=f"c{user}")
    for user in range(users):
        add(OpenContext, user, context=f"x{user}", thread="t")
    for user, name in enumerate(names):
        number = len(steps) + 1
        script = (
            Think(prompt=canary(name, number, 1)),
            CallTool(tool=("echo", "slow")[user % 2], argument=canary(name, number, 2)),
            WriteState(key="s", value=canary(name, number, 3)),
            Remember(key="k", value=canary(name, number, 4)),
            ReadState(),
            Emit(payload=canary(name, number, 5)),
        )
        cancel = Cancellation(step=6) if name == "dave" else None
        background = user in (0, 4)
        add(
            RunAgent,
            user,
            context=f"x{user}",
            script=script,
            background=background,
            cancel=cancel,
        )
    add(Read, 1, context="x1")
    if users > 4:
        add(CancelRun, 4, run=2 * users + 5)
        add(CleanupUser, 0)
        add(Disconnect, 5, connection="c5")
    return Scenario(
        users=tuple(User(label=name, id=name) for name in names),
        operations=tuple(steps),
        schedule=Schedule(classes={f"{2 * users + 2}/database": 1}),
    )


@cache
def sample(users: int = 2) -> Sample:
    """A real leak of `context-ownership` between so many users."""
    history = run(scenario_of(users), make_adapter)
    violation = next(
        found
        for judgement in judge_with_solos(history, make_adapter)
        for found in judgement.violations
        if found.claim == "context-ownership"
    )
    failure = make_failure(ENGINE, history, violation, confirmed=True)
    return Sample(failure, replay(failure, make_adapter))


@cache
def page_of(users: int = 2) -> str:
    """The page of a sample; of two users, with a passing run beside it."""
    one = sample(users)
    if users != 2:
        return replayed_page(one, file="f.json")
    history = run(one.failure.scenario, make_adapter, count_steps=True)
    # With this choice alice reads before bob has written.
    schedule = Schedule(classes={"5/call": 1})
    scenario = msgspec.structs.replace(one.failure.scenario, schedule=schedule)
    other = run(scenario, make_adapter, count_steps=True)
    pairs = zip(history.entries, other.entries, strict=False)
    story = Diagnosis(
        history=history,
        violation=one.violation,
        choices=(ScheduleChoice(choice=ClassChoice("6/start"), needed=False),),
        passing_run=PassingRun(
            without=ArrivalOrder("5/call", "6/start"),
            history=other,
            step=next(i for i, (a, b) in enumerate(pairs) if a != b),
        ),
        provenance=trace_provenance(history, one.violation),
    )
    return failure_page(one.failure, history, story, file="f.json")


def replayed_page(one: Sample, **options: Any) -> str:
    """The page of a sample that was just replayed."""
    diagnosed = diagnose_replay(one.replayed, make_adapter)
    return failure_page(
        one.failure,
        diagnosed.history,
        diagnosed.diagnosis,
        outcome=str(one.replayed.outcome),
        note=one.replayed.note,
        **options,
    )


def violation_with(text: str, entry: int) -> Violation:
    return Violation(
        claim="context-ownership",
        clause="foreign-value",
        fact=RecordedText(let=(text, text), then=text, however=text),
        entry=entry,
        users=(0,),
    )


@cache
def hostile_page() -> str:
    """A page on which every text that a file or an engine can choose is hostile."""
    scenario = Scenario(
        users=(User(label=HOSTILE, id=HOSTILE), User(label="bob", id="bob")),
        operations=(
            Connect(id=1, user=0, connection=HOSTILE),
            OpenContext(id=2, user=0, context=HOSTILE, thread=HOSTILE),
            Write(id=3, user=0, context=HOSTILE, key=HOSTILE, value=HOSTILE + LONG),
            RunAgent(
                id=4,
                user=0,
                context=HOSTILE,
                script=(CallTool(tool="echo", argument=HOSTILE),),
            ),
        ),
    )
    history = run(scenario, make_adapter)
    violation = violation_with(HOSTILE, 9)
    failure = make_failure(HOSTILE, history, violation, confirmed=True)
    failure = msgspec.structs.replace(failure, versions={HOSTILE: HOSTILE})
    story = Diagnosis(
        history=history,
        violation=violation,
        choices=(
            ScheduleChoice(choice=ClassChoice(f"3/{HOSTILE}"), needed=True),
            ScheduleChoice(
                choice=ClassChoice(f"3/{HOSTILE}"), needed=False, tried=False
            ),
        ),
        passing_run=PassingRun(
            without=ClassChoice(f"3/{HOSTILE}"), history=history, step=5
        ),
        provenance=(
            ProvenanceStep(entry=4, user=0, operation=2),
            ProvenanceStep(entry=9, user=1, operation=None),
        ),
    )
    return failure_page(
        failure, history, story, note=HOSTILE, file=HOSTILE, values=True
    )


def long_history(operations: int) -> History:
    """A run of so many operations of six users, one after the other."""
    scenario = Scenario(
        users=tuple(User(label=name, id=name) for name in NAMES),
        operations=tuple(
            Write(id=n, user=n % 6, context="x", key="k", value=canary("alice", n, 0))
            for n in range(1, operations + 1)
        ),
    )
    entries = tuple(
        entry
        for n in range(1, operations + 1)
        for entry in (
            OperationStarted(time=n * 0.001, turn=n, operation=n, user=n % 6),
            OperationEnded(
                time=n * 0.001,
                turn=n,
                operation=n,
                user=n % 6,
                outcome=Outcome.RETURNED,
            ),
        )
    )
    return make_history(*entries, scenario=scenario, overlapped=True)


@cache
def long_page() -> str:
    """The page of ten thousand operations, which fails somewhere in the middle."""
    history = long_history(10_000)
    violation = violation_with("nothing", 12_345)
    failure = make_failure(ENGINE, history, violation, confirmed=True)
    story = Diagnosis(
        history=history,
        violation=violation,
        choices=(),
        passing_run=PassingRun(without=OtherUsers(), history=history, step=12_000),
        provenance=(
            ProvenanceStep(entry=0, user=1, operation=1),
            ProvenanceStep(entry=12_345, user=1, operation=6173),
        ),
    )
    return failure_page(failure, history, story)
