"""The text of a fact: the givens, the conclusion, and the observation against it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

from isolation_spec.claims.facts import Fact, Text
from isolation_spec.model.scenario import User

__all__ = ["Contradiction", "Names", "describe_fact", "plain"]


class Contradiction(NamedTuple):
    """A contradiction in three parts: let ..., then ..., however ....

    Each part is a clause in lower case, without a full stop.
    """

    let: tuple[str, ...]
    then: str
    however: str


class Names:
    """The names of the users of a scenario, by index."""

    def __init__(self, users: Sequence[User]) -> None:
        self._users = users

    def label(self, user: int | None) -> str:
        """Returns the label of a user, or a number for one that is not listed."""
        if user is None:
            return "world"
        known = user < len(self._users)
        return self._users[user].label if known else f"user {user}"

    def identity(self, user: int) -> str:
        """Returns the identity by which the engine knows a user."""
        known = user < len(self._users)
        return self._users[user].id if known else f"user {user}"


def plain(text: Text) -> str:
    """Returns the text itself, of code and of an engine alike."""
    return text if isinstance(text, str) else text.text


@functools.singledispatch
def describe_fact(fact: Fact, names: Names) -> Contradiction:
    """Returns the text of a fact; each type of fact registers its own.

    Raises:
        TypeError: no text is registered for the type.
    """
    message = f"no text is registered for {type(fact).__name__}"
    raise TypeError(message)
