"""Checks an adapter with two users: Bob requests Alice's context."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from isolation_spec.adapter_check.result import ALICE, BOB, THREAD, MethodResult
from isolation_spec.claims import find_claim
from isolation_spec.claims.remarks import remarks_on
from isolation_spec.contract.capability_filter import restrict_to_capabilities
from isolation_spec.contract.errors import AdapterError
from isolation_spec.diagnosis.wording import describe_remark
from isolation_spec.engines.registry import Engine
from isolation_spec.execution.control_runs import judge_run
from isolation_spec.execution.run import run
from isolation_spec.model.history.entries import (
    Entry,
    ExceptionUnhandled,
    OperationEnded,
    ResourceAlive,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.history.states import Outcome
from isolation_spec.model.scenario import (
    CleanupEngine,
    Erase,
    OpenContext,
    Read,
    Return,
    RunAgent,
    Scenario,
    Think,
    Write,
    canary,
)

__all__ = ["check_two_users"]


def _scenario() -> Scenario:
    """Returns a scenario in which Bob attacks every method of Alice's context."""
    a, b = canary("alice", 3, 0), canary("bob", 4, 0)
    return Scenario(
        users=(ALICE, BOB),
        operations=(
            OpenContext(id=1, user=0, context="a", thread=THREAD),
            OpenContext(id=2, user=1, context="b", thread=THREAD),
            RunAgent(
                id=3,
                user=0,
                context="a",
                script=(Think(prompt=a), Return(value=a)),
            ),
            RunAgent(
                id=4,
                user=1,
                context="b",
                script=(Think(prompt=b), Return(value=b)),
            ),
            Write(id=5, user=0, context="a", key="k", value=canary("alice", 5, 0)),
            Write(id=6, user=1, context="b", key="k", value=canary("bob", 6, 0)),
            Read(id=7, user=0, context="a"),
            Read(id=8, user=1, context="b"),
            Read(id=9, user=1, context="a", victim=0),
            Write(
                id=10,
                user=1,
                context="a",
                key="k",
                value=canary("bob", 10, 0),
                victim=0,
            ),
            RunAgent(id=11, user=1, context="a", script=(), victim=0),
            Erase(id=12, user=1, context="a", victim=0),
            CleanupEngine(id=13, user=1, context="a", victim=0),
        ),
    )


def check_two_users(engine: Engine) -> Iterator[MethodResult]:
    """Yields a result for each attack, for live resources and for determinism."""
    scenario = restrict_to_capabilities(_scenario(), engine.make_adapter().capabilities)
    try:
        history, again = (run(scenario, engine.make_adapter) for _ in range(2))
    except AdapterError as error:
        yield MethodResult(method="two users", status="breaks", note=str(error))
        return
    yield MethodResult(method="two users", status="ok")
    yield from _attacks(history)
    yield from _shared(history)
    yield from _alive(engine, history)
    yield _deterministic(history, again)


def _attacks(history: History) -> Iterator[MethodResult]:
    """Yields a result for each request that names another user's context."""
    operations = history.operations()
    for entry in history.of(OperationEnded):
        operation = operations[entry.operation or 0]
        if operation.victim is None:
            continue
        method = _METHOD_OF[type(operation)]
        if entry.outcome == Outcome.REFUSED:
            yield MethodResult(
                method=f"{method} of another's", status="ok", note="refused"
            )
            continue
        note = f"was {entry.outcome}, when bob named alice's context: {_reason(entry)}"
        yield MethodResult(method=f"{method} of another's", status="hint", note=note)


_METHOD_OF: dict[type, str] = {
    Read: "read",
    Write: "write",
    RunAgent: "run_agent",
    Erase: "erase",
    CleanupEngine: "cleanup_context",
}


def _reason(entry: OperationEnded) -> str:
    if entry.outcome == Outcome.FAILED:
        return f"{entry.error[:60]} is not in refusals; add it if it means no"
    return "let the engine check the user, unless you look for this fault"


def _shared(history: History) -> Iterator[MethodResult]:
    """Yields a hint for each object that both users' contexts hold."""
    for remark in dict.fromkeys(remarks_on(history)):
        note = describe_remark(remark)
        yield MethodResult(method="shared", status="hint", note=note)


def _alive(engine: Engine, history: History) -> Iterator[MethodResult]:
    """Yields a hint for each resource that is left; no hint at the server's own."""
    capabilities = engine.make_adapter().capabilities
    claims = (find_claim("teardown"),)
    (judgement,) = judge_run(history, engine.make_adapter, capabilities, claims)
    notes: dict[str, None] = {}
    violating = {violation.entry for violation in judgement.violations}
    for entry in (e for i, e in enumerate(history.entries) if i in violating):
        if isinstance(entry, ResourceAlive):
            notes[f"a {entry.kind} was still alive: {entry.what}"] = None
        elif isinstance(entry, ExceptionUnhandled):
            notes[entry.message[:120]] = None
    for note in notes:
        yield MethodResult(method="the end", status="hint", note=note)
    if not notes:
        yield MethodResult(method="the end", status="ok", note="nothing is left alive")


def _deterministic(one: History, other: History) -> MethodResult:
    method = "the same twice"
    if one.digest() == other.digest():
        return MethodResult(method=method, status="ok", note="two runs are equal")
    for first, second in zip(one.entries, other.entries, strict=False):
        if first != second:
            note = (
                f"two runs differ: {_line(first)}, then {_line(second)}; take time, "
                "ids and chance from environment"
            )
            return MethodResult(method=method, status="hint", note=note)
    note = f"one run has {len(one.entries)} entries, the other {len(other.entries)}"
    return MethodResult(method=method, status="hint", note=note)


def _line(entry: Entry) -> str:
    """An entry in a few words."""
    return msgspec.json.encode(entry).decode()[:160]
