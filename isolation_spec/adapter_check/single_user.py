"""An adapter alone: each of its methods once, by one user, in a world."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from isolation_spec.adapter_check.event_schema import find_contradiction, find_unnamed
from isolation_spec.adapter_check.result import (
    ALICE,
    BOB,
    LATER,
    THREAD,
    MethodResult,
    Status,
)
from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.capabilities import METHODS, Capability
from isolation_spec.contract.checked_adapter import CheckedAdapter
from isolation_spec.contract.errors import AdapterError, NotImplementedYet
from isolation_spec.contract.scripted_agent import ScriptedAgent
from isolation_spec.contract.services import Services
from isolation_spec.contract.toolbox import Toolbox
from isolation_spec.model.history.rendering import render
from isolation_spec.model.scenario import (
    CallTool,
    Emit,
    ReadState,
    Recall,
    Remember,
    Return,
    Sleep,
    Spawn,
    Step,
    Think,
    Transact,
    WriteState,
    canary,
)
from isolation_spec.world import World

__all__ = ["Exercise"]

_VALUE = canary("alice", 1, 0)
_SERVICES = {
    Capability.TOOLS: ("call_tool",),
    Capability.STATE: ("write_state", "read_state"),
    Capability.MEMORY: ("remember", "recall"),
    Capability.TRANSACTIONS: ("transact",),
    Capability.CONNECTIONS: ("emit",),
    Capability.CHILDREN: ("spawn",),
}
"""The methods of `Services` that a capability asks for."""


class _Stop(Exception):
    """Nothing more can be exercised."""


class _Agent(ScriptedAgent):
    """Keeps the services that it was given."""

    services: Services | None = None

    async def perform(self, services: Services) -> Any:
        """Performs the script and returns its result."""
        self.services = services
        return await super().perform(services)


class Exercise:
    """Asks an adapter for everything once."""

    def __init__(
        self,
        adapter: Adapter,
        world: World,
        tell: Callable[[MethodResult], None],
        began: Callable[[str], None],
    ) -> None:
        self.adapter = adapter
        self.checked = CheckedAdapter(adapter)
        self.world = world
        self.tell = tell
        self.began = began
        self.method = "start"
        self.context: Any = None
        self.services: Services | None = None
        self.has = adapter.capabilities
        self.heard = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
        self._runs = 0
        self._identities: set[Any] = set()
        world.toolbox = Toolbox(world, (ALICE, BOB), lambda *_: None)

    @property
    def name(self) -> str:
        """The method that is exercised, with its class."""
        return f"{type(self.adapter).__name__}.{self.method}"

    async def conduct(self) -> None:
        """Asks for one method after the other, in the order in which to write them."""
        try:
            await self._required("start", self.checked.start(self.world))
            self.context = await self._required(
                "open_context", self.checked.open_context(ALICE.id, THREAD, {})
            )
            await self._run_agents()
            await self._one("read", self._read())
            await self._stored()
            await self._further()
            await self._plain()
            await self._one("cleanup_context", self._clean_context())
            await self._one("cleanup_user", self.checked.cleanup_user(ALICE.id))
            await self._one("shutdown", self._shut_down())
        except _Stop:
            self._rest()
        self._undeclared()

    def signals(self) -> None:
        """Hints at signal handlers that were left behind."""
        for number, handler in self.heard.items():
            if signal.getsignal(number) is not handler:
                self._say(
                    "hint", f"leaves a handler of {number.name} behind", "signals"
                )

    # Asking

    async def _one(self, method: str, call: Awaitable[Any]) -> Any:
        """Asks for one method; says how it stands, and gives what it gave."""
        self.method = method
        self.began(method)
        try:
            async with asyncio.timeout(self.world.limit):
                answer = await call
        except NotImplementedYet as error:
            self._say("not written", str(error))
        except AdapterError as error:
            self._say("breaks", str(error))
        except TimeoutError:
            limit = f"{self.world.limit:g} virtual seconds"
            self._say("breaks", f"{self.name} did not return within {limit}")
        except asyncio.CancelledError:
            self._say("breaks", f"{self.name} was cancelled, and nobody cancelled it")
        except Exception as error:
            self._say("breaks", self._refused(error))
        else:
            if isinstance(answer, _Wrong):
                self._say("breaks", f"{self.name} {answer.text}")
                return None
            self._say("ok")
            return answer
        return None

    async def _required(self, method: str, call: Awaitable[Any]) -> Any:
        """As `_one`; without it nothing more can be asked for."""
        said = self._said
        answer = await self._one(method, call)
        if self._failed > said[1]:
            raise _Stop
        return answer

    _asked = 0
    _failed = 0

    @property
    def _said(self) -> tuple[int, int]:
        return self._asked, self._failed

    def _say(self, status: Status, note: str = "", method: str = "") -> None:
        self._asked += 1
        self._failed += status in ("not written", "breaks")
        self.tell(MethodResult(method=method or self.method, status=status, note=note))

    def _refused(self, error: Exception) -> str:
        said = " ".join(str(error).split())
        text = f"{self.name} raised {type(error).__name__}"
        text += f": {said}" if said else ""
        if isinstance(error, self.checked.refusals):
            return f"{text}: it refuses a user's own, and the only, request"
        return f"{text}: a user's own, and the only, request must be granted"

    # Agents

    async def _run_agents(self) -> None:
        await self._required("run_agent", self._agent((), result=None))
        steps: tuple[tuple[str, tuple[Step, ...]], ...] = (
            ("identity", ()),
            ("think", (Think(prompt=_VALUE),)),
            ("sleep", (Sleep(seconds=0.01),)),
            ("the result", (Return(value=_VALUE),)),
        )
        for method, script in steps:
            result = _VALUE if method == "the result" else None
            await self._required(f"agent: {method}", self._agent(script, result=result))
        if Capability.IDENTITY in self.has and self._identities != {ALICE.id}:
            self._say(
                "hint",
                f"said {sorted(map(str, self._identities))} in runs of {ALICE.id!r}: "
                "return the id of the user for whom the run works",
                "agent: identity",
            )

    async def _agent(self, script: tuple[Step, ...], *, result: Any) -> Any:
        agent = self._new_agent(script)
        answer = await self.checked.run_agent(ALICE.id, self.context, agent)
        self.services = agent.services
        self.checked.check_performed(agent)
        if result is not None and result not in render(answer):
            return _Wrong(
                f"gave {render(answer)[:40]!r} for an agent that returned "
                f"{result!r}: return what the engine says is the result, and have the "
                "engine's agent return what agent.perform gave"
            )
        return agent

    def _new_agent(self, script: tuple[Step, ...], seen: Any = None) -> _Agent:
        self._runs += 1

        def record(path: Any, step: str, what: Any, who: Any) -> None:
            self._identities.add(who)
            if seen is not None and step != "begin":
                seen.append(what)

        return _Agent(self._runs, script, record)

    async def _steps(self, *script: Step) -> list[Any]:
        """What the steps of an agent gave."""
        seen: list[Any] = []
        agent = self._new_agent(script, seen)
        await self.checked.run_agent(ALICE.id, self.context, agent)
        return seen

    # What is stored

    async def _read(self) -> Any:
        return await self.checked.read(ALICE.id, self.context)

    async def _stored(self) -> None:
        if Capability.MEMORY not in self.has:
            for method in ("write", "observe", "agent: remember", "agent: recall"):
                self._skip(method, Capability.MEMORY)
            self._skip("erase", Capability.ERASE)
            return
        await self._one("write", self._write())
        await self._one("observe", self._observe())
        await self._one("agent: remember", self._steps(Remember(key="r", value=_VALUE)))
        await self._one("agent: recall", self._recall())
        if Capability.ERASE in self.has:
            await self._one("erase", self._erase())
        else:
            self._skip("erase", Capability.ERASE)

    async def _write(self) -> Any:
        await self.checked.write(ALICE.id, self.context, "k", _VALUE)
        if _VALUE not in render(await self._read()):
            self._say(
                "hint",
                "does not show what write stored: show all that the engine would show",
                "read",
            )

    async def _observe(self) -> Any:
        values = {(row.owner, row.key, row.value) for row in self.checked.observe()}
        if (ALICE.id, "k", _VALUE) not in values:
            return _Wrong(
                f"gave {len(values)} rows, and none is {ALICE.id!r}, 'k', {_VALUE!r}, "
                "which write stored: give Row(owner, thread, key, value) of all that "
                "is stored"
            )
        return None

    async def _recall(self) -> Any:
        seen = await self._steps(Remember(key="r", value=_VALUE), Recall(key="r"))
        if not seen or _VALUE not in render(seen[-1]):
            saw = render(seen[-1])[:40] if seen else "nothing"
            return _Wrong(f"gave {saw!r}, not what remember stored under that key")
        return None

    async def _erase(self) -> Any:
        await self.checked.erase(ALICE.id, self.context)
        left = [row for row in self.checked.observe() if row.owner == ALICE.id]
        if left:
            return _Wrong(
                f"left {len(left)} rows of the user in observe: erase them all"
            )
        return None

    # What else is declared

    async def _further(self) -> None:
        parts: tuple[tuple[Capability, str, Callable[[], Awaitable[Any]]], ...] = (
            (Capability.TOOLS, "agent: call_tool", self._tools),
            (Capability.STATE, "agent: write_state", self._state),
            (Capability.TRANSACTIONS, "agent: transact", self._transact),
            (Capability.CHILDREN, "agent: spawn", self._spawn),
            (Capability.CANCEL, "cancel_run", self._cancel),
            (Capability.CONNECTIONS, "connect", self._connect),
        )
        for capability, method, call in parts:
            if capability in self.has:
                await self._one(method, call())
            else:
                self._skip(method, capability)

    async def _tools(self) -> Any:
        seen = await self._steps(
            CallTool(tool="echo", argument=_VALUE),
            CallTool(tool="forbidden", argument=_VALUE),
        )
        good, denied = seen[0], seen[-1]
        if not good.success or _VALUE not in render(good.result):
            return _Wrong(
                f"gave {good!r} for the tool echo, which returns its argument"
            )
        if denied.success:
            return _Wrong("let the tool forbidden run: deny environment.toolbox.denied")
        return None

    async def _state(self) -> Any:
        seen = await self._steps(WriteState(key="s", value=_VALUE), ReadState())
        if _VALUE not in render(seen[-1]):
            self._say(
                "hint", "does not show what write_state stored", "agent: read_state"
            )

    async def _transact(self) -> Any:
        await self._steps(Transact(items=(("t", _VALUE),)))
        if not any(row.key == "t" for row in self.checked.observe()):
            return _Wrong("stored nothing that observe gives: commit, and observe it")
        return None

    async def _spawn(self) -> Any:
        seen = await self._steps(Spawn(script=(Return(value=_VALUE),)))
        if _VALUE not in render(seen[-1]):
            return _Wrong(f"gave {render(seen[-1])[:40]!r}, not the child's result")
        return None

    async def _cancel(self) -> Any:
        agent = self._new_agent((Sleep(seconds=1e5), Return(value=_VALUE)))
        asked = self.checked.run_agent(ALICE.id, self.context, agent)
        work = asyncio.ensure_future(asked)
        await asyncio.sleep(1)
        await self.checked.cancel_run(ALICE.id, self.context, agent.name)
        await asyncio.wait((work,), timeout=10)
        if not work.done():
            work.cancel()
            await asyncio.wait((work,))
            return _Wrong(f"did not end the run {agent.name!r} within 10 s")
        if not work.cancelled():
            work.exception()
        return None

    async def _connect(self) -> Any:
        client = await self.checked.connect(ALICE.id)
        heard: list[str] = []

        async def listen() -> None:
            async for message in client:
                heard.append(render(message))

        listening = asyncio.ensure_future(listen())
        await self._one("agent: emit", self._steps(Emit(payload=_VALUE)))
        await asyncio.sleep(1)
        self.method = "connect"
        await client.close()
        listening.cancel()
        await asyncio.wait((listening,))
        if not any(_VALUE in text for text in heard):
            return _Wrong(
                f"gave a connection on which {len(heard)} messages came, and none with "
                "what the agent emitted"
            )
        return self._told(f"run-{self._runs}", heard)

    def _told(self, run: str, heard: list[str]) -> Any:
        names = self.adapter.event_names
        if names is None:
            if (note := find_unnamed(run, ALICE.id, heard)) is not None:
                self._say("hint", note, "event_names")
        elif (wrong := find_contradiction(names, run, ALICE.id, heard)) is not None:
            return _Wrong(
                "gave a connection whose messages are not as event_names declares: "
                f"{wrong}"
            )
        return None

    # What is read without the engine

    async def _plain(self) -> None:
        await self._one("shared", self._shared())
        await self._one("holdings", self._called(self.checked.holdings, self.context))
        gauges = await self._one("gauges", self._called(self.checked.gauges, ALICE.id))
        await self._one("identity", self._called(self.checked.identity))
        if not gauges:
            self._say(
                "hint",
                "gives nothing: if the engine counts what it holds for a user, say so",
                "gauges",
            )

    async def _called(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return call(*arguments)

    async def _shared(self) -> Any:
        if not self.checked.shared():
            text = "gives nothing: name what users share on purpose, the engine first"
            self._say("hint", text, "shared")

    # The end

    async def _clean_context(self) -> Any:
        context = await self.checked.open_context(ALICE.id, "thread-2", {})
        await self.checked.cleanup_context(ALICE.id, context)

    async def _shut_down(self) -> Any:
        await self.checked.shutdown()
        try:
            await self.checked.shutdown()
        except AdapterError:
            raise
        except Exception as error:
            return _Wrong(
                f"raised {type(error).__name__} the second time: it may come "
                "twice, and then does nothing"
            )
        await asyncio.sleep(5)
        for gauge, value in self.checked.gauges(None).items():
            if value:
                self._say("hint", f"{gauge!r} is {value:g} after shutdown", "gauges")
        return None

    # What is not asked for

    def _skip(self, method: str, capability: Capability) -> None:
        note = f"{capability.value!r} is not declared"
        self._say("not exercised", note, method)

    def _rest(self) -> None:
        """All that could not be asked for, as what comes before it does not work."""
        names = ("start", "open_context", "run_agent", "read", "cleanup_context")
        for method in (*names, "cleanup_user", "shutdown"):
            if method == self.method or method not in _after(self.method):
                continue
            self._say("not exercised", LATER, method)

    def _undeclared(self) -> None:
        own = type(self.adapter)
        for capability, methods in METHODS.items():
            for method in methods if capability not in self.has else ():
                declared = any(method in METHODS.get(one, ()) for one in self.has)
                if (
                    getattr(own, method) is not getattr(Adapter, method)
                    and not declared
                ):
                    self._undeclared_one(method, capability)
        for capability, methods in _SERVICES.items():
            for method in methods if capability not in self.has else ():
                if self.services is not None and hasattr(self.services, method):
                    self._undeclared_one(f"agent: {method}", capability)

    def _undeclared_one(self, method: str, capability: Capability) -> None:
        note = f"is there, but never asked for: {capability.value!r} is not declared"
        self._say("hint", note, method)


def _after(method: str) -> tuple[str, ...]:
    order = (
        "start",
        "open_context",
        "run_agent",
        "read",
        "cleanup_context",
        "cleanup_user",
        "shutdown",
    )
    reached = "run_agent" if method.startswith("agent:") else method
    return order[order.index(reached) + 1 :] if reached in order else ()


class _Wrong(msgspec.Struct, frozen=True):
    """A method gave what it may not give."""

    text: str
