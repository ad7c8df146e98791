"""Failure files of version 1, whose violations are sentences."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from isolation_spec.claims import Violation
from isolation_spec.claims.facts import RecordedText

__all__ = ["upgrade"]


class _Violation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A violation as version 1 wrote it; `shown` was empty in every file."""

    claim: str
    clause: str
    let: tuple[str, ...]
    then: str
    however: str
    entry: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    users: tuple[Annotated[int, Meta(ge=0, lt=64)], ...] = ()
    shown: tuple[str, ...] = ()

    def upgraded(self) -> Violation:
        """Returns the violation with its sentences as a fact."""
        return Violation(
            claim=self.claim,
            clause=self.clause,
            fact=RecordedText(let=self.let, then=self.then, however=self.however),
            entry=self.entry,
            users=self.users,
        )


class _File(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a file that version 2 has in another form."""

    violation: _Violation


def upgrade(data: dict[str, Any]) -> dict[str, Any]:
    """Returns the data of a file of version 1 in the form of version 2.

    Raises:
        msgspec.ValidationError: its violation is not of the form of version 1.
    """
    violation = msgspec.convert(data, _File).violation.upgraded()
    return {**data, "version": 2, "violation": msgspec.to_builtins(violation)}
