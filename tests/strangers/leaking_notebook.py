"""The notebook's twin: it keeps the current user on itself, across every await."""

from collections.abc import Awaitable, Callable
from typing import Any

from notebook import Notebook, NotebookAdapter, Session


class LeakingNotebook(Notebook):
    """Whoever began a run last is the user of all runs."""

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
    """The same adapter, of the other engine."""

    engine_class = LeakingNotebook
