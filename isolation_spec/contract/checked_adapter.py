"""The contract between the verifier and an adapter, checked wherever the two meet.

Claims judge the engine: a request that it refuses or fails, or that is cancelled,
passes unchanged. Checked is only the form of the values that the adapter
declares and gives back, as a wrong form would be taken for the engine's behaviour.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from isolation_spec.contract.adapter import Adapter, Row
from isolation_spec.contract.declarations import (
    CONNECTION_MEMBERS,
    broken_rule,
    short_repr,
)
from isolation_spec.contract.environment import Connection, Environment
from isolation_spec.contract.errors import (
    AdapterError,
    NotImplementedYet,
    first_not_implemented,
)
from isolation_spec.contract.limits import limits_of
from isolation_spec.contract.scripted_agent import ScriptedAgent
from isolation_spec.model.code_origin import EngineCode

__all__ = ["CheckedAdapter"]


class CheckedAdapter:
    """An adapter whose answers are checked; for the executor it is the adapter.

    Attributes:
        engine_code: the packages of the engine, as far as they are known.

    Raises:
        AdapterError: in each method, if the form of its answer is not the contract's.
    """

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.refusals = adapter.refusals
        self.limits = limits_of(adapter.limits)
        classes = type(adapter).__mro__
        self.engine_code = EngineCode(
            (c.__module__ for c in classes if issubclass(c, Adapter) and c != Adapter),
            adapter.packages,
        )

    def _broken(self, name: str, rule: str, saw: str, instead: str) -> Any:
        return broken_rule(self.adapter, name, rule, saw, instead)

    async def _asked(self, method: str, *arguments: Any, **named: Any) -> Any:
        answer = getattr(self.adapter, method)(*arguments, **named)
        if not inspect.isawaitable(answer):
            rule, saw = "must be a coroutine method", short_repr(answer)
            raise self._broken(method, rule, saw, f"write 'async def {method}'")
        try:
            return await answer
        except NotImplementedYet:
            # The agent itself reports unwritten services.
            if method == "run_agent" and arguments[-1].broken:
                raise
            raise first_not_implemented(type(self.adapter), method) from None

    async def start(self, environment: Environment) -> None:
        """An exception here is the adapter's fault: no request was made yet."""
        try:
            await self._asked("start", environment)
        except AdapterError:
            raise
        except Exception as error:
            raise self._raised("start", error) from error

    async def open_context(
        self, user: str, thread: str, metadata: dict[str, Any]
    ) -> Any:
        """A handle is anything but None, by which later requests find the context."""
        context = await self._asked("open_context", user, thread, metadata)
        if context is None:
            raise self._broken(
                "open_context",
                "must return a handle of the context",
                "None",
                "return the object that read, run_agent and cleanup_context are given",
            )
        self.engine_code.add_context(context)
        return context

    async def run_agent(self, user: str, context: Any, agent: ScriptedAgent) -> Any:
        """Raises the error that kept an agent from its script, even if the engine
        swallowed it."""
        try:
            return await self._asked("run_agent", user, context, agent)
        finally:
            if agent.broken:
                raise agent.broken[0]

    def check_performed(self, agent: ScriptedAgent) -> None:
        """Refuses a run that returned, and whose agent had to perform but did not."""
        if not agent.performed:
            raise self._broken(
                "run_agent",
                "never performed the agent",
                f"no call of agent.perform in {agent.name}",
                "let the engine run an agent that awaits agent.perform(services), and "
                "raise one of refusals or AgentFailure if it did not run it",
            )

    async def read(self, user: str, context: Any) -> Mapping[str, Any]:
        """The answer is a mapping, so that each read interface has its name."""
        shown = await self._asked("read", user, context)
        if not isinstance(shown, Mapping):
            rule = "must return a mapping of each read interface to what it shows"
            instead = "write return {'notes': ...}"
            raise self._broken("read", rule, short_repr(shown), instead)
        return shown

    async def connect(
        self, user: str, *, claims_to_be: str | None = None, forged: bool = False
    ) -> Connection:
        """A connection has the four members of the protocol."""
        found: Connection = await self._asked(
            "connect", user, claims_to_be=claims_to_be, forged=forged
        )
        missing = [name for name in CONNECTION_MEMBERS if not hasattr(found, name)]
        if missing:
            raise self._broken(
                "connect",
                f"must return a connection with {', '.join(CONNECTION_MEMBERS)}",
                f"{type(found).__name__} without {', '.join(missing)}",
                "return a client of websockets, or an object of its form",
            )
        return found

    async def cancel_run(self, user: str, context: Any, run: str) -> None:
        """As the adapter."""
        await self._asked("cancel_run", user, context, run)

    async def write(self, user: str, context: Any, key: str, value: str) -> None:
        """As the adapter."""
        await self._asked("write", user, context, key, value)

    async def erase(self, user: str, context: Any) -> None:
        """As the adapter."""
        await self._asked("erase", user, context)

    async def cleanup_context(self, user: str, context: Any) -> None:
        """As the adapter."""
        await self._asked("cleanup_context", user, context)

    async def cleanup_user(self, user: str) -> None:
        """As the adapter."""
        await self._asked("cleanup_user", user)

    async def shutdown(self) -> None:
        """As the adapter."""
        await self._asked("shutdown")

    # Reads without the engine

    def identity(self) -> str | None:
        """A user id or None; read at every await, so the check is cheap."""
        try:
            user = self.adapter.identity()
        except Exception as error:
            raise self._raised("identity", error) from error
        if user is None or isinstance(user, str):
            return user
        close = getattr(user, "close", None)
        if inspect.iscoroutine(user) and close is not None:
            close()
        rule = "must give the id of a user, or None"
        raise self._broken("identity", rule, short_repr(user), "write 'def identity'")

    def observe(self) -> tuple[Row, ...]:
        """Rows are `Row`s of four texts."""
        rows = self._listed("observe", self.adapter.observe)
        for row in rows:
            if not isinstance(row, Row) or not all(isinstance(v, str) for v in row):
                raise self._broken(
                    "observe",
                    "must give Row(owner, thread, key, value), each a text",
                    repr(row)[:60] if isinstance(row, tuple) else short_repr(row),
                    "write return [Row(*row) for row in rows]",
                )
        return rows

    def gauges(self, user: str | None) -> Mapping[str, float]:
        """Gauges are numbers, each with a name."""
        found = self._read("gauges", lambda: self.adapter.gauges(user))
        saw = short_repr(found)
        if isinstance(found, Mapping):
            strange = [k for k, v in found.items() if not isinstance(v, int | float)]
            if not strange:
                return found
            saw = f"{strange[0]!r}: {short_repr(found[strange[0]])}"
        rule = "must give a mapping of names to numbers"
        raise self._broken("gauges", rule, saw, "write return {'open contexts': 0}")

    def holdings(self, context: Any) -> tuple[Any, ...]:
        """Any objects."""
        return self._listed("holdings", lambda: self.adapter.holdings(context))

    def shared(self) -> tuple[Any, ...]:
        """Any objects."""
        return self._listed("shared", self.adapter.shared)

    def _listed(
        self, method: str, call: Callable[[], Iterable[Any]]
    ) -> tuple[Any, ...]:
        def _items() -> tuple[Any, ...] | Any:
            found = call()
            return tuple(found) if isinstance(found, Iterable) else found

        found = self._read(method, _items)
        if not isinstance(found, tuple):
            rule, saw = "must give something to iterate over", short_repr(found)
            raise self._broken(method, rule, saw, f"write 'def {method}', a plain one")
        return found

    def _read(self, method: str, call: Callable[[], Any]) -> Any:
        try:
            found = call()
        except NotImplementedYet:
            raise first_not_implemented(type(self.adapter), method) from None
        except Exception as error:
            raise self._raised(method, error) from error
        if inspect.iscoroutine(found):
            found.close()
            rule, saw = "must be a plain method", "a coroutine"
            raise self._broken(method, rule, saw, f"write 'def {method}', not async")
        return found

    def _raised(self, method: str, error: Exception) -> AdapterError:
        said = " ".join((type(error).__name__ + ":", *str(error).split())).strip(":")
        name = type(self.adapter).__name__
        return AdapterError(
            f"{name}.{method} raised {said}: whatever happens in it is the adapter's "
            "to handle"
        )
