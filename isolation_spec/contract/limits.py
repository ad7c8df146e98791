"""Checks the limits that an adapter declares, and gives them one form."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from isolation_spec.model.limits import LIMITS, Limit, Subject

__all__ = ["limit_problems", "limits_of"]


def limits_of(declared: Mapping[str, int | Limit]) -> dict[str, Limit]:
    """The declared limits; a plain number neither says that requests wait nor that
    they are refused."""
    return {
        name: limit if isinstance(limit, Limit) else Limit(limit)
        for name, limit in declared.items()
    }


def limit_problems(found: Any) -> Iterator[tuple[str, str, str]]:
    """Yields (broken rule, value seen, fix) for each problem of declared limits."""
    if not isinstance(found, Mapping):
        rule = "must be a mapping of limits to whole numbers or Limit"
        yield rule, type(found).__name__, "write {'contexts_per_user': 3}, or nothing"
        return
    for name, limit in found.items():
        if name not in LIMITS:
            names = f"{', '.join(list(LIMITS)[:-1])} or {list(LIMITS)[-1]}"
            yield f"must name {names}", repr(name), "write {'contexts_per_user': 3}"
        else:
            yield from _problems_of(name, limit)
    if all(name in LIMITS and _is_limit(limit) for name, limit in found.items()):
        yield from _contradictions(limits_of(found))


def _is_limit(limit: Any) -> bool:
    return isinstance(limit, Limit) or (
        isinstance(limit, int) and not isinstance(limit, bool)
    )


def _problems_of(name: str, limit: Any) -> Iterator[tuple[str, str, str]]:
    if not _is_limit(limit):
        rule = f"must give {name} as a whole number or a Limit"
        yield rule, repr(limit), f"write {{{name!r}: 3}}"
        return
    limit = limit if isinstance(limit, Limit) else Limit(limit)
    if not isinstance(limit.most, int) or limit.most < 1:
        yield f"must allow at least one in {name}", repr(limit.most), "write 1"
    if limit.beyond not in ("either", "refused", "waits"):
        rule = f"must state the fate of requests beyond {name}"
        yield rule, repr(limit.beyond), "write 'refused', 'waits' or 'either'"
    for field in ("seconds", "within"):
        value = getattr(limit, field)
        if value is not None and not 0 < value < math.inf:
            rule = f"must give {field} of {name} as a positive number"
            yield rule, repr(value), f"write {field}=60.0"
    if limit.seconds is not None and not limit.may_wait:
        rule = f"must not refuse beyond {name} at once and let requests wait as well"
        yield rule, f"seconds={limit.seconds:g}", "leave seconds out, or write 'waits'"
    if (LIMITS[name].subject is Subject.STARTS) != (limit.within is not None):
        rule = "must give within for starts, and for nothing else"
        yield rule, f"{name} with within={limit.within}", "write Limit(5, within=60.0)"


def _contradictions(limits: Mapping[str, Limit]) -> Iterator[tuple[str, str, str]]:
    """A narrow limit above a wide one is never reached, so one of them is wrong."""
    for subject in Subject:
        names = [n for n, bound in LIMITS.items() if bound.subject is subject]
        declared = [
            name for name in names if name in limits and name != "calls_per_tool"
        ]
        for narrow, wide in itertools.pairwise(declared):
            one, other = limits[narrow], limits[wide]
            if one.within == other.within and one.most > other.most:
                yield (
                    f"must not allow more in {narrow} than in {wide}",
                    f"{one.most} and {other.most}",
                    f"leave {narrow} out, as it is never reached",
                )
