"""A failure as a pytest test: the scenario in constructor calls, and nothing to load.

Everything that comes from a file is written as a literal, by `repr`, or as a comment of
one line, so that no text of a file can become code.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec

from isolation_spec.claims import find_claim
from isolation_spec.diagnosis.wording import (
    Contradiction,
    describe_violation,
    printable,
)
from isolation_spec.failure.file import Failure
from isolation_spec.model.scenario import Scenario

__all__ = ["export_test", "to_python"]

_COLUMNS = 88


def export_test(failure: Failure, engine: str) -> str:
    """The source of a pytest test that the claim holds on the engine of that name.

    It fails with the whole explanation as long as the claim is violated, and when the
    scenario no longer puts it to the test. It needs no file but itself.
    """
    claim = find_claim(failure.claim)
    wrapped = textwrap.wrap(claim.statement, _COLUMNS - 8)
    contradiction = describe_violation(failure.violation, failure.scenario.users)
    return "\n".join(
        (
            f'"""The claim {claim.id}, put to the test by a scenario that broke it."""',
            "",
            *_import(
                sorted(["assert_holds", *_names(failure.scenario)], key=_import_order)
            ),
            "",
            f"ENGINE = {_string(engine)}",
            "",
            *_comments(contradiction),
            *_assignment("SCENARIO", failure.scenario),
            "",
            "",
            f"def test_{claim.id.replace('-', '_')}_holds() -> None:",
            *textwrap.indent(_docstring("\n".join(wrapped)), "    ").splitlines(),
            f'    assert_holds(SCENARIO, engine=ENGINE, claim="{claim.id}")',
            "",
        )
    )


def _docstring(text: str) -> str:
    return f'"""{text}\n"""' if "\n" in text else f'"""{text}"""'


def _import_order(name: str) -> tuple[bool, str]:
    """The order in which ruff sorts imported names: classes, then functions."""
    return name[0].islower(), name.lower()


def _import(names: list[str]) -> Iterator[str]:
    line = f"from isolation_spec import {', '.join(names)}"
    if len(line) <= _COLUMNS:
        yield line
        return
    yield "from isolation_spec import ("
    yield from (f"    {name}," for name in names)
    yield ")"


def _comments(contradiction: Contradiction) -> Iterator[str]:
    """Yields the contradiction, each part in lines of its own that are comments."""
    let, then, however = contradiction
    heads = ["Let", *("and" for _ in let[1:])][: len(let)]
    givens = [f"{head} {given}." for head, given in zip(heads, let, strict=True)]
    for part in (*givens, f"Then {then}.", f"However, {however}: contradiction."):
        wrapped = textwrap.wrap(printable(part), _COLUMNS - 2, break_on_hyphens=False)
        yield from (f"# {line}" for line in wrapped)


def to_python(scenario: Scenario) -> str:
    """The scenario in calls of constructors, as ruff formats it.

    Each user, operation and demotion begins a line of its own. Evaluated with the names
    of `isolation_spec`, it gives an equal scenario.
    """
    return "\n".join(_lines("", scenario, ""))


def _assignment(name: str, scenario: Scenario) -> list[str]:
    return list(_lines(f"{name} = ", scenario, ""))


def _names(value: Any) -> set[str]:
    """The constructors that the value is written with."""
    if isinstance(value, tuple):
        return set().union(*map(_names, value))
    if not isinstance(value, msgspec.Struct):
        return set()
    given = (part for _, part in _given(value))
    return {type(value).__name__}.union(*map(_names, given))


def _given(struct: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    """The fields that a call must name: those that are not at their defaults."""
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        if value != default or type(value) is not type(default):
            yield field.name, value


_SPREAD = {"users", "operations", "demotions"}
"""Fields of which each item begins a line, as the reader goes through them."""


def _lines(
    head: str, value: Any, tail: str, *, indent: int = 0, spread: bool = False
) -> Iterator[str]:
    """Yields the value after `head` and before `tail`, on one line if it fits."""
    flat = f"{head}{_flat(value)}{tail}"
    parts = list(_parts(value))
    whole = isinstance(value, Scenario) or (spread and len(value) > 1)
    if not parts or (indent + len(flat) <= _COLUMNS and not whole):
        yield flat
        return
    opening, closing = _brackets(value)
    yield f"{head}{opening}"
    for name, part in parts:
        spread = name.rstrip("=") in _SPREAD
        for line in _lines(name, part, ",", indent=indent + 4, spread=spread):
            yield f"    {line}"
    yield f"{closing}{tail}"


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Yields (text before it, part) for each part of a long value."""
    if isinstance(value, msgspec.Struct):
        yield from ((f"{name}=", part) for name, part in _given(value))
    elif isinstance(value, tuple):
        yield from (("", part) for part in value)
    elif isinstance(value, dict):
        yield from ((f"{_string(key)}: ", part) for key, part in value.items())


def _brackets(value: Any) -> tuple[str, str]:
    if isinstance(value, msgspec.Struct):
        return f"{type(value).__name__}(", ")"
    return ("{", "}") if isinstance(value, dict) else ("(", ")")


def _flat(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    if not isinstance(value, msgspec.Struct | tuple | dict):
        return repr(value)
    opening, closing = _brackets(value)
    inner = ", ".join(f"{name}{_flat(part)}" for name, part in _parts(value))
    comma = "," if isinstance(value, tuple) and len(value) == 1 else ""
    return f"{opening}{inner}{comma}{closing}"


def _string(text: str) -> str:
    """A literal in double quotes, unless that takes more escapes."""
    literal = repr(text)
    if literal[0] == '"' or '"' in text:
        return literal
    return f'"{literal[1:-1]}"'
