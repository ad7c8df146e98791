"""The JSON schema of a failure file, made from the types that load it."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import msgspec

from isolation_spec.failure.file import Failure

__all__ = ["make_schema", "read_schema"]

_TAGS = {
    "operation": "The kind of the operation.",
    "step": "The kind of the step.",
    "fact": "The type of the fact.",
}
_BOUNDS = """A file is UTF-8 JSON, at most 1 MiB, nested at most 32 deep, with at most
65,536 commas and brackets, and numbers of at most 30 digits; no key stands twice in one
object. A schema cannot say that labels and ids of users differ, that ids of operations
are unique, and that every index of a user is one of the users."""


def make_schema() -> dict[str, Any]:
    """The schema as the types give it; every field has a description."""
    schema = msgspec.json.schema(Failure)
    for definition in schema["$defs"].values():
        for tag, description in _TAGS.items():
            found = definition.get("properties", {}).get(tag, {})
            if "enum" in found:
                found["description"] = description
        if "description" in definition:
            definition["description"] = " ".join(definition["description"].split())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "isolation-spec failure file, version 2",
        "description": " ".join(_BOUNDS.split()),
        **schema,
    }


def read_schema() -> str:
    """The schema as it is shipped, in `failure.schema.json`."""
    return files(__package__).joinpath("failure.schema.json").read_text("utf-8")
