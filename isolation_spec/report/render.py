"""Turns data into one self-contained HTML page that can load and reach nothing."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

import msgspec
from jinja2 import Environment, FunctionLoader, StrictUndefined

__all__ = ["MOST_BYTES", "render", "script_data"]

MOST_BYTES = 500_000
"""A page is never larger."""


def render(
    template: str, *, styles: tuple[str, ...], script: str = "", **data: Any
) -> str:
    """A page from a template, with its styles and its script in it.

    Everything in `data` is escaped. The content policy of the page allows these styles
    and this script, by their digests, and nothing else: no request, no form, no frame.
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
    """JSON that can stand inside a script element: nothing in it can end that."""
    text = msgspec.json.encode(data).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _digest(text: str) -> str:
    if not text:
        return "'none'"
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


@cache
def _text(name: str) -> str:
    return (files("isolation_spec.report") / "templates" / name).read_text("utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
