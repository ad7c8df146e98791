"""Checks an adapter with two users at once, and each attack of one on the other."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from isolation_spec.adapter_check.attacks import (
    describe_seen,
    judge_attack,
    show_foreign,
)
from isolation_spec.adapter_check.result import MethodResult
from isolation_spec.adapter_check.two_users_scenario import (
    attacks_on,
    peaceful_scenario,
)
from isolation_spec.claims import find_claim
from isolation_spec.claims.remarks import remarks_on
from isolation_spec.contract.capability_filter import restrict_to_capabilities
from isolation_spec.contract.errors import AdapterError
from isolation_spec.diagnosis.wording import Phrase, describe_remark, excerpt
from isolation_spec.engines.registry import Engine
from isolation_spec.execution.control_runs import judge_run
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import judge_with_solos
from isolation_spec.model.history.entries import (
    Entry,
    ExceptionUnhandled,
    ResourceAlive,
)
from isolation_spec.model.history.history import History

__all__ = ["check_two_users"]


def check_two_users(engine: Engine) -> Iterator[MethodResult]:
    """Yields a result for the two at once, for each attack, and for what remains."""
    capabilities = engine.make_adapter().capabilities
    scenario = restrict_to_capabilities(peaceful_scenario(), capabilities)
    try:
        history, again = (run(scenario, engine.make_adapter) for _ in range(2))
        yield from _meeting(engine, history)
        yield from _attacks(engine, history)
    except AdapterError as error:
        yield MethodResult(method="two users", status="breaks", note=str(error))
        return
    yield from _shared(history)
    yield from _alive(engine, history)
    yield _deterministic(history, again)


_MEETING = ("stored-writes", "noninterference")
"""The claims about effects of one user's ordinary work on another."""


def _meeting(engine: Engine, history: History) -> Iterator[MethodResult]:
    """Yields what two users did to one another who opened and ran at once."""
    capabilities = engine.make_adapter().capabilities
    claims = tuple(find_claim(one) for one in _MEETING)
    judgements = judge_with_solos(history, engine.make_adapter, claims)
    seen = {
        (violation.claim, violation.clause): violation
        for violation in (
            *(violation for judged in judgements for violation in judged.violations),
            *show_foreign(history, capabilities),
        )
    }
    for violation in seen.values():
        note = f"{describe_seen(violation, history)}; the two ran at once: verify "
        note += f"reports it under {violation.claim}"
        yield MethodResult(method="two users", status="engine", note=note)
    if not seen:
        yield MethodResult(method="two users", status="ok")


def _attacks(engine: Engine, peaceful: History) -> Iterator[MethodResult]:
    """Yields a result for each request that names something of another user's."""
    capabilities = engine.make_adapter().capabilities
    for attack in attacks_on(peaceful_scenario()):
        scenario = restrict_to_capabilities(attack.scenario, capabilities)
        if len(scenario.operations) > len(peaceful.scenario.operations):
            history = run(scenario, engine.make_adapter)
            yield judge_attack(attack, history, peaceful, capabilities)


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
            note = f"two runs differ: {_difference(first, second)}; take time, ids and "
            note += "chance from environment"
            return MethodResult(method=method, status="hint", note=note)
    note = f"one run has {len(one.entries)} entries, the other {len(other.entries)}"
    return MethodResult(method=method, status="hint", note=note)


def _difference(one: Entry, other: Entry) -> str:
    """The first field in which two entries differ, with excerpts of the difference."""
    first, second = msgspec.to_builtins(one), msgspec.to_builtins(other)
    kind = f"{first['saw'].replace('_', ' ')} of operation {one.operation}"
    # Without its name an entry of another kind shows no common field.
    names = [name for name in first if first[name] != second.get(name)]
    name = "saw" if type(one) is not type(other) else names[0]
    texts = str(first[name]), str(second[name])
    pairs = enumerate(zip(*texts, strict=False))
    place = next((i for i, (a, b) in pairs if a != b), min(map(len, texts)))
    said = (excerpt(Phrase("", text), place, _ROOM) for text in texts)
    return f"the {name} of {kind} is {' and '.join(map(repr, said))}"


_ROOM = 60
"""Characters of an excerpt."""
