"""The predicate of shrinking: whether a scenario fails as the first one did."""

from __future__ import annotations

from collections.abc import Callable, Collection

from isolation_spec.claims import Claim, Violation, find_claim
from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.capability_filter import missing_capabilities
from isolation_spec.diagnosis.shrink.observation import RunObservation
from isolation_spec.execution.control_runs import judge_run
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import SoloCache, Solos, comparable, solo_runs
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import Scenario

__all__ = ["FailurePredicate"]


class FailurePredicate:
    """Runs scenarios on one engine and judges them by the claims of a first failure.

    A claim that compares a shared run with solo runs needs the solo runs of the harmed
    users alone. Each solo run is executed once.

    Arguments:
        make_adapter: makes the adapter of each run.
        scenario: the scenario that failed first.
        violations: its violations: the claims, and the users whose views they concern.
        same_clause: whether only the same clauses of the claims count.
        check: called before each run; an exception that it raises ends the shrinking.
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
        self._solo_cache: SoloCache = {}

    def failure(self, scenario: Scenario) -> tuple[History, Violation] | None:
        """The history of a run and its violation; None if it does not fail the same
        way.

        A scenario that needs more capabilities than the engine has is not run:
        shrinking turns operations into script steps, and an engine that has the one
        need not have the other.
        """
        self._check()
        if any(missing_capabilities(scenario, self._capabilities)):
            return None
        history = run(scenario, self._make_adapter)
        judgements = judge_run(
            history,
            self._make_adapter,
            self._capabilities,
            self._claims,
            solos=self._solos(history),
            check=self._check,
        )
        for judgement in judgements:
            for violation in judgement.violations:
                clause = violation.clause if self._same_clause else ""
                if (violation.claim, clause) in self._wanted:
                    return history, violation
        return None

    def fails(self, scenario: Scenario) -> bool:
        """Whether the scenario fails as the first one did."""
        return self.failure(scenario) is not None

    def observe(self, scenario: Scenario) -> RunObservation:
        """The arrivals and steps of a run of the scenario."""
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
        return solo_runs(history, self._make_adapter, users, self._solo_cache)
