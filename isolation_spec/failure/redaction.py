"""Redaction: removes the text that an engine chose from a violation.

A failure file leaves the machine on which it was made, and an engine under verification
may show anything: a password in an error, another user's data in an answer. Redaction
keeps canaries, which are synthetic and prove the leak, and strings of the scenario.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from isolation_spec.claims import Violation
from isolation_spec.claims.facts import Shown, Text, change_texts
from isolation_spec.model.run_name import run_name
from isolation_spec.model.scenario import Scenario, canaries_in

__all__ = ["REDACTED", "redact"]

REDACTED = "[redacted]"
LONGEST_TEXT = 2000

_WORD = re.compile(r"""[^\s'"(),:;{}\[\]<>=]+""")
_AGAIN = re.compile(r"\[redacted\](?:[^\w\[~]*\[redacted\])+")
_OURS = frozenset(
    ("None", "True", "False", "ok", "returned", "failed", "cancelled", "refused")
)
"""Words of a history's own vocabulary, which stand beside the text of an engine."""


def redact(violation: Violation, scenario: Scenario) -> Violation:
    """Returns the violation with each `Shown` text of its fact redacted.

    Canaries, strings of the scenario, and names of exception classes, which are code,
    remain. Every text is cut off after 2,000 characters.
    """
    known = _OURS | set(_strings(msgspec.to_builtins(scenario))) | set(_exceptions())
    for operation in scenario.operations:
        known |= {run_name(operation.id), str(operation.id)}

    def change(text: Text) -> Text:
        if isinstance(text, Shown):
            return Shown(_cut(_clean(text.text, known)))
        return _cut(text)

    return msgspec.structs.replace(violation, fact=change_texts(violation.fact, change))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}..."


def _clean(text: str, known: frozenset[str]) -> str:
    if text in known:
        return text

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
