"""The description of a planted fault."""

from __future__ import annotations

from dataclasses import dataclass

from isolation_spec.engines.reference.adapter import ReferenceAdapter

__all__ = ["Fault"]


@dataclass(frozen=True, slots=True)
class Fault:
    """The reference engine with one mechanism broken.

    Attributes:
        id: names the engine as `reference+ID`.
        source: the real bug that the fault repeats.
        claims: the ids of the claims that are expected to catch it.
        adapter: the adapter of the broken engine.
    """

    id: str
    source: str
    claims: frozenset[str]
    adapter: type[ReferenceAdapter]
