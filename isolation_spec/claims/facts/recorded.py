"""The fact of a failure file of version 1, which holds sentences alone."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from isolation_spec.claims.facts.base import Fact

__all__ = ["RecordedText"]


class RecordedText(Fact, frozen=True, kw_only=True):
    """The sentences of a failure file of version 1, redacted when it was written."""

    let: Annotated[tuple[str, ...], Meta(max_length=10_000, description="The givens.")]
    then: Annotated[str, Meta(description="The conclusion from the claim.")]
    however: Annotated[str, Meta(description="The observation against it.")]
