"""A denied tool does nothing; a tool works for its caller; a failing one harms
nobody."""

from __future__ import annotations

from collections.abc import Iterator

from isolation_spec.claims.claim import Claim, IsolationViolated, Opportunity, Violation
from isolation_spec.claims.history_index import HistoryIndex
from isolation_spec.contract.capabilities import Capability
from isolation_spec.contract.toolbox import NOBODY, Toolbox
from isolation_spec.model.history.entries import AgentStepped, ToolRan
from isolation_spec.model.scenario import CallTool, RunAgent, permitted, walk

__all__ = ["TOOL_ISOLATION", "ToolIsolationViolated"]


class ToolIsolationViolated(IsolationViolated):
    """A tool ran that was denied, for somebody else, or its failure was not
    contained."""


_ID = "tool-isolation"


def _check(observed: HistoryIndex) -> Iterator[Opportunity | Violation]:
    yield from _bodies(observed)
    for operation, path, step in _calls(observed):
        said = observed.steps.get(operation.id, {}).get(path)
        if said is None:
            continue
        index, entry = said
        violation = _wrong_answer(observed, operation, step, index, entry)
        yield violation or Opportunity()


def _calls(
    observed: HistoryIndex,
) -> Iterator[tuple[RunAgent, tuple[int, ...], CallTool]]:
    for span in observed.spans.values():
        if isinstance(span.operation, RunAgent):
            for path, step in walk(span.operation.script):
                if isinstance(step, CallTool):
                    yield span.operation, path, step


def _bodies(observed: HistoryIndex) -> Iterator[Opportunity | Violation]:
    """Each time that the body of a tool looks around, it is at its caller's."""
    counts: dict[str, int] = {}
    for index, entry in enumerate(observed.entries):
        if not isinstance(entry, ToolRan):
            continue
        owner = observed.owners.get(entry.argument)
        if entry.moment == "began":
            counts[entry.argument] = counts.get(entry.argument, 0) + 1
        if owner is None and entry.tool not in Toolbox.denied:
            continue
        elif owner is None or not _may(observed, entry.tool, owner):
            yield _denied_ran(observed, index, entry, owner)
        elif counts[entry.argument] > 1:
            yield _ran_twice(observed, index, entry, owner)
        elif entry.identity not in (None, _id(observed, owner)):
            yield _foreign(observed, index, entry, owner)
        else:
            yield Opportunity()


def _may(observed: HistoryIndex, tool: str, user: int) -> bool:
    return permitted(tool, observed.history.scenario.users[user])


def _id(observed: HistoryIndex, user: int) -> str:
    return observed.history.scenario.users[user].id


def _denied_ran(
    observed: HistoryIndex, index: int, entry: ToolRan, owner: int | None
) -> Violation:
    whom = "everybody" if owner is None else observed.label(owner)
    return Violation(
        claim=_ID,
        clause="denied-ran",
        let=(f"the tool {entry.tool!r} be denied to {whom}",),
        then="its body never runs",
        however=f"it ran with {entry.argument}",
        entry=index,
        users=() if owner is None else (owner,),
        shown=(entry.tool, entry.argument),
    )


def _ran_twice(
    observed: HistoryIndex, index: int, entry: ToolRan, owner: int
) -> Violation:
    return Violation(
        claim=_ID,
        clause="ran-twice",
        let=(
            f"{observed.label(owner)} call {entry.tool!r} once with {entry.argument}",
        ),
        then="its body runs once",
        however="it ran again",
        entry=index,
        users=(owner,),
    )


def _foreign(
    observed: HistoryIndex, index: int, entry: ToolRan, owner: int
) -> Violation:
    return Violation(
        claim=_ID,
        clause="foreign-context",
        let=(
            f"{observed.label(owner)} call the tool {entry.tool!r} with "
            f"{entry.argument}",
        ),
        then=f"its body works for {_id(observed, owner)!r} all the time",
        however=f"when it {entry.moment}, it worked for {entry.identity!r}",
        entry=index,
        users=(owner,),
        shown=(str(entry.identity), entry.argument),
    )


def _wrong_answer(
    observed: HistoryIndex,
    operation: RunAgent,
    step: CallTool,
    index: int,
    entry: AgentStepped,
) -> Violation | None:
    """What a call must answer: its own result if allowed, else a clean failure."""
    if entry.outcome in ("cancelled", "refused"):
        return None
    works = step.tool in ("echo", "slow", "whoami", "personal")
    works = works and _may(observed, step.tool, operation.user)
    right = _right_answers(observed, operation, step)
    if entry.outcome == "failed":
        clause, however = "broke-run", f"the call raised: {entry.seen}"
    elif works and entry.seen not in [f"True {answer} None" for answer in right]:
        clause, however = "wrong-result", f"it answered: {entry.seen}"
    elif not works and not entry.seen.startswith("False "):
        clause, however = "no-failure", f"it answered: {entry.seen}"
    else:
        return None
    user = operation.user
    name = observed.label(user)
    return Violation(
        claim=_ID,
        clause=clause,
        let=(f"{name} call the tool {step.tool!r} with {step.argument}",),
        then=(
            f"the call answers {right[0]!r}"
            if works
            else "the call fails cleanly, and the run goes on"
        ),
        however=however,
        entry=index,
        users=(user,),
        shown=(entry.seen,),
    )


def _right_answers(
    observed: HistoryIndex, operation: RunAgent, step: CallTool
) -> tuple[str, ...]:
    """What a tool that works may answer; `whoami` for whom it works, if it knows."""
    if step.tool == "whoami":
        return _id(observed, operation.user), NOBODY
    return (step.argument,)


TOOL_ISOLATION = Claim(
    id=_ID,
    statement=(
        "A denied tool has no effect, a tool works in its caller's context and answers "
        "its caller, and a failing one harms nothing but its call."
    ),
    situation="a tool was called, or its body looked around",
    clauses={
        "denied-ran": "the body of a tool that is denied to a user never runs for them",
        "ran-twice": "the body of a tool runs once for each call",
        "foreign-context": (
            "at every await in a tool the current context is its caller's"
        ),
        "wrong-result": "a call of a tool that works answers its own result",
        "no-failure": "a call that is denied, unknown or fails does not claim success",
        "broke-run": "a call never raises into the run",
    },
    exception=ToolIsolationViolated,
    needs=frozenset({Capability.TOOLS}),
    check=_check,
)
