"""Behaviours of tools: identity, permission, failures and statistics."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from hypothesis import strategies as st

from isolation_spec.claims.history_index import HistoryIndex
from isolation_spec.diagnosis.wording.entries import describe_paths
from isolation_spec.model.history.entries import (
    AgentStepped,
    ObjectShared,
    OperationEnded,
    ToolRan,
)
from isolation_spec.model.scenario import (
    AdvanceTime,
    CallTool,
    CancelRun,
    Connect,
    Read,
)
from tests.behaviours.instances import runs
from tests.behaviours.workload_builder import (
    ECHO,
    FAILING,
    FORBIDDEN,
    MOMENT,
    SLOW,
    THINK,
    UNKNOWN,
    WorkloadBuilder,
)


class Call(NamedTuple):
    """One call of a script, with its answer or error."""

    step: CallTool
    entry: AgentStepped
    last: bool
    """Whether it is the last step of its script."""

    @property
    def works(self) -> bool:
        """Whether the tool succeeds."""
        return self.step.tool in ("echo", "slow")


def calls(observed: HistoryIndex) -> Iterator[Call]:
    """Yields every ended call, run by run."""
    for _, operation in runs(observed):
        taken = observed.steps.get(operation.id, {})
        for place, step in enumerate(operation.script):
            if isinstance(step, CallTool) and (place,) in taken:
                last = place == len(operation.script) - 1
                yield Call(step, taken[place,][1], last)


def _owner(observed: HistoryIndex, entry: ToolRan) -> str:
    """The id of the user that wrote the argument."""
    return observed.history.scenario.users[observed.owners[entry.argument]].id


# Own tools.


def write_calls(builder: WorkloadBuilder) -> None:
    """All users call tools, each in an engine of their own."""
    for user in builder.user_indices():
        builder.open(user)
        builder.run(user, *builder.steps(ECHO, SLOW, THINK), background=True)


def judge_own_tools(observed: HistoryIndex) -> Iterator[str]:
    """No users share a dispatcher; a tool works for its owner and answers its owner."""
    for shared in observed.history.of(ObjectShared):
        if shared.path[-1].code.endswith("dispatcher"):
            yield f"two users hold {describe_paths(shared)}"
    for ran in observed.history.of(ToolRan):
        if ran.identity != _owner(observed, ran):
            yield f"a tool called with {ran.argument} worked for {ran.identity!r}"
    for call in calls(observed):
        answer = f"True {call.step.argument} None"
        yield "" if call.entry.seen == answer else f"it answered {call.entry.seen}"


# Concurrent calls.


def write_concurrent_calls(builder: WorkloadBuilder) -> None:
    """All users call the same tools at once."""
    for user in builder.user_indices():
        builder.open(user)
        builder.run(user, MOMENT, SLOW, *builder.steps(ECHO, SLOW), background=True)


def judge_concurrent_calls(observed: HistoryIndex) -> Iterator[str]:
    """A tool body gets its caller's argument and context, and answers its caller."""
    users = observed.history.scenario.users
    in_flight: dict[str, int] = {}
    for ran in observed.history.of(ToolRan):
        owner = observed.owners[ran.argument]
        if ran.user != owner or ran.identity != users[owner].id:
            yield f"{ran.argument} came to a body of {ran.user} for {ran.identity!r}"
            continue
        if ran.moment == "ended":
            in_flight.pop(ran.argument, None)
        else:
            in_flight[ran.argument] = owner
        if any(other != owner for other in in_flight.values()):
            yield ""
    for call in calls(observed):
        if call.entry.seen != f"True {call.step.argument} None":
            yield f"the call with {call.step.argument} answered {call.entry.seen}"


def judge_context(observed: HistoryIndex) -> Iterator[str]:
    """After every await of a tool body, the current context is its caller's."""
    for ran in observed.history.of(ToolRan):
        if ran.identity != _owner(observed, ran):
            yield f"a tool called with {ran.argument} found itself in {ran.identity!r}"
        elif ran.moment != "began":
            yield ""


# Denied calls.


def _connect(builder: WorkloadBuilder, user: int) -> None:
    """Adds a connection, and time for the engine to register it."""
    builder.add(Connect, user=user, connection="c")
    builder.open(user)
    builder.wait(user, 0.5)


def write_denied_calls(builder: WorkloadBuilder) -> None:
    """All users call a denied tool, and then allowed ones."""
    for user in builder.user_indices():
        _connect(builder, user)
        script = builder.steps(FORBIDDEN, ECHO, SLOW, most=3)
        builder.run(user, FORBIDDEN, *script, ECHO, background=True)


