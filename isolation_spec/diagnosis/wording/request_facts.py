"""The text of facts about limits, tools, failures and delays."""

from __future__ import annotations

from isolation_spec.claims.facts import (
    ConnectionCutOff,
    ContextRefused,
    DeniedToolRan,
    LoopHeld,
    OperationFailed,
    OperationStalled,
    RunRefused,
    RunWaited,
    ToolCallRaised,
    ToolInForeignContext,
    ToolRanTwice,
    TooManyCalls,
    TooManyContexts,
    TooManyRuns,
    TooManyStarts,
    WrongToolAnswer,
)
from isolation_spec.diagnosis.wording.contradiction import (
    Contradiction,
    Names,
    describe_fact,
)
from isolation_spec.diagnosis.wording.outcomes import describe_outcome
from isolation_spec.model.limits import Scope

__all__: list[str] = []


# Exact limits

_SCOPES = {
    Scope.CONTEXT: "in a context",
    Scope.USER: "for each user",
    Scope.SERVICE: "for all users together",
    Scope.TOOL: "of a tool",
}


@describe_fact.register
def _too_many_contexts(fact: TooManyContexts, names: Names) -> Contradiction:
    user = names.label(fact.user)
    who = user if fact.scope is Scope.USER else "all users together"
    return Contradiction(
        let=(f"the engine allow {fact.limit} contexts {_SCOPES[fact.scope]}",),
        then=f"{who} never hold{'s' * (who == user)} more at once",
        however=f"{fact.held} were held as {user} got another one",
    )


@describe_fact.register
def _context_refused(fact: ContextRefused, names: Names) -> Contradiction:
    user = names.label(fact.user)
    held = f"{user} holds at most {fact.held} and gets another one"
    if fact.scope is Scope.SERVICE:
        held = f"at most {fact.held} are held, and {user} gets another one"
    return Contradiction(
        let=(f"the engine allow {fact.limit} contexts {_SCOPES[fact.scope]}",),
        then=held,
        however=f"operation {fact.operation} was refused",
    )


@describe_fact.register
def _too_many_runs(fact: TooManyRuns, names: Names) -> Contradiction:
    runs = ", ".join(map(str, fact.operations))
    return Contradiction(
        let=(f"the engine allow {fact.limit} runs at work {_SCOPES[fact.scope]}",),
        then="a further run waits until one of them has ended",
        however=f"the runs of operations {runs} were at work together",
    )


@describe_fact.register
def _too_many_starts(fact: TooManyStarts, names: Names) -> Contradiction:
    runs = ", ".join(map(str, fact.operations))
    allowed = f"{fact.limit} runs {_SCOPES[fact.scope]} begin in any {fact.within:g} s"
    return Contradiction(
        let=(f"the engine let {allowed}",),
        then="a further run waits, or is refused",
        however=(
            f"the runs of operations {runs} began within that time, the last one for "
            f"{names.label(fact.user)}"
        ),
    )


@describe_fact.register
def _too_many_calls(fact: TooManyCalls, names: Names) -> Contradiction:
    return Contradiction(
        let=(f"the engine allow {fact.limit} calls of a tool at once",),
        then=f"a further call of {fact.tool.text!r} waits, or is refused",
        however=f"one more, of {names.label(fact.user)}, was at work beside them",
    )


@describe_fact.register
def _run_refused(fact: RunRefused, names: Names) -> Contradiction:
    room = "where a limit is reached, a run waits its time"
    if not fact.full:
        room = "no limit is reached by the runs that may be at work"
    return Contradiction(
        let=(f"{' and '.join(fact.limits)} be the limits of the engine", room),
        then=f"operation {fact.operation} of {names.label(fact.user)} is not refused",
        however=f"it was refused after {fact.took:g} s",
    )


