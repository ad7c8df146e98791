"""Tries a scenario against an engine: its own choices, and in doubt other ones.

A mended engine often has other awaits than the one that failed, so that a saved choice
finds no place. One run without a violation shows little then: the choices have to be
made elsewhere.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from isolation_spec.claims import Judgement, ReasonKind, Verdict, find_claim
from isolation_spec.diagnosis.wording import describe_reason
from isolation_spec.engines.registry import Engine
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import judge_with_solos
from isolation_spec.failure.outcome import Outcome
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import (
    Cancellation,
    Demotion,
    Operation,
    Scenario,
    Schedule,
)

__all__ = ["VARIATIONS", "Trial", "try_scenario"]

VARIATIONS = 20
"""A race of two chains shows in one of 7 to 10 such runs, so 20 miss it in one of 9."""
_CLASSES = 4
_CHAIN_SHARE = 0.5
"""Chains with another class than the first; as in the search, the others keep order."""


class Trial(NamedTuple):
    """The outcome of a scenario, and its doubts if the claim is not violated."""

    outcome: Outcome
    history: History
    judgement: Judgement
    notes: tuple[str, ...] = ()


def try_scenario(scenario: Scenario, engine: Engine, claim: str) -> Trial:
    """Runs the scenario, and its variations where that run alone says too little."""
    history, judgement = _judged(scenario, engine, claim)
    if judgement.verdict is Verdict.VIOLATED:
        return Trial(Outcome.REPRODUCED, history, judgement)
    doubts = tuple(_doubts(history, judgement))
    if not doubts:
        return Trial(Outcome.FIXED, history, judgement)
    return _vary(Trial(Outcome.DRIFTED, history, judgement, doubts), engine)


def _vary(trial: Trial, engine: Engine) -> Trial:
    """The trial after its variations: FIXED if each of them holds or is untested.

    The judgement becomes that of the first variation in which the claim holds.
    """
    claim, reason = trial.judgement.claim, trial.judgement.reason
    if reason is not None and reason.kind is not ReasonKind.NOT_REACHED:
        return trial
    holding = None if reason else trial.judgement
    counted = run(trial.history.scenario, engine.make_adapter, count_steps=True)
    for number, scenario in enumerate(_variations(counted), 1):
        _, judgement = _judged(scenario, engine, claim)
        if judgement.verdict is Verdict.VIOLATED:
            note = f"variation {number} of its choices violates {claim}: search again"
            return trial._replace(notes=(*trial.notes, note))
        if judgement.verdict is Verdict.HOLDS:
            holding = holding or judgement
    if holding is None:
        return trial
    note = f"but {VARIATIONS} variations of its choices violate nothing"
    return trial._replace(
        outcome=Outcome.FIXED, judgement=holding, notes=(*trial.notes, note)
    )


def _judged(
    scenario: Scenario, engine: Engine, claim: str
) -> tuple[History, Judgement]:
    history = run(scenario, engine.make_adapter)
    claims = (find_claim(claim),)
    (judgement,) = judge_with_solos(history, engine.make_adapter, claims)
    return history, judgement


def _doubts(history: History, judgement: Judgement) -> Iterator[str]:
    """Why a claim that is not violated cannot be said to hold, a sentence each."""
    if judgement.verdict is not Verdict.HOLDS:
        reason = describe_reason(judgement.claim, judgement.reason)
        yield f"{judgement.verdict}: {reason}"
    if history.unused:
        yield f"no place for the {', '.join(history.unused)}"


def _variations(history: History) -> Iterator[Scenario]:
    """Yields 20 scenarios with the operations of a run, and other choices.

    Each operation that was to be cancelled is cancelled at one of its steps in the run,
    which has to count them. The variations of equal runs are equal.
    """
    for number in range(VARIATIONS):
        chance = random.Random(f"variation/{history.digest()}/{number}")
        operations = tuple(
            _cancelled_elsewhere(operation, history, chance)
            for operation in history.scenario.operations
        )
        yield msgspec.structs.replace(
            history.scenario,
            operations=operations,
            schedule=_schedule(history, chance),
        )


def _cancelled_elsewhere(
    operation: Operation, history: History, chance: random.Random
) -> Operation:
    if operation.cancel is None:
        return operation
    steps = max(len(history.steps.get(operation.id, ())), 1)
    cancel = Cancellation(
        step=chance.randint(1, steps), after_step=chance.random() < 0.5
    )
    return msgspec.structs.replace(operation, cancel=cancel)


def _schedule(history: History, chance: random.Random) -> Schedule:
    """Classes for half of the chains of the run, and a demotion of one of them."""
    chains = list(dict.fromkeys(history.order))
    classes = {
        chain: chance.randrange(1, _CLASSES)
        for chain in chains
        if chance.random() < _CHAIN_SHARE
    }
    demotions = tuple(
        Demotion(chain=chain, consumed=chance.randrange(3), rank=0)
        for chain in chance.sample(chains, min(1, len(chains)))
    )
    given = history.scenario.schedule
    return msgspec.structs.replace(given, classes=classes, demotions=demotions)
