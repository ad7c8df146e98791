"""An example of each type of fact, made from the types of its fields."""

import typing
from typing import Any

import msgspec
from msgspec import inspect

from isolation_spec.claims import Violation
from isolation_spec.claims.facts import AnyFact, Fact, Shown
from isolation_spec.model.scenario import canary

KINDS: tuple[type[Fact], ...] = typing.get_args(AnyFact)
SHOWN = "words of the engine"
OURS = canary("bob", 4, 1)


def example(kind: type[Any], *, shown: str = SHOWN, text: str = OURS) -> Any:
    """A struct with every field filled in: users 0, other numbers 1."""
    fields = inspect.type_info(kind).fields  # type: ignore[attr-defined]
    return kind(**{f.name: _value(f.type, shown, text) for f in fields})


def violation_of(fact: Any, entry: int = 0) -> Violation:
    """A violation of some clause, with this fact."""
    return Violation(claim="teardown", clause="unhandled", fact=fact, entry=entry)


def _value(kind: Any, shown: str, text: str) -> Any:
    match kind:
        case inspect.Metadata():
            return _value(kind.type, shown, text)
        case inspect.UnionType():
            # The engine's text where a field may hold either.
            types = [t for t in kind.types if not isinstance(t, inspect.NoneType)]
            return _value(types[-1], shown, text)
        case inspect.StructType():
            if kind.cls is Shown:
                return Shown(shown)
            return example(kind.cls, shown=shown, text=text)
        case inspect.VarTupleType():
            return (_value(kind.item_type, shown, text),)
        case inspect.EnumType():
            return next(iter(kind.cls))
        case inspect.StrType():
            return text
        case inspect.BoolType():
            return False
        case inspect.FloatType():
            return 1.5
        case inspect.IntType():
            return 0 if kind.lt == 64 else 1
    raise AssertionError(kind)


def has_shown(kind: type[Fact]) -> bool:
    """Whether some field of the fact holds text of an engine."""
    return b'"shown!"' in msgspec.json.encode(example(kind, shown="shown!"))
