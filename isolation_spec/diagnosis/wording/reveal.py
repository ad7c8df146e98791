"""Which text of an engine is shown: all of it, or its canaries."""

from __future__ import annotations

import re
from collections.abc import Iterable

from isolation_spec.model.scenario import User, canaries_in

__all__ = ["WHOLE", "CanariesOnly", "Reveal"]

_NAME = re.compile(r"[\w.:-]{1,60}")


class Reveal:
    """Shows the text of an engine whole."""

    def text(self, text: str) -> str:
        """Returns a value that the engine showed."""
        return text

    def error(self, text: str) -> str:
        """Returns an exception: the name of its class, and its text."""
        return text

    def name(self, text: str) -> str:
        """Returns the type, the number or the run of an event."""
        return text

    def identity(self, identity: str) -> str:
        """Returns the identity for which the engine works."""
        return repr(identity)


WHOLE = Reveal()


class CanariesOnly(Reveal):
    """Withholds the text of an engine, for a page that leaves the machine.

    Canaries, names of exception classes, short names of events, and identities of the
    scenario remain.
    """

    def __init__(self, users: Iterable[User]) -> None:
        self._identities = {user.id for user in users}

    def text(self, text: str) -> str:
        """Returns the canaries of a value, each once."""
        return " ".join(dict.fromkeys(value for _, value in canaries_in(text)))

    def error(self, text: str) -> str:
        """Returns the name of an exception's class, and the canaries of its text."""
        name = text.partition(" ")[0]
        canaries = self.text(text.removeprefix(name))
        return f"{self.name(name)} {canaries}".strip()

    def name(self, text: str) -> str:
        """Returns the text if it has the form of a name."""
        return text if _NAME.fullmatch(text) else ""

    def identity(self, identity: str) -> str:
        """Returns an identity of the scenario, and no other."""
        return repr(identity) if identity in self._identities else "another identity"
