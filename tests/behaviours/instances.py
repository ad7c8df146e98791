"""Behaviours of engines, runs, memory and database sessions."""

from collections.abc import Iterator

from hypothesis import strategies as st

from isolation_spec.claims import Claim, Violation
from isolation_spec.claims.database_sessions import DATABASE_SESSIONS
from isolation_spec.claims.history_index import HistoryIndex, OperationSpan
from isolation_spec.claims.stored_writes import STORED_WRITES
from isolation_spec.claims.teardown import TEARDOWN
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
from tests.behaviours.story import (
    MOMENT,
    READ_STATE,
    RECALL,
    REMEMBER,
    RETURN,
    SLOW,
    THINK,
    WRITE_STATE,
    Story,
)


def violations(claim: Claim, observed: HistoryIndex, *clauses: str) -> Iterator[str]:
    """Yields what a claim objects to in these clauses, or in all if none is named."""
    for found in claim.check(observed):
        if isinstance(found, Violation) and (not clauses or found.clause in clauses):
            yield found.sentence()


def situations(claim: Claim, observed: HistoryIndex) -> int:
    """How often a claim was put to the test."""
    found = claim.check(observed)
    return sum(one.times for one in found if not isinstance(one, Violation))


def runs(observed: HistoryIndex) -> Iterator[tuple[OperationSpan, RunAgent]]:
    """Yields every run that the engine began."""
    for span in observed.spans.values():
        if isinstance(span.operation, RunAgent):
            yield span, span.operation


# Isolated instances


def write_instances(story: Story) -> None:
    """Everybody has an engine, and has worked in it."""
    for user in story.everybody():
        story.open(user)
        story.run(user, *story.steps(THINK, WRITE_STATE, MOMENT), background=True)


def judge_instances(observed: HistoryIndex) -> Iterator[str]:
    """No two engines share anything mutable, and each agent is its own user's."""
    for entry in observed.history.of(ObjectShared):
        yield f"two users hold {entry.what}"
    users = observed.history.scenario.users
    begun: set[int] = set()
    for step in observed.history.of(AgentStepped):
        assert step.user is not None
        own = users[step.user].id
        if step.identity != own:
            yield f"an agent of {own!r} was bound to {step.identity!r}"
        begun.add(step.user)
    yield from ("" for _ in range(len(begun) * (len(begun) - 1) // 2))


# Concurrent runs


def write_concurrent_runs(story: Story) -> None:
    """Everybody runs at once: all sleep until the last one has begun."""
    for user in story.everybody():
        story.open(user)
        script = story.steps(WRITE_STATE, THINK, MOMENT)
        story.run(user, MOMENT, *script, RETURN, background=True)


def judge_concurrent_runs(observed: HistoryIndex) -> Iterator[str]:
    """All complete, and each result holds its own canaries and nobody else's."""
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


# Memory


def write_memory(story: Story) -> None:
    """Everybody works; the first one leaves; the others work and look again."""
    if story.draw(st.integers(0, 3)) != 3:
        # Names that contain each other; whoever looks has a shorter one than who left.
        story.rename("u1", "u", "u11", "u111")
    thread = None
    for user in story.everybody():
        thread = story.open(user, thread)
        story.run(user, *story.steps(REMEMBER, THINK, WRITE_STATE))
    story.add(CleanupUser, user=0)
    for user in story.everybody():
        if user:
            wait = Sleep(seconds=1.0)
            story.run(user, wait, *story.steps(THINK, RECALL, READ_STATE))
            story.add(Read, user=user, context="x")


_SHOWN = ("think", "recall", "read_state")


def judge_memory(observed: HistoryIndex) -> Iterator[str]:
    """What a user reads, is prompted with or recalls is nobody else's."""
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


# Database sessions


def write_transactions(story: Story) -> None:
    """Everybody writes in sessions at once; some of the units of work fail."""
    kinds = (
        Transact(items=(("k", ""), ("k1", ""))),
        Transact(items=(("k2", ""), ("k3", "")), fails=True),
        REMEMBER,
    )
    for user in story.everybody():
        story.open(user)
        story.run(user, MOMENT, *story.steps(*kinds, most=2), background=True)


def judge_transactions(observed: HistoryIndex) -> Iterator[str]:
    """A session has one owner; a rollback or commit moves nobody else's rows."""
    yield from violations(DATABASE_SESSIONS, observed)
    yield from violations(STORED_WRITES, observed, "lost", "foreign-row")
    yield from ("" for _ in range(situations(DATABASE_SESSIONS, observed)))


# Cleanup


def write_cleanups(story: Story) -> None:
    """Everybody is cleaned up, at work or after it, and comes back."""
    for user in story.everybody():
        thread = story.open(user)
        script = story.steps(THINK, WRITE_STATE, SLOW, Sleep(seconds=5.0))
        story.run(user, THINK, *script, background=True)
        if story.draw(st.booleans()):
            story.wait(user, 0.5)
        if story.draw(st.booleans()):
            story.add(CleanupUser, user=user)
        else:
            story.add(CleanupEngine, user=user, context="x")
        story.open(user, thread, "y")
        story.run(user, READ_STATE, THINK, context="y")


def judge_cleanups(observed: HistoryIndex) -> Iterator[str]:
    """Nothing of a user is alive afterwards, and a new engine knows nothing old."""
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
        # The model is told of its user by what the context was opened with.
        assert entry.user is not None
        new = {entry.operation, opened[entry.user]}
        old = [
            value
            for owner, value in canaries_in(entry.seen)
            if owner == observed.label(entry.user)
            and int(value.partition("~")[2].partition(".")[0]) not in new
        ]
        yield f"operation {entry.operation} was shown {old}" if old else ""
