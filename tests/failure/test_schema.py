"""The shipped schema is that of the types that load a file, field by field."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from isolation_spec.failure import Failure, make_schema, read_schema
from tests.failure.mutations import every_kind

SHIPPED: dict[str, Any] = json.loads(read_schema())
STRUCTS = {
    name: found for name, found in SHIPPED["$defs"].items() if "properties" in found
}


def test_the_shipped_schema_is_what_the_types_give() -> None:
    """After a change of a field, write the schema again:

    python -c 'import json; from isolation_spec.failure import make_schema;
    print(json.dumps(make_schema(), indent=2))' > .../failure.schema.json
    """
    written = json.dumps(make_schema(), indent=2) + "\n"

    assert written == read_schema()


def test_every_part_is_in_the_schema() -> None:
    """File, violation, scenario, and each kind of operation and step are there."""
    scenario = every_kind()
    script = scenario.operations[2].script
    kinds = {type(one).__name__ for one in (*scenario.operations, *script)}

    assert {"Failure", "Violation", "Scenario", *kinds} <= set(STRUCTS)
    assert set(Failure.__struct_fields__) == set(STRUCTS["Failure"]["properties"])


@pytest.mark.parametrize("name", sorted(STRUCTS))
def test_every_field_is_described(name: str) -> None:
    """Each struct has a description, and so has each of its fields."""
    struct = STRUCTS[name]

    assert struct["description"]
    assert [] == [
        field
        for field, schema in struct["properties"].items()
        if not schema.get("description")
    ]


@pytest.mark.parametrize("name", sorted(STRUCTS))
def test_unknown_fields_are_refused_at_every_level(name: str) -> None:
    """No struct lets anything through that it does not name."""
    assert STRUCTS[name]["additionalProperties"] is False


def numbers(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if schema.get("type") in ("integer", "number"):
            yield schema
        for part in schema.values():
            yield from numbers(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from numbers(part)


def test_every_number_is_bounded() -> None:
    """Each number has a least and a greatest value."""
    found = list(numbers(SHIPPED["$defs"]))

    assert len(found) > 20
    assert [] == [
        one
        for one in found
        if "minimum" not in one or not {"maximum", "exclusiveMaximum"} & set(one)
    ]


def test_the_schema_refers_to_nothing_outside() -> None:
    """The schema needs no network: every reference leads into it."""
    text = read_schema()
    used = set(msgspec.json.decode(text)["$defs"])

    referred = {part.split('"')[0] for part in text.split('"#/$defs/')[1:]}

    assert used == referred
    assert text.count('"$ref"') == text.count('"$ref": "#/$defs/')
