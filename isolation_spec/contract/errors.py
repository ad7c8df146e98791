"""Exceptions of the adapter contract."""

from __future__ import annotations

import inspect

__all__ = ["AdapterError", "AgentFailure", "NotImplementedYet", "first_not_implemented"]


class AdapterError(Exception):
    """An adapter broke the contract; the text names the method and the rule."""


class NotImplementedYet(AdapterError):
    """Raised by a method that is still to be written; its docstring says how."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or "a method of the adapter is still to be written")


def first_not_implemented(of: type, method: str = "") -> NotImplementedYet:
    """The error that names the first unwritten method of a class, with its docstring.

    Of several such methods it names the first one in the class. Where there is no such
    method, it names `method`.
    """
    for name, member in vars(of).items():
        code = getattr(member, "__code__", None)
        if code is not None and NotImplementedYet.__name__ in code.co_names:
            method = name
            break
    # Python 3.13 documents None itself, which stands for a method that is missing.
    member = vars(of).get(method)
    does = (member and inspect.getdoc(member)) or "see isolation_spec.Adapter"
    return NotImplementedYet(
        f"{of.__name__}.{method} is not written yet: {' '.join(does.split())}"
    )


class AgentFailure(Exception):
    """Raised by a scripted agent at a `fail` step, and inside a failing transaction."""
