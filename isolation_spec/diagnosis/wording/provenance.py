"""The text of the steps of provenance."""

from __future__ import annotations

from isolation_spec.diagnosis.diagnosis import Birth, ProvenanceStep
from isolation_spec.diagnosis.wording.entries import phrase_moment
from isolation_spec.diagnosis.wording.operations import (
    describe_operation,
    describe_step,
)
from isolation_spec.diagnosis.wording.text import Phrase
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import RunAgent, walk

__all__ = ["phrase_provenance"]


def phrase_provenance(history: History, step: ProvenanceStep) -> Phrase:
    """Returns one step of provenance, without its user and operation."""
    if step.birth is not None:
        return Phrase("born here: ", _birth(history, step.birth))
    if step.brief:
        return Phrase("returned")
    return phrase_moment(history, history.entries[step.entry])


def _birth(history: History, birth: Birth) -> str:
    operation = history.operations()[birth.operation]
    if isinstance(operation, RunAgent) and birth.path:
        step = dict(walk(operation.script))[birth.path]
        return f"its agent is about to {describe_step(step)}"
    return f"begins to {describe_operation(operation)}"
