"""Canaries: values that prove their owner by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2s

__all__ = ["CANARY", "canaries_in", "canary"]

CANARY = re.compile(r"([a-z]+[0-9]*)~(\d+)\.(\d+)~([0-9a-f]{8})")
"""Matches one canary; its groups are owner, operation, ordinal and digest."""

_DIGITS = 18
"""Of a number in a canary; Python refuses to read very long ones."""


def canary(owner: str, operation: int, ordinal: int) -> str:
    """A synthetic value that by itself identifies the user it belongs to.

    The digest makes it improbable that an engine produces one by chance; it is derived,
    not drawn, so it costs the search nothing and survives shrinking unchanged.
    """
    place = f"{owner}~{operation}.{ordinal}"
    return f"{place}~{blake2s(place.encode(), digest_size=4).hexdigest()}"


def canaries_in(text: str) -> Iterator[tuple[str, str]]:
    """Yields (owner, canary) for each genuine canary in the text."""
    for match in CANARY.finditer(text):
        owner, operation, ordinal, _ = match.groups()
        if max(len(operation), len(ordinal)) > _DIGITS:
            continue
        if canary(owner, int(operation), int(ordinal)) == match.group():
            yield owner, match.group()
