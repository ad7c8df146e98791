"""One user's session with the adapter under check, and the reports about it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from isolation_spec.adapter_check.result import ALICE, BOB, MethodResult, Status
from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.capabilities import Capability
from isolation_spec.contract.checked_adapter import CheckedAdapter
from isolation_spec.contract.errors import AdapterError, NotImplementedYet
from isolation_spec.contract.scripted_agent import ScriptedAgent
from isolation_spec.contract.services import Services
from isolation_spec.contract.toolbox import Toolbox
from isolation_spec.model.scenario import Step, canary
from isolation_spec.world import World

__all__ = ["VALUE", "CheckFailed", "CheckStopped", "Session"]

VALUE = canary("alice", 1, 0)
"""The value that Alice stores, prompts with, emits and returns."""


class CheckFailed(Exception):
    """A method breaks the contract; the text follows its name in the report."""


class CheckStopped(Exception):
    """A required method fails, so that no further method can be exercised."""


class Agent(ScriptedAgent):
    """Remembers the services that it was given."""

    services: Services | None = None

    async def perform(self, services: Services) -> Any:
        """Performs the script and returns its result."""
        self.services = services
        return await super().perform(services)


class Session:
    """Calls the methods of an adapter for Alice and reports how each one stands.

    Attributes:
        checked: the adapter, with its results checked against the contract.
        method: the method that is being exercised.
        context: the handle from `open_context`.
        services: the services of the latest agent, None before there was one.
        identities: the users on whose behalf agents ran, as the services name them.
        runs: how many agents were made.
    """

    def __init__(
        self,
        adapter: Adapter,
        world: World,
        report: Callable[[MethodResult], None],
        began: Callable[[str], None],
    ) -> None:
        self.adapter = adapter
        self.checked = CheckedAdapter(adapter)
        self.world = world
        self.method = "start"
        self.context: Any = None
        self.services: Services | None = None
        self.identities: set[Any] = set()
        self.runs = 0
        self._report = report
        self._began = began
        self._failures = 0
        self._handlers = {
            number: signal.getsignal(number)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        world.toolbox = Toolbox(world, (ALICE, BOB), lambda *_: None)

    @property
    def name(self) -> str:
        """The method that is being exercised, with its class."""
        return f"{type(self.adapter).__name__}.{self.method}"

    def has(self, capability: Capability) -> bool:
        """Whether the adapter declares the capability."""
        return capability in self.adapter.capabilities

    # Reports

    def report(self, status: Status, note: str = "", method: str = "") -> None:
        """Reports on a method, by default on the one that is being exercised."""
        self._failures += status in ("not written", "breaks")
        self._report(
            MethodResult(method=method or self.method, status=status, note=note)
        )

    def skip(self, method: str, capability: Capability) -> None:
        """Reports that a method is not exercised for want of its capability."""
        note = f"{capability.value!r} is not declared"
        self.report("not exercised", note, method)

    def report_signals(self) -> None:
        """Hints at signal handlers that the adapter left behind."""
        for number, handler in self._handlers.items():
            if signal.getsignal(number) is not handler:
                note = f"leaves a handler of {number.name} behind"
                self.report("hint", note, "signals")

    # Calls

    async def exercise(self, method: str, call: Awaitable[Any]) -> Any:
        """Awaits the check of one method and reports how the method stands.

        Returns:
            The result of the check, None if it fails.
        """
        self.method = method
        self._began(method)
        try:
            async with asyncio.timeout(self.world.limit):
                answer = await call
        except NotImplementedYet as error:
            self.report("not written", str(error))
        except AdapterError as error:
            self.report("breaks", str(error))
        except CheckFailed as error:
            self.report("breaks", f"{self.name} {error}")
        except TimeoutError:
            limit = f"{self.world.limit:g} virtual seconds"
            self.report("breaks", f"{self.name} did not return within {limit}")
        except asyncio.CancelledError:
            text = f"{self.name} raised CancelledError although nothing cancelled it"
            self.report("breaks", text)
        except Exception as error:
            self.report("breaks", self._describe(error))
        else:
            self.report("ok")
            return answer
        return None

    async def require(self, method: str, call: Awaitable[Any]) -> Any:
        """Exercises a method without which no other can be exercised.

        Raises:
            CheckStopped: the method fails.
        """
        before = self._failures
        answer = await self.exercise(method, call)
        if self._failures > before:
            raise CheckStopped
        return answer

    def _describe(self, error: Exception) -> str:
        message = " ".join(str(error).split())
        text = f"{self.name} raised {type(error).__name__}"
        text += f": {message}" if message else ""
        if isinstance(error, self.checked.refusals):
            return f"{text}: it refuses a user's own, and the only, request"
        return f"{text}: a user's own, and the only, request must be granted"

    # Agents

    def make_agent(
        self, script: tuple[Step, ...], results: list[Any] | None = None
    ) -> Agent:
        """Returns an agent with this script, which adds step results to a list."""
        self.runs += 1

        def record(path: Any, step: str, result: Any, identity: Any) -> None:
            self.identities.add(identity)
            if results is not None and step != "begin":
                results.append(result)

        return Agent(self.runs, script, record)

    async def run_steps(self, *script: Step) -> list[Any]:
        """Runs an agent with this script and returns the results of its steps."""
        results: list[Any] = []
        agent = self.make_agent(script, results)
        await self.checked.run_agent(ALICE.id, self.context, agent)
        return results
