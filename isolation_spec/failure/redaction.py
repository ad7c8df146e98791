"""What of a violation may be written down: what the engine showed is redacted.

A file leaves the machine on which it was made, and an engine under verification may
show anything: a password in an error, another's data in an answer. Kept is what carries
a canary, as that is synthetic and proves the leak, and what the scenario says itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from isolation_spec.claims import Violation
from isolation_spec.model.scenario import Scenario, canaries_in

__all__ = ["REDACTED", "redacted"]

REDACTED = "[redacted]"
LONGEST_FACT = 2000

_WORD = re.compile(r"""[^\s'"(),:;{}\[\]<>=]+""")
_AGAIN = re.compile(r"\[redacted\](?:[^\w\[~]*\[redacted\])+")
_OURS = frozenset(
    ("None", "True", "False", "ok", "returned", "failed", "cancelled", "refused")
)
"""Words of a history's own vocabulary, which stand beside what an engine showed."""


def redacted(violation: Violation, scenario: Scenario) -> Violation:
    """The violation without what the engine showed, but for canaries.

    Kept of it are canaries, strings of the scenario, and names of exception classes,
    which are code. Facts are cut off after 2,000 characters.
    """
    known = _OURS | set(_strings(msgspec.to_builtins(scenario))) | set(_exceptions())
    for operation in scenario.operations:
        known |= {f"run-{operation.id}", str(operation.id)}
    hidden = _replacements(violation.shown, known)

    def clean(fact: str) -> str:
        for pattern, replacement in hidden:
            fact = pattern.sub(replacement, fact)
        if len(fact) > LONGEST_FACT:
            return f"{fact[:LONGEST_FACT]}..."
        return fact

    return msgspec.structs.replace(
        violation,
        let=tuple(map(clean, violation.let)),
        then=clean(violation.then),
        however=clean(violation.however),
        shown=(),
    )


def _replacements(
    shown: tuple[str, ...], known: frozenset[str]
) -> list[tuple[re.Pattern[str], str]]:
    """What stands in a fact, as it is or as `repr` writes it, and what to put there."""
    found = []
    for value in sorted(set(shown), key=len, reverse=True):
        if not value or value in known:
            continue
        for form in dict.fromkeys((value, repr(value)[1:-1])):
            # Whole words alone: a short value also stands inside others.
            pattern = re.compile(rf"(?<![\w~]){re.escape(form)}(?![\w~])")
            # In a replacement a backslash would begin a reference to a group.
            found.append((pattern, _clean(form, known).replace("\\", r"\\")))
    return found


def _clean(text: str, known: frozenset[str]) -> str:
    def word(match: re.Match[str]) -> str:
        if match.group() in known:
            return match.group()
        kept = [canary for _, canary in canaries_in(match.group())]
        return " ".join(kept) or REDACTED

    return _AGAIN.sub(REDACTED, _WORD.sub(word, text))


def _strings(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield key
            yield from _strings(value)
    elif isinstance(data, list | tuple):
        for item in data:
            yield from _strings(item)


def _exceptions(kind: type[BaseException] = BaseException) -> Iterator[str]:
    yield kind.__name__
    for further in type.__subclasses__(kind):
        yield from _exceptions(further)
