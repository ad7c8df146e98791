"""Whether a scenario fails as another one did, and what its run had places for."""

from __future__ import annotations

from collections.abc import Callable, Collection

from isolation_spec.claims import Claim, Violation, find_claim, judge
from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.capability_filter import missing_capabilities
from isolation_spec.diagnosis.shrink.observation import RunObservation
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import SoloCache, Solos, comparable, solo_runs
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import Scenario

__all__ = ["FailurePredicate"]


class FailurePredicate:
    """Runs scenarios on one engine, and judges them by one claim, or by a few.

    A claim that compares with solo runs is asked of the users alone who were harmed,
    and what they do alone is run once.

    Arguments:
        violations: how it failed: the claims, and whose views they concern.
        same_clause: whether only the same clauses of the claims count.
        check: called before each run; raises what is to end the shrinking.
    """

    def __init__(
        self,
        make_adapter: Callable[[], Adapter],
        scenario: Scenario,
        violations: Collection[Violation],
        *,
        same_clause: bool = True,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._make_adapter = make_adapter
        self._capabilities = make_adapter().capabilities
        names = dict.fromkeys(violation.claim for violation in violations)
        self._claims: tuple[Claim, ...] = tuple(find_claim(name) for name in names)
        self._wanted = {(v.claim, v.clause if same_clause else "") for v in violations}
        self._same_clause = same_clause
        self._harmed = {
            scenario.users[violation.users[0]].label
            for violation in violations
            if violation.users and find_claim(violation.claim).compares
        }
        self._check = check
        self._kept: SoloCache = {}

    def failure(self, scenario: Scenario) -> tuple[History, Violation] | None:
        """What is observed in a run and how it fails, None if it does not.

        What asks for more than the engine offers is not run: shrinking makes steps of
        operations, and an engine that has the one need not have the other.
        """
        self._check()
        if any(missing_capabilities(scenario, self._capabilities)):
            return None
        history = run(scenario, self._make_adapter)
        judgements = judge(
            history, self._capabilities, self._claims, solos=self._solos(history)
        )
        for judgement in judgements:
            for violation in judgement.violations:
                clause = violation.clause if self._same_clause else ""
                if (violation.claim, clause) in self._wanted:
                    return history, violation
        return None

    def fails(self, scenario: Scenario) -> bool:
        """True if it fails as the first one did."""
        return self.failure(scenario) is not None

    def places(self, scenario: Scenario) -> RunObservation:
        """What a run of it has places for."""
        self._check()
        history = run(scenario, self._make_adapter, count_steps=True)
        steps = {number: len(waits) for number, waits in history.steps.items()}
        return RunObservation(history.order, steps)

    def _solos(self, history: History) -> Solos | None:
        if not any(claim.compares for claim in self._claims):
            return None
        users = [
            user
            for user in comparable(history)
            if history.scenario.users[user].label in self._harmed or not self._harmed
        ]
        return solo_runs(history, self._make_adapter, users, self._kept)
