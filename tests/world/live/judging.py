"""The violations of live histories."""

from isolation_spec.claims import Violation, judge
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.model.history.history import History

__all__ = ["violations_of"]


def violations_of(history: History) -> list[Violation]:
    """Every violation of a claim in a history of the reference engine."""
    judgements = judge(history, ReferenceAdapter.capabilities)
    return [v for judgement in judgements for v in judgement.violations]
