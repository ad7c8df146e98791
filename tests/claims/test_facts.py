"""Facts are typed, complete and the same after a trip through JSON."""

from collections.abc import Iterator

import msgspec
import pytest

from isolation_spec.claims import Violation
from isolation_spec.claims.facts import (
    Fact,
    ForeignIdentity,
    ForeignValue,
    Shown,
    Surface,
    Text,
    change_texts,
    texts_in,
)
from tests.claims.facts import KINDS, OURS, SHOWN, example, has_shown, violation_of

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def subclasses(kind: type[Fact]) -> Iterator[type[Fact]]:
    for further in kind.__subclasses__():
        yield further
        yield from subclasses(further)


def test_every_type_of_fact_is_in_the_union() -> None:
    """A fact that a claim can report can be loaded again."""
    assert set(KINDS) == set(subclasses(Fact))


@each_kind
def test_a_fact_survives_json(kind: type[Fact]) -> None:
    """A violation is equal after encoding and decoding, with the type of its fact."""
    before = violation_of(example(kind))

    after = msgspec.json.decode(msgspec.json.encode(before), type=Violation)

    assert before == after
    assert kind is type(after.fact)


@each_kind
def test_a_fact_refuses_unknown_fields(kind: type[Fact]) -> None:
    """A field that the type does not have is an error, at every level."""
    data = msgspec.to_builtins(violation_of(example(kind)))
    data["fact"]["more"] = 1

    with pytest.raises(msgspec.ValidationError, match="more"):
        msgspec.convert(data, Violation)


@each_kind
def test_every_text_of_a_fact_can_be_changed(kind: type[Fact]) -> None:
    """Changing texts reaches each of them, and keeps the engine's apart from ours."""

    def change(text: Text) -> Text:
        return Shown("theirs") if isinstance(text, Shown) else "ours"

    changed = change_texts(example(kind), change)

    assert example(kind, shown="theirs", text="ours") == changed


def test_an_enum_is_no_text() -> None:
    """The specification's own words are not changed."""
    fact = example(ForeignValue)

    changed = change_texts(fact, lambda _: "")

    assert Surface.STEP is changed.surface


def test_texts_come_in_the_order_of_the_fields() -> None:
    """The engine's texts and ours are listed, first fields first."""
    fact = ForeignIdentity(user=0, operation=1, step="think", identity=Shown("k"))

    assert ["think", "k"] == list(texts_in(fact))


@each_kind
def test_the_texts_of_a_fact_are_listed(kind: type[Fact]) -> None:
    """Nothing that a fact says is missing from its texts."""
    texts = list(texts_in(example(kind)))

    assert has_shown(kind) == (SHOWN in texts)
    assert (OURS in texts) == (OURS.encode() in msgspec.json.encode(example(kind)))
