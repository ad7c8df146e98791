"""Turns facts, entries, operations and choices into text; no other module does."""

from isolation_spec.diagnosis.wording.advice import describe_advice
from isolation_spec.diagnosis.wording.choices import (
    describe_chain,
    describe_demotion,
    describe_difference,
)
from isolation_spec.diagnosis.wording.entries import (
    describe_entry,
    engine_texts,
    phrase_entry,
    phrase_moment,
)
from isolation_spec.diagnosis.wording.facts import (
    Contradiction,
    describe_violation,
    summarize_violation,
)
from isolation_spec.diagnosis.wording.operations import (
    describe_cancellation,
    describe_operation,
    describe_owner,
    describe_step,
)
from isolation_spec.diagnosis.wording.provenance import phrase_provenance
from isolation_spec.diagnosis.wording.reasons import describe_reason
from isolation_spec.diagnosis.wording.remarks import describe_remark
from isolation_spec.diagnosis.wording.reveal import WHOLE, CanariesOnly, Reveal
from isolation_spec.diagnosis.wording.text import (
    Phrase,
    excerpt,
    legible,
    printable,
    strip_canary_digests,
)

__all__ = [
    "WHOLE",
    "CanariesOnly",
    "Contradiction",
    "Phrase",
    "Reveal",
    "describe_advice",
    "describe_cancellation",
    "describe_chain",
    "describe_demotion",
    "describe_difference",
    "describe_entry",
    "describe_operation",
    "describe_owner",
    "describe_reason",
    "describe_remark",
    "describe_step",
    "describe_violation",
    "engine_texts",
    "excerpt",
    "legible",
    "phrase_entry",
    "phrase_moment",
    "phrase_provenance",
    "printable",
    "strip_canary_digests",
    "summarize_violation",
]
