"""The contract between the verifier and an adapter, checked wherever the two meet.

What an engine does badly is for the claims to judge: a request that it refuses, fails
or is cancelled in passes unchanged. Checked is only the form of what the adapter
declares and gives back, as a wrong form would be taken for the engine's behaviour.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from isolation_spec.adapter import (
    METHODS,
    Adapter,
    AdapterError,
    Capability,
    Connection,
    Environment,
    EventNames,
    Row,
    ScriptedAgent,
    Unwritten,
    first_unwritten,
)

__all__ = ["CheckedAdapter", "check_declarations"]

_REQUESTS = (
    "start",
    "open_context",
    "run_agent",
    "read",
    "cleanup_context",
    "cleanup_user",
    "shutdown",
    "connect",
    "cancel_run",
    "write",
    "erase",
)
_LIMITS = ("contexts_per_user", "runs_per_context")
_CONNECTION = ("__aiter__", "close", "abort", "close_code")


def _broken(adapter: Adapter, name: str, rule: str, saw: str, instead: str) -> Any:
    return AdapterError(f"{type(adapter).__name__}.{name} {rule}, saw {saw}: {instead}")


def _seen(value: Any) -> str:
    """A value in one short line; of what is not plain, only the name of its type."""
    if value is None or isinstance(value, str | int | float):
        return repr(value)[:60]
    return type(value).__name__


# What is declared


def check_declarations(adapter: Adapter) -> None:
    """Refuses an adapter whose declarations and methods do not fit together.

    Raises:
        AdapterError: names class, member, rule, what was seen, and what to write.
    """
    _check_capabilities(adapter)
    _check_refusals(adapter)
    _check_limits(adapter)
    _check_varying(adapter)
    _check_event_names(adapter)
    for capability, methods in METHODS.items():
        for method in methods if capability in adapter.capabilities else ():
            if getattr(type(adapter), method) is getattr(Adapter, method):
                raise adapter._missing(method, capability)
    for method in _REQUESTS:
        _check_parameters(adapter, method)


def _check_capabilities(adapter: Adapter) -> None:
    found: Any = adapter.capabilities
    if not isinstance(found, set | frozenset):
        saw = _seen(found)
    elif strange := sorted(_seen(one) for one in found if one not in set(Capability)):
        saw = f"{', '.join(strange)} in it"
    else:
        return
    raise _broken(
        adapter,
        "capabilities",
        "must be a set of Capability",
        saw,
        "write frozenset({Capability.TOOLS}), of those that the engine has",
    )


def _check_refusals(adapter: Adapter) -> None:
    found: Any = adapter.refusals
    if not isinstance(found, tuple) or not all(
        isinstance(one, type) and issubclass(one, Exception) for one in found
    ):
        raise _broken(
            adapter,
            "refusals",
            "must be a tuple of exception classes",
            _seen(found),
            "write (PermissionError,), of those by which the engine refuses",
        )


def _check_limits(adapter: Adapter) -> None:
    found: Any = adapter.limits
    declared = Capability.LIMITS in adapter.capabilities
    if not isinstance(found, Mapping) or not all(
        name in _LIMITS and isinstance(limit, int) for name, limit in found.items()
    ):
        saw = repr(dict(found)) if isinstance(found, Mapping) else _seen(found)
        instead = f"write {{{_LIMITS[0]!r}: 3}}, or nothing"
        rule = f"must be a mapping of {' and '.join(_LIMITS)} to whole numbers"
        raise _broken(adapter, "limits", rule, saw, instead)
    if declared != bool(found):
        raise _broken(
            adapter,
            "limits",
            f"must be given if and only if {Capability.LIMITS.value!r} is declared",
            f"{len(found)} limits and {'the' if declared else 'no'} capability",
            "give both or neither",
        )


def _check_varying(adapter: Adapter) -> None:
    found: Any = adapter.varying
    saw = _seen(found)
    if isinstance(found, tuple) and all(isinstance(one, str) for one in found):
        try:
            for one in found:
                re.compile(one)
        except re.error as error:
            saw = f"{one!r} ({error})"
        else:
            return
    rule = "must be a tuple of regular expressions"
    raise _broken(adapter, "varying", rule, saw, "write (r'[0-9]+ ms',), or nothing")


def _check_event_names(adapter: Adapter) -> None:
    found: Any = adapter.event_names
    if found is None:
        return
    instead = 'write EventNames(run="run", number=""), or nothing'
    if not isinstance(found, EventNames):
        rule = "must be EventNames, or None"
        raise _broken(adapter, "event_names", rule, _seen(found), instead)
    try:
        msgspec.convert(msgspec.to_builtins(found), EventNames)
    except (msgspec.ValidationError, TypeError) as error:
        rule = "must name fields by strings and types by tuples of strings"
        raise _broken(adapter, "event_names", rule, str(error), instead) from None


def _check_parameters(adapter: Adapter, method: str) -> None:
    """A call as the verifier makes it must fit what the method takes."""
    wanted = inspect.signature(getattr(Adapter, method)).parameters.values()
    found = inspect.signature(getattr(adapter, method))
    given = [one.name for one in wanted if one.kind is one.POSITIONAL_OR_KEYWORD][1:]
    named = {one.name: None for one in wanted if one.kind is one.KEYWORD_ONLY}
    try:
        found.bind(*given, **named)
    except TypeError:
        rule = f"must take ({', '.join((*given, *named))})"
        saw = f"({', '.join(found.parameters)})"
        instead = f"write 'async def {method}' with those parameters"
        raise _broken(adapter, method, rule, saw, instead) from None


# What is given back


class CheckedAdapter:
    """An adapter whose answers are checked; for the executor it is the adapter.

    Raises:
        AdapterError: in each method, if the form of its answer is not the contract's.
    """

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.refusals = adapter.refusals
        self.limits = adapter.limits

    def _broken(self, name: str, rule: str, saw: str, instead: str) -> Any:
        return _broken(self.adapter, name, rule, saw, instead)

    async def _asked(self, method: str, *arguments: Any, **named: Any) -> Any:
        answer = getattr(self.adapter, method)(*arguments, **named)
        if not inspect.isawaitable(answer):
            rule, saw = "must be a coroutine method", _seen(answer)
            raise self._broken(method, rule, saw, f"write 'async def {method}'")
        try:
            return await answer
        except Unwritten:
            # Of an agent's services it is told by the agent itself.
            if method == "run_agent" and arguments[-1].broken:
                raise
            raise first_unwritten(type(self.adapter), method) from None

    async def start(self, environment: Environment) -> None:
        """Whatever is raised here is the adapter's fault: nothing was asked for yet."""
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
        return context

    async def run_agent(self, user: str, context: Any, agent: ScriptedAgent) -> Any:
        """An agent that could not perform is told even if the engine swallowed it."""
        try:
            return await self._asked("run_agent", user, context, agent)
        finally:
            if agent.broken:
                raise agent.broken[0]

    def check_performed(self, agent: ScriptedAgent) -> None:
        """For a run that returned, and that nothing kept from performing."""
        if not agent.performed:
            raise self._broken(
                "run_agent",
                "never performed the agent",
                f"no call of agent.perform in {agent.name}",
                "let the engine run an agent that awaits agent.perform(services), and "
                "raise one of refusals or AgentFailure if it did not run it",
            )

    async def read(self, user: str, context: Any) -> Mapping[str, Any]:
        """What is shown is a mapping, so that each interface has its name."""
        shown = await self._asked("read", user, context)
        if not isinstance(shown, Mapping):
            rule = "must return a mapping of each read interface to what it shows"
            instead = "write return {'notes': ...}"
            raise self._broken("read", rule, _seen(shown), instead)
        return shown

    async def connect(
        self, user: str, *, claims_to_be: str | None = None, forged: bool = False
    ) -> Connection:
        """A connection has the four members of the protocol."""
        found: Connection = await self._asked(
            "connect", user, claims_to_be=claims_to_be, forged=forged
        )
        missing = [name for name in _CONNECTION if not hasattr(found, name)]
        if missing:
            raise self._broken(
                "connect",
                f"must return a connection with {', '.join(_CONNECTION)}",
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

    # What is read without the engine

    def identity(self) -> str | None:
        """A user id or None; asked for at every await, so nothing more is looked at."""
        try:
            who = self.adapter.identity()
        except Exception as error:
            raise self._raised("identity", error) from error
        if who is None or isinstance(who, str):
            return who
        close = getattr(who, "close", None)
        if inspect.iscoroutine(who) and close is not None:
            close()
        rule = "must give the id of a user, or None"
        raise self._broken("identity", rule, _seen(who), "write 'def identity'")

    def observe(self) -> tuple[Row, ...]:
        """Rows are `Row`s of four texts."""
        rows = self._listed("observe", self.adapter.observe)
        for row in rows:
            if not isinstance(row, Row) or not all(isinstance(v, str) for v in row):
                raise self._broken(
                    "observe",
                    "must give Row(owner, thread, key, value), each a text",
                    repr(row)[:60] if isinstance(row, tuple) else _seen(row),
                    "write return [Row(*row) for row in rows]",
                )
        return rows

    def gauges(self, user: str | None) -> Mapping[str, float]:
        """Gauges are numbers, each with a name."""
        found = self._read("gauges", lambda: self.adapter.gauges(user))
        saw = _seen(found)
        if isinstance(found, Mapping):
            strange = [k for k, v in found.items() if not isinstance(v, int | float)]
            if not strange:
                return found
            saw = f"{strange[0]!r}: {_seen(found[strange[0]])}"
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
        def items() -> tuple[Any, ...] | Any:
            found = call()
            return tuple(found) if isinstance(found, Iterable) else found

        found = self._read(method, items)
        if not isinstance(found, tuple):
            rule, saw = "must give something to iterate over", _seen(found)
            raise self._broken(method, rule, saw, f"write 'def {method}', a plain one")
        return found

    def _read(self, method: str, call: Callable[[], Any]) -> Any:
        try:
            found = call()
        except Unwritten:
            raise first_unwritten(type(self.adapter), method) from None
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
