"""Behaviours of engines, runs, memory and database sessions."""

from collections.abc import Iterator

from hypothesis import strategies as st

from isolation_spec.claims import Claim, Violation
from isolation_spec.claims.database_sessions import DATABASE_SESSIONS
from isolation_spec.claims.history_index import HistoryIndex, OperationSpan
from isolation_spec.claims.stored_writes import STORED_WRITES
from isolation_spec.claims.teardown import TEARDOWN
from isolation_spec.diagnosis.wording import summarize_violation
from isolation_spec.diagnosis.wording.entries import describe_paths
from isolation_spec.model.history.entries import (
    AgentStepped,
    ObjectShared,
    OperationEnded,
)
from isolation_spec.model.scenario import (
    CleanupEngine,
    CleanupUser,
    OpenContext,
    Read,
    Return,
    RunAgent,
    Sleep,
    Transact,
    WriteState,
    canaries_in,
)
from tests.behaviours.workload_builder import (
    MOMENT,
    READ_STATE,
    RECALL,
    REMEMBER,
    RETURN,
    SLOW,
    THINK,
    WRITE_STATE,
    WorkloadBuilder,
)


def violations(claim: Claim, observed: HistoryIndex, *clauses: str) -> Iterator[str]:
    """Yields the violations of a claim in these clauses, or in all by default."""
    for fact in claim.check(observed):
        if isinstance(fact, Violation) and (not clauses or fact.clause in clauses):
            yield summarize_violation(fact, observed.history.scenario.users)


def count_opportunities(claim: Claim, observed: HistoryIndex) -> int:
    """The number of situations in which the claim could fail."""
    facts = claim.check(observed)
    return sum(fact.times for fact in facts if not isinstance(fact, Violation))


def runs(observed: HistoryIndex) -> Iterator[tuple[OperationSpan, RunAgent]]:
    """Yields every run that the engine began."""
    for span in observed.spans.values():
        if isinstance(span.operation, RunAgent):
            yield span, span.operation


# Isolated instances.


def write_instances(builder: WorkloadBuilder) -> None:
    """Each user has an engine and runs an agent in it."""
    for user in builder.user_indices():
        builder.open(user)
        builder.run(user, *builder.steps(THINK, WRITE_STATE, MOMENT), background=True)


