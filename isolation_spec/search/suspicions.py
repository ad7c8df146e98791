"""Keeps suspicions on disk: violations that no control run and no replay confirmed.

Solo runs and control runs may hang or die, as any run of an engine may. The file of a
suspicion is written before them and survives.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import msgspec

from isolation_spec.claims import Judgement
from isolation_spec.failure.file import make_failure, save, unconfirmed_name
from isolation_spec.model.history.history import History
from isolation_spec.search.plan import SearchPlan
from isolation_spec.search.statistics import Finding

__all__ = ["drop_suspicion", "save_suspicions"]


def save_suspicions(
    plan: SearchPlan, history: History, judgements: Iterable[Judgement], number: int
) -> list[Finding]:
    """The violations of one run, each in an `*.unconfirmed.json` of the plan's folder.

    Arguments:
        number: of the workload.
    """
    violations = [j.violations[0] for j in judgements if j.violations]
    scenario = msgspec.structs.replace(history.scenario, schedule=history.schedule)
    if (folder := plan.failures) is not None:
        name = plan.engine.name
        for violation in violations:
            # A folder that takes no files is reported with the confirmed failure.
            with contextlib.suppress(OSError):
                save(make_failure(name, history, violation, confirmed=False), folder)
    return [
        Finding(scenario=scenario, violation=violation, number=number)
        for violation in violations
    ]


def drop_suspicion(plan: SearchPlan, finding: Finding) -> None:
    """Removes the file of a suspicion: it was cleared, or another finding was first."""
    if plan.failures is not None:
        claim = finding.violation.claim
        name = unconfirmed_name(plan.engine.name, claim, finding.scenario)
        with contextlib.suppress(OSError):
            (plan.failures / name).unlink(missing_ok=True)
