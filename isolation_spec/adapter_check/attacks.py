"""Judges what two users saw: another's value, or an effect of another's request.

A request that names another user's context may be granted: an engine that keeps
sessions by user and name gives the caller a session of their own. So the outcome of a
request says nothing. The check compares the run with one in which the request is
missing, and looks at the values that the requests showed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from isolation_spec.adapter_check.result import MethodResult
from isolation_spec.adapter_check.two_users_scenario import ATTACK, Attack
from isolation_spec.claims import Claim, Violation, find_claim
from isolation_spec.claims.claim import judge_claim
from isolation_spec.claims.facts import (
    DiffersFromAlone,
    EventWithForeignValue,
    ForeignValue,
    Shown,
)
from isolation_spec.claims.history_index import HistoryIndex
from isolation_spec.contract.capabilities import Capability
from isolation_spec.diagnosis.wording import describe_violation
from isolation_spec.diagnosis.wording.value_facts import describe_observation
from isolation_spec.model.history.entries import OperationEnded
from isolation_spec.model.history.history import History
from isolation_spec.model.history.states import Outcome

__all__ = ["describe_seen", "judge_attack", "show_foreign"]

_SHOWING = {
    "context-ownership": ("foreign-value", "foreign-identity", "foreign-await"),
    "event-routing": ("foreign-value", "foreign-user", "foreign-run", "forged-token"),
}
"""Claim -> its clauses about values and identities that a user is shown."""


def show_foreign(
    history: History, capabilities: frozenset[Capability]
) -> Iterator[Violation]:
    """Yields each value or identity of another that a user was shown."""
    observed = HistoryIndex(history)
    for claim, clauses in _SHOWING.items():
        judgement = judge_claim(find_claim(claim), observed, capabilities)
        yield from (one for one in judgement.violations if one.clause in clauses)


def judge_attack(
    attack: Attack,
    history: History,
    peaceful: History,
    capabilities: frozenset[Capability],
) -> MethodResult:
    """Judges the run with an attack beside the run without it."""
    method = f"{attack.method} of another's"
    known = [violation.fact for violation in show_foreign(peaceful, capabilities)]
    shown = (v for v in show_foreign(history, capabilities) if v.fact not in known)
    for seen in (*shown, *_effects(history, peaceful)):
        note = f"{describe_seen(seen, history)}; the engine must refuse bob, or serve "
        note += f"him from his own: verify reports it under {seen.claim}"
        return MethodResult(method=method, status="engine", note=note)
    return _judge_answer(method, history)


def _effects(history: History, peaceful: History) -> Iterable[Violation]:
    """The first difference between Alice's two views, if any."""
    claim: Claim = find_claim("noninterference")
    judged = judge_claim(claim, HistoryIndex(history, {0: (peaceful,)}), frozenset())
    return judged.violations


def _judge_answer(method: str, history: History) -> MethodResult:
    ended = next((e for e in history.of(OperationEnded) if e.operation == ATTACK), None)
    if ended is None or ended.outcome == Outcome.REFUSED:
        return MethodResult(method=method, status="ok", note="refused")
    if ended.outcome != Outcome.FAILED:
        note = f"{ended.outcome}, and nothing of alice's was shown or changed"
        return MethodResult(method=method, status="ok", note=note)
    note = f"{ended.error[:60]} is not in refusals; add it if it means no"
    return MethodResult(method=method, status="hint", note=note)


def describe_seen(violation: Violation, history: History) -> str:
    """The observation in one clause, with the values that were seen."""
    users, fact = history.scenario.users, violation.fact
    if isinstance(fact, ForeignValue | EventWithForeignValue):
        reader, owner = users[fact.reader].label, users[fact.owner].label
        return f"showed {reader} {fact.value}, which {owner} alone wrote"
    if isinstance(fact, DiffersFromAlone):
        label = users[fact.user].label
        without, together = _quoted(fact.alone), _quoted(fact.together)
        return (
            f"changed {describe_observation(fact, label)} from {without} to {together}"
        )
    return describe_violation(violation, users).however


def _quoted(shown: Shown | None) -> str:
    return "nothing" if shown is None else repr(shown.text)