@describe_fact.register
def _run_waited(fact: RunWaited, names: Names) -> Contradiction:
    limits = " and ".join(fact.limits)
    return Contradiction(
        let=(f"a run beyond {limits} wait at most {fact.allowed:g} s",),
        then=f"operation {fact.operation} of {names.label(fact.user)} waits no longer",
        however=f"its agent began after {fact.took:g} s",
    )


# Tool isolation


@describe_fact.register
def _denied_tool_ran(fact: DeniedToolRan, names: Names) -> Contradiction:
    user = "everybody" if fact.user is None else names.label(fact.user)
    return Contradiction(
        let=(f"the tool {fact.tool.text!r} be denied to {user}",),
        then="its body never runs",
        however=f"it ran with {fact.argument.text}",
    )


@describe_fact.register
def _tool_ran_twice(fact: ToolRanTwice, names: Names) -> Contradiction:
    user, argument = names.label(fact.user), fact.argument.text
    return Contradiction(
        let=(f"{user} call {fact.tool.text!r} once with {argument}",),
        then="its body runs once",
        however="it ran again",
    )


@describe_fact.register
def _tool_in_foreign_context(fact: ToolInForeignContext, names: Names) -> Contradiction:
    user, argument = names.label(fact.user), fact.argument.text
    return Contradiction(
        let=(f"{user} call the tool {fact.tool.text!r} with {argument}",),
        then=f"its body works for {names.identity(fact.user)!r} all the time",
        however=f"when it {fact.moment}, it worked for {fact.identity.text!r}",
    )


@describe_fact.register
def _wrong_tool_answer(fact: WrongToolAnswer, names: Names) -> Contradiction:
    return _tool_call(fact, names, f"it answered: {fact.answer.text}")


@describe_fact.register
def _tool_call_raised(fact: ToolCallRaised, names: Names) -> Contradiction:
    return _tool_call(fact, names, f"the call raised: {fact.answer.text}")


def _tool_call(fact: WrongToolAnswer, names: Names, however: str) -> Contradiction:
    user, expected = names.label(fact.user), fact.expected
    then = "the call fails cleanly, and the run goes on"
    if expected is not None:
        then = f"the call answers {expected!r}"
    return Contradiction(
        let=(f"{user} call the tool {fact.tool!r} with {fact.argument}",),
        then=then,
        however=however,
    )


# Error containment


@describe_fact.register
def _operation_failed(fact: OperationFailed, names: Names) -> Contradiction:
    user = names.label(fact.user)
    error = f": {fact.error.text}" if fact.error.text else ""
    return Contradiction(
        let=(f"{user} do nothing wrong, and cancel and clean up nothing",),
        then=f"operation {fact.operation} of {user} succeeds, however others behave",
        however=f"it {describe_outcome(fact.ending)}{error}",
    )


@describe_fact.register
def _operation_stalled(fact: OperationStalled, names: Names) -> Contradiction:
    return Contradiction(
        let=(f"{names.label(fact.user)}'s own runs sleep for {fact.own:g} s in all",),
        then=f"it takes at most {fact.allowed:g} s, however slow others are",
        however=f"it took {fact.took:g} s",
    )


@describe_fact.register
def _connection_cut_off(fact: ConnectionCutOff, names: Names) -> Contradiction:
    user = names.label(fact.user)
    code = "" if fact.code is None else f" with code {fact.code}"
    return Contradiction(
        let=(f"{user} neither leave, nor clean up, nor connect again",),
        then=f"{user}'s connection stays open, however others behave",
        however=f"it was closed{code}",
    )


@describe_fact.register
def _loop_held(fact: LoopHeld, names: Names) -> Contradiction:
    user = names.label(fact.user)
    by = "a callback of the engine's own"
    if fact.blocking is not None:
        by = f"a callback of operation {fact.blocking}"
    how_long = "for ever" if fact.seconds is None else f"for {fact.seconds:g} s"
    return Contradiction(
        let=(f"operation {fact.operation} of {user} be under way",),
        then="the loop serves it at any moment, however slow others are",
        however=f"{by} held the loop {how_long}: {fact.call} at {fact.place}",
    )
