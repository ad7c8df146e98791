"""A denied tool does nothing; a tool works for its caller; a failure stays within its
call."""

from __future__ import annotations

from collections.abc import Iterator

from isolation_spec.claims.claim import Claim, IsolationViolated, Opportunity, Violation
from isolation_spec.claims.facts import (
    DeniedToolRan,
    Shown,
    ToolCallRaised,
    ToolInForeignContext,
    ToolRanTwice,
    WrongToolAnswer,
)
from isolation_spec.claims.history_index import HistoryIndex
from isolation_spec.contract.capabilities import Capability
from isolation_spec.contract.services import ToolOutcome
from isolation_spec.contract.toolbox import NOBODY, Toolbox
from isolation_spec.model.history.entries import AgentStepped, ToolRan
from isolation_spec.model.history.rendering import render
from isolation_spec.model.history.states import StepOutcome, ToolMoment
from isolation_spec.model.scenario import CallTool, RunAgent, permitted, walk

__all__ = ["TOOL_ISOLATION", "ToolIsolationViolated"]


class ToolIsolationViolated(IsolationViolated):
    """A denied tool ran, a tool worked for another user, or its failure escaped."""


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
        if entry.moment == ToolMoment.BEGAN:
            counts[entry.argument] = counts.get(entry.argument, 0) + 1
        if owner is None and entry.tool not in Toolbox.denied:
            continue
        elif owner is None or not _may(observed, entry.tool, owner):
            yield _denied_ran(index, entry, owner)
        elif counts[entry.argument] > 1:
            yield _ran_twice(index, entry, owner)
        elif entry.identity not in (None, _id(observed, owner)):
            yield _foreign(index, entry, owner)
        else:
            yield Opportunity()


def _may(observed: HistoryIndex, tool: str, user: int) -> bool:
    return permitted(tool, observed.history.scenario.users[user])


def _id(observed: HistoryIndex, user: int) -> str:
    return observed.history.scenario.users[user].id


def _denied_ran(index: int, entry: ToolRan, owner: int | None) -> Violation:
    return Violation(
        claim=_ID,
        clause="denied-ran",
        fact=DeniedToolRan(
            argument=Shown(entry.argument), tool=Shown(entry.tool), user=owner
        ),
        entry=index,
        users=() if owner is None else (owner,),
    )


def _ran_twice(index: int, entry: ToolRan, owner: int) -> Violation:
    return Violation(
        claim=_ID,
        clause="ran-twice",
        fact=ToolRanTwice(
            argument=Shown(entry.argument), tool=Shown(entry.tool), user=owner
        ),
        entry=index,
        users=(owner,),
    )


def _foreign(index: int, entry: ToolRan, owner: int) -> Violation:
    return Violation(
        claim=_ID,
        clause="foreign-context",
        fact=ToolInForeignContext(
            argument=Shown(entry.argument),
            identity=Shown(str(entry.identity)),
            tool=Shown(entry.tool),
            user=owner,
            moment=entry.moment,
        ),
        entry=index,
        users=(owner,),
    )


def _wrong_answer(
    observed: HistoryIndex,
    operation: RunAgent,
    step: CallTool,
    index: int,
    entry: AgentStepped,
) -> Violation | None:
    """Returns a violation unless the call gave its own result or failed cleanly."""
    if entry.outcome in (StepOutcome.CANCELLED, StepOutcome.REFUSED):
        return None
    works = step.tool in ("echo", "slow", "whoami", "personal")
    works = works and _may(observed, step.tool, operation.user)
    right = _right_answers(observed, operation, step)
    raised = entry.outcome == StepOutcome.FAILED
    if raised:
        clause = "broke-run"
    elif works and entry.seen not in map(_rendered, right):
        clause = "wrong-result"
    elif not works and not _is_failure(entry.seen):
        clause = "no-failure"
    else:
        return None
    kind = ToolCallRaised if raised else WrongToolAnswer
    return Violation(
        claim=_ID,
        clause=clause,
        fact=kind(
            answer=Shown(entry.seen),
            argument=step.argument,
            tool=step.tool,
            user=operation.user,
            expected=right[0] if works else None,
        ),
        entry=index,
        users=(operation.user,),
    )


def _rendered(answer: str) -> str:
    """Returns the text by which a history shows that a tool gave this answer."""
    return render(ToolOutcome(success=True, result=answer, error=None))


def _is_failure(shown: str) -> bool:
    """Whether the text of a history shows a tool outcome without success."""
    success, *rest = shown.split(" ", 1)
    return bool(rest) and success == render(False)


def _right_answers(
    observed: HistoryIndex, operation: RunAgent, step: CallTool
) -> tuple[str, ...]:
    """Returns the answers that a working tool may give; for `whoami`, its identity."""
    if step.tool == "whoami":
        return _id(observed, operation.user), NOBODY
    return (step.argument,)


TOOL_ISOLATION = Claim(
    id=_ID,
    statement=(
        "A denied tool has no effect, a tool works in its caller's context and answers "
        "its caller, and a failing one harms nothing but its call."
    ),
    situation="a tool was called, or its body observed for which user it works",
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
