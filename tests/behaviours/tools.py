"""Behaviours of tools: for whom they work, what they may, and how they are counted."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from hypothesis import strategies as st

from isolation_spec.claims.history_index import HistoryIndex
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
from tests.behaviours.story import (
    ECHO,
    FAILING,
    FORBIDDEN,
    MOMENT,
    SLOW,
    THINK,
    UNKNOWN,
    Story,
)


class Call(NamedTuple):
    """One call of a script that was answered, or raised, in its run."""

    step: CallTool
    entry: AgentStepped
    last: bool
    """Whether nothing of its run was to follow."""

    @property
    def works(self) -> bool:
        """Whether the tool is one that succeeds."""
        return self.step.tool in ("echo", "slow")


def calls(observed: HistoryIndex) -> Iterator[Call]:
    """Yields every call that came to an end, run by run."""
    for _, operation in runs(observed):
        taken = observed.steps.get(operation.id, {})
        for place, step in enumerate(operation.script):
            if isinstance(step, CallTool) and (place,) in taken:
                last = place == len(operation.script) - 1
                yield Call(step, taken[place,][1], last)


def _owner(observed: HistoryIndex, entry: ToolRan) -> str:
    """The id of the user who wrote the argument."""
    return observed.history.scenario.users[observed.owners[entry.argument]].id


# Own tools


def write_calls(story: Story) -> None:
    """Everybody calls tools, each in an engine of their own."""
    for user in story.everybody():
        story.open(user)
        story.run(user, *story.steps(ECHO, SLOW, THINK), background=True)


def judge_own_tools(observed: HistoryIndex) -> Iterator[str]:
    """Nobody shares a dispatcher; a tool works for its owner and answers its owner."""
    for shared in observed.history.of(ObjectShared):
        if shared.what.partition(",")[0].endswith("dispatcher"):
            yield f"two users hold {shared.what}"
    for ran in observed.history.of(ToolRan):
        if ran.identity != _owner(observed, ran):
            yield f"a tool called with {ran.argument} worked for {ran.identity!r}"
    for call in calls(observed):
        answer = f"True {call.step.argument} None"
        yield "" if call.entry.seen == answer else f"it answered {call.entry.seen}"


# Concurrent calls


def write_concurrent_calls(story: Story) -> None:
    """Everybody calls the same tools at once."""
    for user in story.everybody():
        story.open(user)
        story.run(user, MOMENT, SLOW, *story.steps(ECHO, SLOW), background=True)


def judge_concurrent_calls(observed: HistoryIndex) -> Iterator[str]:
    """A body sees its caller's argument and context, and answers its caller."""
    users = observed.history.scenario.users
    under_way: dict[str, int] = {}
    for ran in observed.history.of(ToolRan):
        owner = observed.owners[ran.argument]
        if ran.user != owner or ran.identity != users[owner].id:
            yield f"{ran.argument} came to a body of {ran.user} for {ran.identity!r}"
            continue
        if ran.moment == "ended":
            under_way.pop(ran.argument, None)
        else:
            under_way[ran.argument] = owner
        if any(other != owner for other in under_way.values()):
            yield ""
    for call in calls(observed):
        if call.entry.seen != f"True {call.step.argument} None":
            yield f"the call with {call.step.argument} answered {call.entry.seen}"


def judge_context(observed: HistoryIndex) -> Iterator[str]:
    """Whenever a body looks around after an await, the context is its caller's."""
    for ran in observed.history.of(ToolRan):
        if ran.identity != _owner(observed, ran):
            yield f"a tool called with {ran.argument} found itself in {ran.identity!r}"
        elif ran.moment != "began":
            yield ""


# Denied calls


def _listen(story: Story, user: int) -> None:
    """A connection that the engine surely knows."""
    story.add(Connect, user=user, connection="c")
    story.open(user)
    story.wait(user, 0.5)


def write_denied_calls(story: Story) -> None:
    """Everybody calls what is denied to them, and then what is not."""
    for user in story.everybody():
        _listen(story, user)
        script = story.steps(FORBIDDEN, ECHO, SLOW, most=3)
        story.run(user, FORBIDDEN, *script, ECHO, background=True)


def judge_denied_calls(observed: HistoryIndex) -> Iterator[str]:
    """A denied call runs no body and is told once; the next allowed one works."""
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
        told = [event.type for event in events].count("tool_denied")
        expected = denials.get(int(run.partition("-")[2]), 0)
        owner = observed.spans[int(run.partition("-")[2])].operation.user
        if told != expected and events[0].entry.user == owner:
            yield f"{run} was denied {expected} times and told {told}"


# Failing calls


def write_failing_calls(story: Story) -> None:
    """Tools fail, are unknown or are cancelled, while others' calls go on."""
    for user in story.everybody():
        _listen(story, user)
        script = story.steps(FAILING, UNKNOWN, ECHO, SLOW, most=3)
        story.run(user, FAILING, *script, ECHO, background=True)
        if story.draw(st.booleans()):
            run = story.run(user, MOMENT, SLOW, SLOW, SLOW, background=True)
            story.add(CancelRun, user=user, run=run)


def judge_failing_calls(observed: HistoryIndex) -> Iterator[str]:
    """A failing call is an answer, what comes after it goes on, events balance."""
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
            yield f"{run} told of {begun} calls and {done} ends"


# Measured calls


def write_measured_calls(story: Story) -> None:
    """Everybody calls tools, time passes meanwhile, and everybody asks how it was."""
    for user in story.everybody():
        story.open(user)
        script = story.steps(ECHO, SLOW, FAILING, most=3)
        story.run(user, SLOW, *script)
    for _ in range(story.draw(st.integers(1, 3))):
        story.add(AdvanceTime, seconds=1.0, stalled=True)
    for user in story.everybody():
        story.run(user, SLOW)
        story.add(Read, user=user, context="x")


_STATISTICS = re.compile(
    r"(\w+) calls (\d+) succeeded (\d+) failed (\d+) denied (\d+) cancelled (\d+) "
    r"seconds ([\d.e-]+)"
)
Counts = dict[str, tuple[int, int, int, float]]
"""Tool -> calls, succeeded, failed, seconds."""


def judge_measured_calls(observed: HistoryIndex) -> Iterator[str]:
    """What is reported for a user is what that user's agents lived through."""
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
        lived = _lived_through(observed, span.operation.user)
        if _rounded(reported) == _rounded(lived):
            yield ""
        else:
            yield f"{entry.user} was told {reported}, and it was {lived}"


def _rounded(counts: Counts) -> Counts:
    return {name: (*found[:3], round(found[3], 6)) for name, found in counts.items()}


def _lived_through(observed: HistoryIndex, user: int) -> Counts:
    """Counts and times by the user's agents: a call lasts from the step before it."""
    counts: Counts = {}
    before = 0.0
    for entry in observed.history.of(AgentStepped):
        if entry.user != user:
            continue
        if entry.step == "call_tool":
            span = observed.spans[entry.operation or 0]
            step = span.operation.script[entry.path[0]]
            called, worked, failed, seconds = counts.get(step.tool, (0, 0, 0, 0.0))
            counts[step.tool] = (
                called + 1,
                worked + entry.seen.startswith("True "),
                failed + entry.seen.startswith("False "),
                seconds + entry.time - before,
            )
        before = entry.time
    return counts
