"""The violations of live histories."""

from isolation_spec.claims import judge
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.model.history.history import History


def violated(history: History) -> list[str]:
    """The sentence of each violation of a claim."""
    judgements = judge(history, ReferenceAdapter.capabilities)
    return [v.sentence() for judgement in judgements for v in judgement.violations]