def judge_denied_calls(observed: HistoryIndex) -> Iterator[str]:
    """A denied call runs no body and emits one denial; the next allowed one works."""
    for ran in observed.history.of(ToolRan):
        if ran.tool == "forbidden":
            yield f"the denied tool ran with {ran.argument}"
    denials: dict[int | None, int] = {}
    for call in calls(observed):
        if call.step.tool == "forbidden":
            number = call.entry.operation
            denials[number] = denials.get(number, 0) + 1
        if call.entry.seen.startswith("True ") != call.works:
            yield f"{call.step.tool} answered {call.entry.seen}"
        elif call.works:
            yield ""
    for (_, run), events in observed.events_by_run.items():
        emitted = [event.type for event in events].count("tool_denied")
        expected = denials.get(int(run.partition("-")[2]), 0)
        owner = observed.spans[int(run.partition("-")[2])].operation.user
        if emitted != expected and events[0].entry.user == owner:
            yield f"{run} was denied {expected} times and emitted {emitted} denials"


# Failing calls.


def write_failing_calls(builder: WorkloadBuilder) -> None:
    """Tools fail, are unknown or are cancelled, while other users' calls go on."""
    for user in builder.user_indices():
        _connect(builder, user)
        script = builder.steps(FAILING, UNKNOWN, ECHO, SLOW, most=3)
        builder.run(user, FAILING, *script, ECHO, background=True)
        if builder.draw(st.booleans()):
            run = builder.run(user, MOMENT, SLOW, SLOW, SLOW, background=True)
            builder.add(CancelRun, user=user, run=run)


def judge_failing_calls(observed: HistoryIndex) -> Iterator[str]:
    """A failing call is an answer, the next calls go on, and events are balanced."""
    stopped = {
        operation.run
        for operation in observed.history.operations().values()
        if isinstance(operation, CancelRun)
    }
    for call in calls(observed):
        if call.entry.operation in stopped:
            continue
        if call.entry.outcome != "ok":
            yield f"{call.step.tool} raised: {call.entry.seen}"
        elif call.entry.seen.startswith("True ") != call.works:
            yield f"{call.step.tool} answered: {call.entry.seen}"
        elif not call.works and not call.last:
            yield ""
    for (_, run), events in observed.events_by_run.items():
        types = [event.type for event in events]
        begun, done = types.count("tool_executing"), types.count("tool_completed")
        ended = any(kind.startswith("agent_c") for kind in types)
        if ended and begun != done:
            yield f"{run} emitted {begun} starts of calls and {done} ends"


# Measured calls.


def write_measured_calls(builder: WorkloadBuilder) -> None:
    """All users call tools while time passes, and then read their statistics."""
    for user in builder.user_indices():
        builder.open(user)
        script = builder.steps(ECHO, SLOW, FAILING, most=3)
        builder.run(user, SLOW, *script)
    for _ in range(builder.draw(st.integers(1, 3))):
        builder.add(AdvanceTime, seconds=1.0, stalled=True)
    for user in builder.user_indices():
        builder.run(user, SLOW)
        builder.add(Read, user=user, context="x")


_STATISTICS = re.compile(
    r"(\w+) calls (\d+) succeeded (\d+) failed (\d+) denied (\d+) cancelled (\d+) "
    r"seconds ([\d.e-]+)"
)
Counts = dict[str, tuple[int, int, int, float]]
"""Tool -> calls, succeeded, failed, seconds."""


def judge_measured_calls(observed: HistoryIndex) -> Iterator[str]:
    """The statistics reported for a user equal those observed by the user's agents."""
    for span in observed.spans.values():
        entry = observed.entries[min(span.ended, len(observed.entries) - 1)]
        if not isinstance(span.operation, Read) or span.outcome != "returned":
            continue
        assert isinstance(entry, OperationEnded)
        reported = {
            name: (int(called), int(worked), int(failed), float(seconds))
            for name, called, worked, failed, _, _, seconds in _STATISTICS.findall(
                entry.value
            )
        }
        actual = _count_calls(observed, span.operation.user)
        if _rounded(reported) == _rounded(actual):
            yield ""
        else:
            yield f"{entry.user} was shown {reported} instead of {actual}"


def _rounded(counts: Counts) -> Counts:
    return {name: (*count[:3], round(count[3], 6)) for name, count in counts.items()}


def _count_calls(observed: HistoryIndex, user: int) -> Counts:
    """Counts and durations by the user's agents; a call lasts since the step before."""
    counts: Counts = {}
    before = 0.0
    for entry in observed.history.of(AgentStepped):
        if entry.user != user:
            continue
        if entry.step == "call_tool":
            span = observed.spans[entry.operation or 0]
            step = span.operation.script[entry.path[0]]
            assert isinstance(step, CallTool)
            called, worked, failed, seconds = counts.get(step.tool, (0, 0, 0, 0.0))
            counts[step.tool] = (
                called + 1,
                worked + entry.seen.startswith("True "),
                failed + entry.seen.startswith("False "),
                seconds + entry.time - before,
            )
        before = entry.time
    return counts
