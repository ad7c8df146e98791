"""What a planted fault is."""

from __future__ import annotations

from dataclasses import dataclass

from isolation_spec.engines.reference.adapter import ReferenceAdapter

__all__ = ["Fault"]


@dataclass(frozen=True, slots=True)
class Fault:
    """The reference engine with one mechanism broken.

    Attributes:
        id: names the engine as `reference+ID`.
        mechanism: the module in which it stands, one for each mechanism.
        source: the real bug that it repeats.
        claims: the ids of the claims that are expected to catch it.
        adapter: drives the broken engine.
    """

    id: str
    mechanism: str
    source: str
    claims: frozenset[str]
    adapter: type[ReferenceAdapter]
