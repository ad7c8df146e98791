"""The agent of a generated run: it performs a script through an engine's services."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from hashlib import shake_128
from typing import Any

from isolation_spec.contract.errors import (
    AdapterError,
    AgentFailure,
    NotImplementedYet,
    first_not_implemented,
)
from isolation_spec.contract.services import Services
from isolation_spec.model.run_name import run_name
from isolation_spec.model.scenario import (
    CallTool,
    Emit,
    Fail,
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
)

__all__ = ["FILLER", "HALF", "ScriptedAgent"]


HALF = "\ud800"
"""Half a character: it is text that no codec encodes."""
FILLER = b64encode(shake_128(b"filler").digest(45_000), b"-_").decode()
"""More than the buffers between an engine and its client hold, compressed or not."""


class ScriptedAgent:
    """An agent that performs a script; the adapter's agent calls `perform` only.

    Arguments:
        run: the id of the operation that runs it.
        record: takes (path, step, its result or exception, identity) at the beginning
            and after each step.
    """

    def __init__(
        self,
        run: int,
        script: tuple[Step, ...],
        record: Callable[[tuple[int, ...], str, Any, str | None], None],
        path: tuple[int, ...] = (),
    ) -> None:
        self.run = run
        self.script = script
        self.path = path
        self.performed = False
        self.finished = False
        self.broken: list[AdapterError] = []
        self._record = record

    @property
    def name(self) -> str:
        """The id of the run in the engine: `run-3`, its child `run-3.1`."""
        return run_name(self.run, self.path)

    async def perform(self, services: Services) -> Any:
        """Performs the script and returns its result.

        Raises:
            AgentFailure: at a `fail` step, or where a failing transaction raised.
        """
        step: Step = Return(value="")
        self.performed = True
        if not callable(getattr(services, "identity", None)):
            raise self._break(services, "identity", "is missing")
        self._record(self.path, "begin", "", self._identity(services))
        for index, step in enumerate(self.script):
            path = (*self.path, index)
            try:
                seen = await self._take(step, path, services)
            except BaseException as error:
                kind = type(step).__struct_config__.tag
                if isinstance(error, AdapterError):
                    if isinstance(error, NotImplementedYet):
                        error = first_not_implemented(type(services), str(kind))
                    self.broken.append(error)
                    raise error
                if (problem := _problem(error, services, str(kind))) is not None:
                    raise self._break(services, str(kind), problem) from error
                self._record(path, str(kind), error, services.identity())
                raise
            kind = type(step).__struct_config__.tag
            self._record(path, str(kind), seen, services.identity())
            if isinstance(step, Return):
                break
        self.finished = True
        return step.value if isinstance(step, Return) and self.script else None

    def _identity(self, services: Services) -> str | None:
        try:
            return services.identity()
        except NotImplementedYet:
            self.broken.append(first_not_implemented(type(services), "identity"))
            raise self.broken[-1] from None

    async def _take(self, step: Step, path: tuple[int, ...], services: Services) -> Any:
        match step:
            case Think():
                return await services.think(step.prompt)
            case CallTool():
                return await services.call_tool(step.tool, step.argument)
            case WriteState():
                return await services.write_state(step.key, step.value)
            case ReadState():
                return await services.read_state()
            case Remember():
                value = f"{step.value}{HALF}" if step.broken else step.value
                return await services.remember(step.key, value)
            case Recall():
                return await services.recall(step.key)
            case Transact():
                error = AgentFailure("in a transaction") if step.fails else None
                return await services.transact(step.items, error)
            case Emit():
                filler = FILLER if step.large else ""
                return await services.emit(f"{step.payload}{filler}")
            case Spawn():
                child = ScriptedAgent(self.run, step.script, self._record, path)
                child.broken = self.broken
                return await services.spawn(child)
            case Sleep():
                return await services.sleep(step.seconds)
            case Fail():
                raise AgentFailure(step.message)
            case Return():
                return None

    def _break(self, services: Services, method: str, problem: str) -> AdapterError:
        """The error, held as well, as an engine may swallow its agent's exceptions."""
        message = (
            f"{type(services).__name__}.{method} {problem}: an agent performs its "
            f"script by such methods, so write it as in isolation_spec.Services"
        )
        self.broken.append(AdapterError(message))
        return self.broken[-1]


def _problem(error: BaseException, services: Services, method: str) -> str | None:
    """The fault of the method's form, None if the error came from within it."""
    if isinstance(error, AttributeError) and not hasattr(services, method):
        return "is missing"
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    # A method that is no coroutine, or takes other arguments, fails in our own frame.
    ours = trace is not None and trace.tb_frame.f_code is ScriptedAgent._take.__code__
    is_shape = ours and isinstance(error, TypeError)
    return f"cannot be called and awaited ({error})" if is_shape else None
