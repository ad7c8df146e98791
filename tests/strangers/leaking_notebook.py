"""A leaking variant of the notebook: it stores the current user across awaits."""

from collections.abc import Awaitable, Callable
from typing import Any

from notebook import Notebook, NotebookAdapter, Session


class LeakingNotebook(Notebook):
    """Uses the user of the last begun run for all runs."""

    user = ""

    async def run(
        self,
        session: Session,
        user: str,
        name: str,
        agent: Callable[[], Awaitable[Any]],
    ) -> Any:
        self.user = user
        return await super().run(session, user, name, agent)

    def user_of(self, session: Session) -> str:
        return self.user or session.user


class LeakingNotebookAdapter(NotebookAdapter):
    """The same adapter, for the leaking engine."""

    engine_class = LeakingNotebook
