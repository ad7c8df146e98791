"""Refuses async members of a state machine, which would pass without ever running."""

from __future__ import annotations

import inspect

__all__ = ["refuse_async_members"]


def refuse_async_members(machine: type) -> None:
    """Checks the rules, set-up, invariants and teardown of a class.

    Raises:
        TypeError: one of them is async; the text gives its name.
    """
    for name, member in vars(machine).items():
        # Under Hypothesis's wrappers, and under staticmethod and classmethod.
        function = inspect.unwrap(getattr(member, "__func__", member))
        function = getattr(function, "function", function)
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(
            function
        ):
            message = (
                f"{machine.__name__}.{name} is async, and a state machine would never "
                f"await it: write 'def {name}', and let operations of the scenario do "
                "what has to be awaited"
            )
            raise TypeError(message)
