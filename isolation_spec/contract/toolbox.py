"""The tools of a world, which an adapter registers with its engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from isolation_spec.contract.environment import Environment
from isolation_spec.contract.errors import AgentFailure
from isolation_spec.model.history.states import ToolMoment
from isolation_spec.model.scenario import User, permitted

__all__ = ["NOBODY", "Toolbox"]


NOBODY = "nobody"
"""The answer of the tool `whoami` where a tool cannot know its user."""


class Toolbox:
    """The tools of a world. An adapter registers each with its engine.

    `names` are registered and, but for `denied`, allowed; any other name is unknown.
    An engine that decides by user and tool calls `permits`, and its adapter declares
    the capability `permissions`.
    """

    names: tuple[str, ...] = (
        *("echo", "slow", "whoami", "failing", "forbidden", "personal"),
    )
    denied: frozenset[str] = frozenset({"forbidden"})

    def __init__(
        self,
        environment: Environment,
        users: Iterable[User],
        record: Callable[[str, str, str | None, ToolMoment], None],
    ) -> None:
        self._environment = environment
        self._users = {user.id: user for user in users}
        self._record = record

    def permits(self, user: str, tool: str) -> bool:
        """Whether the user of this identity may call the tool."""
        known = self._users.get(user)
        return known is not None and permitted(tool, known)

    async def run(
        self, name: str, argument: str, identity: Callable[[], str | None]
    ) -> str:
        """Runs the body of a tool; `identity` gives the user of the call, now.

        Raises:
            AgentFailure: in the failing tool, with its argument in the text.
        """
        self._record(name, argument, identity(), ToolMoment.BEGAN)
        await self._environment.completion()
        if name == "slow":
            self._record(name, argument, identity(), ToolMoment.WENT_ON)
            await self._environment.completion()
        user = identity()
        self._record(name, argument, user, ToolMoment.ENDED)
        if name == "whoami":
            return NOBODY if user is None else user
        if name == "failing":
            message = f"tool failed on {argument}"
            raise AgentFailure(message)
        return argument
