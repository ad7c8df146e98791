"""Renders data as one self-contained HTML page that makes no requests."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any
from unicodedata import category

import msgspec
from jinja2 import Environment, FunctionLoader, StrictUndefined

from isolation_spec.diagnosis.wording import printable

__all__ = ["MOST_BYTES", "render", "script_data", "visible"]

_MOST_ACCENTS = 2

MOST_BYTES = 500_000
"""The largest page."""


def render(
    template: str, *, styles: tuple[str, ...], script: str = "", **data: Any
) -> str:
    """Returns a page from a template, with its styles and its script inside.

    All `data` is escaped. The content policy of the page allows these styles and this
    script, by their digests, and forbids requests, forms and frames.
    """
    style = "\n".join(map(_text, styles))
    code = _text(script) if script else ""
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src {_digest(style)}; script-src {_digest(code)}"
    )
    page = _environment().get_template(template)
    return page.render(policy=policy, style=style, script=code, **data)


def script_data(data: Any) -> str:
    """Returns JSON for a script element, without characters that could end it."""
    text = msgspec.json.encode(data).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _digest(text: str) -> str:
    if not text:
        return "'none'"
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _finalize(value: Any) -> Any:
    """Returns the text of a value for the page."""
    return visible(value) if type(value) is str else value


def visible(text: str) -> str:
    """Escapes invisible and displaced characters: control characters, marks of
    direction, and heaps of accents on one letter."""
    lines = [printable(line) for line in text.split("\n")]
    return "\n".join(line if line.isascii() else _flat(line) for line in lines)


def _flat(line: str) -> str:
    height = 0
    flat = []
    for character in line:
        height = height + 1 if category(character) in ("Mn", "Me") else 0
        hidden = height > _MOST_ACCENTS
        flat.append(f"\\u{ord(character):04x}" if hidden else character)
    return "".join(flat)


@cache
def _text(name: str) -> str:
    return (files("isolation_spec.report") / "templates" / name).read_text("utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_text),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