def judge_instances(observed: HistoryIndex) -> Iterator[str]:
    """No two engines share a mutable object, and each agent is bound to its user."""
    for entry in observed.history.of(ObjectShared):
        yield f"two users hold {describe_paths(entry)}"
    users = observed.history.scenario.users
    begun: set[int] = set()
    for step in observed.history.of(AgentStepped):
        assert step.user is not None
        own = users[step.user].id
        if step.identity != own:
            yield f"an agent of {own!r} was bound to {step.identity!r}"
        begun.add(step.user)
    yield from ("" for _ in range(len(begun) * (len(begun) - 1) // 2))


# Concurrent runs.


def write_concurrent_runs(builder: WorkloadBuilder) -> None:
    """All users run at once: every run sleeps until the last one has begun."""
    for user in builder.user_indices():
        builder.open(user)
        script = builder.steps(WRITE_STATE, THINK, MOMENT)
        builder.run(user, MOMENT, *script, RETURN, background=True)


def judge_concurrent_runs(observed: HistoryIndex) -> Iterator[str]:
    """All complete, and each result holds the canaries of its own user only."""
    spans = [span for span, _ in runs(observed)]
    at_once = sum(span.started < min(s.ended for s in spans) for span in spans)
    for span, operation in runs(observed):
        entry = observed.entries[min(span.ended, len(observed.entries) - 1)]
        if not isinstance(entry, OperationEnded) or entry.outcome != "returned":
            error = entry.error if isinstance(entry, OperationEnded) else ""
            yield f"run {operation.id} {span.outcome}: {error}"
            continue
        written = [s for s in operation.script if isinstance(s, WriteState)]
        expected = {operation.script[-1], *written[-1:]}
        lacking = [
            s
            for s in expected
            if isinstance(s, WriteState | Return) and s.value not in entry.value
        ]
        foreign = list(observed.foreign(entry.value, operation.user))
        if lacking:
            yield f"the result of run {operation.id} lacks {lacking}"
        elif foreign:
            yield f"the result of run {operation.id} holds {foreign}"
        elif at_once >= 5:
            yield ""


# Memory.


def write_memory(builder: WorkloadBuilder) -> None:
    """All users work, the first one is cleaned up, and the others work and read
    again."""
    if builder.draw(st.integers(0, 3)) != 3:
        # Names that are prefixes of each other; the reading user u has a shorter name
        # than u1, whose user was cleaned up.
        builder.rename("u1", "u", "u11", "u111")
    thread = None
    for user in builder.user_indices():
        thread = builder.open(user, thread)
        builder.run(user, *builder.steps(REMEMBER, THINK, WRITE_STATE))
    builder.add(CleanupUser, user=0)
    for user in builder.user_indices():
        if user:
            wait = Sleep(seconds=1.0)
            builder.run(user, wait, *builder.steps(THINK, RECALL, READ_STATE))
            builder.add(Read, user=user, context="x")


_SHOWN = ("think", "recall", "read_state")


def judge_memory(observed: HistoryIndex) -> Iterator[str]:
    """A user reads, recalls and is prompted with no other user's values."""
    operations = observed.history.operations()
    for entry in observed.entries:
        if isinstance(entry, AgentStepped) and entry.step in _SHOWN:
            text = entry.seen
        elif isinstance(entry, OperationEnded) and isinstance(
            operations[entry.operation or 0], Read
        ):
            text = entry.value
        else:
            continue
        foreign = list(observed.foreign(text, entry.user))
        yield f"operation {entry.operation} was shown {foreign}" if foreign else ""


# Database sessions.


def write_transactions(builder: WorkloadBuilder) -> None:
    """All users write in sessions at once; some of the units of work fail."""
    kinds = (
        Transact(items=(("k", ""), ("k1", ""))),
        Transact(items=(("k2", ""), ("k3", "")), fails=True),
        REMEMBER,
    )
    for user in builder.user_indices():
        builder.open(user)
        builder.run(user, MOMENT, *builder.steps(*kinds, most=2), background=True)


def judge_transactions(observed: HistoryIndex) -> Iterator[str]:
    """A session has one owner; a rollback or commit changes no other user's rows."""
    yield from violations(DATABASE_SESSIONS, observed)
    yield from violations(STORED_WRITES, observed, "lost", "foreign-row")
    yield from ("" for _ in range(count_opportunities(DATABASE_SESSIONS, observed)))


# Cleanup.


def write_cleanups(builder: WorkloadBuilder) -> None:
    """All users are cleaned up, during a run or after it, and come back."""
    for user in builder.user_indices():
        thread = builder.open(user)
        script = builder.steps(THINK, WRITE_STATE, SLOW, Sleep(seconds=5.0))
        builder.run(user, THINK, *script, background=True)
        if builder.draw(st.booleans()):
            builder.wait(user, 0.5)
        if builder.draw(st.booleans()):
            builder.add(CleanupUser, user=user)
        else:
            builder.add(CleanupEngine, user=user, context="x")
        builder.open(user, thread, "y")
        builder.run(user, READ_STATE, THINK, context="y")


def judge_cleanups(observed: HistoryIndex) -> Iterator[str]:
    """No object of a user is alive afterwards, and a new engine shows no old value."""
    yield from violations(TEARDOWN, observed)
    opened = {
        one.user: one.id
        for one in observed.history.user_operations().values()
        if isinstance(one, OpenContext) and one.context == "y"
    }
    for entry in observed.history.of(AgentStepped):
        span = observed.spans[entry.operation or 0]
        if span.operation.context != "y":
            continue
        assert entry.user is not None
        # The model's answer shows the metadata with which the context was opened.
        new = {entry.operation, opened[entry.user]}
        old = [
            value
            for owner, value in canaries_in(entry.seen)
            if owner == observed.label(entry.user)
            and int(value.partition("~")[2].partition(".")[0]) not in new
        ]
        yield f"operation {entry.operation} was shown {old}" if old else ""
